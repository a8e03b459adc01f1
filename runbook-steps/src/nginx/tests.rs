//! The steps against a real nginx, which `tests/services/nginx` starts.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use runbook::{Check as _, Context, Finding, Rollback as _, Step as _, Survey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, MutexGuard};

use super::*;
use crate::{laws, taking};

#[cfg(feature = "testing")]
mod conformance;

/// The nginx of the tests, one test at a time.
struct Place {
    dir: PathBuf,
    server: Nginx,
    cx: Context,
    _alone: MutexGuard<'static, ()>,
}

impl Place {
    async fn new() -> Self {
        static ALONE: Mutex<()> = Mutex::const_new(());
        let alone = ALONE.lock().await;
        let dir =
            std::env::var("RUNBOOK_TEST_NGINX").expect("RUNBOOK_TEST_NGINX names a directory: tests/services/nginx");
        let dir = PathBuf::from(dir);
        for part in ["sites-available", "sites-enabled"] {
            for entry in std::fs::read_dir(dir.join(part)).expect("is there") {
                let path = entry.expect("an entry").path();
                if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
                    .expect("is removed");
            }
        }
        let server = Nginx::new()
            .program("/usr/sbin/nginx")
            .root(&dir)
            .conf(dir.join("nginx.conf"))
            .pid_file(dir.join("nginx.pid"));
        Self { dir, server, cx: Context::local(), _alone: alone }
    }

    fn port(&self) -> u16 {
        let text = std::fs::read_to_string(self.dir.join("port")).expect("is there");
        text.trim().parse().expect("a port")
    }

    fn says(&self, words: &str) -> String {
        format!("server {{\n  listen 127.0.0.1:{};\n  return 200 \"{words}\";\n}}\n", self.port())
    }

    async fn serve(&self, words: &str) {
        self.load(self.says(words)).await;
    }

    /// An upstream of these backends, and a site that passes everything on to it.
    fn balances(&self, backends: &[u16]) -> String {
        let servers: Vec<String> = backends.iter().map(|port| format!("server 127.0.0.1:{port};")).collect();
        let (servers, port) = (servers.join(" "), self.port());
        format!(
            "upstream api {{ {servers} }}\nserver {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://api; }} }}\n"
        )
    }

    /// Installs a site and loads it.
    async fn load(&self, config: String) {
        let site = self.server.site("app", config);
        if let Survey::Change { before, .. } = site.survey(&self.cx).await.expect("looks") {
            site.apply(&self.cx, &before).await.expect("is installed");
        }
        reload::prove(&self.cx, &self.server).await.expect("reloads");
    }

    /// What a client is told.
    async fn get(&self) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port())).await.expect("listens");
        stream.write_all(b"POST /x HTTP/1.0\r\nContent-Length: 0\r\n\r\n").await.expect("is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("is answered");
        answer
    }

    fn sites(&self) -> Vec<BTreeMap<PathBuf, String>> {
        ["sites-available", "sites-enabled"].map(|part| laws::tree(&self.dir.join(part))).into()
    }
}

#[tokio::test]
#[ignore = "needs nginx: tests/all runs it"]
async fn a_site_keeps_the_laws() {
    let place = Place::new().await;
    let shown = laws::laws_seen(&place.server.site("app", place.says("one")), || place.sites()).await;
    assert!(shown.output.sha256.is_some() && shown.output.link.ends_with("sites-enabled/app"), "{:?}", shown.output);
    place.serve("one").await;
    laws::laws_seen(&place.server.site("app", place.says("two")), || place.sites()).await;
    assert!(place.get().await.ends_with("one"));
}

/// The claim of A4.10: `nginx -t` fails on a certificate that is not there yet. The old site is put back, goes on being
/// served, and the message says what to do first.
#[tokio::test]
#[ignore = "needs nginx: tests/all runs it"]
async fn a_site_that_nginx_refuses_leaves_what_was_there() {
    let place = Place::new().await;
    place.serve("old").await;
    let sites = place.sites();
    let config = format!(
        "server {{ listen 127.0.0.1:{} ssl; ssl_certificate /no/such/fullchain.pem; ssl_certificate_key /no/such/key; }}",
        place.port()
    );
    let site = place.server.site("app", config);
    let before = taking::before(&place.cx, &site).await;
    let error = site.apply(&place.cx, &before).await.expect_err("is refused");
    assert!(format!("{error:#}").contains("/no/such/fullchain.pem"), "{error:?}");
    assert!(error.advice().is_some_and(|hint| hint.contains("certificate")), "{error:?}");
    assert_eq!(place.sites(), sites);
    place.server.reload().apply(&place.cx, &Workers { master: 0, workers: vec![] }).await.expect("the old one loads");
    assert!(place.get().await.ends_with("old"));
    assert!(place.server.test().check(&place.cx).await.expect("is asked").passes());

    // Someone breaks it by hand: the next site is not blamed for it.
    std::fs::write(place.dir.join("sites-enabled/hand"), "nonsense").expect("is written");
    let error = place.server.site("app", place.says("new")).survey(&place.cx).await.expect_err("is refused");
    assert!(format!("{error:#}").contains("sites-enabled/hand"), "{error:?}");
    assert!(matches!(place.server.test().check(&place.cx).await, Ok(Finding::Fail(_))));
}

/// `nginx -t` passes and `nginx -s reload` exits with 0, but the master cannot have the port.
#[tokio::test]
#[ignore = "needs nginx: tests/all runs it"]
async fn a_reload_that_fails_behind_a_zero_is_an_error() {
    let place = Place::new().await;
    place.serve("old").await;
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = taken.local_addr().expect("has one").port();
    std::fs::write(place.dir.join("sites-enabled/taken"), format!("server {{ listen 127.0.0.1:{port}; }}"))
        .expect("written");
    let error = reload::prove(&place.cx, &place.server).await.expect_err("did not happen");
    assert!(error.message().contains("its workers are the old ones"), "{error:?}");
    let log = place.dir.join("error.log");
    let finding = no_errors(&log).check(&place.cx).await.expect("is asked");
    assert!(finding.evidence().lines.iter().any(|line| line.contains("Address already in use")), "{finding:?}");
    drop(taken);
    std::fs::remove_file(place.dir.join("sites-enabled/taken")).expect("is removed");
    let reloaded = reload::prove(&place.cx, &place.server).await.expect("reloads");
    assert_eq!(reloaded.before.master, reloaded.now.master);
    assert!(place.get().await.ends_with("old"));
}

#[tokio::test]
#[ignore = "needs nginx: tests/all runs it"]
async fn a_maintenance_page_answers_everything_and_goes_without_a_trace() {
    let place = Place::new().await;
    place.serve("open").await;
    let page = place.server.maintenance("app").page("<p>back \"soon\"</p>");
    let open = place.sites();
    let before = taking::before(&place.cx, &page).await;
    page.apply(&place.cx, &before).await.expect("shows");
    let answer = place.get().await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with("<p>back \"soon\"</p>"), "{answer}");
    page.apply(&place.cx, &before).await.expect("shows it again");
    for _ in 0..2 {
        page.rollback(&place.cx, &before).await.expect("goes");
        assert!(place.get().await.ends_with("open"));
        assert_eq!(place.sites(), open);
    }
    let error = place.server.maintenance("nothing").survey(&place.cx).await.expect_err("is refused");
    assert!(error.message().contains("not enabled"), "{error:?}");
}

/// A server that answers one request a connection with this word, after a while.
async fn backend(word: &'static str, after: Duration) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("has one").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 4096]).await;
                tokio::time::sleep(after).await;
                let answer = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{word}", word.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    port
}

#[tokio::test]
#[ignore = "needs nginx: tests/all runs it"]
async fn a_drained_server_gets_no_request_and_what_was_on_its_way_has_ended() {
    let place = Place::new().await;
    let (one, two) = (backend("one", Duration::from_millis(400)).await, backend("two", Duration::ZERO).await);
    let config = format!(
        "upstream api {{\n  server 127.0.0.1:{one};\n  server 127.0.0.1:{two};  # the other\n}}\n\
         server {{\n  listen 127.0.0.1:{};\n  location / {{ proxy_pass http://api; }}\n}}\n",
        place.port()
    );
    place.load(config).await;

    let api = place.server.upstream("api");
    let drain = api.drain(format!("127.0.0.1:{one}"));
    let shown = laws::laws_sampled(&drain, || place.sites(), 4).await;
    assert_eq!(shown.output.servers, [format!("127.0.0.1:{one} down"), format!("127.0.0.1:{two}")]);

    let asked = tokio::join!(place.get(), place.get());
    assert!([asked.0, asked.1].iter().any(|answer| answer.ends_with("one")), "both get requests");
    let before = taking::before(&place.cx, &drain).await;
    let waiting = async {
        // Two of them, so that one goes to the slow server.
        tokio::join!(place.get(), place.get())
    };
    let draining = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drain.apply(&place.cx, &before).await.expect("drains")
    };
    let (answers, _) = tokio::join!(waiting, draining);
    for answer in [answers.0, answers.1] {
        assert!(answer.starts_with("HTTP/1.1 200"), "no request is lost: {answer}");
    }
    for _ in 0..6 {
        assert!(place.get().await.ends_with("two"));
    }
    let error = api.drain(format!("127.0.0.1:{two}")).survey(&place.cx).await.expect_err("is refused");
    assert!(error.message().contains("is the last server"), "{error:?}");
    let error = api.drain("127.0.0.1:1").survey(&place.cx).await.expect_err("is refused");
    assert!(error.message().contains("no server `127.0.0.1:1`"), "{error:?}");
    drain.rollback(&place.cx, &before).await.expect("comes back");
    let more = api.servers([format!("127.0.0.1:{two}"), format!("127.0.0.1:{two} backup")]);
    laws::laws_sampled(&more, || place.sites(), 8).await;
}

/// nginx goes by the change then, and so the way back has to load what was before.
#[tokio::test]
#[ignore = "needs nginx: tests/all runs it"]
async fn a_drain_that_takes_too_long_is_taken_back() {
    let place = Place::new().await;
    let (one, two) = (backend("one", Duration::from_secs(6)).await, backend("two", Duration::ZERO).await);
    place.load(place.balances(&[one, two])).await;
    let sites = place.sites();

    let drain = place.server.upstream("api").within(Duration::from_millis(200)).drain(format!("127.0.0.1:{one}"));
    let before = taking::before(&place.cx, &drain).await;
    let draining = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drain.apply(&place.cx, &before).await.expect_err("a request is on its way")
    };
    let (_, _, error) = tokio::join!(place.get(), place.get(), draining);
    assert!(format!("{error:#}").contains("requests on their way"), "{error:?}");
    let patient = place.server.upstream("api").drain(format!("127.0.0.1:{one}"));
    patient.rollback(&place.cx, &before).await.expect("comes back");
    assert_eq!(place.sites(), sites);
    let asked = tokio::join!(place.get(), place.get());
    assert!([asked.0, asked.1].iter().any(|answer| answer.ends_with("one")), "both get requests");
}

/// The instance that is put back is one that crashes over and over, and has an address only now and then.
#[tokio::test]
#[ignore = "needs nginx: tests/all runs it"]
async fn what_is_drained_already_is_drained_without_an_address() {
    let place = Place::new().await;
    let (one, two) = (backend("one", Duration::ZERO).await, backend("two", Duration::ZERO).await);
    place.load(place.balances(&[one, two])).await;

    let drain = place.server.upstream("api").drain(format!("127.0.0.1:{one}"));
    let before = taking::before(&place.cx, &drain).await;
    let drained = drain.apply(&place.cx, &before).await.expect("drains");
    assert!(drained.reloaded.is_some());
    std::fs::write(place.dir.join("sites-enabled/other"), "upstream other { server api-4.invalid:8000; }")
        .expect("is written");
    let again = drain.apply(&place.cx, &before).await.expect("is drained");
    assert_eq!((again.reloaded, again.servers), (None, drained.servers));
    drain.rollback(&place.cx, &before).await.expect_err("nginx cannot load anything now");
}

/// The claim of B13: nginx refuses an upstream whose server has no address. What it had goes on.
#[tokio::test]
#[ignore = "needs nginx: tests/all runs it"]
async fn a_server_without_an_address_is_refused_and_nothing_changes() {
    let place = Place::new().await;
    let two = backend("two", Duration::ZERO).await;
    place.load(place.balances(&[two])).await;
    let sites = place.sites();
    let more = place.server.upstream("api").servers([format!("127.0.0.1:{two}"), "api-4.invalid:8000".to_owned()]);
    let before = taking::before(&place.cx, &more).await;
    let error = more.apply(&place.cx, &before).await.expect_err("is refused");
    assert!(format!("{error:#}").contains("host not found in upstream"), "{error:?}");
    assert_eq!(place.sites(), sites);
    assert!(place.get().await.ends_with("two"));
}

/// A18.3, whose comparison is left to the eye.
#[tokio::test]
async fn a_site_that_passes_on_to_another_port_is_found() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("sites-available")).expect("is made");
    let (server, cx) = (Nginx::new().root(dir.path()), Context::local());
    let ask = async |config: &str, port| {
        std::fs::write(server.available("app"), config).expect("is written");
        server.upstream_port("app", port).check(&cx).await.expect("is asked")
    };
    let config = "# proxy_pass http://127.0.0.1:8000;\nserver { location / { proxy_pass http://127.0.0.1:8001; } }";
    assert!(ask(config, 8001).await.passes());
    let finding = ask(config, 8000).await;
    assert_eq!(finding.evidence().summary, "the site app passes on to 127.0.0.1:8001, wanted port 8000");
    assert!(matches!(finding, Finding::Fail(_)));
    assert!(matches!(ask("server { return 204; }", 8000).await, Finding::Unknown(_)));
}

#[tokio::test]
async fn an_error_log_is_read_by_level() {
    let dir = tempfile::tempdir().expect("a directory");
    let log = dir.path().join("error.log");
    let refused =
        "2026/11/21 04:44:01 [error] 7#7: *1 connect() failed (111: Connection refused) while connecting to upstream";
    std::fs::write(&log, format!("2026/11/21 04:44:00 [notice] 7#7: 0 errors\n{refused}\n")).expect("is written");
    let finding = no_errors(&log).check(&Context::local()).await.expect("is asked");
    assert_eq!((finding.passes(), &*finding.evidence().lines), (false, &[refused.to_owned()][..]));
    assert!(no_errors(&log).lines(0).check(&Context::local()).await.expect("is asked").passes());
    assert!(no_errors(dir.path().join("none")).check(&Context::local()).await.is_err(), "no log is no answer");
}

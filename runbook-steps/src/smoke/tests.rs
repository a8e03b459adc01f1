//! Smoke tests against an application that is Rust, simulated and behind a socket.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use runbook::testing::Rig;
use runbook::{Check, Context, Error, Finding, Result, Rollback as _, Run, Secret, Step as _, Units as _};
use runbook_macros::procedure;
use serde_json::{Value, json};

use super::*;
use crate::http::{self, Body, Fake, HeaderValue, Request, Response};
use crate::probes::Report;
use crate::serving::{Heard, serve};
use crate::taking::{before, take};

const URL: &str = "http://app";
const TOKEN: &str = "tok-of-the-smoke-test";

/// An application with a login, cases, three instances and a limit of ten.
#[derive(Clone, Default)]
struct App(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cases: Mutex<BTreeMap<usize, String>>,
    made: AtomicUsize,
    asked: AtomicUsize,
    wrong: AtomicUsize,
    analysis_breaks: bool,
    one_instance: bool,
}

impl App {
    fn cases(&self) -> std::sync::MutexGuard<'_, BTreeMap<usize, String>> {
        self.0.cases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, method: &str, path: &str, token: Option<&str>, body: &Value) -> Response {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        if parts[..] == ["login"] {
            return self.login(body);
        }
        if parts[..] == ["health"] {
            let n = self.0.asked.fetch_add(1, Ordering::SeqCst) % if self.0.one_instance { 1 } else { 3 };
            return Response::json(200, json!({"instance_id": format!("api-{}", n + 1)}))
                .with_header("x-instance", format!("api-{}", n + 1));
        }
        if token != Some(TOKEN) {
            return Response::json(401, json!({"detail": "who are you?"}));
        }
        match (method, &parts[..]) {
            ("POST", ["cases"]) => {
                let id = self.0.made.fetch_add(1, Ordering::SeqCst);
                self.cases().insert(id, body["name"].as_str().unwrap_or_default().to_owned());
                Response::json(201, json!({"id": id, "name": body["name"]}))
            }
            ("GET", ["cases"]) => {
                let wanted = query.strip_prefix("name=").unwrap_or_default();
                let found: Vec<Value> =
                    self.cases().iter().filter(|(_, name)| *name == wanted).map(|(id, _)| json!({"id": id})).collect();
                Response::json(200, Value::Array(found))
            }
            ("POST", ["analyze", _]) if self.0.analysis_breaks => Response::text(500, format!("with {TOKEN}")),
            ("POST", ["analyze", _]) => Response::json(200, json!({"status": "done"})),
            ("DELETE", ["cases", id]) => {
                let gone = id.parse().ok().and_then(|id: usize| self.cases().remove(&id));
                Response::new(if gone.is_some() { 204 } else { 404 })
            }
            _ => Response::new(404),
        }
    }

    fn login(&self, body: &Value) -> Response {
        if body["password"] == json!("sesame-smoke-4711") {
            return Response::json(200, json!({"access_token": TOKEN, "expires": 60}));
        }
        let limited = self.0.wrong.fetch_add(1, Ordering::SeqCst) >= 10;
        if limited { Response::new(429).with_header("retry-after", "30") } else { Response::new(401) }
    }

    fn fake(&self) -> Fake {
        let this = self.clone();
        Fake::new().on(URL, move |request| {
            let token = request.headers.iter().find_map(|(_, value)| match value {
                HeaderValue::Bearer(secret) => secret.expose().ok(),
                _ => None,
            });
            let body = if let Body::Json(body) = &request.body { body.clone() } else { Value::Null };
            this.answer(&request.method, request.url.trim_start_matches(URL), token.as_deref(), &body)
        })
    }

    async fn served(&self) -> String {
        let this = self.clone();
        serve(move |heard: &Heard| {
            let token = heard.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
            this.answer(&heard.method, &heard.path, token, &heard.json())
        })
        .await
    }

    fn broken() -> Self {
        Self(Arc::new(Inner { analysis_breaks: true, ..Inner::default() }))
    }
}

fn password() -> Secret {
    Secret::found("the test", "sesame-smoke-4711")
}

fn analyse() -> Talk {
    let login = post("/login")
        .json(json!({"email": "a@b"}))
        .secret_field("/password", &password())
        .status(200)
        .keep_secret("token", "/access_token");
    talk()
        .turn(login.clone())
        .turn(
            post("/cases")
                .bearer("token")
                .json(json!({"name": "{unique}"}))
                .status(201)
                .has("/name", "{unique}")
                .keep("id", "/id"),
        )
        .turn(post("/analyze/{id}").bearer("token").has("/status", "done"))
        .cleanup(login)
        .cleanup(get("/cases?name={unique}").bearer("token").keep_if_there("id", "/0/id"))
        .cleanup(delete("/cases/{id}").bearer("token").status_in([204, 404]))
}

fn pack(url: &str) -> Pack {
    at(url)
        .talk("Analyse", analyse())
        .check("Spread", spread(http::get(format!("{url}/health")), "/instance_id").over(["api-1", "api-2", "api-3"]))
        .check("Limit", rate_limit(http::post(format!("{url}/login")).send_json(json!({"password": "x"}))).allows(10))
}

async fn tried(app: &App, pack: Pack) -> Report {
    take(&Context::local().with_port(app.fake().port()), &pack).await.expect("is tried")
}

#[tokio::test(start_paused = true)]
async fn a_pack_tells_what_it_saw_and_leaves_nothing() {
    let app = App::default();
    let report = tried(&app, pack(URL)).await.all_pass().expect("all is well");
    let said: Vec<&str> = report.answers.iter().map(|answer| answer.finding.evidence().summary.as_str()).collect();
    assert_eq!(
        said,
        [
            "3 turns as wanted",
            "of 30 answers: api-1 10, api-2 10, api-3 10",
            "10 × 401, then 429 at request 11, for 30 s"
        ]
    );
    assert!(app.cases().is_empty(), "it is removed");
    let lines = &report.answers[0].finding.evidence().lines;
    assert!(lines[2].starts_with("POST /analyze/{id}: 200 OK"), "{lines:?}");
    assert!(lines[5].starts_with("cleanup: DELETE /cases/{id}: 204"), "{lines:?}");
    let shown = format!("{report:?}");
    assert!(!shown.contains(TOKEN) && !shown.contains("sesame"), "{shown}");
}

#[tokio::test]
async fn it_is_the_same_over_the_network() {
    let app = App::default();
    let report = take(&Context::local(), &pack(&app.served().await)).await.expect("is tried");
    report.all_pass().expect("all is well");
    assert!(app.cases().is_empty(), "it is removed");
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_fails_is_the_last_and_is_cleaned_up_after() {
    let app = App::broken();
    let report = tried(&app, pack(URL)).await;
    let Some(Finding::Fail(why)) = report.of("Analyse") else { panic!("{report:?}") };
    assert!(why.summary.starts_with("POST /analyze/{id}: 500 Internal Server Error"), "{why:?}");
    assert!(why.lines.contains(&"with [redacted]".to_owned()), "what a service repeats is no secret told: {why:?}");
    assert!(app.cases().is_empty(), "it is removed");
    assert!(report.all_pass().is_err());
}

#[tokio::test(start_paused = true)]
async fn the_way_back_cleans_up_by_the_word_alone() {
    let app = App::default();
    let (cx, pack) = (Context::local().with_port(app.fake().port()), pack(URL));
    let unique = before(&cx, &pack).await;
    // As if the runner had died after the case was made.
    app.cases().insert(7, unique.0.clone());
    app.cases().insert(8, "smoke-of-another".to_owned());
    for _ in 0..2 {
        pack.rollback(&cx, &unique).await.expect("is cleaned up");
    }
    assert_eq!(app.cases().values().collect::<Vec<_>>(), ["smoke-of-another"]);
}

#[procedure]
async fn smoke_tests(run: &Run) -> Result<()> {
    let talk = talk().turn(post("/cases").json(json!({"name": "{unique}"}))).cleanup(delete("/cases/{id}"));
    let report = run.step("Smoke tests", at(URL).talk("Cases", talk)).await?;
    drop(report.all_pass()?);
    Err(Error::new("unrelated"))
}

#[tokio::test(start_paused = true)]
async fn a_report_that_does_not_pass_ends_the_procedure() {
    let app = App::default();
    let ran = Rig::new().port(app.fake().port()).run::<smoke_tests>(runbook::NoInput {}).await.rolls_back();
    let error = ran.error().expect("fails");
    assert!(error.message().contains("1 of 1 does not pass: Cases"), "{error:?}");
    assert!(format!("{error:?}").contains("POST /cases: 401 Unauthorized"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_fails_and_no_answer_is_unknown() {
    let app = App::default();
    let report = |talk: Talk| {
        let app = app.clone();
        async move { tried(&app, at(URL).talk("it", talk)).await.answers.remove(0).finding }
    };
    let finding = report(talk().turn(get("/health").keep("id", "/id"))).await;
    assert_eq!(finding.evidence().summary, "GET /health: 200 OK, but there is no /id to keep");
    let finding = report(talk().turn(get("/health/{id}"))).await;
    assert_eq!(finding.evidence().summary, "GET /health/{id}: nothing was kept as `id`");
    let later = get("/health").has("/instance_id", "api-3").within(10.seconds());
    assert!(report(talk().turn(later)).await.passes(), "it is asked again");
    let cx = Context::local().with_port(Fake::new().port());
    let report = take(&cx, &at(URL).talk("it", talk().turn(get("/")))).await.expect("is tried");
    assert_eq!(report.answers[0].finding.word(), "unknown");
}

async fn ask(app: &App, check: impl Check) -> Finding {
    check.check(&Context::local().with_port(app.fake().port())).await.expect("is asked")
}

fn says(finding: &Finding, word: &str, words: &str) {
    assert!(finding.word() == word && finding.evidence().summary.contains(words), "{word} {words}: {finding:?}");
}

#[tokio::test(start_paused = true)]
async fn a_spread_names_who_is_missing_and_who_is_strange() {
    let health = || http::get(format!("{URL}/health"));
    let app = App::default();
    let all = spread(health(), "/instance_id");
    says(&ask(&app, all.clone().requests(5)).await, "pass", "of 5 answers: api-1 2, api-2 2, api-3 1");
    says(&ask(&app, all.clone().over(["api-1", "api-4"])).await, "fail", "api-4 never answered; of 20");
    says(&ask(&app, all.clone().over(["api-1", "api-2"])).await, "fail", "api-3 answered too");
    says(&ask(&app, all.in_header("x-instance").over(["api-1", "api-2", "api-3"])).await, "pass", "api-1 10");
    says(&ask(&app, spread(health(), "/none")).await, "unknown", "does not say who");
    says(&ask(&app, spread(http::get(format!("{URL}/cases")), "/x")).await, "fail", "request 1: 401");
    let one = App(Arc::new(Inner { one_instance: true, ..Inner::default() }));
    says(&ask(&one, spread(health(), "/instance_id")).await, "fail", "of 10 answers: api-1 10");
}

#[tokio::test(start_paused = true)]
async fn a_limit_lets_the_first_through_and_no_more() {
    let login = || http::post(format!("{URL}/login")).send_json(json!({"password": "x"}));
    says(&ask(&App::default(), rate_limit(login()).allows(9)).await, "pass", "then 429 at request 11");
    says(&ask(&App::default(), rate_limit(login()).allows(12)).await, "fail", "request 11 was refused, for 30 s");
    says(&ask(&App::default(), rate_limit(login()).allows(5).refuses_by(8)).await, "fail", "none of 8 requests");
    let app = App::default();
    assert!(ask(&app, rate_limit(login())).await.passes());
    says(&ask(&app, rate_limit(login())).await, "unknown", "limited before the first request, for 30 s");
    let broken = rate_limit(http::post(format!("{URL}/analyze/1")).bearer(&Secret::found("the test", TOKEN)));
    says(&ask(&App::broken(), broken).await, "fail", "request 1 got 500");
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_waited_for() {
    let began = tokio::time::Instant::now();
    let asked = AtomicUsize::new(0);
    let limited = move |_: &Request| {
        let refused = asked.fetch_add(1, Ordering::SeqCst) >= 2 && began.elapsed() < 30.seconds();
        if refused { Response::new(429).with_header("retry-after", "10") } else { Response::new(200) }
    };
    let cx = Context::local().with_port(Fake::new().on(URL, limited).port());
    let limit = rate_limit(http::get(URL)).allows(2);
    says(&limit.clone().lifted_within(60.seconds()).check(&cx).await.expect("is asked"), "pass", "lifted after 30 s");
}

#[test]
fn a_pack_describes_itself_and_no_secret() {
    let about = pack(URL).describe();
    assert_eq!(about.line(), "test http://app: Analyse, Spread, Limit");
    assert_eq!(about.commands[0], r#"curl -sS -X POST --json '{"email":"a@b"}' http://app/login"#);
    assert!(about.repeats && !about.writes.is_empty());
    assert!(!format!("{about:?} {:?}", pack(URL)).contains("sesame"));
    assert!(pack(URL).predict().expect("a plan goes on").passes());
}

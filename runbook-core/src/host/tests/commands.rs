//! What commands promise on every host.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use super::secret;
use crate::command::Pipeline;
use crate::{Command, Context, ErrorKind};

pub(super) fn sh(script: &str) -> Command {
    Command::new("sh").args(["-c", script])
}

pub(super) async fn run_as_they_are_given(cx: &Context, dir: &Path) {
    // Arguments of any bytes, none of them read by a shell.
    let odd = ["", "two words", "$HOME", "it's", "a\nb", "*", "\\", "--", "é"];
    let command = Command::new("printf").arg(r"%s\0").args(odd).arg(OsStr::from_bytes(b"\xff\xfe"));
    let printed = cx.run(&command).await.expect("ends well").stdout;
    let words: Vec<&[u8]> = printed.split(|byte| *byte == 0).collect();
    assert_eq!(words[..odd.len()], odd.map(str::as_bytes));
    assert_eq!(words[odd.len()], b"\xff\xfe");
    // Environment, directory and input.
    let command = sh(r#"printf '%s|%s|' "$A" "$B"; pwd; cat; echo err >&2"#);
    let command = command.env("A", "it's\nq\"uoted $X").env("B", OsStr::from_bytes(b"\xe9")).dir(dir).input("fed");
    let output = cx.run(&command).await.expect("ends well");
    let expected = [b"it's\nq\"uoted $X|\xe9|", dir.as_os_str().as_bytes(), b"\nfed"].concat();
    assert_eq!(output.stdout, expected);
    assert_eq!(output.stderr, b"err\n");
    // Exit codes and signals.
    assert_eq!(cx.output(&sh("exit 42")).await.expect("ends").code, Some(42));
    assert_eq!(cx.output(&sh("exit 127")).await.expect("ends").code, Some(127));
    let killed = cx.output(&sh("kill -9 $$")).await.expect("ends");
    assert!(killed.code.is_none_or(|code| code == 128 + 9), "{killed:?}");
    // Much in both directions at once.
    let much: Vec<u8> = (0..500_000_u32).flat_map(u32::to_le_bytes).collect();
    let output = cx.run(&Command::new("cat").input(much.clone())).await.expect("ends well");
    assert_eq!((output.stdout.len() as u64 + output.omitted, output.stdout.len()), (much.len() as u64, 1 << 20));
    assert!(output.stdout.ends_with(&much[much.len() - 1000..]));
}

pub(super) async fn name_what_is_missing(cx: &Context) {
    // Words of a shell are no programs.
    for name in ["no-such-program", "/no/such/program", "/tmp", "export"] {
        let error = cx.run(&Command::new(name)).await.expect_err("does not start");
        let expected = [format!("no program `{name}`"), format!("no permission to run `{name}`")];
        assert!(expected.iter().any(|expected| error.message().starts_with(expected)), "{error:?}");
    }
    let error = cx.run(&Command::new("ls").dir("/no/such/dir")).await.expect_err("does not start");
    assert!(error.message().starts_with("no directory `/no/such/dir`"), "{error:?}");
    assert!(error.message().ends_with("to run `ls` in"), "{error:?}");
}

/// A secret of several lines with all that a shell would stumble over.
const SECRET: &str = "conformance 'secret' $(id) \"two\"\nsecond-line-of-it\\n";

pub(super) async fn keep_secrets(cx: &Context) {
    let (_file, secret) = secret(SECRET);
    let script = r#"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' | grep -c -e conformance -e second-line
        printf %s "$PASSWORD" | wc -c; wc -c; printf %s "$PASSWORD""#;
    // The words the script looks for are its own arguments: each process that holds the script holds them.
    let script = script.replace("conformance", "conformanc[e]").replace("second-line", "second-lin[e]");
    let command = sh(&script).secret_env("PASSWORD", &secret).secret_input(&secret);
    let output = cx.run(&command).await.expect("ends well");
    let size = SECRET.len();
    assert_eq!(output.text().expect("is text"), format!("0\n{size}\n{size}\n[redacted]"));
}

/// Counts the processes of the host that have this sleep in their words.
fn sleeping(seconds: u32) -> String {
    format!("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o 'sleep {seconds}[.]5' | wc -l")
}

/// Counts those that really sleep. Before that the words are those of a shell, of a command that is only being started: to
/// stop that is another matter.
fn asleep(seconds: u32) -> String {
    let each = "for at in /proc/[0-9]*; do tr '\\0' ' ' <$at/cmdline; echo; done 2>/dev/null";
    format!("{each} | grep '^sleep {seconds}[.]5 $' | wc -l")
}

async fn count(cx: &Context, script: &str) -> usize {
    cx.run(&sh(script)).await.expect("ends well").text().expect("is text").trim().parse().expect("a number")
}

/// How many processes of the host sleep for this many seconds.
pub(super) async fn sleepers(cx: &Context, seconds: u32) -> usize {
    count(cx, &sleeping(seconds)).await
}

async fn until(cx: &Context, script: String, wanted: impl Fn(usize) -> bool) {
    let reached = async {
        while !wanted(count(cx, &script).await) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reached).await.expect("gets there");
}

pub(super) async fn end_as_a_group(cx: &Context, marker: u32) {
    let both = sh(&format!("sleep {marker}.5 & sleep {marker}.5"));
    // A run that stops.
    let (stopping, cancel) = cx.stoppable();
    let stop = async {
        until(cx, asleep(marker), |asleep| asleep == 2).await;
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(stopping.run(&both), stop);
    assert_eq!(result.expect_err("was stopped").kind(), ErrorKind::Stopped);
    assert_eq!(sleepers(cx, marker).await, 0, "nothing is left when it returns");
    // A deadline, and a group that does not listen.
    let deaf = sh(&format!("trap '' TERM; sleep {marker}.5 & sleep {marker}.5")).deadline(Duration::from_millis(300));
    let error = cx.run(&deaf).await.expect_err("takes too long");
    assert!(error.message().ends_with("it ran longer than 300ms"), "{error:?}");
    assert_eq!(sleepers(cx, marker).await, 0, "nothing is left when it returns");
    // Nobody waits for it any more.
    {
        let mut run = std::pin::pin!(cx.run(&both));
        tokio::select! {
            _ = &mut run => panic!("it sleeps"),
            () = until(cx, sleeping(marker), |sleepers| sleepers > 0) => {}
        }
    }
    until(cx, sleeping(marker), |sleepers| sleepers == 0).await;
}

pub(super) async fn outlive_the_run(cx: &Context, dir: &Path) {
    let log = dir.join("log of it");
    let command = sh("echo up; exec sleep 60").detached_into(&log).env("A", "b").dir(dir);
    let pid = cx.run(&command).await.expect("starts").text().expect("is text").to_owned();
    while cx.files().read(&log).await.expect("is there") != b"up\n" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    cx.run(&sh(&format!("kill {pid}"))).await.expect("runs until now");
    let error = cx.run(&Command::new("no-such-program").detached()).await.expect_err("does not start");
    assert!(error.lines().iter().any(|line| line == "no program no-such-program"), "{error:?}");
}

pub(super) async fn join(cx: &Context, dir: &Path) {
    let (there, here) = (dir.join("there.gz"), tempfile::tempdir().expect("made"));
    let local = crate::host::Host::shared(crate::Local::new());
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_be_bytes).collect();
    // From here to there, and back again.
    std::fs::write(here.path().join("from"), &content).expect("written");
    let send = Pipeline::from_file(here.path().join("from")).through_on(&local, Command::new("cat"));
    cx.pipe(&send.through(Command::new("gzip")).into_file(&there, 0o640)).await.expect("ends well");
    let stat = cx.files().stat(&there).await.expect("looks").expect("is there");
    assert_eq!(stat.mode, 0o640);
    let fetch = Pipeline::from_file(&there).through(Command::new("gunzip")).through_on(&local, Command::new("cat"));
    cx.pipe(&fetch.into_file(here.path().join("to"), 0o600)).await.expect("ends well");
    assert!(std::fs::read(here.path().join("to")).expect("is there") == content);
    // What fails leaves everything as it was.
    let before = cx.files().list(dir).await.expect("listed");
    let fail = Pipeline::of(sh("echo half; exit 3")).into_file(&there, 0o640);
    cx.pipe(&fail).await.expect_err("fails");
    assert_eq!(cx.files().list(dir).await.expect("listed"), before);
    assert_eq!(cx.files().stat(&there).await.expect("looks"), Some(stat));
}

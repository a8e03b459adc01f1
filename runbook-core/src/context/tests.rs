//! Commands run through a context, on this machine.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::*;
use crate::Secret;
use crate::event::Event;

/// A context and everything it says.
fn heard() -> (Context, Arc<Mutex<Vec<What>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let reader = {
        let heard = heard.clone();
        move |event: &Event| heard.lock().unwrap_or_else(PoisonError::into_inner).push(event.what.clone())
    };
    let voice = Voice::new(vec![Box::new(reader)]);
    let world = World { clock: Arc::new(SystemClock), voice, ports: Ports::default() };
    let host = Arc::new(Local::new());
    (Context::new(host, Arc::new(world), Key::from("2.1"), CancellationToken::new()), heard)
}

fn lines(heard: &Mutex<Vec<What>>) -> Vec<String> {
    let heard = heard.lock().expect("not poisoned");
    heard.iter().filter_map(|what| if let What::Line { line, .. } = what { Some(line.clone()) } else { None }).collect()
}

fn sh(script: &str) -> Command {
    Command::new("sh").args(["-c", script])
}

/// A secret in a file, as it would be given.
fn secret(dir: &Path, value: &str) -> Secret {
    let path = dir.join("secret");
    std::fs::write(&path, format!("{value}\n")).expect("written");
    Secret::file(path)
}

/// Whether a process with this marker among its arguments or variables runs.
fn runs(marker: &str) -> bool {
    let processes = std::fs::read_dir("/proc").expect("proc is mounted");
    processes.filter_map(Result::ok).any(|process| {
        let read = |name| std::fs::read(process.path().join(name)).unwrap_or_default();
        memchr::memmem::find(&read("cmdline"), marker.as_bytes()).is_some()
    })
}

#[tokio::test]
async fn a_command_says_that_it_began_and_every_line() {
    let (cx, heard) = heard();
    let output = cx.run(&sh("echo one; echo two >&2; printf three").env("A", "b")).await.expect("ends well");
    assert_eq!(output.stdout, b"one\nthree");
    assert_eq!(output.stderr, b"two\n");
    let mut lines = lines(&heard);
    lines.sort();
    assert_eq!(lines, ["one", "three", "two"]);
    let first = heard.lock().expect("not poisoned")[0].clone();
    let command = "A=b sh -c 'echo one; echo two >&2; printf three'".to_owned();
    assert_eq!(first, What::CommandBegan { key: Key::from("2.1"), command });
}

#[tokio::test]
async fn input_directory_and_environment_reach_the_command() {
    let dir = tempfile::tempdir().expect("made");
    let cx = Context::local();
    let command = sh("cat; pwd -P; echo $GREETING").input("fed\n").dir(dir.path()).env("GREETING", "hello");
    let there = dir.path().canonicalize().expect("exists");
    assert_eq!(
        cx.run(&command).await.expect("ends well").text().expect("is text"),
        format!("fed\n{}\nhello", there.display())
    );
    // Much more than a pipe holds, in both directions at once.
    let much = vec![b'x'; 1 << 20];
    assert_eq!(cx.run(&Command::new("cat").input(much.clone())).await.expect("ends well").stdout, much);
    // A command that does not read its input is not wrong.
    cx.run(&Command::new("true").input(much)).await.expect("ends well");
}

#[tokio::test]
async fn an_unexpected_exit_code_is_an_error_with_the_last_lines() {
    let cx = Context::local();
    let error = cx.run(&sh("echo early; echo why >&2; exit 3")).await.expect_err("exits with 3");
    assert_eq!(error.message(), "`sh -c 'echo early; echo why >&2; exit 3'` on localhost exited with 3");
    assert_eq!(error.lines(), ["why"]);
    assert_eq!(cx.run(&sh("exit 3").expect([0, 3])).await.expect("is expected").code, Some(3));
    let error = cx.run(&sh("kill -9 $$")).await.expect_err("kills itself");
    assert!(error.message().ends_with("was killed by signal 9"), "{error}");
}

#[tokio::test]
async fn what_cannot_be_started_is_named() {
    let cx = Context::local();
    let dir = tempfile::tempdir().expect("made");
    let file = dir.path().join("file");
    std::fs::write(&file, "no program").expect("written");
    let orphan = dir.path().join("orphan");
    std::fs::write(&orphan, "#!/no/such/interpreter\n").expect("written");
    cx.files().set(&orphan, &crate::host::Attributes::mode(0o755)).await.expect("set");
    let message = async |command: Command| cx.run(&command).await.expect_err("cannot start").message().to_owned();
    let shown = |path: &Path| path.display().to_string();
    assert_eq!(message(Command::new("no-such-program")).await, "no program `no-such-program` in PATH");
    assert_eq!(message(Command::new("/no/such/program")).await, "no program `/no/such/program`");
    assert_eq!(message(Command::new("ls").dir("/no/such/dir")).await, "no directory `/no/such/dir` to run `ls` in");
    assert_eq!(
        message(Command::new("ls").dir(&file)).await,
        format!("not a directory: `{}` to run `ls` in", shown(&file))
    );
    assert_eq!(message(Command::new(&file)).await, format!("no permission to run `{}`", shown(&file)));
    assert_eq!(message(Command::new(&orphan)).await, format!("`{}` cannot be run", shown(&orphan)));
    assert!(message(Command::new("true").arg("x".repeat(1 << 18))).await.contains("too long"));
}

#[tokio::test]
async fn output_that_is_not_text_is_kept_and_told_as_well_as_possible() {
    let (cx, heard) = heard();
    let output = cx.run(&sh(r"printf 'caf\351 \000 end\n'")).await.expect("ends well");
    assert_eq!(output.stdout, b"caf\xe9 \0 end\n");
    assert_eq!(output.text().expect_err("is no text").message(), "the output is not UTF-8 text from byte 3");
    assert_eq!(lines(&heard), ["caf\u{fffd} \0 end"]);
}

#[tokio::test]
async fn a_hundred_megabytes_of_output_take_little_memory() {
    let (cx, heard) = heard();
    let before = peak_memory();
    let output = cx.run(&sh("yes 0123456789abcdef | head -c 100000000; echo the end")).await.expect("ends well");
    assert!(output.stdout.ends_with(b"the end\n"));
    assert_eq!(output.stdout.len(), 1 << 20);
    assert_eq!(output.omitted, 100_000_008 - (1 << 20));
    assert!(output.text().is_err());
    assert!(peak_memory() - before < 24 << 20, "{} MB", (peak_memory() - before) >> 20);
    let lines = lines(&heard);
    assert!(lines.len() < 50_000, "{} lines", lines.len());
    assert!(lines.iter().any(|line| line.ends_with("lines left out]")));
}

/// The most memory this process ever had, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("is there");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

#[tokio::test]
async fn a_command_that_runs_too_long_is_ended_with_its_whole_group() {
    let cx = Context::local();
    let began = Instant::now();
    let command = sh("echo working; sleep 4711.1 & sleep 4711.1").deadline(Duration::from_millis(200));
    let error = cx.run(&command).await.expect_err("takes too long");
    let message =
        "`sh -c 'echo working; sleep 4711.1 & sleep 4711.1'` on localhost was ended: it ran longer than 200ms";
    assert_eq!(error.message(), message);
    assert_eq!((error.lines(), error.kind()), (["working".to_owned()].as_slice(), ErrorKind::Failed));
    assert!(!runs("4711.1"));
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn stopping_the_run_ends_the_whole_group_of_a_command() {
    let cx = Context::local();
    let stop = async {
        while !runs("4711.2") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cx.cancel.cancel();
    };
    let command = sh("(trap '' TERM; sleep 0.5) & sleep 4711.2 & wait");
    let (result, ()) = tokio::join!(cx.run(&command), stop);
    assert_eq!(result.expect_err("was stopped").kind(), ErrorKind::Stopped);
    assert!(!runs("4711.2"));
    assert!(!runs("sleep\x000.5"), "what ignores SIGTERM is waited for");
    assert_eq!(cx.run(&command).await.expect_err("is not begun").kind(), ErrorKind::Stopped);
}

#[tokio::test]
async fn a_run_that_is_dropped_leaves_no_process() {
    let cx = Context::local();
    let command = sh("sleep 4711.3 & sleep 4711.3");
    let run = cx.run(&command);
    assert!(tokio::time::timeout(Duration::from_millis(200), run).await.is_err());
    let gone = async {
        while runs("4711.3") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(2), gone).await.expect("is gone");
}

#[tokio::test]
async fn a_pipe_held_open_in_the_background_hangs_nothing() {
    let cx = Context::local();
    let began = Instant::now();
    let output = cx.run(&sh("sleep 7.5 & echo done")).await.expect("ends well");
    assert_eq!(output.stdout, b"done\n");
    assert!(began.elapsed() < Duration::from_secs(4));
    let output = cx.run(&sh("exec >&- 2>&-; sleep 0.3; exit 4").expect([4])).await.expect("ends so");
    assert_eq!(output.code, Some(4));
}

#[tokio::test]
async fn a_secret_reaches_the_program_and_nothing_else() {
    let dir = tempfile::tempdir().expect("made");
    let secret = secret(dir.path(), "hunter-number-two");
    let (cx, heard) = heard();
    let script = r#"echo "env $PASSWORD"; printf 'split hunter-nu'; sleep 0.1; echo mber-two; cat; tr '\0' ' ' </proc/$$/cmdline"#;
    let command = sh(script).secret_env("PASSWORD", &secret).secret_input(&secret);
    let output = cx.run(&command).await.expect("ends well");
    let text = output.text().expect("is text");
    assert!(text.starts_with("env [redacted]\nsplit [redacted]\n[redacted]sh -c"), "{text}");
    assert_eq!(lines(&heard)[..2], ["env [redacted]", "split [redacted]"]);
    let told = format!("{:?} {output:?} {command:?}", heard.lock().expect("not poisoned"));
    assert!(!told.contains("hunter-number-two"), "{told}");
    let count = sh("printf %s \"$PASSWORD\" | wc -c; wc -c").secret_env("PASSWORD", &secret).secret_input(&secret);
    assert_eq!(cx.run(&count).await.expect("ends well").text().expect("is text"), "17\n17");
}

#[tokio::test]
async fn a_detached_command_outlives_the_run_and_gives_its_number() {
    let dir = tempfile::tempdir().expect("made");
    let log = dir.path().join("log");
    let cx = Context::local();
    let command = sh("echo up; exec sleep 4711.4").detached_into(&log);
    let pid = cx.run(&command).await.expect("starts").text().expect("is text").to_owned();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("runs");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("has fields").split_whitespace().collect();
    assert_eq!((fields[2], fields[3]), (pid.as_str(), pid.as_str()), "a group and a session of its own");
    while std::fs::read_to_string(&log).expect("is there") != "up\n" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(runs("4711.4"));
    cx.run(&Command::new("kill").arg(&pid)).await.expect("ends it");
    let error = cx.run(&Command::new("no-such-program").detached()).await.expect_err("does not start");
    assert_eq!(error.lines(), ["no program no-such-program"]);
}

#[tokio::test]
async fn a_pipeline_joins_commands_and_says_how_each_ended() {
    let (cx, heard) = heard();
    let pipeline = sh("echo one; echo two; echo seen >&2") | sh("tr a-z A-Z") | sh("sort -r");
    let outputs = cx.pipe(&pipeline).await.expect("ends well");
    assert_eq!(outputs.len(), 3);
    assert_eq!(outputs[2].output.stdout, b"TWO\nONE\n");
    assert_eq!(outputs[0].output.stderr, b"seen\n");
    assert_eq!(outputs[1].command, "sh -c 'tr a-z A-Z'");
    let mut lines = lines(&heard);
    lines.sort();
    assert_eq!(lines, ["ONE", "TWO", "seen"]);
}

#[tokio::test]
async fn a_pipeline_goes_from_file_to_file() {
    let dir = tempfile::tempdir().expect("made");
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    let content: Vec<u8> = (0..5_000_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(&from, &content).expect("written");
    let cx = Context::local();
    let there_and_back = Pipeline::from_file(&from).through(Command::new("gzip").arg("-1")) | Command::new("gunzip");
    cx.pipe(&there_and_back.into_file(&to, 0o600)).await.expect("ends well");
    cx.pipe(&Pipeline::from_file(&from).into_file(dir.path().join("copy"), 0o640)).await.expect("copies");
    assert!(std::fs::read(&to).expect("is there") == content);
    assert!(std::fs::read(dir.path().join("copy")).expect("is there") == content);
    let stat = cx.files().stat(&to).await.expect("looks").expect("is there");
    assert_eq!(stat.mode, 0o600);
}

#[tokio::test]
async fn a_pipeline_takes_little_memory() {
    let cx = Context::local();
    let dir = tempfile::tempdir().expect("made");
    let before = peak_memory();
    let much = Command::new("head").args(["-c", "100000000", "/dev/zero"]) | Command::new("cat");
    cx.pipe(&much.into_file(dir.path().join("zeros"), 0o600)).await.expect("ends well");
    assert_eq!(cx.files().stat(&dir.path().join("zeros")).await.expect("looks").expect("is there").size, 100_000_000);
    assert!(peak_memory() - before < 64 << 20, "{} MB", (peak_memory() - before) >> 20);
}

#[tokio::test]
async fn a_pipeline_that_fails_names_its_stage_and_leaves_the_file_as_it_was() {
    let dir = tempfile::tempdir().expect("made");
    let to = dir.path().join("backup");
    std::fs::write(&to, "of yesterday").expect("written");
    let cx = Context::local();
    let failed = async |pipeline: Pipeline| {
        let error = cx.pipe(&pipeline.into_file(&to, 0o600)).await.expect_err("fails");
        assert_eq!(std::fs::read_to_string(&to).expect("is there"), "of yesterday");
        assert_eq!(std::fs::read_dir(dir.path()).expect("is there").count(), 1, "nothing is left beside it");
        error
    };
    let error = failed(sh("echo half; echo gone >&2; exit 3") | Command::new("cat")).await;
    let cause = "stage 1, `sh -c 'echo half; echo gone >&2; exit 3'` on localhost, exited with 3";
    assert_eq!((error.causes().next(), error.lines()), (Some(cause), ["gone".to_owned()].as_slice()));
    // The one that breaks off is the cause, not the one that writes to it.
    let error = failed(Command::new("yes") | sh("head -c 10; exit 4") | Command::new("cat")).await;
    assert_eq!(error.causes().next(), Some("stage 2, `sh -c 'head -c 10; exit 4'` on localhost, exited with 4"));
    assert_eq!(error.lines(), ["stage 1, `yes` on localhost, was killed by signal 13"]);
    // Output that was cut off is no success, unless the author says so.
    let error = failed(Command::new("yes") | Command::new("head")).await;
    assert!(error.causes().next().is_some_and(|cause| cause.starts_with("stage 1, `yes`")), "{error:?}");
    cx.pipe(&(Command::new("yes").expect([141]) | Command::new("head"))).await.expect("is expected");
    let error = failed(Command::new("echo") | Command::new("no-such-program")).await;
    assert_eq!(error.message(), "no program `no-such-program` in PATH");
    let error = failed(Command::new("yes").deadline(Duration::from_millis(100)) | Command::new("cat")).await;
    assert_eq!(error.message(), "`yes` on localhost was ended: it ran longer than 100ms");
    let error = failed(Pipeline::from_file("/no/such/file").through(Command::new("cat"))).await;
    assert_eq!(error.message(), "read `/no/such/file`");
}

#[tokio::test]
async fn stopping_the_run_ends_every_stage_of_a_pipeline() {
    let cx = Context::local();
    let stop = async {
        while !(runs("4711.5") && runs("4711.6")) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        cx.cancel.cancel();
    };
    let pipeline = sh("sleep 4711.5 & wait") | sh("sleep 4711.6 & wait");
    let (result, ()) = tokio::join!(cx.pipe(&pipeline), stop);
    assert_eq!(result.expect_err("was stopped").kind(), ErrorKind::Stopped);
    assert!(!runs("4711.5") && !runs("4711.6"));
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_named() {
    let cx = Context::local();
    let there = Path::new("/no/such/dir/file");
    let error = cx.files().write(there, b"x", &crate::host::Attributes::default()).await.expect_err("cannot");
    assert_eq!(error.message(), "write `/no/such/dir/file`");
    let error = cx.pipe(&Pipeline::of(sh("echo x")).into_file(there, 0o600)).await.expect_err("cannot");
    assert_eq!(error.message(), "write `/no/such/dir/file`");
}

#[tokio::test]
async fn a_secret_file_is_for_its_owner_alone() {
    let dir = tempfile::tempdir().expect("made");
    let cx = Context::local();
    let path = dir.path().join("pgpass");
    cx.secret_file(&path, &secret(dir.path(), "in-a-secret-file")).await.expect("written");
    assert_eq!(std::fs::read_to_string(&path).expect("is there"), "in-a-secret-file");
    assert_eq!(cx.files().stat(&path).await.expect("looks").expect("is there").mode, 0o600);
}

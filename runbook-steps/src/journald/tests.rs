//! What is asked of the journal, and what is made of its answers when it does not answer as it should.

use std::sync::Arc;

use runbook::command::Output;
use runbook::testing::{Call, SimHost};
use runbook::{Check as _, CheckExt as _, Context, ErrorKind, Units as _};

use super::*;

/// A host whose unit is up, and whose journalctl gives these answers.
fn host(journal: impl Fn(&[&str]) -> Output + Send + Sync + 'static) -> Context {
    let status = "Id=api.service\nLoadState=loaded\nActiveState=active\nSubState=running\n\
                  InvocationID=2d252b3692d34b928b1be37470881e3c\n";
    let host = SimHost::new("web-1")
        .replies("systemctl", Output::ok(status))
        .program("journalctl", move |call: &mut Call<'_>| journal(&call.args()));
    Context::on(Arc::new(host))
}

const STARTED: &str = r#"{"__CURSOR":"s=1;i=1","__REALTIME_TIMESTAMP":"1795232898000000","MESSAGE":"Started api."}"#;

#[tokio::test]
async fn a_journal_that_cannot_be_read_is_unknown_and_never_no_errors() {
    let refusals = [
        Output::failed(1, "No journal files were opened due to insufficient permissions.\n"),
        Output {
            stderr: b"Hint: You are currently not seeing messages from other users.\n".to_vec(),
            ..Output::ok("")
        },
        Output { stderr: b"No journal files were found.\n".to_vec(), ..Output::ok("") },
        Output { stderr: b"Journal file x is truncated, ignoring file.\n".to_vec(), ..Output::ok("") },
        Output::failed(1, "Failed to seek to cursor: Invalid argument\n"),
        Output::ok("no json\n"),
        Output::ok(""),
    ];
    for refusal in refusals {
        let said = refusal.clone();
        let cx = host(move |_| said.clone());
        for check in [errors("api").max(0), errors("api").since(10.minutes()).max(9).clone()] {
            let answer = check.within(100.millis()).check(&cx).await.expect("is an answer");
            // Nothing within ten minutes is an answer where the journal can be read.
            let silent = refusal == Output::ok("");
            assert!(silent || answer.word() == "unknown", "{refusal:?}: {answer:?}");
        }
        let answer = errors("api").max(0).within(100.millis()).check(&cx).await.expect("is an answer");
        assert_eq!(answer.word(), "unknown", "{refusal:?}: {answer:?}");
    }
}

#[tokio::test]
async fn a_unit_that_does_not_exist_has_no_clean_record() {
    let missing = "Id=apj.service\nLoadState=not-found\nActiveState=inactive\nSubState=dead\n";
    let host = SimHost::new("web-1").replies("systemctl", Output::ok(missing)).replies("journalctl", Output::ok(""));
    let cx = Context::on(Arc::new(host));
    for check in [errors("apj").max(0), errors("apj").since(1.minutes()).max(0)] {
        let error = check.check(&cx).await.expect_err("nobody knows");
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unknown, "the unit `apj.service` does not exist"));
    }
    let answer = follow("apj", 1.seconds()).check(&cx).await.expect("is an answer");
    assert_eq!(answer.word(), "unknown");
    assert!(errors("-f").max(0).check(&cx).await.is_err(), "an option is no unit");
}

#[tokio::test]
async fn errors_are_asked_for_by_priority_and_by_text() {
    let cx = host(|args| match args {
        [_, _, _, "_PID=1", _] => Output::ok(format!("{STARTED}\n")),
        // It failed before systemd said that it was started: from there on.
        [_, _, _, "--until=@1795232899", _] => {
            Output::ok(STARTED.replace("i=1", "i=0").replace("898000000", "897999999"))
        }
        _ if !args.contains(&"--cursor=s=1;i=0") => Output::failed(2, "not from the first word on"),
        _ if args.contains(&"--priority=3") => Output::ok(""),
        _ if args.iter().any(|arg| arg.starts_with("--grep=")) => Output::failed(1, ""),
        _ => Output::failed(2, "unexpected"),
    });
    let answer = errors("api").max(0).check(&cx).await.expect("is asked");
    assert!(answer.passes(), "{answer:?}");
}

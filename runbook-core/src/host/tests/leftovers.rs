//! What a runner that was killed leaves running.

use std::time::Duration;

use super::commands::{sh, sleepers};
use crate::host::{Host as _, Leftovers};
use crate::{Context, Local};

#[tokio::test]
async fn what_a_killed_runner_left_is_ended_and_named() {
    let dir = tempfile::tempdir().expect("made");
    let notes = dir.path().join("leftovers");
    let host = Local::new().leftovers(&notes).shared();
    let cx = Context::on(host.clone());
    cx.run(&sh("true")).await.expect("ends well");
    cx.run(&sh("sleep 0.01")).await.expect("ends well");
    let text = std::fs::read_to_string(&notes).expect("is there");
    assert!(text.trim().is_empty() && text.len() < 200, "what has ended leaves an empty line: {text:?}");
    let listens = host.start(&sh("sleep 4713.5 & sleep 4713.5")).await.expect("starts");
    let deaf = host.start(&sh("trap '' TERM; echo deaf; sleep 4713.5; sleep 4713.5")).await.expect("starts");
    let mut deaf = deaf;
    let mut said = [0; 5];
    tokio::io::AsyncReadExt::read_exact(deaf.stdout.as_mut().expect("is open"), &mut said).await.expect("speaks");
    // A runner that is killed forgets them.
    std::mem::forget((listens, deaf));
    let mut swept = Leftovers::at(&notes).sweep(Duration::from_millis(500)).await.expect("sweeps");
    swept.sort_by_key(|leftover| leftover.killed);
    assert_eq!(swept.len(), 2, "{swept:?}");
    assert_eq!(swept.iter().map(|leftover| leftover.killed).collect::<Vec<_>>(), [false, true]);
    assert!(swept.iter().all(|leftover| leftover.program == "sh"), "{swept:?}");
    assert_eq!(sleepers(&cx, 4713).await, 0);
    assert_eq!(Leftovers::at(&notes).sweep(Duration::ZERO).await.expect("sweeps"), []);
}

#[tokio::test]
async fn a_number_that_names_another_process_now_is_left_alone() {
    let dir = tempfile::tempdir().expect("made");
    let notes = dir.path().join("leftovers");
    let host = Local::new().leftovers(&notes).shared();
    let process = host.start(&sh("sleep 4714.5")).await.expect("starts");
    let text = std::fs::read_to_string(&notes).expect("is there");
    let words: Vec<&str> = text.split_whitespace().collect();
    let (pid, started, world) = (words[0], words[1].parse::<u64>().expect("a number"), words[2]);
    for note in [format!("{pid} {} {world} sh\n", started + 1), format!("{pid} {started} other/1 sh\n"), "torn".into()]
    {
        std::fs::write(&notes, note).expect("written");
        assert_eq!(Leftovers::at(&notes).sweep(Duration::ZERO).await.expect("sweeps"), []);
    }
    assert!(std::fs::exists(format!("/proc/{pid}")).expect("looks"));
    drop(process);
}

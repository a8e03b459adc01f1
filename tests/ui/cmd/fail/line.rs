use runbook::prelude::*;

fn main() {
    let line = "git status";
    let _ = cmd!(line);
    let _ = cmd!();
    let _ = cmd!("");
    let _ = cmd!("git commit -m 'never closed");
    let _ = cmd!("git checkout {line");
    let _ = cmd!("git checkout line}");
    let _ = cmd!("git checkout {}");
    let _ = cmd!("git checkout {line:?}");
    let _ = cmd!("git add -{line...}");
}

use runbook::prelude::*;

fn main() {
    let files = vec!["a", "b"];
    let _ = cmd!("ls {files}");
    let _ = cmd!("ls {missing}");
    let _ = cmd!("ls {3...}");
}

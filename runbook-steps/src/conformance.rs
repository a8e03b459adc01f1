//! What a real service said, as a `conformance.txt` keeps it: the real one and the simulated one are held to it.

/// What was said must be what was kept. With a path in `RUNBOOK_RECORD`, it is written there instead, to be kept.
pub(crate) fn agree(said: &[String], kept: &str) {
    if let Ok(path) = std::env::var("RUNBOOK_RECORD") {
        return std::fs::write(path, text(said)).expect("is written");
    }
    let said = text(said);
    let differ = said.lines().zip(kept.lines()).enumerate().filter(|(_, (is, should))| is != should);
    let differ: Vec<String> =
        differ.map(|(n, (is, should))| format!("line {}\n      is {is}\n  should {should}", n + 1)).take(20).collect();
    assert!(said == kept, "{}\nall of it:\n{said}", differ.join("\n"));
}

/// Whether what was said is what was kept.
pub(crate) fn is_same(said: &[String], kept: &str) -> bool {
    text(said) == kept
}

fn text(said: &[String]) -> String {
    said.join("\n") + "\n"
}

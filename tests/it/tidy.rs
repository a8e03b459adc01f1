//! The rules of this repository that a machine can hold.

use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Rust files below a directory.
fn sources(dir: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut dirs = vec![root().join(dir)];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "no sources in {dir}");
    found
}

const CODE: [&str; 4] = ["src", "runbook-core/src", "runbook-macros/src", "runbook-steps/src"];

#[test]
fn dependencies_point_one_way() {
    for (member, below) in [
        ("runbook-core", ["runbook-macros", "runbook-steps", "runbook-rs"].as_slice()),
        ("runbook-macros", &["runbook-core", "runbook-steps", "runbook-rs"]),
        ("runbook-steps", &["runbook-rs"]),
    ] {
        let manifest = read(format!("{member}/Cargo.toml"));
        let dependencies = manifest.split("[dependencies]").nth(1).expect("dependencies");
        let dependencies = dependencies.split("\n[").next().expect("a section");
        for name in below {
            assert!(!dependencies.contains(name), "{member} depends on {name}");
        }
    }
}

/// The vocabulary compiles with the engine deleted: it names nothing of execution.
#[test]
fn the_vocabulary_knows_nothing_of_execution() {
    let vocabulary = [
        "error",
        "description",
        "diff",
        "stored",
        "key",
        "clock",
        "outline",
        "people",
        "secret",
        "redact",
        "command",
        "host",
        "event",
        "step",
        "check",
    ];
    let execution =
        ["crate::engine", "crate::runner", "crate::run::", "crate::plan", "Engine", "Runner", " Run,", " Run;"];
    for path in sources("runbook-core/src") {
        let below = path.strip_prefix(root().join("runbook-core/src")).expect("below");
        let module = below.iter().next().expect("a module").to_string_lossy().replace(".rs", "");
        if !vocabulary.contains(&module.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source");
        let uses = text.lines().filter(|line| line.trim_start().starts_with("use "));
        for line in uses {
            let named = execution.iter().find(|word| line.contains(*word));
            assert_eq!(named, None, "{}: {line}", below.display());
        }
    }
}

#[test]
fn nothing_is_left_to_be_done() {
    for path in CODE.into_iter().flat_map(sources) {
        let text = std::fs::read_to_string(&path).expect("a source");
        for word in ["todo!(", "unimplemented!(", "dbg!(", "// TODO", "// FIXME"] {
            assert!(!text.contains(word), "{} holds {word}", path.display());
        }
    }
}

#[test]
fn a_test_that_is_left_out_says_where_it_runs() {
    for path in CODE.into_iter().chain(["tests/it", "examples"]).flat_map(sources) {
        let text = std::fs::read_to_string(&path).expect("a source");
        let ignored = text.lines().filter(|line| line.trim_start().starts_with("#[ignore"));
        for line in ignored {
            assert!(line.contains("tests/all"), "{}: {line}", path.display());
        }
    }
}

#[test]
fn modules_are_files_named_after_their_noun() {
    for path in CODE.into_iter().flat_map(sources) {
        assert!(!path.ends_with("mod.rs"), "{}", path.display());
        let docs = std::fs::read_to_string(&path).expect("a source");
        assert!(docs.starts_with("//!") || docs.starts_with("#!["), "{} does not say what it is", path.display());
    }
}

#[test]
fn the_changelog_has_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    assert!(read("CHANGELOG.md").contains(&format!("## {version}")));
}

#[test]
fn the_readme_names_every_verb_and_every_exit_code() {
    let readme = read("README.md");
    for verb in ["list", "outline", "plan", "run", "resume", "runs", "show", "approve"] {
        assert!(readme.contains(&format!("BOOK {verb}")), "{verb}");
    }
    for code in [0, 2, 3, 4, 5, 6, 7] {
        assert!(readme.contains(&format!("{code} ")), "{code}");
    }
    for command in ["cargo run --example quickstart", "tests/all"] {
        assert!(readme.contains(command), "{command}");
    }
}

//! Env files, held to their laws; their syntax and constraints as tables.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runbook_core::{Check as _, Context, Secret, Step as _};

use crate::env;
use crate::laws::{laws, laws_seen, tree};

const EXAMPLE: &str = "# The app\nENVIRONMENT=development\nJWT_SECRET_KEY=your-secret-key\n# optional\nDEBUG=true\n";

fn dir() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).expect("written");
    put(".env.example", EXAMPLE);
    put("mine.env", "# mine\nJWT_SECRET_KEY='hunter2hunter2'\nLOCAL=1");
    put("secret", "correct horse battery staple");
    dir
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("read")
}

#[tokio::test]
async fn an_env_file_comes_from_its_example_and_keeps_its_values() {
    let dir = dir();
    let (example, target) = (dir.path().join(".env.example"), dir.path().join("mine.env"));
    let fresh = env::from_template(&example, dir.path().join(".env"));
    let shown = laws(&fresh, dir.path()).await;
    assert_eq!(shown.output.keys, ["ENVIRONMENT", "JWT_SECRET_KEY", "DEBUG"]);

    let step = env::from_template(&example, &target);
    let shown = laws(&step, dir.path()).await;
    assert!(!format!("{shown:?}").contains("hunter2"), "{shown:?}");

    let cx = Context::local();
    let before = serde_json::from_str(&shown.before).expect("parses");
    step.apply(&cx, &before).await.expect("it applies");
    let text = "# mine\nJWT_SECRET_KEY='hunter2hunter2'\nLOCAL=1\n# The app\nENVIRONMENT=development\n# optional\nDEBUG=true\n";
    assert_eq!(read(&target), text);
}

#[tokio::test]
async fn keys_are_set_in_place_and_no_value_leaves_the_host() {
    let dir = dir();
    let target = dir.path().join("mine.env");
    let secret = Secret::file(dir.path().join("secret"));
    let step =
        env::set(&target).key("LOCAL", "2").secret("JWT_SECRET_KEY", &secret).unset("NOT_THERE").key("NEW", "a b");
    let shown = laws(&step, dir.path()).await;
    let all = format!("{shown:?} {:?}", step.describe());
    assert!(!all.contains("hunter2") && !all.contains("correct horse"), "{all}");
    assert!(shown.diff.to_string().contains("+ NEW=a b") && shown.diff.to_string().contains("mode: 0644 -> 0640"));

    let before = serde_json::from_str(&shown.before).expect("parses");
    step.apply(&Context::local(), &before).await.expect("it applies");
    assert_eq!(read(&target), "# mine\nJWT_SECRET_KEY='correct horse battery staple'\nLOCAL=2\nNEW='a b'\n");
}

#[tokio::test]
async fn a_missing_env_file_or_secret_is_an_error_before_anything_changes() {
    let (dir, cx) = (dir(), Context::local());
    let missing = env::set(dir.path().join("missing")).key("A", "1");
    let error = missing.survey(&cx).await.expect_err("there is none");
    assert!(error.message().ends_with("does not exist"), "{error}");
    std::os::unix::fs::symlink("mine.env", dir.path().join("linked")).expect("linked");
    let error = env::set(dir.path().join("linked")).key("A", "1").survey(&cx).await.expect_err("it is a link");
    assert!(error.message().contains("is a symbolic link to `mine.env`"), "{error}");
    let no_name = env::set(dir.path().join("mine.env")).key("A B", "1").survey(&cx).await.expect_err("no name");
    assert_eq!(no_name.message(), "`A B` is no name of a variable");
    let no_secret = env::set(dir.path().join("mine.env")).secret("A", &Secret::file("/nonexistent/secret"));
    assert!(no_secret.survey(&cx).await.is_err());
}

#[tokio::test]
async fn checks_name_every_key_at_once() {
    let (dir, cx) = (dir(), Context::local());
    let at = |name: &str| dir.path().join(name);
    let check = env::satisfies(at(".env.example")).required(["DATABASE_URL"]).equals("ENVIRONMENT", "production");
    let finding = check.check(&cx).await.expect("an answer");
    assert_eq!(
        finding.evidence().lines,
        [
            "`DATABASE_URL` is missing or empty",
            "`ENVIRONMENT` is not `production`",
            "`JWT_SECRET_KEY` is a placeholder"
        ]
    );
    assert_eq!(finding.word(), "fail");
    assert_eq!(env::satisfies(at("mine.env")).check(&cx).await.expect("an answer").word(), "pass");
    assert_eq!(env::satisfies(at("missing")).check(&cx).await.expect("an answer").word(), "fail");
    assert_eq!(env::satisfies(at("secret")).check(&cx).await.expect("an answer").word(), "unknown");

    let finding = env::diff(at("mine.env"), at(".env.example")).check(&cx).await.expect("an answer");
    assert_eq!(finding.evidence().lines, ["- ENVIRONMENT", "- DEBUG", "+ LOCAL"]);
    assert_eq!(finding.word(), "fail");
    let finding = env::diff(at(".env.example"), at(".env.example")).check(&cx).await.expect("an answer");
    assert_eq!(finding.word(), "pass");
}

/// The directory, in which one random value is as good as another.
fn masked(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut tree = tree(dir);
    for text in tree.values_mut() {
        let mask = |line: &str| match line.split_once('=') {
            Some((key, value)) if value != "your-secret-key" && !key.ends_with("ENCRYPTION_KEY") => {
                format!("{key}={} characters", value.len())
            }
            _ => line.to_owned(),
        };
        *text = text.lines().map(mask).collect::<Vec<_>>().join("\n");
    }
    tree
}

#[tokio::test]
async fn a_secret_is_generated_once_and_rotated_when_wanted() {
    let dir = dir();
    let target = dir.path().join("mine.env");
    std::fs::write(&target, "JWT_SECRET_KEY=your-secret-key\nENCRYPTION_KEY='0123456789abcdefghijklmnopqrstuv'\n")
        .expect("written");
    let step = env::set(&target).generate("JWT_SECRET_KEY", 48).generate("ENCRYPTION_KEY", 32).generate("SALT", 16);
    let shown = laws_seen(&step, || masked(dir.path())).await;
    assert_eq!(shown.diff.to_string().matches("random characters").count(), 2, "{}", shown.diff);

    let apply = async |step: &env::Set, before: &str| {
        let before = serde_json::from_str(before).expect("parses");
        step.apply(&Context::local(), &before).await.expect("it applies");
        env::EnvFile::parse(&read(&target)).expect("an env file")
    };
    let first = apply(&step, &shown.before).await;
    let value = |file: &env::EnvFile, key: &str| file.get(key).expect("it is there").to_owned();
    assert_eq!(value(&first, "JWT_SECRET_KEY").len(), 48);
    assert_eq!(value(&first, "ENCRYPTION_KEY"), "0123456789abcdefghijklmnopqrstuv", "data is encrypted with it");
    let text = format!("{shown:?}");
    assert!(!text.contains(&value(&first, "JWT_SECRET_KEY")) && !text.contains("0123456789"), "{text}");

    let step = env::set(&target).rotate("JWT_SECRET_KEY", 48);
    let shown = laws_seen(&step, || masked(dir.path())).await;
    let second = apply(&step, &shown.before).await;
    assert_ne!(value(&second, "JWT_SECRET_KEY"), value(&first, "JWT_SECRET_KEY"));
    assert_eq!(value(&second, "SALT"), value(&first, "SALT"));
}

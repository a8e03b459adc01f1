//! Env files, held to their laws; their syntax and constraints as tables.

use std::path::Path;

use runbook_core::{Check as _, Context, Secret, Step as _};

use crate::env;
use crate::laws::laws;

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

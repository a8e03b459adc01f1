//! The git repository the guestbook is deployed from: three releases, the last of which is a bad one.

use std::path::Path;
use std::process::{Command, ExitCode};

use runbook::{Error, Explain as _, Result, ensure};

use crate::site::Release;

const RELEASES: [(Release, &str, &str); 3] = [
    (Release { release: 1, format: 1, healthy: true }, "0001-lines.md", "Entries are lines of text"),
    (Release { release: 2, format: 2, healthy: true }, "0002-json-lines.md", "Entries are lines of JSON"),
    (Release { release: 3, format: 3, healthy: false }, "0003-document.md", "Entries are one JSON document"),
];

/// Makes the repository alone: `repository DIR`.
pub fn main(words: &[String]) -> ExitCode {
    let made = match words {
        [dir] => make(Path::new(dir)),
        _ => Err(Error::new("usage: repository DIR")),
    };
    made.map_or_else(
        |error| {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Makes the repository, with a tag for each release.
pub fn make(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path.join("migrations"))?;
    git(path, &["init", "--quiet", "--initial-branch", "main"])?;
    for (release, migration, words) in RELEASES {
        std::fs::write(path.join("release.json"), serde_json::to_string_pretty(&release)? + "\n")?;
        std::fs::write(path.join("migrations").join(migration), format!("{words}.\n"))?;
        git(path, &["add", "."])?;
        git(path, &["commit", "--quiet", "--message", &format!("Release {}: {words}", release.release)])?;
        git(path, &["tag", &format!("release-{}", release.release)])?;
    }
    Ok(())
}

fn git(path: &Path, words: &[&str]) -> Result<()> {
    let who = ["-c", "user.name=Quickstart", "-c", "user.email=quickstart@example.org", "-c", "commit.gpgsign=false"];
    let output = Command::new("git").arg("-C").arg(path).args(who).args(words).output().context("run `git`")?;
    ensure!(output.status.success(), "`git {}` failed: {}", words.join(" "), String::from_utf8_lossy(&output.stderr));
    Ok(())
}

//! What is done with volumes, in a container of their own.

use runbook::command::Pipeline;
use runbook::{Command, Context, Error, Explain as _, Result};

use crate::docker::ask::{answer, ask, docker, run};
use crate::docker::{Reference, failure};

/// Prints a digest of all that is in a directory, and how many files there are: kind, mode, owner, name, content and target
/// of everything, whatever the times.
pub(crate) const CONTENT: &str = r#"cd "$1" || exit 1
export LC_ALL=C
lines=$(find . ! -type s -exec stat -c '%f %u %g %n' {} + && find . -type f -exec sha256sum {} + &&
  find . -type l -exec readlink {} +) || exit 1
printf '%s\n' "$lines" | sort | sha256sum
find . -type f | wc -l"#;

/// Packs and unpacks a directory.
pub(crate) const PACK: &str = r#"tar -cf - -C "$1" ."#;
pub(crate) const PACK_SMALL: &str = r#"tar -czf - -C "$1" ."#;
pub(crate) const UNPACK: &str = r#"tar -xpf - -C "$1""#;
pub(crate) const UNPACK_SMALL: &str = r#"tar -xpzf - -C "$1""#;

/// Has the same in the second directory as in the first, and nothing else.
pub(crate) const COPY: &str = r#"find "$2" -mindepth 1 -maxdepth 1 -exec rm -rf {} + && cp -a "$1/." "$2/" && sync"#;

/// What to do about a volume that changes while it is read.
pub(super) const WRITTEN: &str = "something wrote to the volume meanwhile: stop what uses it, or have it save first";

/// What tar says of a file that changes, or goes, while it is read.
const CHANGED: [&str; 2] = ["changed as we read it", "File removed before we read it"];

/// Where volumes are in the container.
const PLACES: [&str; 2] = ["/first", "/second"];

/// A container of this image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Helper {
    pub(super) image: Reference,
}

impl Helper {
    fn command(&self, script: &str, volumes: &[&str]) -> Command {
        let command = docker(["run", "--rm", "--interactive", "--network", "none", "--user", "0:0"]);
        let places = volumes.iter().zip(PLACES);
        let command = places
            .clone()
            .fold(command, |command, (volume, place)| command.arg("--volume").arg(format!("{volume}:{place}")));
        let command = command.args(["--entrypoint", "sh", self.image.as_str(), "-c", script, "sh"]);
        command.args(places.map(|(_, place)| place))
    }

    /// The digest of what is in a volume, and how many files there are.
    pub(super) async fn content(&self, cx: &Context, volume: &str) -> Result<(String, u64)> {
        // There is no telling how long that takes.
        let output = run(cx, &self.command(CONTENT, &[volume])).await?;
        let mut words = output.text()?.split_whitespace().filter(|word| *word != "-");
        let content = words.next().map(str::to_owned).with_context(|| format!("no digest of the volume `{volume}`"))?;
        let files = words.next().and_then(|word| word.parse().ok());
        Ok((content, files.with_context(|| format!("no number of the files in `{volume}`"))?))
    }

    /// Packs a volume into a file that its owner alone may read.
    pub(super) async fn pack(&self, cx: &Context, volume: &str, path: &std::path::Path) -> Result<()> {
        let script = if is_small(path) { PACK_SMALL } else { PACK };
        let pipeline = Pipeline::of(self.command(script, &[volume])).into_file(path, 0o600);
        cx.pipe(&pipeline).await.map(drop).map_err(|error| {
            let is_written_to = error.lines().iter().any(|line| CHANGED.iter().any(|words| line.contains(words)));
            if is_written_to { error.hint(WRITTEN) } else { error }
        })
    }

    /// Unpacks a file into a volume.
    pub(super) async fn unpack(&self, cx: &Context, path: &std::path::Path, volume: &str) -> Result<()> {
        let script = if is_small(path) { UNPACK_SMALL } else { UNPACK };
        cx.pipe(&Pipeline::from_file(path).through(self.command(script, &[volume]))).await.map(drop)
    }

    /// Has the same in the second volume as in the first.
    pub(super) async fn copy(&self, cx: &Context, from: &str, to: &str) -> Result<()> {
        cx.run(&self.command(COPY, &[from, to])).await.map(drop)
    }

    /// An error unless the image is there: none is pulled for this.
    pub(super) async fn require(&self, cx: &Context) -> Result<()> {
        crate::docker::tagged::require(cx, &self.image).await.map(drop)
    }
}

fn is_small(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz" || extension == "tgz")
}

/// Whether there is such a volume.
pub(super) async fn exists(cx: &Context, volume: &str) -> Result<bool> {
    let command = docker(["volume", "inspect", "--format", "{{.Name}}", volume]);
    let output = answer(cx, &command).await?;
    match output.success() {
        true => Ok(true),
        false if failure::is_missing(&output) => Ok(false),
        false => Err(failure::of(cx, &command, &output)),
    }
}

/// Makes a volume; one that is there is fine.
pub(super) async fn create(cx: &Context, volume: &str) -> Result<()> {
    ask(cx, &docker(["volume", "create", volume])).await.map(drop)
}

/// Removes a volume; none there is fine.
pub(super) async fn remove(cx: &Context, volume: &str) -> Result<()> {
    let command = docker(["volume", "rm", "--force", volume]);
    let output = answer(cx, &command).await?;
    if output.success() || failure::is_missing(&output) {
        return Ok(());
    }
    Err(failure::of(cx, &command, &output))
}

/// An error that says two volumes, or a volume and an archive, are not the same.
pub(super) fn differs(what: &str, wanted: &str, found: &str) -> Error {
    Error::new(what).details([format!("wanted {wanted}"), format!("found  {found}")])
}

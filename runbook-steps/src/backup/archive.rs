//! Archives and manifests: the commands, and running them.

use std::path::Path;

use runbook_core::{Command, Context, Error, Explain as _, Result};

/// Prints the manifest of the current directory: a line for the kind, mode, size and name of everything in it, and one
/// for the checksum of every file. Owners are left out, because a rehearsal need not run as root; sockets, because
/// no archive holds them. A pipeline would hide the status of `find`, hence the variable.
const MANIFEST: &str = r#"
export LC_ALL=C
lines=$(find . \( -type f -printf 'f %m %s %p\n' -o -type l -printf 'l %p -> %l\n' \
    -o ! -type s -printf '%y %m %p\n' \) , -type f -exec sha256sum -- {} +) || exit 1
printf '%s\n' "$lines" | sort"#;

/// Writes the manifest of a directory to a file.
pub(super) fn write_manifest(dir: &Path, to: &Path) -> Command {
    script(dir, &format!("{MANIFEST} > \"$1\"")).arg(to)
}

/// Prints the checksum of the manifest of a directory.
pub(super) fn manifest_checksum(dir: &Path) -> Command {
    script(dir, &format!("{MANIFEST} | sha256sum"))
}

fn script(dir: &Path, text: &str) -> Command {
    Command::new("sh").args(["-c", text, "manifest"]).dir(dir)
}

/// Packs what is in a directory.
pub(super) fn pack(dir: &Path, archive: &Path) -> Command {
    Command::new("tar").arg("-czf").arg(archive).arg("-C").arg(dir).arg(".")
}

/// Reads an archive back and compares it with the directory.
pub(super) fn compare(dir: &Path, archive: &Path) -> Command {
    Command::new("tar").arg("-dzf").arg(archive).arg("-C").arg(dir)
}

/// Unpacks an archive into a directory, with the modes and, for root, the owners it holds.
pub(super) fn unpack(archive: &Path, dir: &Path) -> Command {
    Command::new("tar").args(["--numeric-owner", "-xpzf"]).arg(archive).arg("-C").arg(dir)
}

/// The checksum of a file.
pub(crate) async fn checksum(cx: &Context, path: &Path) -> Result<String> {
    first_word(cx, &Command::new("sha256sum").arg("--").arg(path)).await
}

/// The checksum of the manifest of a directory.
pub(super) async fn checksum_of_manifest(cx: &Context, dir: &Path) -> Result<String> {
    first_word(cx, &manifest_checksum(dir)).await
}

/// How many files a manifest lists.
pub(super) async fn count_files(cx: &Context, manifest: &Path) -> Result<u64> {
    // grep exits with 1 when there are none.
    let count = Command::new("grep").args(["-c", "^f ", "--"]).arg(manifest).expect([0, 1]);
    first_word(cx, &count).await?.parse().context(format!("count the files in `{}`", manifest.display()))
}

/// Puts a file on the disk, so that a power cut after the rename finds it whole.
pub(super) async fn sync(cx: &Context, path: &Path) -> Result<()> {
    cx.run(&Command::new("sync").arg(path)).await.map(drop)
}

async fn first_word(cx: &Context, command: &Command) -> Result<String> {
    let output = cx.run(command).await?;
    // sha256sum puts a backslash before the checksum of a file whose name it escapes.
    let word = output.text()?.split_whitespace().next().map(|word| word.trim_start_matches('\\').to_owned());
    word.with_context(|| format!("`{command}` printed nothing"))
}

/// An error unless a file has this checksum.
pub(crate) async fn require(cx: &Context, path: &Path, wanted: &str) -> Result<()> {
    let found = checksum(cx, path).await?;
    if found == wanted {
        return Ok(());
    }
    let error = Error::new(format!("the backup is damaged: `{}` does not have its checksum", path.display()));
    Err(error.details([format!("wanted {wanted}"), format!("found  {found}")]))
}

/// Unpacks a backup into a directory, which must be empty, and compares all of it with the manifest.
pub(super) async fn unpack_verified(cx: &Context, backup: &super::Backup, dir: &Path) -> Result<()> {
    require(cx, &backup.archive(), &backup.checksum).await?;
    cx.run(&unpack(&backup.archive(), dir)).await?;
    if checksum_of_manifest(cx, dir).await? == backup.manifest {
        return Ok(());
    }
    let error = Error::new(format!("`{}` does not restore to what was backed up", backup.path.display()));
    Err(error.details(differences(cx, backup, dir).await))
}

/// The first lines in which the restored directory differs from the manifest, as far as they can be told.
async fn differences(cx: &Context, backup: &super::Backup, dir: &Path) -> Vec<String> {
    let seen = super::handle::beside(dir, super::handle::MANIFEST);
    let wanted = backup.path.join(super::handle::MANIFEST);
    let diff = Command::new("diff").arg(&wanted).arg(&seen).expect([0, 1]);
    let told = match cx.run(&write_manifest(dir, &seen)).await {
        Ok(_) => cx.run(&diff).await,
        Err(error) => Err(error),
    };
    let _ = cx.files().remove(&seen).await;
    match told {
        Ok(output) => output.lossy().lines().take(10).map(str::to_owned).collect(),
        Err(error) => vec![format!("{error:#}")],
    }
}

//! The programs of a backup, on a simulated host.
//!
//! They are held to the real ones by a test: a directory has the same manifest on both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runbook_core::command::Output;
use runbook_core::host::{Attributes, FileKind, Stat};
use runbook_core::testing::{Call, SimHost, Tree};
use runbook_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::file::content::{Bytes, sha256};

/// The host with what backups need: `tar`, `sync`, `grep -c` and the manifest script. Any other use of these programs
/// fails, and says that it is not simulated.
///
/// ```
/// # use runbook_core::testing::SimHost;
/// let host = runbook_steps::backup::simulated(SimHost::new("web-1").file("/srv/app/data/entries", "one\n"));
/// ```
pub fn simulated(host: SimHost) -> SimHost {
    host.program("tar", |call: &mut Call<'_>| ended("tar", tar(call)))
        .program("sh -c", |call: &mut Call<'_>| ended("sh", script(call)))
        .program("grep -c", |call: &mut Call<'_>| ended("grep", count(call)))
        .program("sync", |_: &mut Call<'_>| Output::ok(""))
}

/// One thing in a simulated archive.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    stat: Stat,
    content: Bytes,
}

type Entries = BTreeMap<PathBuf, Entry>;

fn ended(program: &str, result: Result<Output>) -> Output {
    result.unwrap_or_else(|error| Output::failed(2, format!("{program}: {error:#}\n")))
}

fn not_simulated(call: &Call<'_>) -> Error {
    Error::new(format!("`{}` is not simulated", call.command()))
}

fn tar(call: &mut Call<'_>) -> Result<Output> {
    match call.args()[..] {
        ["-czf", archive, "-C", dir, "."] => {
            let entries = serde_json::to_vec(&entries(call.files(), Path::new(dir))?)?;
            call.files().write(archive, entries)?;
        }
        ["-dzf", archive, "-C", dir] => {
            let (packed, there) = (unpacked(call.files(), archive)?, entries(call.files(), Path::new(dir))?);
            if packed != there {
                return Ok(Output::failed(1, "tar: contents differ\n"));
            }
        }
        ["--numeric-owner", "-xpzf", archive, "-C", dir] => {
            for (name, entry) in unpacked(call.files(), archive)? {
                restore(call.files(), &Path::new(dir).join(name), &entry)?;
            }
        }
        _ => return Err(not_simulated(call)),
    }
    Ok(Output::ok(""))
}

/// Everything in a directory, itself included, by its name in there.
fn entries(tree: &Tree, dir: &Path) -> Result<Entries> {
    let paths = std::iter::once(dir.to_owned()).chain(tree.walk(dir));
    paths
        .filter_map(|path| tree.stat(&path).map(|stat| (path, stat)))
        .map(|(path, stat)| {
            let content = if stat.kind == FileKind::File { tree.read(&path)? } else { Vec::new() };
            let name = path.strip_prefix(dir)?.to_owned();
            Ok((name, Entry { stat, content: Bytes::of(&content) }))
        })
        .collect()
}

fn unpacked(tree: &Tree, archive: &str) -> Result<Entries> {
    serde_json::from_slice(&tree.read(archive)?).map_err(|_| Error::new("unexpected end of file"))
}

fn restore(tree: &mut Tree, path: &Path, entry: &Entry) -> Result<()> {
    let stat = &entry.stat;
    let attributes = Attributes { mode: Some(stat.mode), owner: Some(format!("{}:{}", stat.uid, stat.gid)) };
    match &stat.kind {
        FileKind::Directory => {
            tree.make_dir(path)?;
            tree.set(path, &attributes)
        }
        FileKind::Symlink(target) => tree.symlink(target, path),
        FileKind::File | FileKind::Other => tree.write_as(path, &entry.content.bytes()?, &attributes),
    }
}

/// The manifest script: into a file, or its checksum.
pub(crate) fn script(call: &mut Call<'_>) -> Result<Output> {
    let dir = call.dir().to_owned();
    match call.args()[..] {
        [script, "manifest", to] if script.ends_with("> \"$1\"") => {
            let manifest = manifest(call.files(), &dir)?;
            call.files().write(to, manifest)?;
            Ok(Output::ok(""))
        }
        [script, "manifest"] if script.ends_with("| sha256sum") => {
            let checksum = sha256(manifest(call.files(), &dir)?.as_bytes());
            Ok(Output::ok(format!("{checksum}  -\n")))
        }
        _ => Err(not_simulated(call)),
    }
}

fn manifest(tree: &Tree, dir: &Path) -> Result<String> {
    let mut text = Vec::new();
    for (name, Entry { stat, content }) in entries(tree, dir)? {
        let name = if name.as_os_str().is_empty() { ".".to_owned() } else { format!("./{}", name.display()) };
        let (mode, size) = (stat.mode, stat.size);
        match &stat.kind {
            FileKind::File => {
                text.extend([format!("f {mode:o} {size} {name}"), checksum_line(&content.bytes()?, &name)]);
            }
            FileKind::Directory => text.push(format!("d {mode:o} {name}")),
            FileKind::Symlink(target) => text.push(format!("l {name} -> {}", target.display())),
            FileKind::Other => {}
        }
    }
    // A name of two lines is two lines for sort, too.
    let text = text.join("\n");
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    Ok(lines.join("\n") + "\n")
}

/// As sha256sum prints it, which escapes names that would break its lines.
fn checksum_line(content: &[u8], name: &str) -> String {
    let escaped = name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
    let mark = if escaped == name { "" } else { "\\" };
    format!("{mark}{}  {escaped}", sha256(content))
}

/// How many lines begin with what stands behind the `^`.
fn count(call: &mut Call<'_>) -> Result<Output> {
    let [pattern, "--", path] = call.args()[..] else { return Err(not_simulated(call)) };
    let start = pattern.strip_prefix('^').ok_or_else(|| not_simulated(call))?;
    let count = call.files().text(path)?.lines().filter(|line| line.starts_with(start)).count();
    let code = i32::from(count == 0);
    Ok(Output { code: Some(code), ..Output::ok(format!("{count}\n")) })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use runbook_core::{Context, Rollback, Step, Survey};

    use super::super::archive;
    use super::*;
    use crate::backup;
    use crate::taking::{before, take};

    /// The same directory on a simulated host and on this one.
    fn both(place: &Path) -> [(Context, PathBuf); 2] {
        let data = place.join("data");
        let (names, contents) = (["entries", "a name\nof two", "sub/b\\c", "empty"], ["one\n", "\0\u{1}", "x", ""]);
        let mut host = simulated(SimHost::new("sim")).dir("/place/data/sub").mode("/place/data/sub", 0o750);
        std::fs::create_dir_all(data.join("sub")).expect("made");
        for (name, content) in names.into_iter().zip(contents) {
            std::fs::write(data.join(name), content).expect("written");
            host = host.file(Path::new("/place/data").join(name), content);
        }
        host = host.link("/place/data/link", "entries");
        std::os::unix::fs::symlink("entries", data.join("link")).expect("linked");
        let (local, sim) = (Context::local(), Context::on(Arc::new(host)));
        [(local, place.to_owned()), (sim, "/place".into())]
    }

    #[tokio::test]
    async fn the_simulated_programs_agree_with_the_real_ones() {
        let place = tempfile::tempdir().expect("a directory");
        let mut seen = Vec::new();
        for (cx, place) in both(place.path()) {
            let data = place.join("data");
            for (path, mode) in [("sub", 0o750), ("entries", 0o600), ("", 0o755)] {
                cx.files().set(&data.join(path), &Attributes::mode(mode)).await.expect("set");
            }
            for name in ["a name\nof two", "sub/b\\c", "empty"] {
                cx.files().set(&data.join(name), &Attributes::mode(0o644)).await.expect("set");
            }
            let made = take(&cx, &backup::directory(&data).into_dir(place.join("backups"))).await.expect("a backup");
            let proven = take(&cx, &backup::rehearse(&made)).await.expect("it restores");
            cx.files().write(&data.join("entries"), b"lost\n", &Attributes::default()).await.expect("written");

            let restore = backup::restore(&proven).to(&data);
            let before = before(&cx, &restore).await;
            restore.apply(&cx, &before).await.expect("restored");
            let back = cx.files().read(&data.join("entries")).await.expect("read");
            assert!(matches!(restore.survey(&cx).await.expect("looks"), Survey::Already(_)));
            restore.rollback(&cx, &before).await.expect("goes back");
            let lost = cx.files().read(&data.join("entries")).await.expect("read");

            let whole = cx.files().read(&made.archive()).await.expect("read");
            let mut flipped = whole.clone();
            flipped[whole.len() / 2] ^= 1;
            cx.files().write(&made.archive(), &flipped, &Attributes::default()).await.expect("written");
            let damaged = take(&cx, &backup::rehearse(&made)).await.expect_err("a bit is wrong");
            cx.files().write(&made.archive(), &whole[1..], &Attributes::default()).await.expect("written");
            let cut = take(&cx, &backup::latest(place.join("backups"))).await.expect_err("it is cut");
            let complaints =
                [damaged, cut].map(|error| error.message().split('`').next().unwrap_or_default().to_owned());
            seen.push((made.manifest, made.files, back, lost, complaints));
        }
        assert_eq!(seen[0], seen[1]);
        assert_eq!((seen[0].1, seen[0].2.as_slice(), seen[0].3.as_slice()), (4, &b"one\n"[..], &b"lost\n"[..]));
    }

    #[tokio::test]
    async fn a_directory_that_changes_while_it_is_packed_is_told() {
        let host = simulated(SimHost::new("sim").file("/data/a", "1"));
        let cx = Context::on(Arc::new(host.clone()));
        cx.run(&archive::pack(Path::new("/data"), Path::new("/a.tar.gz"))).await.expect("packed");
        cx.run(&archive::compare(Path::new("/data"), Path::new("/a.tar.gz"))).await.expect("the same");
        cx.files().write(Path::new("/data/a"), b"2", &Attributes::default()).await.expect("written");
        assert!(cx.run(&archive::compare(Path::new("/data"), Path::new("/a.tar.gz"))).await.is_err());
    }
}

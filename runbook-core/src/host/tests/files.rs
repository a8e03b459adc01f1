//! What files promise on every host.

use std::path::{Path, PathBuf};

use crate::host::{Attributes, FileKind, Files};
use crate::{Command, Context};

async fn mode_of(files: &dyn Files, path: &Path) -> u32 {
    files.stat(path).await.expect("looks").expect("is there").mode
}

pub(super) async fn are_written_whole(cx: &Context, dir: &Path) {
    let files = cx.files();
    let path = dir.join("file");
    let binary: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    files.write(&path, &binary, &Attributes::mode(0o640)).await.expect("written");
    assert!(files.read(&path).await.expect("read") == binary);
    assert_eq!(mode_of(files, &path).await, 0o640);
    // Mode and owner are kept, unless they are given.
    files.write(&path, b"second", &Attributes::default()).await.expect("written");
    assert_eq!((files.read(&path).await.expect("read"), mode_of(files, &path).await), (b"second".to_vec(), 0o640));
    files.write(&path, b"", &Attributes::mode(0o600)).await.expect("written");
    assert_eq!((files.read(&path).await.expect("read"), mode_of(files, &path).await), (Vec::new(), 0o600));
    let fresh = dir.join("fresh");
    files.write(&fresh, b"new", &Attributes::default()).await.expect("written");
    assert_eq!(mode_of(files, &fresh).await, 0o644);
    // Owners, by name and number.
    let id = cx.run(&Command::new("id").arg("-un")).await.expect("runs");
    let me = Attributes { mode: None, owner: Some(id.text().expect("is text").to_owned()) };
    files.write(&fresh, b"mine", &me).await.expect("written");
    files.set(&fresh, &me).await.expect("set");
    let unknown = Attributes { mode: None, owner: Some("no-such-user".into()) };
    let error = files.write(&fresh, b"lost", &unknown).await.expect_err("has no such owner");
    assert!(format!("{error:#}").contains("no-such-user"), "{error:#}");
    assert_eq!(files.read(&fresh).await.expect("read"), b"mine");
    // A directory that is not there.
    let nowhere = dir.join("nowhere/file");
    let error = files.write(&nowhere, b"x", &Attributes::default()).await.expect_err("is nowhere");
    assert!(error.message().starts_with(&format!("write `{}`", nowhere.display())), "{error:?}");
    files.remove(&path).await.expect("removed");
    files.remove(&fresh).await.expect("removed");
    assert_eq!(files.list(dir).await.expect("listed"), ["log of it", "there.gz"], "nothing is left beside them");
}

pub(super) async fn are_looked_at(cx: &Context, dir: &Path) {
    let files = cx.files();
    let nothing = dir.join("nothing");
    assert_eq!(files.stat(&nothing).await.expect("looks"), None);
    assert_eq!(files.stat(&dir.join("there.gz/inside")).await.expect("looks"), None);
    let error = files.read(&nothing).await.expect_err("is not there");
    assert!(error.message().starts_with(&format!("read `{}`", nothing.display())), "{error:?}");
    assert!(format!("{error:#}").contains("No such file or directory"), "{error:#}");
    let made = dir.join("a/b/c");
    files.make_dir(&made).await.expect("made");
    files.make_dir(&made).await.expect("is fine");
    let stat = files.stat(&made).await.expect("looks").expect("is there");
    assert_eq!(stat.kind, FileKind::Directory);
    files.set(&made, &Attributes::mode(0o700)).await.expect("set");
    assert_eq!(mode_of(files, &made).await, 0o700);
    assert_eq!(files.stat(Path::new("/dev/null")).await.expect("looks").expect("is there").kind, FileKind::Other);
    let file = made.join("file");
    files.write(&file, b"12345", &Attributes::default()).await.expect("written");
    let stat = files.stat(&file).await.expect("looks").expect("is there");
    assert_eq!((stat.kind, stat.size), (FileKind::File, 5));
    let ids = cx.run(&Command::new("sh").args(["-c", "id -u; id -g"])).await.expect("runs");
    assert_eq!(ids.text().expect("is text"), format!("{}\n{}", stat.uid, stat.gid));
    files.remove(&dir.join("a")).await.expect("removed with all in it");
    assert_eq!(files.stat(&made).await.expect("looks"), None);
    files.remove(&dir.join("a")).await.expect("is fine");
}

pub(super) async fn have_odd_names(cx: &Context, dir: &Path) {
    let files = cx.files();
    let odd = dir.join("odd");
    files.make_dir(&odd).await.expect("made");
    assert_eq!(files.list(&odd).await.expect("listed"), Vec::<String>::new());
    let mut names = ["-rf", "a b", "it's", "new\nline", "$HOME", ".hidden", "..two", "*", "é"];
    names.sort_unstable();
    for name in names {
        files.write(&odd.join(name), name.as_bytes(), &Attributes::default()).await.expect("written");
        assert_eq!(files.read(&odd.join(name)).await.expect("read"), name.as_bytes());
    }
    assert_eq!(files.list(&odd).await.expect("listed"), names);
    let error = files.list(&dir.join("nothing")).await.expect_err("is not there");
    assert!(error.message().starts_with("list `"), "{error:?}");
    files.remove(&odd).await.expect("removed");
}

pub(super) async fn are_linked_renamed_and_removed(cx: &Context, dir: &Path) {
    let files = cx.files();
    let (one, two, link) = (dir.join("one"), dir.join("two"), dir.join("current"));
    files.make_dir(&one).await.expect("made");
    files.write(&one.join("in"), b"1", &Attributes::default()).await.expect("written");
    files.make_dir(&two).await.expect("made");
    for target in [&one, &two] {
        files.symlink(target, &link).await.expect("linked");
        let stat = files.stat(&link).await.expect("looks").expect("is there");
        assert_eq!(stat.kind, FileKind::Symlink(target.clone()));
    }
    assert_eq!(files.list(&two).await.expect("listed"), Vec::<String>::new(), "the link was replaced, not followed");
    files.symlink(Path::new("../else where"), &link).await.expect("linked");
    let stat = files.stat(&link).await.expect("looks").expect("is there");
    assert_eq!(stat.kind, FileKind::Symlink(PathBuf::from("../else where")));
    files.set(&link, &Attributes::mode(0o600)).await.expect_err("links have no mode");
    // Writing to a link replaces the link.
    files.symlink(&one.join("in"), &link).await.expect("linked");
    files.write(&link, b"new", &Attributes::default()).await.expect("written");
    assert_eq!(files.read(&one.join("in")).await.expect("read"), b"1");
    // Removing a link leaves what it points to.
    files.symlink(&one, &link).await.expect("linked");
    files.remove(&link).await.expect("removed");
    assert_eq!(files.list(&one).await.expect("listed"), ["in"]);
    files.rename(&one.join("in"), &two.join("out")).await.expect("renamed");
    assert_eq!(files.read(&two.join("out")).await.expect("read"), b"1");
    let error = files.rename(&one.join("in"), &two.join("x")).await.expect_err("is gone");
    assert!(error.message().starts_with(&format!("rename `{}` to `", one.join("in").display())), "{error:?}");
    files.remove(&one).await.expect("removed");
    files.remove(&two).await.expect("removed");
}

pub(super) async fn come_in_pieces(cx: &Context, dir: &Path) {
    let files = cx.files();
    let path = dir.join("pieces");
    let content: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut draft = files.create(&path, &Attributes::mode(0o600)).await.expect("begun");
    for piece in content.chunks(100_000) {
        draft.write(piece).await.expect("written");
    }
    assert_eq!(files.stat(&path).await.expect("looks"), None, "nothing is there before it is whole");
    draft.keep().await.expect("kept");
    assert_eq!(mode_of(files, &path).await, 0o600);
    let (mut reading, mut read) = (files.open(&path).await.expect("opened"), Vec::new());
    loop {
        let piece = reading.next().await.expect("read");
        if piece.is_empty() {
            break;
        }
        read.extend(piece);
    }
    assert!(read == content);
    drop(reading);
    let mut draft = files.create(&path, &Attributes::default()).await.expect("begun");
    draft.write(b"no").await.expect("written");
    draft.discard().await;
    assert!(files.read(&path).await.expect("read") == content);
    files.remove(&path).await.expect("removed");
    assert_eq!(files.list(dir).await.expect("listed"), ["log of it", "there.gz"], "nothing is left beside it");
    if let Ok(mut reading) = files.open(&path).await {
        reading.next().await.expect_err("is gone");
    }
}

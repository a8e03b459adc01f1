//! An in-memory file system that behaves as a POSIX one does, as far as steps can see.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::host::{Attributes, FileKind, Stat};
use crate::{Error, Result};

use super::world::Thing;

/// How many links a path may go through, as Linux has it.
const LINKS: u32 = 40;

/// The files of a simulated host. Paths are absolute; links on the way are followed.
#[derive(Debug, Clone)]
pub struct Tree {
    things: BTreeMap<PathBuf, Thing>,
    users: BTreeMap<String, u32>,
    /// Paths that cannot be written to, each with the reason.
    closed: BTreeMap<PathBuf, String>,
    /// How many changes were made.
    changes: u64,
    /// How many more changes reach the disk, when the power is about to fail.
    left: Option<u64>,
    /// What was on the disk when it failed. Whoever is at work does not notice until the end.
    frozen: Option<BTreeMap<PathBuf, Thing>>,
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            things: ["/", "/tmp"].map(|path| (PathBuf::from(path), Thing::directory())).into(),
            users: [("root".to_owned(), 0)].into(),
            closed: BTreeMap::new(),
            changes: 0,
            left: None,
            frozen: None,
        }
    }
}

impl Tree {
    /// What is at this path, the last link not followed.
    pub fn stat(&self, path: impl AsRef<Path>) -> Option<Stat> {
        let path = self.place(path.as_ref()).ok()?;
        self.things.get(&path).map(stat)
    }

    /// Whether something is at this path, links followed.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.find(path.as_ref()).is_ok()
    }

    /// Whether a directory is at this path, links followed.
    pub fn is_dir(&self, path: impl AsRef<Path>) -> bool {
        matches!(self.find(path.as_ref()), Ok((_, Thing::Directory { .. })))
    }

    /// Whether a file is at this path, links followed.
    pub fn is_file(&self, path: impl AsRef<Path>) -> bool {
        matches!(self.find(path.as_ref()), Ok((_, Thing::File { .. })))
    }

    /// The content of a file.
    pub fn read(&self, path: impl AsRef<Path>) -> Result<Vec<u8>> {
        let path = path.as_ref();
        match self.find(path).map_err(|why| failed("read", path, &why))?.1 {
            Thing::File { content, .. } => Ok(content.to_vec()),
            _ => Err(failed("read", path, "is a directory")),
        }
    }

    /// The content of a file as text.
    pub fn text(&self, path: impl AsRef<Path>) -> Result<String> {
        let path = path.as_ref();
        String::from_utf8(self.read(path)?).map_err(|_| failed("read", path, "is not UTF-8 text"))
    }

    /// Writes a file in one move, replacing a file or a link. Its directory must exist.
    pub fn write(&mut self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Result<()> {
        self.write_as(path.as_ref(), content.as_ref(), &Attributes::default())
    }

    /// The same with mode and owner.
    pub fn write_as(&mut self, path: &Path, content: &[u8], attributes: &Attributes) -> Result<()> {
        let why = |why: &str| failed("write", path, why);
        let place = self.open(path).map_err(|reason| why(&reason))?;
        let (mode, owner) = match self.things.get(&place) {
            Some(Thing::Directory { .. }) => return Err(why("is a directory")),
            Some(Thing::File { mode, owner, .. }) => (*mode, *owner),
            _ => (0o644, (0, 0)),
        };
        let mode = attributes.mode.unwrap_or(mode);
        let owner = self.owner(attributes.owner.as_deref(), owner).map_err(|reason| why(&reason))?;
        self.put(place, Thing::File { content: content.into(), mode, owner });
        Ok(())
    }

    /// Makes a directory and those above it; an existing one is fine.
    pub fn make_dir(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut way = PathBuf::new();
        for part in path.components() {
            way.push(part);
            match self.find(&way) {
                Ok((_, Thing::Directory { .. })) => {}
                Ok(_) => return Err(failed("make directory", path, "a file is in the way")),
                Err(_) if self.stat(&way).is_some() => {
                    return Err(failed("make directory", path, "a link that leads nowhere is in the way"));
                }
                Err(_) => {
                    let place = self.open(&way).map_err(|why| failed("make directory", path, &why))?;
                    self.put(place, Thing::directory());
                }
            }
        }
        Ok(())
    }

    /// Removes what is here with all that is in it; nothing there is fine.
    pub fn remove(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if self.stat(path).is_none() {
            return Ok(());
        }
        let place = self.open(path).map_err(|why| failed("remove", path, &why))?;
        let inside: Vec<_> = self.below(&place).cloned().collect();
        for path in inside.iter().rev().chain([&place]) {
            self.take(path);
        }
        Ok(())
    }

    /// Makes `link` point to `target` in one move, replacing a link or a file.
    pub fn symlink(&mut self, target: impl AsRef<Path>, link: impl AsRef<Path>) -> Result<()> {
        let link = link.as_ref();
        let place = self.open(link).map_err(|why| failed("make link", link, &why))?;
        if matches!(self.things.get(&place), Some(Thing::Directory { .. })) {
            return Err(failed("make link", link, "a directory is in the way"));
        }
        self.put(place, Thing::Link(target.as_ref().to_owned()));
        Ok(())
    }

    /// Renames in one move, replacing a file or an empty directory.
    pub fn rename(&mut self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let why = |why: &str| failed("rename", from, why);
        let source = self.open(from).map_err(|reason| why(&reason))?;
        let target = self.open(to).map_err(|reason| failed("rename to", to, &reason))?;
        let Some(thing) = self.things.get(&source) else { return Err(why("no such file or directory")) };
        let directory = matches!(thing, Thing::Directory { .. });
        if directory && target.starts_with(&source) && target != source {
            return Err(why("the new name lies inside"));
        }
        match self.things.get(&target) {
            Some(Thing::Directory { .. }) if !directory => return Err(failed("rename to", to, "is a directory")),
            Some(Thing::Directory { .. }) if target != source && self.below(&target).next().is_some() => {
                return Err(failed("rename to", to, "directory not empty"));
            }
            Some(Thing::File { .. } | Thing::Link(_)) if directory => {
                return Err(failed("rename to", to, "not a directory"));
            }
            _ => {}
        }
        self.relocate(&source, &target);
        Ok(())
    }

    /// The names in a directory, sorted.
    pub fn list(&self, path: impl AsRef<Path>) -> Result<Vec<String>> {
        let path = path.as_ref();
        let (place, thing) = self.find(path).map_err(|why| failed("list", path, &why))?;
        if !matches!(thing, Thing::Directory { .. }) {
            return Err(failed("list", path, "not a directory"));
        }
        let names = self.below(&place).filter(|inner| inner.parent() == Some(&place));
        Ok(names.filter_map(|inner| Some(inner.file_name()?.to_string_lossy().into_owned())).collect())
    }

    /// Everything below a directory, sorted, as absolute paths.
    pub fn walk(&self, path: impl AsRef<Path>) -> Vec<PathBuf> {
        match self.find(path.as_ref()) {
            Ok((place, _)) => self.below(&place).cloned().collect(),
            Err(_) => Vec::new(),
        }
    }

    /// Sets mode and owner, links followed.
    pub fn set(&mut self, path: impl AsRef<Path>, attributes: &Attributes) -> Result<()> {
        let path = path.as_ref();
        let why = |why: &str| failed("set mode and owner of", path, why);
        let (place, thing) = self.find(path).map_err(|reason| why(&reason))?;
        let mut thing = thing.clone();
        self.writable(&place).map_err(|reason| why(&reason))?;
        if let Thing::File { mode, owner, .. } | Thing::Directory { mode, owner } = &mut thing {
            *mode = attributes.mode.unwrap_or(*mode);
            *owner = self.owner(attributes.owner.as_deref(), *owner).map_err(|reason| why(&reason))?;
        }
        self.put(place, thing);
        Ok(())
    }

    pub(crate) fn user(&mut self, name: &str, id: u32) {
        self.users.insert(name.to_owned(), id);
    }

    pub(crate) fn close(&mut self, path: PathBuf, why: String) {
        self.closed.insert(path, why);
    }

    pub(crate) fn things(&self) -> impl Iterator<Item = (&PathBuf, &Thing)> {
        self.things.iter()
    }

    /// Puts other things in the place of all those that `part` chooses.
    pub(crate) fn replace(&mut self, part: impl Fn(&Path) -> bool, things: impl IntoIterator<Item = (PathBuf, Thing)>) {
        self.things.retain(|path, _| !part(path));
        self.things.extend(things);
    }

    /// How many changes were made so far.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Only this many more changes reach the disk; `None` ends the pretence that others do as well.
    pub(crate) fn cut_after(&mut self, changes: Option<u64>) {
        self.left = changes;
        if let (None, Some(frozen)) = (changes, self.frozen.take()) {
            self.things = frozen;
        }
    }

    /// Whether changes do not reach the disk any more.
    pub(crate) fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// Counts a change that is about to be made.
    pub(crate) fn change(&mut self) {
        self.changes += 1;
        match &mut self.left {
            Some(0) if self.frozen.is_none() => self.frozen = Some(self.things.clone()),
            Some(left) => *left = left.saturating_sub(1),
            None => {}
        }
    }

    fn put(&mut self, place: PathBuf, thing: Thing) {
        if self.things.get(&place) != Some(&thing) {
            self.change();
            self.things.insert(place, thing);
        }
    }

    fn take(&mut self, place: &Path) {
        self.change();
        self.things.remove(place);
    }

    fn relocate(&mut self, source: &Path, target: &Path) {
        if source == target {
            return;
        }
        self.change();
        let all: Vec<_> = self.below(source).cloned().chain([source.to_owned()]).collect();
        for old in all {
            let new = old.strip_prefix(source).map(|rest| join(target, rest)).unwrap_or_default();
            if let Some(thing) = self.things.remove(&old) {
                self.things.insert(new, thing);
            }
        }
    }

    fn below<'a>(&'a self, place: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
        let all = self.things.range(place.to_owned()..);
        all.map(|(path, _)| path).take_while(move |path| path.starts_with(place)).filter(move |path| *path != place)
    }

    fn owner(&self, wanted: Option<&str>, now: (u32, u32)) -> Result<(u32, u32), String> {
        let Some(wanted) = wanted else { return Ok(now) };
        let (user, group) = wanted.split_once(':').map_or((wanted, None), |(user, group)| (user, Some(group)));
        let number = |name: &str| match name.parse() {
            Ok(number) => Ok(number),
            Err(_) => self.users.get(name).copied().ok_or_else(|| format!("there is no user or group `{name}`")),
        };
        let user = if user.is_empty() { now.0 } else { number(user)? };
        Ok((user, group.map_or(Ok(now.1), number)?))
    }

    /// The place of a path about to be written: its directory exists, and nothing forbids it.
    fn open(&self, path: &Path) -> Result<PathBuf, String> {
        let place = self.place(path)?;
        self.writable(&place)?;
        match place.parent().map(|parent| self.things.get(parent)) {
            None | Some(Some(Thing::Directory { .. })) => Ok(place),
            Some(Some(_)) => Err("not a directory".to_owned()),
            Some(None) => Err("no such file or directory".to_owned()),
        }
    }

    fn writable(&self, place: &Path) -> Result<(), String> {
        let closed = self.closed.iter().find(|(path, _)| place.starts_with(path));
        closed.map_or(Ok(()), |(_, why)| Err(why.clone()))
    }

    /// The thing at a path, all links followed.
    fn find(&self, path: &Path) -> Result<(PathBuf, &Thing), String> {
        let place = self.resolve(path, true, LINKS)?;
        match self.things.get(&place) {
            Some(thing) => Ok((place, thing)),
            None => Err("no such file or directory".to_owned()),
        }
    }

    /// The place of a path, the last link not followed.
    fn place(&self, path: &Path) -> Result<PathBuf, String> {
        self.resolve(path, false, LINKS)
    }

    fn resolve(&self, path: &Path, last: bool, links: u32) -> Result<PathBuf, String> {
        let mut place = PathBuf::from("/");
        let parts: Vec<Component<'_>> = path.components().collect();
        for (n, part) in parts.iter().enumerate() {
            match part {
                Component::ParentDir => {
                    place.pop();
                }
                Component::Normal(name) => place.push(name),
                _ => {}
            }
            let follow = last || n + 1 < parts.len();
            let Some(Thing::Link(target)) = self.things.get(&place).filter(|_| follow) else { continue };
            let links = links.checked_sub(1).ok_or("too many levels of symbolic links")?;
            let beside = place.parent().unwrap_or(Path::new("/")).join(target);
            place = self.resolve(&beside, true, links)?;
        }
        Ok(place)
    }
}

fn join(base: &Path, rest: &Path) -> PathBuf {
    if rest.as_os_str().is_empty() { base.to_owned() } else { base.join(rest) }
}

fn stat(thing: &Thing) -> Stat {
    let (kind, mode, owner, size) = match thing {
        Thing::File { content, mode, owner } => (FileKind::File, *mode, *owner, content.len()),
        Thing::Directory { mode, owner } => (FileKind::Directory, *mode, *owner, 0),
        Thing::Link(target) => (FileKind::Symlink(target.clone()), 0o777, (0, 0), target.as_os_str().len()),
        Thing::State(_) => (FileKind::Other, 0, (0, 0), 0),
    };
    Stat { kind, mode, uid: owner.0, gid: owner.1, size: size as u64 }
}

fn failed(what: &str, path: &Path, why: &str) -> Error {
    Error::new(format!("{what} `{}`", path.display())).caused_by(Error::new(why))
}

impl Thing {
    pub(crate) fn directory() -> Self {
        Self::Directory { mode: 0o755, owner: (0, 0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let mut tree = Tree::default();
        tree.make_dir("/srv/releases/1").expect("makes directories");
        tree.write("/srv/releases/1/VERSION", "1").expect("writes");
        tree.symlink("releases/1", "/srv/current").expect("links");
        tree
    }

    #[test]
    fn links_on_the_way_are_followed_and_the_last_one_only_for_reading() {
        let mut tree = tree();
        assert_eq!(tree.text("/srv/current/VERSION").expect("reads through the link"), "1");
        assert_eq!(tree.stat("/srv/current").map(|stat| stat.kind), Some(FileKind::Symlink("releases/1".into())));
        tree.write("/srv/current/VERSION", "2").expect("writes through the link");
        assert_eq!(tree.text("/srv/releases/1/VERSION").expect("reads"), "2");
        tree.write("/srv/current", "a file now").expect("replaces the link, as a rename does");
        assert!(tree.is_file("/srv/current"));
        tree.symlink("loop", "/srv/loop").expect("links");
        assert!(format!("{:#}", tree.read("/srv/loop").expect_err("a loop")).contains("too many levels"));
    }

    #[test]
    fn a_directory_is_renamed_and_removed_with_all_that_is_in_it() {
        let mut tree = tree();
        tree.rename("/srv/releases", "/srv/old").expect("renames");
        assert_eq!(tree.walk("/srv/old"), [PathBuf::from("/srv/old/1"), PathBuf::from("/srv/old/1/VERSION")]);
        assert!(!tree.exists("/srv/current"), "the link leads nowhere now");
        tree.remove("/srv/old").expect("removes");
        assert_eq!(tree.list("/srv").expect("lists"), ["current"]);
        tree.remove("/srv/nothing/there").expect("nothing there is fine");
    }

    #[test]
    fn what_a_real_file_system_refuses_is_refused_with_the_path() {
        let mut tree = tree();
        tree.close("/mnt".into(), "read-only file system".into());
        let error = |result: Result<()>| format!("{:#}", result.expect_err("refused"));
        assert_eq!(error(tree.write("/no/file", "")), "write `/no/file`: no such file or directory");
        assert_eq!(error(tree.write("/srv", "")), "write `/srv`: is a directory");
        assert_eq!(error(tree.make_dir("/mnt/a")), "make directory `/mnt/a`: read-only file system");
        let attributes = Attributes { mode: None, owner: Some("marb".into()) };
        assert_eq!(
            error(tree.set("/srv", &attributes)),
            "set mode and owner of `/srv`: there is no user or group `marb`"
        );
    }

    #[test]
    fn mode_and_owner_stay_when_a_file_is_written_again() {
        let mut tree = tree();
        tree.user("marb", 1001);
        let attributes = Attributes { mode: Some(0o600), owner: Some("marb:0".into()) };
        tree.write_as(Path::new("/srv/.env"), b"A=1", &attributes).expect("writes");
        tree.write("/srv/.env", "A=2").expect("writes");
        let stat = tree.stat("/srv/.env").expect("is there");
        assert_eq!((stat.mode, stat.uid, stat.gid, stat.size), (0o600, 1001, 0, 3));
    }

    #[test]
    fn changes_after_the_cut_do_not_happen() {
        let mut tree = tree();
        let before = tree.changes();
        tree.cut_after(Some(1));
        tree.remove("/srv/releases").expect("removes all");
        assert!(!tree.exists("/srv/releases"), "it believes so");
        tree.cut_after(None);
        assert_eq!(tree.changes() - before, 3);
        assert!(tree.is_dir("/srv/releases/1") && !tree.exists("/srv/releases/1/VERSION"));
    }
}

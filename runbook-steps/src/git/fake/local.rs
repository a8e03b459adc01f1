//! A tree on a simulated host. It changes files in the order git does: first the files of the tree, then the index,
//! HEAD last; so a git that is killed leaves the same halves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use runbook::Result;
use runbook::command::Output;
use runbook::testing::Call;
use serde::{Deserialize, Serialize};

use super::remote;
use super::{Commit, Files, MAIN, Repository, Revision, fatal, objects, unknown};

/// A tree on a host, while git works in it.
pub(super) struct Local<'a, 'b> {
    call: &'a mut Call<'b>,
    root: PathBuf,
    config: Config,
    remotes: &'a BTreeMap<String, Repository>,
}

/// What lies in the git directory beside HEAD and the index.
#[derive(Default, Serialize, Deserialize)]
struct Config {
    url: String,
    refs: BTreeMap<String, Revision>,
}

/// `git clone URL PATH`
pub(super) fn clone(
    call: &mut Call<'_>,
    remotes: &BTreeMap<String, Repository>,
    url: &str,
    branch: Option<&str>,
    into: &str,
) -> Output {
    let Some(remote) = remotes.get(url) else { return remote::gone(url) };
    let root = call.path(into);
    let tag = branch.and_then(|name| remote.tags.get(name));
    let name = if tag.is_some() { MAIN } else { branch.unwrap_or(MAIN) };
    let Some(tip) = tag.or_else(|| remote.branches.get(name)) else {
        return fatal(&format!("Remote branch {name} not found in upstream origin"));
    };
    let branches = remote.branches.iter().map(|(name, id)| (format!("refs/remotes/origin/{name}"), id.clone()));
    let tags = remote.tags.iter().map(|(name, id)| (format!("refs/tags/{name}"), id.clone()));
    let mut config = Config { url: url.to_owned(), refs: branches.chain(tags).collect() };
    if tag.is_none() {
        config.refs.insert(format!("refs/heads/{name}"), tip.clone());
    }
    let head = if tag.is_some() { tip.to_string() } else { format!("ref: refs/heads/{name}") };
    call.set_state(&objects(url), &remote.commits.keys().collect::<Vec<_>>());
    let mut local = Local { call, root, config, remotes };
    done(local.begin(&head).and_then(|()| local.reset()))
}

/// The output of something that only worked or did not.
fn done(result: Result<()>) -> Output {
    match result {
        Ok(()) => Output::ok(""),
        Err(error) => fatal(&format!("{error:#}")),
    }
}

impl<'a, 'b> Local<'a, 'b> {
    /// The tree at this place, when there is one.
    pub(super) fn open(call: &'a mut Call<'b>, root: &Path, remotes: &'a BTreeMap<String, Repository>) -> Option<Self> {
        let text = call.files().text(root.join(".git/config.json")).ok()?;
        let config = serde_json::from_str(&text).ok()?;
        Some(Self { call, root: root.to_owned(), config, remotes })
    }

    fn begin(&mut self, head: &str) -> Result<()> {
        let git_dir = self.git_dir();
        self.call.files().make_dir(&git_dir)?;
        self.write_config()?;
        self.write_head(head)
    }

    pub(super) fn run(&mut self, args: &[&str]) -> Output {
        match *args {
            ["rev-parse", "--absolute-git-dir", "--show-prefix", "HEAD", "--symbolic-full-name", "HEAD"] => {
                self.place()
            }
            ["rev-parse", "--verify", "--quiet", name] => match self.commit_of(name) {
                Some(id) => Output::ok(format!("{id}\n")),
                None => Output::failed(1, ""),
            },
            ["cat-file", "-e", name] => match self.commit_of(name) {
                Some(_) => Output::ok(""),
                None => fatal(&format!("Not a valid object name {name}")),
            },
            ["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=no"] => self.status(),
            ["ls-files", "-z", "--full-name", "--others", "--", ref paths @ ..] => self.others(paths),
            ["diff-tree", "-r", "-z", "--no-renames", "--name-status", a, b] => self.diff(a, b),
            ["log", "-z", "--no-show-signature", "--format=%H%x1f%an%x1f%ct%x1f%s", count, name, "--"] => {
                self.log(count, name)
            }
            ["remote"] => Output::ok("origin\n"),
            ["config", "--get", "remote.origin.url"] => Output::ok(format!("{}\n", self.config.url)),
            ["config", "--get", _] => Output::failed(1, ""),
            ["ls-remote", "origin", ref names @ ..] => remote::list(self.remotes, &self.config.url, names),
            ["fetch", "--quiet", "--no-tags", "--no-auto-gc", "--no-write-fetch-head", "--refmap=", "origin", what] => {
                self.fetch_one(what)
            }
            ["fetch", "--no-progress", "--no-tags", "--no-auto-gc", "--no-write-fetch-head", "origin", _, _] => {
                self.fetch_all()
            }
            ["for-each-ref", "--format=%(objectname) %(refname)", ref below @ ..] => self.references(below),
            ["update-ref", "--stdin"] => self.update_references(),
            ["checkout", "--quiet", "--no-overwrite-ignore", "--detach", id] => self.checkout(id, id),
            ["checkout", "--quiet", "--no-overwrite-ignore", branch, "--"] => {
                self.checkout(&format!("refs/heads/{branch}"), &format!("ref: refs/heads/{branch}"))
            }
            ["read-tree", id] => match self.commit_of(id) {
                Some(id) => {
                    let files = self.files_of(&id);
                    done(self.write_index(&files))
                }
                None => fatal(&format!("Not a valid object name {id}")),
            },
            ["update-index", "-q", "--refresh"] => Output::ok(""),
            ["reset", "--hard", "--quiet"] => done(self.reset()),
            _ => unknown(args),
        }
    }

    fn place(&mut self) -> Output {
        let Some(id) = self.commit_of("HEAD") else { return fatal("ambiguous argument 'HEAD': unknown revision") };
        let head = self.head();
        let name = head.strip_prefix("ref: ").unwrap_or("HEAD");
        Output::ok(format!("{}\n\n{id}\n{name}\n", self.git_dir().display()))
    }

    fn status(&mut self) -> Output {
        let (head, index) = (self.head_files(), self.index());
        let mut text = String::new();
        for path in head.keys().chain(index.keys()).collect::<BTreeSet<_>>() {
            let staged = head.get(path) != index.get(path);
            let changed = index.contains_key(path) && self.content(path).as_ref() != index.get(path);
            if staged || changed {
                let _ = write!(text, "{}{} {path}\0", if staged { 'M' } else { ' ' }, if changed { 'M' } else { ' ' });
            }
        }
        Output::ok(text)
    }

    fn others(&mut self, paths: &[&str]) -> Output {
        let index = self.index();
        let mut text = String::new();
        for path in paths.iter().filter_map(|path| path.strip_prefix(":(literal,top)")) {
            if !index.contains_key(path) && self.content(path).is_some() {
                let _ = write!(text, "{path}\0");
            }
        }
        Output::ok(text)
    }

    fn diff(&mut self, from: &str, to: &str) -> Output {
        let (Some(from), Some(to)) = (self.commit_of(from), self.commit_of(to)) else { return fatal("bad object") };
        let (old, new) = (self.files_of(&from), self.files_of(&to));
        let mut text = String::new();
        for path in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let letter = match (old.get(path), new.get(path)) {
                (None, _) => 'A',
                (_, None) => 'D',
                (before, after) if before != after => 'M',
                _ => continue,
            };
            let _ = write!(text, "{letter}\0{path}\0");
        }
        Output::ok(text)
    }

    fn log(&mut self, count: &str, name: &str) -> Output {
        let count = count.strip_prefix("--max-count=").and_then(|count| count.parse().ok()).unwrap_or(usize::MAX);
        let Some(tip) = self.commit_of(name) else { return fatal(&format!("bad revision '{name}'")) };
        let mut text = String::new();
        for id in self.history(&tip).into_iter().take(count) {
            let message = self.commit(&id).map(|commit| commit.message.clone()).unwrap_or_default();
            let _ = write!(text, "{id}\x1fTest\x1f0\x1f{message}\0");
        }
        Output::ok(text)
    }

    /// A commit alone, as every server since protocol 2 gives it out, or what a name means now.
    fn fetch_one(&mut self, what: &str) -> Output {
        let Some(remote) = self.remotes.get(&self.config.url) else { return remote::gone(&self.config.url) };
        let named = remote.references().into_iter().find(|(name, _)| name == what).map(|(_, id)| id.clone());
        let id = named.or_else(|| Revision::full(what).filter(|id| remote.commits.contains_key(id)));
        match id {
            Some(id) => self.remember(remote.history(&id)),
            None => return fatal(&format!("remote error: upload-pack: not our ref {what}")),
        }
        Output::ok("")
    }

    fn fetch_all(&mut self) -> Output {
        let Some(remote) = self.remotes.get(&self.config.url) else { return remote::gone(&self.config.url) };
        self.remember(remote.commits.keys().cloned());
        let mut clobbered = String::new();
        for (name, id) in remote.references() {
            let here = match name.strip_prefix("refs/heads/") {
                Some(branch) => format!("refs/remotes/origin/{branch}"),
                None if name == "HEAD" => continue,
                None => name,
            };
            let moved = self.config.refs.get(&here).is_some_and(|old| old != id);
            if moved && here.starts_with("refs/tags/") {
                let _ = writeln!(clobbered, " ! [rejected] {here} (would clobber existing tag)");
            } else {
                self.config.refs.insert(here, id.clone());
            }
        }
        match self.write_config() {
            Ok(()) if clobbered.is_empty() => Output::ok(""),
            Ok(()) => Output::failed(1, clobbered),
            Err(error) => fatal(&format!("{error:#}")),
        }
    }

    fn references(&self, below: &[&str]) -> Output {
        let wanted = self.config.refs.iter().filter(|(name, _)| below.iter().any(|prefix| name.starts_with(prefix)));
        Output::ok(wanted.fold(String::new(), |text, (name, id)| format!("{text}{id} {name}\n")))
    }

    fn update_references(&mut self) -> Output {
        let input = String::from_utf8_lossy(self.call.input()).into_owned();
        for line in input.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["update", name, id] => match Revision::full(id) {
                    Some(id) => drop(self.config.refs.insert(name.to_owned(), id)),
                    None => return fatal(&format!("update {name}: invalid <new-oid>: {id}")),
                },
                ["delete", name] => drop(self.config.refs.remove(name)),
                _ => return fatal(&format!("unknown command: {line}")),
            }
        }
        done(self.write_config())
    }

    /// Goes to a commit, unless that would lose a change or a file that git does not know.
    fn checkout(&mut self, name: &str, head: &str) -> Output {
        let Some(id) = self.commit_of(name) else {
            return Output::failed(1, format!("error: pathspec '{name}' did not match any file(s) known to git\n"));
        };
        let (index, target) = (self.index(), self.files_of(&id));
        let touched: Vec<String> =
            index.keys().chain(target.keys()).cloned().collect::<BTreeSet<_>>().into_iter().collect();
        for path in touched.iter().filter(|path| index.get(*path) != target.get(*path)) {
            let there = self.content(path);
            let lost = match index.get(path) {
                Some(known) => there.as_ref() != Some(known),
                None => there.is_some(),
            };
            if lost {
                return Output::failed(1, format!("error: {path} would be overwritten by checkout\nAborting\n"));
            }
        }
        done(
            self.write_files(&index, &target)
                .and_then(|()| self.write_index(&target))
                .and_then(|()| self.write_head(head)),
        )
    }

    /// Makes tracked files and index what they are at HEAD.
    fn reset(&mut self) -> Result<()> {
        let (index, target) = (self.index(), self.head_files());
        self.write_files(&index, &target)?;
        self.write_index(&target)
    }

    fn write_files(&mut self, known: &Files, target: &Files) -> Result<()> {
        for path in known.keys().filter(|path| !target.contains_key(*path)) {
            self.remove(path)?;
        }
        for (path, content) in target {
            if self.content(path).as_ref() != Some(content) {
                let place = self.root.join(path);
                self.call.files().make_dir(place.parent().unwrap_or(&self.root))?;
                self.call.files().write(&place, content)?;
            }
        }
        Ok(())
    }

    /// Removes a file, and the directories that are empty without it.
    fn remove(&mut self, path: &str) -> Result<()> {
        let root = self.root.clone();
        self.call.files().remove(root.join(path))?;
        for dir in Path::new(path).ancestors().skip(1).filter(|dir| !dir.as_os_str().is_empty()) {
            let dir = root.join(dir);
            if self.call.files().is_dir(&dir) && self.call.files().list(&dir)?.is_empty() {
                self.call.files().remove(&dir)?;
            }
        }
        Ok(())
    }

    fn git_dir(&self) -> PathBuf {
        self.root.join(".git")
    }

    fn head(&mut self) -> String {
        let path = self.git_dir().join("HEAD");
        self.call.files().text(path).unwrap_or_default().trim().to_owned()
    }

    fn write_head(&mut self, head: &str) -> Result<()> {
        let path = self.git_dir().join("HEAD");
        self.call.files().write(path, format!("{head}\n"))
    }

    fn write_config(&mut self) -> Result<()> {
        let path = self.git_dir().join("config.json");
        self.call.files().write(path, serde_json::to_vec(&self.config)?)
    }

    fn index(&mut self) -> Files {
        let path = self.git_dir().join("index.json");
        let text = self.call.files().text(path).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    fn write_index(&mut self, files: &Files) -> Result<()> {
        let path = self.git_dir().join("index.json");
        self.call.files().write(path, serde_json::to_vec(files)?)
    }

    fn content(&mut self, path: &str) -> Option<String> {
        let path = self.root.join(path);
        self.call.files().text(path).ok()
    }

    /// The commits this host has of the remote.
    fn known(&self) -> BTreeSet<Revision> {
        self.call.state(&objects(&self.config.url))
    }

    fn remember(&mut self, more: impl IntoIterator<Item = Revision>) {
        let mut known = self.known();
        known.extend(more);
        self.call.set_state(&objects(&self.config.url), &known);
    }

    fn commit(&self, id: &Revision) -> Option<&'a Commit> {
        self.remotes.get(&self.config.url)?.commits.get(id)
    }

    fn files_of(&self, id: &Revision) -> Files {
        self.commit(id).map(|commit| commit.files.clone()).unwrap_or_default()
    }

    fn head_files(&mut self) -> Files {
        let id = self.commit_of("HEAD");
        id.map(|id| self.files_of(&id)).unwrap_or_default()
    }

    fn history(&self, id: &Revision) -> Vec<Revision> {
        self.remotes.get(&self.config.url).map(|remote| remote.history(id)).unwrap_or_default()
    }

    /// The commit that a name means here: HEAD, a reference, an id or its beginning, `~N` behind any of them.
    fn commit_of(&mut self, name: &str) -> Option<Revision> {
        let name = name.strip_suffix("^{commit}").unwrap_or(name);
        if let Some((name, back)) = name.split_once('~') {
            let id = self.commit_of(name)?;
            let back: usize = if back.is_empty() { 1 } else { back.parse().ok()? };
            return self.history(&id).into_iter().nth(back);
        }
        if name == "HEAD" {
            let head = self.head();
            return match head.strip_prefix("ref: ") {
                Some(name) => self.config.refs.get(name).cloned(),
                None => Revision::full(&head),
            };
        }
        let refs = ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"];
        if let Some(id) = refs.iter().find_map(|prefix| self.config.refs.get(&format!("{prefix}{name}"))) {
            return Some(id.clone());
        }
        let mut found = self.known().into_iter().filter(|id| name.len() >= 4 && id.as_str().starts_with(name));
        found.next().filter(|_| found.next().is_none())
    }
}

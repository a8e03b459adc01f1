//! One suite for the real git and the simulated one: the same steps, and the same words about them.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use runbook::testing::SimHost;
use serde::Serialize;

use super::*;

/// The releases of the suite: whole trees.
const RELEASES: [(&str, &[(&str, &str)]); 3] = [
    ("v1", &[("app.py", "one\n"), ("old/gone.txt", "old\n")]),
    ("v2", &[("app.py", "two\n"), ("requirements.txt", "flask\n")]),
    ("v3", &[("app.py", "three\n"), ("requirements.txt", "flask\n"), ("docs/a.md", "a\n")]),
];

/// A git, a remote, and a place to clone into.
trait World {
    fn cx(&self) -> Context;
    fn url(&self) -> String;
    fn root(&self) -> PathBuf;
    /// Publishes a release.
    fn publish(&self, tag: &str, files: &[(&str, &str)]) -> Revision;
    /// Writes a file into the tree, as a person would.
    fn write(&self, name: &str, content: &str);
    fn remove(&self, name: &str);
    /// All files of the tree that are not git's own.
    fn files(&self) -> Vec<(String, String)>;
}

struct Real(Repo);

impl World for Real {
    fn cx(&self) -> Context {
        self.0.cx.clone()
    }
    fn url(&self) -> String {
        self.0.up().to_string_lossy().into_owned()
    }
    fn root(&self) -> PathBuf {
        self.0.down()
    }
    fn publish(&self, tag: &str, files: &[(&str, &str)]) -> Revision {
        for entry in std::fs::read_dir(self.0.up()).expect("is there") {
            let path = entry.expect("an entry").path();
            match path.file_name() {
                Some(name) if name == ".git" => {}
                _ if path.is_dir() => std::fs::remove_dir_all(path).expect("is removed"),
                _ => std::fs::remove_file(path).expect("is removed"),
            }
        }
        let files: Vec<_> = files.iter().map(|(name, content)| (*name, Some(*content))).collect();
        self.0.release(tag, &files)
    }
    fn write(&self, name: &str, content: &str) {
        self.0.write(name, content);
    }
    fn remove(&self, name: &str) {
        std::fs::remove_file(self.root().join(name)).expect("is removed");
    }
    fn files(&self) -> Vec<(String, String)> {
        if !self.root().exists() {
            return Vec::new();
        }
        let all = laws::tree(&self.root()).into_keys().filter(|path| !path.starts_with(".git"));
        let content = |path: &Path| std::fs::read_to_string(self.root().join(path)).ok();
        all.filter_map(|path| Some((path.display().to_string(), content(&path)?))).collect()
    }
}

struct Simulated {
    git: Fake,
    host: SimHost,
}

impl World for Simulated {
    fn cx(&self) -> Context {
        Context::on(Arc::new(self.host.clone()))
    }
    fn url(&self) -> String {
        "https://example.org/app.git".to_owned()
    }
    fn root(&self) -> PathBuf {
        "/srv/app".into()
    }
    fn publish(&self, tag: &str, files: &[(&str, &str)]) -> Revision {
        self.git.publish(&self.url(), tag, files.iter().copied())
    }
    fn write(&self, name: &str, content: &str) {
        self.host.edit(|tree| tree.write(self.root().join(name), content));
    }
    fn remove(&self, name: &str) {
        self.host.edit(|tree| tree.remove(self.root().join(name)));
    }
    fn files(&self) -> Vec<(String, String)> {
        let mut all = Vec::new();
        self.host.edit(|tree| {
            for path in tree.walk(self.root()) {
                let Ok(name) = path.strip_prefix(self.root()) else { continue };
                if !name.starts_with(".git") && tree.is_file(&path) {
                    all.push((name.display().to_string(), tree.text(&path)?));
                }
            }
            Ok(())
        });
        all
    }
}

/// What was said, with ids and places under the same names in both worlds.
struct Transcript<'a> {
    world: &'a dyn World,
    cx: Context,
    names: Vec<(String, String)>,
    lines: Vec<String>,
}

impl<'a> Transcript<'a> {
    fn new(world: &'a dyn World) -> Self {
        let mut names = vec![(world.root().display().to_string(), "ROOT".to_owned()), (world.url(), "URL".to_owned())];
        names.extend(world.root().parent().map(|parent| (parent.display().to_string(), "PARENT".to_owned())));
        Self { world, cx: world.cx(), names, lines: Vec::new() }
    }

    fn publish(&mut self, tag: &str, files: &[(&str, &str)]) {
        let id = self.world.publish(tag, files);
        self.names.push((id.to_string(), format!("<{tag}>")));
        self.names.push((id.short().to_owned(), format!("<{tag}>")));
    }

    fn say(&mut self, what: &str, words: impl std::fmt::Display) {
        let line = self.names.iter().fold(words.to_string(), |line, (name, short)| line.replace(name, short));
        self.lines.push(format!("{what}: {}", line.replace("localhost", "HOST").replace("sim", "HOST")));
    }

    fn answer<T: Serialize>(&mut self, what: &str, answer: Result<T, Error>) {
        match answer {
            Ok(value) => self.say(what, serde_json::to_string(&value).expect("serialises")),
            Err(error) => self.say(what, format!("{:?} {}", error.kind(), error.message())),
        }
    }

    fn files(&mut self) {
        let files = format!("{:?}", self.world.files());
        self.say("files", files);
    }

    /// Surveys, applies twice, surveys again; tells all.
    async fn take<S: Step>(&mut self, step: &S) -> Option<S::Before>
    where
        S::Before: Debug,
    {
        self.say("step", step.describe().line());
        let surveyed = step.survey(&self.cx).await;
        let before = match surveyed {
            Ok(Survey::Change { before, diff, predicted }) => {
                self.say("diff", diff);
                self.answer("predicted", Ok(predicted));
                before
            }
            Ok(Survey::Already(output)) => {
                self.answer("already", Ok(output));
                return None;
            }
            Err(error) => {
                self.answer::<()>("refused", Err(error));
                return None;
            }
        };
        for what in ["applied", "again"] {
            let output = step.apply(&self.cx, &before).await;
            self.answer(what, output);
        }
        let after = step.survey(&self.cx).await.map(|survey| matches!(survey, Survey::Already(_)));
        self.answer("done", after);
        self.files();
        Some(before)
    }

    async fn back<S: Rollback>(&mut self, step: &S, before: Option<S::Before>) {
        for _ in 0..2 {
            let undone = step.rollback(&self.cx, before.as_ref().expect("it was applied")).await;
            self.answer("undone", undone);
        }
        self.files();
    }

    async fn facts(&mut self) {
        let root = self.world.root();
        let now = head(&self.cx, &root).await;
        self.answer("head", now);
        let before = previous(&self.cx, &root).await;
        self.answer("previous", before);
        let subjects =
            log(&self.cx, &root, 2).await.map(|log| log.into_iter().map(|one| one.subject).collect::<Vec<_>>());
        self.answer("log", subjects);
        for check in [clean(&root).check(&self.cx).await, head_is(&root, "v2").check(&self.cx).await] {
            self.answer("check", check);
        }
    }
}

async fn conformance(world: &dyn World) -> Vec<String> {
    let mut told = Transcript::new(world);
    let (url, root) = (world.url(), world.root());
    told.take(&checkout(&root, "v1")).await; // There is no tree yet.
    told.take(&clone(&url, &root)).await; // And no commit at the remote.
    for (tag, files) in &RELEASES[..2] {
        told.publish(tag, files);
    }
    let cloned = clone(&url, &root);
    let before = told.take(&cloned).await;
    told.back(&cloned, before).await;
    told.take(&cloned).await;
    told.take(&cloned).await;
    told.take(&clone("file:///elsewhere", &root)).await;
    told.facts().await;

    let first = checkout(&root, "v1");
    let before = told.take(&first).await;
    told.facts().await;
    told.back(&first, before).await;
    told.facts().await;
    told.take(&first).await;
    told.take(&first).await;

    told.publish(RELEASES[2].0, RELEASES[2].1);
    let third = checkout(&root, "main");
    let before = told.take(&third).await; // Fetches what is not here.
    told.facts().await;
    told.back(&third, before).await;

    let fetched = fetch(&root);
    let before = told.take(&fetched).await;
    told.back(&fetched, before).await;
    told.take(&fetched).await;
    told.take(&fetched).await;
    let files = changed_files(&told.cx, &root, "v1", "v3").await;
    told.answer("changed", files);

    world.write("app.py", "my own\n");
    told.take(&checkout(&root, "v2")).await;
    told.facts().await;
    world.write("app.py", "one\n");
    world.write("requirements.txt", "untracked\n");
    told.take(&checkout(&root, "v2")).await;
    world.remove("requirements.txt");
    for name in ["nope", "-f", "HEAD~1", "v3~1", "origin/main", "refs/tags/v3"] {
        let step = checkout(&root, name);
        if let Some(before) = told.take(&step).await {
            told.back(&step, Some(before)).await;
        }
    }
    world.write("notes.txt", "untracked\n");
    told.take(&checkout(&root, "v3")).await;
    told.lines
}

#[tokio::test(start_paused = true)]
async fn the_simulated_git_agrees_with_the_real_one() {
    let git = Fake::new().remote("https://example.org/app.git");
    let host = git.on(SimHost::new("sim").dir("/srv"));
    let simulated = Simulated { git, host };
    let real = Real(Repo::empty());
    let (simulated, real) = (conformance(&simulated).await, conformance(&real).await);
    for (n, (is, should)) in simulated.iter().zip(&real).enumerate() {
        assert_eq!(is, should, "after {:#?}", &real[n.saturating_sub(6)..n]);
    }
    assert_eq!(simulated.len(), real.len());
    assert!(real.iter().any(|line| line.starts_with("refused")) && real.len() > 100, "the suite says enough");
}

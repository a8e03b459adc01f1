//! A program as a step.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use runbook_core::command::Output;
use runbook_core::{Command, Context, Description, Diff, Error, ErrorKind, Resource, Result, Rollback, Step, Survey};
use serde::{Deserialize, Serialize};

use super::by_hand;

/// How much of its output a [`Ran`] keeps: 64 KiB.
const KEPT: usize = 64 * 1024;

/// A program as a step. With [`creates`](Self::creates) or [`unless`](Self::unless) it converges; without, it runs
/// every time.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until a run takes it: `run.step(\"…\", step).await?`"]
pub struct Program<U = NoUndo> {
    command: Command,
    undo: U,
    done: Vec<Done>,
    prints: Option<Prints>,
    reads: Vec<Resource>,
    writes: Vec<Resource>,
}

/// A program without a way back.
#[derive(Debug, Clone, Copy)]
pub struct NoUndo;

/// The command that undoes a program.
#[derive(Debug, Clone)]
pub struct Undo(Command);

/// Whether a program can be undone: [`NoUndo`] or [`Undo`].
pub trait WayBack: sealed::Sealed + fmt::Debug + Send + Sync {
    /// The command that undoes it.
    fn command(&self) -> Option<&Command>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::NoUndo {}
    impl Sealed for super::Undo {}
}

impl WayBack for NoUndo {
    fn command(&self) -> Option<&Command> {
        None
    }
}

impl WayBack for Undo {
    fn command(&self) -> Option<&Command> {
        Some(&self.0)
    }
}

/// How one sees that a program has done its work.
#[derive(Debug, Clone)]
enum Done {
    Creates(PathBuf),
    Unless(Command),
}

/// What a program should print.
#[derive(Clone)]
enum Prints {
    Text(String),
    Matching(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

impl fmt::Debug for Prints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Matching(_) => f.write_str("matching"),
        }
    }
}

impl Program {
    pub(super) fn new(command: Command) -> Self {
        Self { command, undo: NoUndo, done: Vec::new(), prints: None, reads: Vec::new(), writes: Vec::new() }
    }

    /// Undone by this command.
    ///
    /// It must be idempotent, and end well also when the program never ran or was cut off half way: `rm -f`, not `rm`.
    /// Where a tool has no such form, [`Command::expect`] says which exit codes are fine.
    pub fn undo(self, undo: Command) -> Program<Undo> {
        let Self { command, done, prints, reads, writes, .. } = self;
        Program { command, undo: Undo(undo), done, prints, reads, writes }
    }
}

impl<U> Program<U> {
    /// Does not run when there is something at this path, and fails when there is nothing after it ran.
    pub fn creates(mut self, path: impl AsRef<Path>) -> Self {
        self.done.push(Done::Creates(path.as_ref().to_owned()));
        self.reads(Resource::path(path.as_ref())).writes(Resource::path(path))
    }

    /// Does not run when this command ends with an exit code it expects, and fails when it still does not afterwards.
    /// The command must be read-only.
    pub fn unless(mut self, command: Command) -> Self {
        self.done.push(Done::Unless(command));
        self
    }

    /// Fails when its standard output does not contain this text.
    pub fn prints(mut self, text: impl Into<String>) -> Self {
        self.prints = Some(Prints::Text(text.into()));
        self
    }

    /// Fails when its standard output is not as this function wants it.
    pub fn prints_matching(mut self, wanted: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.prints = Some(Prints::Matching(Arc::new(wanted)));
        self
    }

    /// Reads this resource: a plan that has not written it yet does not ask this step.
    pub fn reads(mut self, resource: impl Into<Resource>) -> Self {
        self.reads.push(resource.into());
        self
    }

    /// Changes this resource.
    pub fn writes(mut self, resource: impl Into<Resource>) -> Self {
        self.writes.push(resource.into());
        self
    }
}

impl<U: WayBack> Program<U> {
    /// The evidence that it has done its work; `None` when it has not, or when nobody said how to see it.
    async fn done(&self, cx: &Context) -> Result<Option<String>> {
        let mut evidence = Vec::new();
        for done in &self.done {
            match done.holds(cx).await? {
                Some(seen) => evidence.push(seen),
                None => return Ok(None),
            }
        }
        Ok((!evidence.is_empty()).then(|| evidence.join(", ")))
    }

    /// An error unless the world shows that the program did what it is for.
    async fn require_done(&self, cx: &Context, output: &Output) -> Result<()> {
        for done in &self.done {
            if done.holds(cx).await?.is_none() {
                let error = Error::new(format!("`{}` {}, but {}", self.command, output.ending(), done.missing()));
                return Err(error.details(output.tail(10)));
            }
        }
        Ok(())
    }

    fn require_print(&self, output: &Output) -> Result<()> {
        let printed = output.lossy();
        let (holds, wanted) = match &self.prints {
            None => return Ok(()),
            Some(Prints::Text(text)) => (printed.contains(text.as_str()), format!("`{text}`")),
            Some(Prints::Matching(matches)) => (matches(&printed), "what it should".to_owned()),
        };
        if holds {
            return Ok(());
        }
        let cut = if output.omitted > 0 { " in the part of its output that was kept" } else { "" };
        let error = Error::new(format!("`{}` {} but did not print {wanted}{cut}", self.command, output.ending()));
        Err(error.details(output.tail(10)))
    }
}

impl Done {
    async fn holds(&self, cx: &Context) -> Result<Option<String>> {
        match self {
            Self::Creates(path) => Ok(cx.files().stat(path).await?.map(|_| format!("`{}` is there", path.display()))),
            Self::Unless(command) => {
                let output = cx.output(command).await?;
                let Some(code) = output.code else {
                    return Err(Error::unknown(format!("`{command}` {}", output.ending())));
                };
                Ok(command.accepts(code).then(|| format!("`{command}` {}", output.ending())))
            }
        }
    }

    fn missing(&self) -> String {
        match self {
            Self::Creates(path) => format!("`{}` is not there", path.display()),
            Self::Unless(command) => format!("`{command}` still does not end well"),
        }
    }
}

#[async_trait]
impl<U: WayBack> Step for Program<U> {
    type Before = ();
    type Output = Ran;

    fn describe(&self) -> Description {
        let mut description = Description::new("command", self.command.to_string())
            .summary(format!("run `{}`", by_hand(&self.command)))
            .command(by_hand(&self.command));
        description.undo_commands.extend(self.undo.command().map(by_hand));
        description.reads.clone_from(&self.reads);
        description.writes.clone_from(&self.writes);
        description.repeats = self.done.is_empty();
        description
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<(), Ran>> {
        if let Some(evidence) = self.done(cx).await? {
            return Ok(Survey::Already(Ran::of(&self.command, How::Already(evidence))));
        }
        let diff = Diff::note(format!("run `{}`", by_hand(&self.command)));
        Ok(Survey::predict((), diff, Ran::of(&self.command, How::Foreseen)))
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<Ran> {
        if let Some(evidence) = self.done(cx).await? {
            return Ok(Ran::of(&self.command, How::Already(evidence)));
        }
        let output = cx.run(&self.command).await?;
        self.require_print(&output)?;
        self.require_done(cx, &output).await?;
        Ok(Ran::of(&self.command, How::ended(&output)))
    }

    fn predict(&self) -> Option<Ran> {
        Some(Ran::of(&self.command, How::Foreseen))
    }
}

#[async_trait]
impl Rollback for Program<Undo> {
    async fn rollback(&self, cx: &Context, (): &()) -> Result<()> {
        let Undo(undo) = &self.undo;
        let output = cx.run(undo).await?;
        match self.done(cx).await? {
            Some(evidence) => Err(Error::new(format!("`{undo}` {}, but {evidence} still", output.ending()))),
            None => Ok(()),
        }
    }
}

/// A program that ran, or did not have to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    command: String,
    how: How,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum How {
    Ended { code: Option<i32>, stdout: String, omitted: u64 },
    Already(String),
    Foreseen,
}

impl How {
    fn ended(output: &Output) -> Self {
        let printed = output.lossy();
        let from = printed.len().saturating_sub(KEPT);
        let skip = (from..=printed.len()).find(|at| printed.is_char_boundary(*at)).unwrap_or(from);
        let omitted = output.omitted + skip as u64;
        Self::Ended { code: output.code, stdout: printed[skip..].to_owned(), omitted }
    }
}

impl Ran {
    fn of(command: &Command, how: How) -> Self {
        Self { command: command.to_string(), how }
    }

    /// The command, rendered.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// Its exit code; `None` when it did not have to run.
    pub fn code(&self) -> Option<i32> {
        match self.how {
            How::Ended { code, .. } => code,
            How::Already(_) | How::Foreseen => None,
        }
    }

    /// Its standard output without the last newline, redacted. An error when it did not have to run or printed more
    /// than 64 KiB; and the end of a plan, which runs nothing.
    pub fn text(&self) -> Result<&str> {
        match &self.how {
            How::Ended { stdout, omitted: 0, .. } => Ok(stdout.trim_end_matches(['\n', '\r'])),
            How::Ended { omitted, .. } => {
                Err(Error::new(format!("`{}` printed too much to be kept: {omitted} bytes are missing", self.command)))
            }
            How::Already(why) => Err(Error::new(format!("`{}` printed nothing: it did not run, {why}", self.command))),
            How::Foreseen => {
                let message = format!("what `{}` prints is known once it has run", self.command);
                Err(Error::of(ErrorKind::Horizon, message))
            }
        }
    }

    /// The last lines it printed.
    pub fn tail(&self, lines: usize) -> Vec<&str> {
        let How::Ended { stdout, .. } = &self.how else { return Vec::new() };
        let all: Vec<&str> = stdout.lines().collect();
        all[all.len().saturating_sub(lines)..].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{prints, run, succeeds};
    use crate::laws::laws;
    use runbook_core::Check as _;

    fn touch(path: &Path) -> Command {
        Command::new("touch").arg(path)
    }

    fn remove(path: &Path) -> Command {
        Command::new("rm").arg("-f").arg(path)
    }

    #[tokio::test]
    async fn a_program_with_creates_and_an_idempotent_undo_is_lawful() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("made");
        laws(&run(touch(&path)).creates(&path).undo(remove(&path)), dir.path()).await;
    }

    #[tokio::test]
    async fn a_program_with_unless_is_lawful() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("made");
        let there = Command::new("test").arg("-e").arg(&path);
        laws(&run(touch(&path)).unless(there).undo(remove(&path)), dir.path()).await;
    }

    #[tokio::test]
    async fn a_program_that_repeats_is_lawful_too() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("made");
        let step = run(touch(&path)).undo(remove(&path));
        assert!(step.describe().repeats);
        laws(&step, dir.path()).await;
    }

    #[tokio::test]
    async fn success_that_is_none_is_an_error() {
        let cx = Context::local();
        let step = run(Command::new("true")).creates("/nonexistent/made");
        let error = step.apply(&cx, &()).await.expect_err("nothing was made");
        assert_eq!(error.message(), "`true` exited with 0, but `/nonexistent/made` is not there");

        let step = run(Command::new("echo").arg("FATAL: no such role")).prints("OK");
        let error = step.apply(&cx, &()).await.expect_err("it printed something else");
        assert_eq!(error.message(), "`echo 'FATAL: no such role'` exited with 0 but did not print `OK`");

        let dir = tempfile::tempdir().expect("a directory");
        let step = run(Command::new("true")).creates(dir.path()).undo(Command::new("true"));
        let error = step.rollback(&cx, &()).await.expect_err("it is still there");
        assert!(error.message().ends_with("is there still"), "{error}");
    }

    #[tokio::test]
    async fn what_a_program_printed_can_be_read_and_is_the_horizon_of_a_plan() {
        let cx = Context::local();
        let step = run(Command::new("echo").arg("v1.2")).prints_matching(|text| text.starts_with('v'));
        let ran = step.apply(&cx, &()).await.expect("it runs");
        assert_eq!((ran.text().expect("it is short"), ran.code()), ("v1.2", Some(0)));
        let Survey::Change { predicted: Some(foreseen), .. } = step.survey(&cx).await.expect("it looks") else {
            panic!("it repeats")
        };
        assert_eq!(foreseen.text().expect_err("nobody knows yet").kind(), ErrorKind::Horizon);
    }

    #[tokio::test]
    async fn checks_answer_with_evidence() {
        let cx = Context::local();
        for (check, word) in [
            (succeeds(Command::new("true")), "pass"),
            (succeeds(Command::new("false")), "fail"),
            (succeeds(Command::new("false").expect([1])), "pass"),
        ] {
            assert_eq!(check.check(&cx).await.expect("it can be asked").word(), word, "{:?}", check.describe());
        }
        let echo = || Command::new("echo").arg("status: running");
        assert!(prints(echo(), "running").check(&cx).await.expect("an answer").passes());
        assert!(!prints(echo(), "stopped").check(&cx).await.expect("an answer").passes());
        let missing = succeeds(Command::new("no-such-program-anywhere"));
        assert!(missing.check(&cx).await.is_err(), "a program that does not exist is no answer");
    }

    #[test]
    fn it_describes_itself_as_a_person_would_type_it() {
        let step = run(Command::new("make").dir("/srv/my app")).undo(Command::new("make").arg("clean"));
        let description = step.describe();
        assert_eq!(description.commands, ["(cd '/srv/my app' && make)"]);
        assert_eq!(description.undo_commands, ["make clean"]);
    }
}

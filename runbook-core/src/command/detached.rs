//! Commands that outlive the run: a service that a step starts.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Command, Input};

/// How a command is cut loose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Detached {
    /// Where its output goes, when not nowhere.
    pub(crate) output: Option<PathBuf>,
}

/// Starts `"$@"` in a session of its own and prints its process id, without waiting for it.
///
/// A job in the background of a shell leads no group, so `setsid` need not fork, and the process that says its number
/// becomes the program. The outer shell reads that number until the pipe is closed, which happens when the output has
/// gone elsewhere: then the program is in its own session, and ending the group of the outer shell cannot hit it.
const LAUNCH: &str = r#"log=$1
command -v "$2" >/dev/null || { echo "no program $2" >&2; exit 127; }
: >>"$log" || exit 73
pid=$(setsid sh -c 'log=$1; shift; echo "$$"; exec "$@" </dev/null >>"$log" 2>&1' sh "$@" &)
[ -n "$pid" ] && echo "$pid""#;

impl Command {
    /// Cut loose: it runs in a session of its own and outlives the run, and what it prints goes nowhere.
    ///
    /// Running it returns as soon as it was started; the output is its process id. Whether it came up well is for a
    /// check to say.
    ///
    /// ```no_run
    /// # async fn example(cx: &runbook_core::Context) -> runbook_core::Result<()> {
    /// # use runbook_core::Command;
    /// let started = cx.run(&Command::new("blogd").arg("--serve").detached()).await?;
    /// let pid: u32 = started.text()?.parse()?;
    /// # Ok(()) }
    /// ```
    pub fn detached(mut self) -> Self {
        self.detached.get_or_insert_default();
        self
    }

    /// Cut loose like [`detached`](Command::detached), with everything it prints added to the end of this file.
    pub fn detached_into(mut self, log: impl AsRef<Path>) -> Self {
        self.detached = Some(Detached { output: Some(log.as_ref().to_owned()) });
        self
    }

    /// Whether it outlives the run.
    pub fn is_detached(&self) -> bool {
        self.detached.is_some()
    }

    /// The command that a host really starts: for a detached one, a shell that launches it and ends.
    pub(crate) fn launched(&self) -> Cow<'_, Self> {
        let Some(detached) = &self.detached else { return Cow::Borrowed(self) };
        let log = detached.output.as_deref().unwrap_or(Path::new("/dev/null"));
        let words = ["-c", LAUNCH, "sh"].map(OsString::from).into_iter();
        let words = words.chain([log.as_os_str().to_owned(), self.program.clone()]);
        Cow::Owned(Self {
            program: "sh".into(),
            args: words.chain(self.args.iter().cloned()).collect(),
            input: Input::Nothing,
            detached: None,
            ..self.clone()
        })
    }
}

//! Places reached through a program: another machine, a container, another user.
//!
//! What they have in common is little: words can be started there, with three streams. The rest is made of one
//! [`PROLOGUE`] in `sh` that every command goes through, so that directories, environments, secrets and process groups
//! work the same everywhere.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWriteExt as _, BufReader};

use self::errand::Errand;
use super::{Control, Exit, Process};
use crate::command::Value;
use crate::{Command, Error, Result};

pub(super) mod errand;
mod files;
mod streams;

/// The way into a place.
#[async_trait]
pub(super) trait Way: Send + Sync + fmt::Debug {
    /// The name people know the place by.
    fn name(&self) -> &str;

    /// Whether what is opened next sees what was opened before. Where it does not, a process has to be ended by itself.
    fn lasts(&self) -> bool {
        true
    }

    /// Starts these words there.
    async fn open(&self, words: &[OsString]) -> Result<Process>;
}

/// A place, and what can be done there.
#[derive(Debug, Clone)]
pub(super) struct Elsewhere(Arc<dyn Way>);

/// Every command begins with this.
///
/// Its environment comes as lines of its input, one `export NAME='value'` each, because arguments are for everyone to
/// see (`/proc/PID/cmdline`), here and there. A shell reads lines byte by byte, so what follows is left for the program.
/// Then it says on its error output how it went: which process group it is in, or what is missing. What a shell has
/// built in (`command -v`) need not be there as a program.
const PROLOGUE: &str = r#"_rb_lines=$1 _rb_dir=$2; shift 2
_rb_nl=$(printf '\nx'); _rb_nl=${_rb_nl%x}
while [ "$_rb_lines" -gt 0 ]; do
  IFS= read -r _rb_line && eval "$_rb_line" || exit 74
  _rb_lines=$((_rb_lines - 1))
done
[ -z "$_rb_dir" ] || cd -- "$_rb_dir" || { echo "@runbook directory" >&2; exit 75; }
_rb_has() {
  case $1 in */*) [ -f "$1" ] && [ -x "$1" ]; return ;; esac
  IFS=:
  for _rb_at in $PATH; do [ -f "$_rb_at/$1" ] && [ -x "$_rb_at/$1" ] && return; done
  return 1
}
_rb_has "$1" || { echo "@runbook program" >&2; exit 127; }
unset IFS
read -r _rb_group </proc/$$/stat
_rb_group=${_rb_group##*") "}; _rb_group=${_rb_group#* }; _rb_group=${_rb_group#* }
echo "@runbook group ${_rb_group%% *}" >&2
exec "$@""#;

/// A host that is a way to somewhere else.
macro_rules! host_elsewhere {
    ($($host:ident),*) => {$(
        #[async_trait::async_trait]
        impl $crate::host::Host for $host {
            fn name(&self) -> &str {
                self.place.name()
            }

            async fn start(&self, command: &$crate::Command) -> $crate::Result<$crate::host::Process> {
                self.place.start(command).await
            }

            fn files(&self) -> &dyn $crate::host::Files {
                &self.place
            }
        }
    )*};
}
pub(super) use host_elsewhere;

/// What the prologue says begins with this.
const MARK: &str = "@runbook ";

/// What a simulated program says to a command that is wrapped: it cannot say what is missing before it has read all.
#[cfg(feature = "testing")]
pub(crate) const GREETING: &str = "@runbook group 1\n";

/// Whether the last words of a command are those of another, which it is to start elsewhere.
#[cfg(feature = "testing")]
pub(crate) fn is_wrapped(command: &Command) -> bool {
    command.args.iter().any(|word| word == PROLOGUE)
}

impl Elsewhere {
    pub(super) fn by(way: impl Way + 'static) -> Self {
        Self(Arc::new(way))
    }

    pub(super) fn name(&self) -> &str {
        self.0.name()
    }

    /// Starts a command there. It is started apart: also a start that nobody waits for any more comes to its end, as only
    /// then it is known what there is to end.
    pub(super) async fn start(&self, command: &Command) -> Result<Process> {
        let (this, command) = (self.clone(), command.clone());
        tokio::spawn(async move { this.launch(&command).await }).await.unwrap_or_else(|error| Err(error.into()))
    }

    async fn launch(&self, command: &Command) -> Result<Process> {
        let command = command.launched();
        let (words, lines) = prepared(&command)?;
        let mut process = self.0.open(&words).await?;
        if let Some(stdin) = &mut process.stdin {
            // What went wrong when this cannot be written is said on the error output.
            let _ = stdin.write_all(&lines.text).await;
            let _ = stdin.flush().await;
        }
        let mut stderr = BufReader::new(process.stderr.take().unwrap_or_else(|| Box::new(tokio::io::empty())));
        let (said, noise) = first_mark(&mut stderr).await;
        match said.as_deref().and_then(|said| said.split_once(' ')) {
            Some(("group", group)) => Ok(self.reached(process, stderr, group.to_owned())),
            _ => Err(self.refusal(&command, said.as_deref(), &noise, process).await),
        }
    }

    fn reached(&self, process: Process, stderr: impl AsyncRead + Send + Unpin + 'static, group: String) -> Process {
        let stderr: Option<Box<dyn AsyncRead + Send + Unpin>> = Some(Box::new(stderr));
        if !self.0.lasts() {
            return Process { stderr, ..process };
        }
        let control = Reached { inner: process.control, place: self.clone(), group, exit: None, ending: false };
        Process { stderr, control: Box::new(control), ..process }
    }

    /// Why the program could not be started.
    async fn refusal(&self, command: &Command, said: Option<&str>, noise: &[String], process: Process) -> Error {
        let program = command.program.display();
        match (said, &command.dir) {
            (Some("directory"), Some(dir)) => {
                Error::new(format!("no directory `{}` on {} to run `{program}` in", dir.display(), self.name()))
                    .details(noise)
            }
            (Some("program"), _) => Error::new(format!("no program `{program}` on {}", self.name())),
            _ => match errand::run(process, b"").await {
                Ok(_) => Error::new(format!("run `{program}` on {}", self.name())).details(noise),
                Err(error) => error.details(noise),
            },
        }
    }

    /// Starts a small script there, for the library's own needs.
    async fn script(&self, script: &str, args: &[&OsStr]) -> Result<Process> {
        let words = ["sh", "-c", script, "sh"].map(OsStr::new);
        let words: Vec<OsString> = words.iter().chain(args).map(|word| (*word).to_owned()).collect();
        self.0.open(&words).await
    }

    /// Runs a small script there to its end.
    async fn sh(&self, script: &str, args: &[&OsStr], input: &[u8]) -> Result<Errand> {
        errand::run(self.script(script, args).await?, input).await
    }
}

/// The words that start a command, and the lines it reads first. Words that are not text go the second way: what is
/// made of them on the first is for each way to decide, and Docker decides to change them.
fn prepared(command: &Command) -> Result<(Vec<OsString>, Lines)> {
    let mut lines = Lines::environment(command)?;
    let dir = command.dir.as_ref().map(|dir| dir.clone().into_os_string()).unwrap_or_default();
    let words = std::iter::once(&command.program).chain(&command.args);
    let (dir, words) = if dir.to_str().is_some() && words.clone().all(|word| word.to_str().is_some()) {
        (dir, words.cloned().collect())
    } else {
        lines.words(&dir, words);
        (OsString::new(), Vec::new())
    };
    let head = ["sh", "-c", PROLOGUE, "sh"].map(OsString::from).into_iter();
    Ok((head.chain([lines.count.to_string().into(), dir]).chain(words).collect(), lines))
}

/// What the prologue says, and the lines before it: greetings of a shell, or why there was no shell.
async fn first_mark(stderr: &mut (impl tokio::io::AsyncBufRead + Unpin)) -> (Option<String>, Vec<String>) {
    let (mut noise, mut line) = (Vec::new(), Vec::new());
    while let Ok(1..) = stderr.read_until(b'\n', &mut line).await {
        let text = String::from_utf8_lossy(&line);
        if let Some(said) = text.trim_end().strip_prefix(MARK) {
            return (Some(said.to_owned()), noise);
        }
        noise.push(text.trim_end().to_owned());
        line.clear();
    }
    (None, noise)
}

/// What the prologue reads and does, line by line.
#[derive(Default)]
struct Lines {
    text: Vec<u8>,
    count: usize,
}

impl Lines {
    fn environment(command: &Command) -> Result<Self> {
        let mut this = Self::default();
        for (name, value) in &command.env {
            let is_name =
                |(n, byte): (usize, u8)| byte == b'_' || byte.is_ascii_alphabetic() || (n > 0 && byte.is_ascii_digit());
            if name.is_empty() || !name.bytes().enumerate().all(is_name) {
                return Err(Error::new(format!("`{name}` cannot be the name of an environment variable")));
            }
            let begin = format!("export {name}=");
            match value {
                Value::Plain(value) => this.push(&begin, [value.as_os_str()]),
                Value::Secret(secret) => this.push(&begin, [secret.expose()?.as_ref()]),
            }
        }
        Ok(this)
    }

    fn words<'a>(&mut self, dir: &OsStr, words: impl Iterator<Item = &'a OsString>) {
        self.push("_rb_dir=", [dir]);
        self.push("set -- ", words.map(OsString::as_os_str));
    }

    fn push<'a>(&mut self, begin: &str, words: impl IntoIterator<Item = &'a OsStr>) {
        let words: Vec<Vec<u8>> = words.into_iter().map(|word| quoted(word, br#"'"$_rb_nl"'"#)).collect();
        self.text.extend([begin.as_bytes(), &words.join(&b' '), b"\n"].concat());
        self.count += 1;
    }
}

/// The word in single quotes, whatever its bytes, with something in the place of each newline.
fn quoted(word: &OsStr, newline: &[u8]) -> Vec<u8> {
    let mut out = vec![b'\''];
    for byte in word.as_bytes() {
        match byte {
            b'\'' => out.extend_from_slice(br"'\''"),
            b'\n' => out.extend_from_slice(newline),
            byte => out.push(*byte),
        }
    }
    out.push(b'\'');
    out
}

/// The words as one line for a shell.
#[cfg_attr(not(feature = "ssh"), expect(dead_code, reason = "only a connection takes one line"))]
pub(super) fn one_line(words: &[OsString]) -> OsString {
    let quoted: Vec<Vec<u8>> = words.iter().map(|word| quoted(word, b"\n")).collect();
    OsString::from_vec(quoted.join(&b' '))
}

/// A command that was started somewhere.
struct Reached {
    inner: Box<dyn Control>,
    place: Elsewhere,
    group: String,
    exit: Option<Exit>,
    ending: bool,
}

/// Signals a process group.
const SIGNAL: &str = r#"kill -s "$1" -- "-$2""#;

/// Waits until nothing of a process group runs. A process that ended and was not collected does not run.
const GONE: &str = r#"while kill -s 0 -- "-$1" 2>/dev/null; do
  alive=
  for stat in /proc/[0-9]*/stat; do
    read -r line 2>/dev/null <"$stat" || continue
    line=${line##*") "}; state=${line%% *}; line=${line#* }; line=${line#* }
    [ "${line%% *}" != "$1" ] || case $state in [ZX]) ;; *) alive=1; break ;; esac
  done
  [ "$alive" ] || break
  sleep 0.05 || sleep 1
done"#;

/// How long signalling may take: what cannot be reached cannot be asked to end.
const REACH: Duration = Duration::from_secs(5);

#[async_trait]
impl Control for Reached {
    async fn wait(&mut self) -> Result<Exit> {
        let exit = if let Some(exit) = self.exit { exit } else { self.inner.wait().await? };
        self.exit = Some(exit);
        if self.ending {
            self.place.sh(GONE, &[self.group.as_ref()], b"").await?;
        }
        Ok(exit)
    }

    async fn end(&mut self, force: bool) {
        self.ending = true;
        let signalled = tokio::time::timeout(REACH, signal(&self.place, &self.group, force)).await;
        // The way itself is only ended when nothing else helps: it would take the exit code with it.
        if !matches!(signalled, Ok(Ok(_))) {
            self.inner.end(force).await;
        }
    }
}

async fn signal(place: &Elsewhere, group: &str, force: bool) -> Result<Errand> {
    let name = if force { "KILL" } else { "TERM" };
    place.sh(SIGNAL, &[name.as_ref(), group.as_ref()], b"").await
}

impl Drop for Reached {
    fn drop(&mut self) {
        // Ending the way to a process does not end the process.
        if (self.exit.is_none() || self.ending)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let (place, group) = (self.place.clone(), std::mem::take(&mut self.group));
            runtime.spawn(async move { signal(&place, &group, true).await });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_lines_that_a_shell_reads_back() {
        let command = Command::new("true").env("A", "it's").env("B", "two\nlines");
        let (words, lines) = prepared(&command).expect("has names");
        assert_eq!(lines.text, b"export A='it'\\''s'\nexport B='two'\"$_rb_nl\"'lines'\n");
        assert_eq!(words[4..], ["2", "", "true"]);
        let error = prepared(&Command::new("true").env("A;rm -rf /", "")).err().expect("is no name");
        assert_eq!(error.message(), "`A;rm -rf /` cannot be the name of an environment variable");
    }

    #[test]
    fn words_that_are_not_text_are_lines_too() {
        let command = Command::new("ls").arg(OsStr::from_bytes(b"\xff")).dir("/srv");
        let (words, lines) = prepared(&command).expect("has names");
        assert_eq!(lines.text, b"_rb_dir='/srv'\nset -- 'ls' '\xff'\n");
        assert_eq!(words[4..], ["2", ""]);
    }
}

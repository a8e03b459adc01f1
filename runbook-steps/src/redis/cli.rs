//! `redis-cli`, which asks on the host of the step.

use runbook::command::Output;
use runbook::{Command, Context, Error, Finding, Result};
use tokio::time::timeout;

use super::Redis;
use crate::tool;

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Is(String),
    /// The server refuses: its own words.
    Refused(String),
    /// Nobody answers.
    Silent(String),
}

impl Redis {
    /// The command that asks. With `-e`, what the server refuses is an exit code too.
    pub(super) fn command<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Result<Command> {
        let place = self.place()?;
        let mut command = Command::new("redis-cli").args(["-e", "-h", &place.host]);
        command = command.args(["-p", &place.port.to_string(), "-n", &place.database.to_string()]);
        if place.tls {
            command = command.arg("--tls");
        }
        if let Some(user) = &place.user {
            command = command.args(["--user", user]);
        }
        Ok(command.args(words))
    }

    /// The command, logged in.
    pub(super) async fn login<'a>(&self, cx: &Context, words: impl IntoIterator<Item = &'a str>) -> Result<Command> {
        let command = self.command(words)?;
        let password = self.secret(cx).await?;
        Ok(password.iter().fold(command, |command, password| command.secret_env("REDISCLI_AUTH", password)))
    }

    /// The command for a person, as far as the URL is one.
    pub(super) fn by_hand<'a>(&self, words: impl IntoIterator<Item = &'a str> + Clone) -> String {
        let known =
            |command| self.password.iter().fold(command, |one: Command, is| one.secret_env("REDISCLI_AUTH", is));
        let command = self.command(words.clone()).map(|command| known(command).to_string());
        command.unwrap_or_else(|_| words.into_iter().collect::<Vec<_>>().join(" "))
    }

    /// Asks one command.
    pub(super) async fn ask<'a>(&self, cx: &Context, words: impl IntoIterator<Item = &'a str>) -> Result<Answer> {
        let command = self.login(cx, words).await?;
        match timeout(self.timeout, cx.output(&command)).await {
            Ok(Ok(output)) if output.code == Some(127) => Err(missing(cx)),
            Ok(Ok(output)) => Ok(answer(&output)),
            Ok(Err(error)) if tool::is_missing(&error) => Err(missing(cx)),
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(Answer::Silent(format!("no answer within {:?}", self.timeout))),
        }
    }

    /// Asks for what must be had: a refusal is an error, and silence one that may pass.
    pub(super) async fn require<'a>(&self, cx: &Context, words: impl IntoIterator<Item = &'a str>) -> Result<String> {
        match self.ask(cx, words).await? {
            Answer::Is(text) => Ok(text),
            Answer::Refused(words) => Err(Error::new(self.refuses(&words))),
            Answer::Silent(words) => Err(Error::transient(self.is_silent(&words))),
        }
    }

    pub(super) async fn number<'a>(&self, cx: &Context, words: impl IntoIterator<Item = &'a str>) -> Result<i64> {
        self.read(&self.require(cx, words).await?)
    }

    pub(super) fn read<T: std::str::FromStr>(&self, text: &str) -> Result<T> {
        text.trim().parse().map_err(|_| Error::unknown(format!("cannot read what {} says: `{text}`", self.url)))
    }

    /// Makes sure that what is written goes to the database that is meant: `redis-cli` goes on with database 0 when that
    /// is not there.
    pub(super) async fn ensure_database(&self, cx: &Context) -> Result<()> {
        let number = self.place()?.database.to_string();
        self.require(cx, ["SELECT", &number]).await.map(drop)
    }

    fn refuses(&self, words: &str) -> String {
        format!("{} refuses us: {words}", self.url)
    }

    fn is_silent(&self, words: &str) -> String {
        format!("{} does not answer: {words}", self.url)
    }

    /// The answer, judged where there is one.
    pub(super) fn judged(&self, answer: Answer, judge: impl FnOnce(String) -> Result<Finding>) -> Result<Finding> {
        match answer {
            Answer::Is(value) => judge(value),
            Answer::Refused(words) => Ok(Finding::fail(self.refuses(&words))),
            Answer::Silent(words) => Ok(Finding::unknown(self.is_silent(&words))),
        }
    }
}

fn missing(cx: &Context) -> Error {
    let error = Error::new(format!("no program `redis-cli` on {}", cx.host().name()));
    error.hint("it is in the package redis-tools: `machine::packages([\"redis-tools\"])`")
}

/// What the words of a server mean that are no answer.
const MEANINGS: [(&str, &str); 3] = [
    ("WRONGPASS", "WRONGPASS: the password is not the right one"),
    ("NOAUTH", "NOAUTH: it wants a password, and none was given"),
    ("NOPERM", "NOPERM: this user may not do that"),
];

const SILENCE: [&str; 6] = [
    "Could not connect",
    "LOADING",
    "Server closed the connection",
    "Connection reset",
    "I/O error",
    // What Docker says of a container that it is to run `redis-cli` in.
    "is not running",
];

/// Words on the standard error are never an answer, whatever the exit code: a database that is not there is told of like
/// that, and then database 0 is asked.
fn answer(output: &Output) -> Answer {
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.success() && said.is_empty() {
        return Answer::Is(output.lossy().trim_end_matches(['\r', '\n']).to_owned());
    }
    if SILENCE.iter().any(|word| said.contains(word)) || (said.is_empty() && output.code.is_none()) {
        return Answer::Silent(said);
    }
    let known = MEANINGS.iter().find(|(word, _)| said.contains(word)).map(|(_, meaning)| (*meaning).to_owned());
    Answer::Refused(known.unwrap_or_else(|| if said.is_empty() { output.ending() } else { said }))
}

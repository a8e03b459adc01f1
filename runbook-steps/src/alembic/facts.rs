//! How alembic is asked.

use std::time::Duration;

use runbook::command::Output;
use runbook::{Command, Context, Error, ErrorKind, Explain as _, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answers::{Answer, Failed, Migration, Moved, Past, Ran, Seen, Shown, Trouble, Words};
use super::app::{Alembic, Question};

/// How long somebody else is waited for who migrates.
const PATIENCE: Duration = Duration::from_secs(600);

/// The revisions of the database: one, unless branches were not merged; none in an empty one.
pub async fn current(cx: &Context, alembic: &Alembic) -> Result<Vec<String>> {
    Ok(glance(cx, alembic, None).await?.current)
}

/// The newest migrations of the code: one, unless it has branches that were not merged.
pub async fn heads(cx: &Context, alembic: &Alembic) -> Result<Vec<Migration>> {
    ask(cx, alembic, &Question { verb: "heads", ..Question::default() }).await
}

/// What an upgrade would run, first to last.
pub async fn pending(cx: &Context, alembic: &Alembic) -> Result<Vec<Migration>> {
    let seen = glance(cx, alembic, Some("head")).await?;
    known(cx, alembic, &seen).await?;
    Ok(seen.pending)
}

/// All migrations of the code, newest first.
pub async fn history(cx: &Context, alembic: &Alembic) -> Result<Vec<Past>> {
    ask(cx, alembic, &Question { verb: "history", ..Question::default() }).await
}

/// One migration of the code, with what is written in it.
pub async fn show(cx: &Context, alembic: &Alembic, revision: &str) -> Result<Shown> {
    let target = Some(revision.to_owned());
    ask(cx, alembic, &Question { verb: "show", target, ..Question::default() }).await
}

/// The SQL that upgrades from one revision to another, for people who review or run it. `base` is an empty database,
/// `head` the newest. No database is asked, so migrations that ask one have none.
pub async fn upgrade_sql(cx: &Context, alembic: &Alembic, from: &str, to: &str) -> Result<String> {
    sql(cx, alembic, from, to, true).await
}

/// The SQL that goes back from one revision to another.
pub async fn downgrade_sql(cx: &Context, alembic: &Alembic, from: &str, to: &str) -> Result<String> {
    sql(cx, alembic, from, to, false).await
}

async fn sql(cx: &Context, alembic: &Alembic, from: &str, to: &str, forward: bool) -> Result<String> {
    #[derive(Deserialize)]
    struct Told {
        sql: String,
    }
    let (target, from) = (Some(to.to_owned()), Some(from.to_owned()));
    let told: Told = ask(cx, alembic, &Question { verb: "sql", target, from, forward, ..Question::default() }).await?;
    Ok(told.sql)
}

/// The migrations of the code between two revisions, first to last, with what is known of their ways back.
pub(super) async fn path(cx: &Context, alembic: &Alembic, from: &str, to: &str) -> Result<Vec<Migration>> {
    let (target, from) = (Some(to.to_owned()), Some(from.to_owned()));
    ask(cx, alembic, &Question { verb: "path", target, from, ..Question::default() }).await
}

/// Says that the database is at a revision, and changes nothing else.
pub(super) async fn stamp(cx: &Context, alembic: &Alembic, target: Option<String>) -> Result<Seen> {
    ask(cx, alembic, &Question { verb: "stamp", target, patience: PATIENCE, ..Question::default() }).await
}

/// Looks at the database, whoever else is at it.
pub(super) async fn glance(cx: &Context, alembic: &Alembic, target: Option<&str>) -> Result<Seen> {
    let target = target.map(str::to_owned);
    ask(cx, alembic, &Question { verb: "look", target, ..Question::default() }).await
}

/// Looks at the database once nobody migrates it.
pub(super) async fn look(cx: &Context, alembic: &Alembic, target: Option<&str>) -> Result<Seen> {
    let target = target.map(str::to_owned);
    ask(cx, alembic, &Question { verb: "look", target, patience: PATIENCE, ..Question::default() }).await
}

/// What a downgrade to a revision would take back, last first; to nothing when there is none.
pub(super) async fn applied_since(cx: &Context, alembic: &Alembic, target: Option<String>) -> Result<Seen> {
    ask(cx, alembic, &Question { verb: "applied", target, patience: PATIENCE, ..Question::default() }).await
}

/// Upgrades or downgrades, alone.
pub(super) async fn change(
    cx: &Context,
    alembic: &Alembic,
    verb: &'static str,
    target: Option<String>,
) -> Result<Moved> {
    let forward = verb == "upgrade";
    ask(cx, alembic, &Question { verb, target, forward, patience: PATIENCE, ..Question::default() }).await
}

/// An error unless the code knows the revisions of the database. It says which code does, if git can tell.
pub(super) async fn known(cx: &Context, alembic: &Alembic, seen: &Seen) -> Result<()> {
    let Some(first) = seen.unknown.first() else { return Ok(()) };
    let names = list(&seen.unknown);
    let error = Error::new(format!("the database is at {names}, which the code in `{alembic}` does not know"));
    Err(match commit_of(cx, alembic, first).await {
        Some(commit) => error.hint(format!("commit {commit} has it: check that out, or go back with it first")),
        None => error.hint("it was migrated by other code: check that out, or go back with it first"),
    })
}

/// The commit that brought a revision, if the code lies in a git tree that has it.
async fn commit_of(cx: &Context, alembic: &Alembic, revision: &str) -> Option<String> {
    let git = Command::new("git").arg("-C").arg(&alembic.dir).env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C");
    let git = git.args(["log", "--all", "--reverse", "--format=%h%d"]).arg(format!("-S{revision}"));
    let output = cx.output(&git.args(["--", "*.py"]).deadline(Duration::from_secs(20))).await.ok()?;
    let text = output.success().then(|| output.lossy().into_owned())?;
    text.lines().next().map(str::to_owned)
}

/// Asks, and reads the answer.
pub(super) async fn ask<T: DeserializeOwned>(cx: &Context, alembic: &Alembic, question: &Question) -> Result<T> {
    let (there, command) = (alembic.there(cx), alembic.command(cx, question).await?);
    let output = there.output(&command).await?;
    let answer = output.lossy().lines().last().and_then(|line| serde_json::from_str::<Answer<T>>(line).ok());
    match answer {
        Some(Answer::Done(answer)) => Ok(answer),
        Some(Answer::Trouble(trouble)) => Err(told(alembic, &trouble)),
        Some(Answer::Error(words)) => Err(said(alembic, &words)),
        None => Err(silent(&there, &command, &output)),
    }
}

/// No answer: when Python itself refused, nothing has happened.
fn silent(cx: &Context, command: &Command, output: &Output) -> Error {
    let message = format!("`{command}` on {} gave no answer: it {}", cx.host().name(), output.ending());
    let error = match output.code {
        Some(1 | 2 | 126 | 127) => Error::new(message),
        _ => Error::unknown(message),
    };
    error.details(output.tail(10))
}

fn told(alembic: &Alembic, trouble: &Trouble) -> Error {
    let (dir, names) = (alembic, list(&trouble.revisions));
    match trouble.kind.as_str() {
        "heads" => {
            let ids = trouble.revisions.join(" ");
            Error::new(format!("the code in `{dir}` has {} heads: {names}", trouble.revisions.len()))
                .hint(format!("merge them in the code: `alembic merge -m merge {ids}`"))
        }
        "no_such_revision" => Error::new(format!("the code in `{dir}` has no revision {names}")),
        "no_revisions" => Error::new(format!("the code in `{dir}` has no migrations")),
        "other_database" => {
            let message = format!("env.py in `{dir}` connects to `{}`, not to {}", trouble.said, alembic.database);
            Error::refused(message).hint("let it take the URL from the environment; `url_as` names the variable")
        }
        "no_connection" => Error::new(format!("env.py in `{dir}` runs no migrations")),
        "busy" => Error::transient(format!("somebody else migrates {}", alembic.database))
            .hint("`postgres::activity` tells who"),
        other => Error::new(format!("{other}: {}", trouble.said)),
    }
}

/// What Python and PostgreSQL say when something went wrong, what that means, and what to do about it.
const SAYINGS: &[(&str, ErrorKind, &str)] = &[
    ("No module named 'alembic'", ErrorKind::Failed, "is it the right environment? name it with `venv`"),
    ("No 'script_location' key", ErrorKind::Failed, "is alembic.ini in the directory? else name it with `config`"),
    ("Connection refused", ErrorKind::Transient, "is PostgreSQL running? `pg_lsclusters` tells"),
    ("the database system is", ErrorKind::Transient, "the server is starting, or stopping"),
    ("lock timeout", ErrorKind::Transient, "`postgres::locks` tells who holds it"),
    ("deadlock detected", ErrorKind::Transient, "stop what uses the tables"),
    ("statement timeout", ErrorKind::Failed, "rehearse it on a copy, and allow for the time it takes there"),
    ("permission denied for schema public", ErrorKind::Failed, "`postgres::provision` gives the role its rights"),
];

/// An error of Python's.
pub(super) fn said(alembic: &Alembic, words: &Words) -> Error {
    let error = Error::new(format!("alembic in `{alembic}`: {}", words.said)).details(words.lines.iter());
    match SAYINGS.iter().find(|(saying, ..)| words.said.contains(saying)) {
        Some((_, kind, hint)) => error.kind_of(*kind).hint(*hint),
        None => error,
    }
}

impl Moved {
    /// What ran and what is there now; an error that names the migration that failed.
    pub(super) fn whole(self, alembic: &Alembic) -> Result<(Vec<Ran>, Seen)> {
        let Self { ran, failed, now } = self;
        let at = now.as_ref().map_or_else(|| "an unknown revision".to_owned(), |now| list(&now.current));
        if let Some(Failed { migration, error }) = failed {
            let which = migration.map_or_else(|| "alembic".to_owned(), |one| format!("migration {one}"));
            let cause = said(alembic, &error);
            let kind = cause.kind();
            return Err(Error::new(format!("{which} failed; the database is at {at}")).caused_by(cause).kind_of(kind));
        }
        let now = now.with_context(|| format!("cannot read what is in {} now", alembic.database))?;
        Ok((ran, now))
    }
}

/// Revisions, in backticks.
pub(super) fn list(revisions: &[String]) -> String {
    match revisions {
        [] => "no revision".to_owned(),
        all => all.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(" and "),
    }
}

//! How alembic is asked.

use std::time::Duration;

use runbook::command::Output;
use runbook::{Command, Context, Error, ErrorKind, Result};
use serde::de::DeserializeOwned;

use super::answers::{Answer, Migration, Moved, Seen, Trouble, Words};
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
    known(alembic, &seen)?;
    Ok(seen.pending)
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
    ask(cx, alembic, &Question { verb, target, patience: PATIENCE, ..Question::default() }).await
}

/// An error unless the code knows the revisions of the database.
pub(super) fn known(alembic: &Alembic, seen: &Seen) -> Result<()> {
    match &seen.unknown[..] {
        [] => Ok(()),
        unknown => {
            let names = list(unknown);
            Err(Error::new(format!("the database is at {names}, which the code in `{alembic}` does not know"))
                .hint("it was migrated by other code: check that out, or go back with it first"))
        }
    }
}

/// Asks, and reads the answer.
pub(super) async fn ask<T: DeserializeOwned>(cx: &Context, alembic: &Alembic, question: &Question) -> Result<T> {
    let command = alembic.command(cx, question).await?;
    let output = cx.output(&command).await?;
    let answer = output.lossy().lines().last().and_then(|line| serde_json::from_str::<Answer<T>>(line).ok());
    match answer {
        Some(Answer::Done(answer)) => Ok(answer),
        Some(Answer::Trouble(trouble)) => Err(told(alembic, &trouble)),
        Some(Answer::Error(words)) => Err(said(alembic, &words)),
        None => Err(silent(cx, &command, &output)),
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

/// Revisions, in backticks.
pub(super) fn list(revisions: &[String]) -> String {
    match revisions {
        [] => "no revision".to_owned(),
        all => all.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(" and "),
    }
}

//! Questions about schemas.

use async_trait::async_trait;
use runbook::{Check, Context, Description, Evidence, Finding, Resource, Result};

use super::answers::{Back, Migration};
use super::app::Alembic;
use super::facts::{self, list};

/// Whether the database is at the newest migration of the code.
pub fn current_is_head(alembic: &Alembic) -> CurrentIsHead {
    CurrentIsHead(alembic.clone())
}

/// Whether the code knows the revision that the database is at. Ask it after going back to older code, and before that
/// is started: code that does not know the schema may write nonsense.
pub fn current_is_known(alembic: &Alembic) -> CurrentIsKnown {
    CurrentIsKnown(alembic.clone())
}

/// Whether the code has one newest migration, and no branches that were not merged. No database is asked.
pub fn one_head(alembic: &Alembic) -> OneHead {
    OneHead(alembic.clone())
}

/// Whether the migrations that an upgrade would run can be taken back, as far as their code tells.
pub fn is_reversible(alembic: &Alembic) -> IsReversible {
    IsReversible { alembic: alembic.clone(), between: None }
}

/// The check of [`current_is_head`].
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct CurrentIsHead(Alembic);

/// The check of [`current_is_known`].
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct CurrentIsKnown(Alembic);

/// The check of [`one_head`].
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct OneHead(Alembic);

/// The check of [`is_reversible`].
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct IsReversible {
    alembic: Alembic,
    between: Option<(String, String)>,
}

impl IsReversible {
    /// Those between these two revisions of the code, whatever the database is at; `base` is before the first, `head`
    /// the newest.
    pub fn between(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.between = Some((from.into(), to.into()));
        self
    }

    fn judge(migrations: &[Migration]) -> Finding {
        let lines = migrations.iter().filter_map(|one| Some(format!("{one}: {}", one.back.as_ref()?)));
        let lines: Vec<String> = lines.collect();
        let with = |summary: String| Evidence::new(summary).lines(lines.iter());
        let is_unknown = |one: &&Migration| matches!(one.back, None | Some(Back::Unknown { .. }));
        if let Some(one) = migrations.iter().find(|one| one.is_irreversible()) {
            return Finding::fail(with(format!("migration {one} cannot be taken back")));
        }
        match migrations.iter().find(is_unknown) {
            Some(one) => Finding::unknown(with(format!("nobody knows whether migration {one} can be taken back"))),
            None if migrations.is_empty() => Finding::pass("there is no migration to take back"),
            None => Finding::pass(with(format!("{} can be taken back", count(migrations.len())))),
        }
    }
}

fn count(migrations: usize) -> String {
    match migrations {
        1 => "1 migration".to_owned(),
        many => format!("{many} migrations"),
    }
}

fn described(alembic: &Alembic, kind: &str, summary: String, words: &[&str]) -> Description {
    Description::new(kind, alembic.to_string())
        .summary(summary)
        .command(alembic.by_hand(words))
        .reads(Resource::path(&alembic.dir))
}

#[async_trait]
impl Check for CurrentIsHead {
    fn describe(&self) -> Description {
        let Self(alembic) = self;
        let summary = format!("{} is at the newest migration of {alembic}", alembic.database);
        described(alembic, "alembic.current_is_head", summary, &["current"]).reads(alembic.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let Self(alembic) = self;
        let seen = facts::glance(cx, alembic, Some("head")).await?;
        let (at, head) = (list(&seen.current), list(seen.target.as_slice()));
        if !seen.unknown.is_empty() {
            let unknown = facts::known(cx, alembic, &seen).await.err();
            return Ok(Finding::fail(unknown.map(|error| error.message().to_owned()).unwrap_or_default()));
        }
        let missing = seen.pending.iter().map(|one| format!("pending: {one}"));
        let is_head = seen.pending.is_empty() && seen.target.iter().eq(&seen.current);
        let said = if is_head { format!("at {at}") } else { format!("at {at}, and the newest is {head}") };
        Ok(Finding::of(is_head, Evidence::new(said).lines(missing)))
    }
}

#[async_trait]
impl Check for CurrentIsKnown {
    fn describe(&self) -> Description {
        let Self(alembic) = self;
        let summary = format!("the code in {alembic} knows the revision of {}", alembic.database);
        described(alembic, "alembic.current_is_known", summary, &["current"]).reads(alembic.resource())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let Self(alembic) = self;
        let seen = facts::glance(cx, alembic, None).await?;
        Ok(match facts::known(cx, alembic, &seen).await {
            Ok(()) => Finding::pass(format!("at {}", list(&seen.current))),
            Err(error) => Finding::fail(Evidence::new(error.message()).lines(error.advice())),
        })
    }
}

#[async_trait]
impl Check for OneHead {
    fn describe(&self) -> Description {
        let Self(alembic) = self;
        described(alembic, "alembic.one_head", format!("the code in {alembic} has one newest migration"), &["heads"])
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let heads = facts::heads(cx, &self.0).await?;
        let names: Vec<String> = heads.iter().map(ToString::to_string).collect();
        Ok(match &names[..] {
            [] => Finding::fail("there are no migrations"),
            [one] => Finding::pass(one.as_str()),
            several => {
                let ids: Vec<&str> = heads.iter().map(|one| one.revision.as_str()).collect();
                let evidence = Evidence::new(format!("{} heads: {}", several.len(), several.join(" and ")));
                Finding::fail(evidence.lines([format!("merge them: alembic merge -m merge {}", ids.join(" "))]))
            }
        })
    }
}

#[async_trait]
impl Check for IsReversible {
    fn describe(&self) -> Description {
        let alembic = &self.alembic;
        let Some((from, to)) = &self.between else {
            let summary = format!("what an upgrade of {} would run can be taken back", alembic.database);
            let range = "head:CURRENT";
            return described(alembic, "alembic.is_reversible", summary, &["downgrade", range, "--sql"])
                .reads(alembic.resource());
        };
        let summary = format!("the migrations between {from} and {to} of {alembic} can be taken back");
        described(alembic, "alembic.is_reversible", summary, &["downgrade", &format!("{to}:{from}"), "--sql"])
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let migrations = match &self.between {
            None => facts::pending(cx, &self.alembic).await?,
            Some((from, to)) => facts::path(cx, &self.alembic, from, to).await?,
        };
        Ok(Self::judge(&migrations))
    }
}

//! A pack of smoke tests, as one step with a typed report.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use runbook::{
    Check, Context, Description, Diff, Error, ErrorKind, Explain as _, Finding, Result, Rollback, Step, Survey,
};
use serde::{Deserialize, Serialize};

use super::Talk;
use crate::api::{Api, reached};
use crate::probes::{Answer, Report};

/// A pack of smoke tests against one service. As a step, it gives a [`Report`]; on the way back it cleans up, where it did
/// not come to that.
#[derive(Clone)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct Pack {
    pub(crate) api: Api,
    title: String,
    tests: Vec<(String, Test)>,
    /// Whether it has cleaned up already.
    clean: Arc<AtomicBool>,
}

#[derive(Clone)]
enum Test {
    Talk(Talk),
    Check(Arc<dyn Check>),
}

/// The word that stands for `{unique}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unique(pub String);

/// Tests of the service at this URL.
pub fn at(url: impl Into<String>) -> Pack {
    Pack { api: Api::at(url), title: "Smoke tests".to_owned(), tests: Vec::new(), clean: Arc::default() }
}

reached!(Pack);

impl Pack {
    /// Under this title, instead of `Smoke tests`.
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// With a conversation.
    pub fn talk(self, name: impl Into<String>, talk: Talk) -> Self {
        self.test(name, Test::Talk(talk))
    }

    /// With a check.
    pub fn check(self, name: impl Into<String>, check: impl Check + 'static) -> Self {
        self.test(name, Test::Check(Arc::new(check)))
    }

    fn test(mut self, name: impl Into<String>, test: Test) -> Self {
        self.tests.push((name.into(), test));
        self
    }

    fn talks(&self) -> impl Iterator<Item = &Talk> {
        self.tests.iter().filter_map(|(_, test)| if let Test::Talk(talk) = test { Some(talk) } else { None })
    }

    async fn try_one(&self, cx: &Context, test: &Test, unique: &Unique) -> Finding {
        match test {
            Test::Talk(talk) => talk.hold(cx, &self.api, &unique.0).await,
            Test::Check(check) => match check.check(cx).await {
                Ok(finding) => finding,
                Err(error) if error.kind() == ErrorKind::Failed => Finding::fail(format!("{error:#}")),
                Err(error) => Finding::unknown(format!("{error:#}")),
            },
        }
    }

    fn report(&self, answers: Vec<Answer>) -> Report {
        Report { title: self.title.clone(), answers }
    }
}

#[async_trait]
impl Step for Pack {
    type Before = Unique;
    type Output = Report;

    fn describe(&self) -> Description {
        let names: Vec<&str> = self.tests.iter().map(|(name, _)| name.as_str()).collect();
        let about = Description::new("smoke.pack", format!("{} {}", self.api.url(), self.title))
            .summary(format!("test {}: {}", self.api.url(), names.join(", ")))
            .reads(self.api.resource())
            .repeats();
        let commands = self.tests.iter().flat_map(|(_, test)| match test {
            Test::Talk(talk) => talk.all().map(|turn| turn.by_hand(&self.api)).collect(),
            Test::Check(check) => check.describe().commands,
        });
        let about = commands.fold(about, Description::command);
        let changes = self.talks().flat_map(Talk::all).any(|turn| !turn.only_looks());
        if changes { about.writes(self.api.resource()) } else { about }
    }

    async fn survey(&self, _: &Context) -> Result<Survey<Unique, Report>> {
        let mut bytes = [0; 6];
        getrandom::fill(&mut bytes).map_err(|error| Error::new(error.to_string())).context("make a word nobody has")?;
        let word: String = bytes.iter().fold(String::new(), |word, byte| word + &format!("{byte:02x}"));
        let diff = Diff::note(format!("what the tests make is named smoke-{word}"));
        Ok(Survey::change(Unique(format!("smoke-{word}")), diff))
    }

    async fn apply(&self, cx: &Context, unique: &Unique) -> Result<Report> {
        self.clean.store(false, Ordering::SeqCst);
        let mut answers = Vec::new();
        for (name, test) in &self.tests {
            let finding = self.try_one(cx, test, unique).await;
            cx.say(format!("{}: {}: {}", name, finding.word(), finding.evidence().summary));
            answers.push(Answer { name: name.clone(), finding });
            if cx.is_cancelled() {
                return Err(Error::of(ErrorKind::Stopped, "the smoke tests were stopped"));
            }
        }
        self.clean.store(true, Ordering::SeqCst);
        Ok(self.report(answers))
    }

    fn predict(&self) -> Option<Report> {
        let assumed =
            |(name, _): &(String, Test)| Answer { name: name.clone(), finding: Finding::pass("assumed by the plan") };
        Some(self.report(self.tests.iter().map(assumed).collect()))
    }
}

#[async_trait]
impl Rollback for Pack {
    /// What was kept is gone, but for the word: what is found by it is removed, and what may be left is named.
    async fn rollback(&self, cx: &Context, unique: &Unique) -> Result<()> {
        if self.clean.load(Ordering::SeqCst) {
            return Ok(());
        }
        for talk in self.talks().filter(|talk| talk.cleans()) {
            let cleaned = talk.clean_up(cx, &self.api, &unique.0).await;
            if let Some(trouble) = cleaned.trouble.first() {
                return Err(
                    Error::transient(format!("clean up after `{}`: {trouble}", unique.0)).details(cleaned.lines)
                );
            }
            for unsure in cleaned.unsure {
                cx.warn(format!("something named `{}` may be left: {unsure}", unique.0));
            }
        }
        self.clean.store(true, Ordering::SeqCst);
        Ok(())
    }
}

impl std::fmt::Debug for Pack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pack of {} tests of {}", self.tests.len(), self.api.url())
    }
}

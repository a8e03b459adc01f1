//! Taking a step: survey, remembered; onto the undo stack; apply, remembered.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tracing::Instrument as _;

use super::{Armed, DynStep, Engine, Scope, Undo, stops_here};
use crate::event::{StepEnd, What};
use crate::journal::{Looked, Memo, Part};
use crate::plan::Draft;
use crate::{
    Change, Context, Description, Error, ErrorKind, Key, OnFailure, Planned, Question, QuestionKind, Result, Retry,
    Stored,
};

tokio::task_local! {
    /// Set while a step is at work, so that a step inside a step can be refused.
    static AT_WORK: ();
}

/// Whether the current task is inside a step.
pub(crate) fn is_inside_a_step() -> bool {
    AT_WORK.try_with(|()| ()).is_ok()
}

/// A step being taken.
pub(crate) struct Taking<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) scope: &'a Scope,
    /// What the step works with.
    pub(crate) cx: Context,
    /// The name of its host.
    pub(crate) host: &'a Arc<str>,
    pub(crate) key: Key,
    pub(crate) position: u32,
    pub(crate) title: Arc<str>,
    pub(crate) step: Arc<dyn DynStep>,
    /// Why it cannot be undone, when it cannot.
    pub(crate) irreversible: Option<Arc<str>>,
    pub(crate) retry: Retry,
    pub(crate) deadline: Option<Duration>,
}

/// What follows from a failure.
pub(crate) enum Verdict {
    /// It is tried again.
    Retry,
    /// It stands, and the procedure sees it.
    Final(Error),
}

// What rarely happens is boxed where it is awaited: the future of a step is as big as the biggest of its branches, and
// it is allocated and moved for every step.
impl Taking<'_> {
    /// Takes the step; its output.
    pub(crate) async fn take(&self) -> Result<Stored> {
        let what = self.step.describe();
        if self.engine.is_dry() {
            return Box::pin(self.take_dry(what)).await;
        }
        let span = tracing::info_span!("step", key = %self.key, title = %self.title, kind = %what.kind);
        self.take_live(&what).instrument(span).await
    }

    async fn take_live(&self, what: &Description) -> Result<Stored> {
        let mut fresh = false;
        let surveying = self.survey(what, &mut fresh);
        let memo = self.engine.once(&self.key, Part::Survey, Box::pin(surveying)).await?;
        match self.same(what, memo)? {
            Looked::Already(output) => {
                self.ended(if fresh { StepEnd::Already } else { StepEnd::Remembered }, Duration::ZERO, &output);
                Ok(output)
            }
            Looked::Change { before, changes } => {
                self.arm(what, &before);
                self.apply(what, before, changes, fresh).await
            }
        }
    }

    /// Looks at the world, as often as the policy allows.
    async fn survey(&self, what: &Description, fresh: &mut bool) -> Result<Memo> {
        *fresh = true;
        self.engine.admit_change(self.scope).await?;
        let kind: Arc<str> = what.kind.as_str().into();
        self.began(what, kind.clone());
        let mut attempt = 1;
        loop {
            let error = match AT_WORK.scope((), self.step.survey(&self.cx)).await {
                Ok(seen) => return Ok(self.surveyed(what, kind, seen.looked)),
                Err(error) => error,
            };
            if let Some(memo) = Box::pin(self.failed(error, &mut attempt)).await? {
                return Ok(memo);
            }
        }
    }

    fn surveyed(&self, what: &Description, kind: Arc<str>, looked: Looked) -> Memo {
        if let Looked::Change { changes, .. } = &looked {
            self.engine.say(What::StepSurveyed { key: self.key.clone(), changes: changes.clone() });
        }
        Memo::Surveyed {
            kind,
            subject: what.subject.as_str().into(),
            title: self.title.clone(),
            host: self.host.clone(),
            irreversible: self.irreversible.clone(),
            looked,
        }
    }

    /// What the journal remembers, if it is about this step.
    fn same(&self, what: &Description, memo: Memo) -> Result<Looked> {
        let recorded = match memo {
            Memo::Surveyed { kind, subject, looked, .. } if *kind == what.kind && *subject == what.subject => {
                return Ok(looked);
            }
            Memo::Failed(error) => return Err(error),
            Memo::Surveyed { kind, subject, title, .. } => format!("step {kind} `{subject}` (`{title}`)"),
            other => format!("{other:?}"),
        };
        let found = format!("step {} `{}` (`{}`)", what.kind, what.subject, self.title);
        Err(crate::engine::mismatch(&self.key, &recorded, &found))
    }

    /// Joins the undo stack, before anything is changed.
    fn arm(&self, what: &Description, before: &Stored) {
        self.engine.changed.store(true, Ordering::Relaxed);
        let armed = Armed {
            key: self.key.clone(),
            title: self.title.clone(),
            step: self.step.clone(),
            before: before.clone(),
            host: self.cx.host().clone(),
        };
        let undo = match &self.irreversible {
            None => Undo::Step(armed),
            Some(why) => Undo::Irreversible { key: armed.key, title: armed.title, why: why.clone() },
        };
        self.engine.again.wrote(&what.writes);
        self.scope.arm(self.position, undo);
    }

    async fn apply(
        &self,
        what: &Description,
        before: Stored,
        changes: Vec<Change>,
        surveyed_now: bool,
    ) -> Result<Stored> {
        let mut fresh = None;
        let applying = async {
            self.engine.admit_change(self.scope).await?;
            let memo = self.apply_now(what, &before, changes, surveyed_now).await?;
            fresh = Some(if matches!(memo, Memo::Applied { found: true, .. }) {
                StepEnd::FoundDone
            } else {
                StepEnd::Changed
            });
            Ok(memo)
        };
        let memo = self.engine.once(&self.key, Part::Apply, Box::pin(applying)).await?;
        match memo {
            Memo::Applied { output, took, .. } => {
                if fresh.is_none() {
                    self.began(what, what.kind.as_str().into());
                }
                self.ended(fresh.unwrap_or(StepEnd::Remembered), took, &output);
                Ok(output)
            }
            Memo::Failed(error) => {
                if fresh.is_none() {
                    self.began(what, what.kind.as_str().into());
                    self.engine.say(What::StepFailed { key: self.key.clone(), error: error.clone() });
                }
                Err(error)
            }
            other => Err(crate::engine::mismatch(&self.key, &format!("{other:?}"), &format!("step {}", what.kind))),
        }
    }

    /// Changes the world, as often as the policy allows. A step that was cut off is surveyed again first, as it may have
    /// finished just before.
    async fn apply_now(
        &self,
        what: &Description,
        before: &Stored,
        changes: Vec<Change>,
        surveyed_now: bool,
    ) -> Result<Memo> {
        let (began, mut attempt) = (Instant::now(), 1);
        if !surveyed_now {
            self.began(what, what.kind.as_str().into());
            self.engine.say(What::StepSurveyed { key: self.key.clone(), changes });
            if let Some(output) = Box::pin(self.found_done(what)).await {
                return Ok(Memo::Applied { output, took: began.elapsed(), found: true });
            }
        }
        loop {
            let error = match AT_WORK.scope((), self.limited(self.step.apply(&self.cx, before))).await {
                Ok(output) => return Ok(Memo::Applied { output, took: began.elapsed(), found: false }),
                Err(error) => error,
            };
            let error = match error.kind() {
                ErrorKind::Unknown => match Box::pin(self.look_until_known(what, error)).await? {
                    Ok(output) => return Ok(Memo::Applied { output, took: began.elapsed(), found: true }),
                    Err(error) => error,
                },
                _ => error,
            };
            if let Some(memo) = Box::pin(self.failed(error, &mut attempt)).await? {
                return Ok(memo);
            }
        }
    }

    /// The output of a step that turns out to be done. A step that acts every time is never found done.
    async fn found_done(&self, what: &Description) -> Option<Stored> {
        if what.repeats {
            return None;
        }
        match AT_WORK.scope((), self.step.survey(&self.cx)).await {
            Ok(seen) => match seen.looked {
                Looked::Already(output) => Some(output),
                Looked::Change { .. } => None,
            },
            Err(_) => None,
        }
    }

    /// Looks again until it is known whether the change happened; when that stays unknown, the run parks for a person.
    async fn look_until_known(&self, what: &Description, error: Error) -> Result<Result<Stored, Error>> {
        let looks = Retry::attempts(8);
        for attempt in 1.. {
            if !what.repeats {
                match AT_WORK.scope((), self.step.survey(&self.cx)).await.map(|seen| seen.looked) {
                    Ok(Looked::Already(output)) => return Ok(Ok(output)),
                    Ok(Looked::Change { .. }) => return Ok(Err(error.kind_of(ErrorKind::Transient))),
                    Err(_) => {}
                }
            }
            match looks.after(attempt) {
                Some(after) if !what.repeats => self.wait(after).await?,
                _ => break,
            }
        }
        let parked = error.context(format!("nobody knows whether step `{}` happened", self.title));
        Err(self.engine.park(&self.key, parked.hint("look, then resume the run or roll it back")).await)
    }

    async fn limited(&self, apply: impl Future<Output = Result<Stored>> + Send) -> Result<Stored> {
        let Some(deadline) = self.deadline else { return self.ended_by_force(apply).await };
        match Box::pin(tokio::time::timeout(deadline, self.ended_by_force(apply))).await {
            Ok(result) => result,
            Err(_) => Err(Error::new(format!("step `{}` took longer than {deadline:?}", self.title))),
        }
    }

    /// A step that does not heed the wish to stop is dropped after a while.
    async fn ended_by_force(&self, apply: impl Future<Output = Result<Stored>> + Send) -> Result<Stored> {
        tokio::select! {
            // A step that ends at once never waits for that wish.
            biased;
            result = apply => result,
            () = async { self.scope.hard.cancelled().await; tokio::time::sleep(Duration::from_secs(15)).await } => {
                Err(crate::context::stopped())
            }
        }
    }

    /// What follows from a failure: nothing yet (it is tried again), a memo, or the end of this execution.
    async fn failed(&self, error: Error, attempt: &mut u32) -> Result<Option<Memo>> {
        if stops_here(&error) {
            return Err(error);
        }
        if self.scope.hard.is_cancelled() || error.kind() == ErrorKind::Stopped {
            return Err(self.engine.refuse(self.scope).unwrap_or(error));
        }
        if let Some(after) = self.retry.after(*attempt).filter(|_| error.is_transient()) {
            let (key, attempt_now) = (self.key.clone(), *attempt);
            self.engine.say(What::StepRetried { key, attempt: attempt_now, after, error });
            *attempt += 1;
            return self.wait(after).await.map(|()| None);
        }
        self.engine.say(What::StepFailed { key: self.key.clone(), error: error.clone() });
        let error = error.context(format!("step `{}` failed", self.title));
        match self.engine.judge(self.scope, &self.key, &self.title, error).await? {
            Verdict::Retry => {
                *attempt = 1;
                Ok(None)
            }
            Verdict::Final(error) => Ok(Some(Memo::Failed(error))),
        }
    }

    /// Waits, unless the run is stopped.
    async fn wait(&self, duration: Duration) -> Result<()> {
        tokio::select! {
            () = tokio::time::sleep(duration) => Ok(()),
            () = self.scope.soft.cancelled() => Err(self.engine.refuse(self.scope).unwrap_or_else(crate::context::stopped)),
        }
    }

    fn began(&self, what: &Description, kind: Arc<str>) {
        self.engine.say(What::StepBegan {
            key: self.key.clone(),
            title: self.title.clone(),
            kind,
            summary: what.line().into(),
            host: self.host.clone(),
            irreversible: self.irreversible.clone(),
        });
    }

    fn ended(&self, how: StepEnd, took: Duration, output: &Stored) {
        self.engine.say(What::StepEnded { key: self.key.clone(), how, took, output: output.clone() });
    }

    async fn take_dry(&self, what: Description) -> Result<Stored> {
        if !self.engine.is_explaining() {
            return self.plan(&what).await;
        }
        self.engine.explain(self.scope, self.host, &self.title, false, what).await;
        let output = self.step.predict().or_else(|| self.step.imagine(&self.title, &self.engine.mood()));
        output.ok_or_else(|| self.horizon())
    }

    fn horizon(&self) -> Error {
        Error::of(ErrorKind::Horizon, format!("what follows needs the output of `{}`", self.title))
    }

    /// In a plan: looks, unless the step reads what an earlier step of the plan writes.
    async fn plan(&self, what: &Description) -> Result<Stored> {
        let after = self.engine.draft().and_then(|draft| draft.known_after_step(what));
        let (planned, output) = match after {
            Some(step) => (Planned::KnownAfter { step }, None),
            None => match AT_WORK.scope((), self.step.survey(&self.cx)).await {
                Ok(seen) => match seen.looked {
                    Looked::Already(output) => (Planned::Already, Some(output)),
                    Looked::Change { changes, .. } => (Planned::WillChange(changes), seen.predicted),
                },
                Err(error) => (Planned::Unknown(format!("{error:#}")), None),
            },
        };
        let changes = !matches!(planned, Planned::Already);
        if let Some(mut draft) = self.engine.draft() {
            let titles = self.scope.titles();
            draft.add(Draft::step(&self.key, titles, &self.title, what, self.irreversible.as_deref(), planned));
            if changes {
                draft.will_write(&self.title, &what.writes);
            }
        }
        output.or_else(|| self.step.predict()).ok_or_else(|| self.horizon())
    }
}

impl Engine {
    pub(crate) fn has_changed(&self) -> bool {
        self.changed.load(Ordering::Relaxed)
    }

    /// What follows from a failure, as the policy of the run says.
    pub(crate) async fn judge(&self, scope: &Scope, key: &Key, title: &str, error: Error) -> Result<Verdict> {
        if scope.halted().is_some() {
            return Err(self.refuse(scope).unwrap_or(error));
        }
        match self.on_failure {
            OnFailure::RollBack => Ok(Verdict::Final(error)),
            OnFailure::Pause => Err(self.park(key, error).await),
            OnFailure::Ask => self.ask_about(scope, key, title, error).await,
        }
    }

    async fn ask_about(&self, scope: &Scope, key: &Key, title: &str, error: Error) -> Result<Verdict> {
        let mut lines = vec![format!("{error:#}")];
        lines.extend(error.lines().iter().cloned());
        let question = Question { kind: QuestionKind::Failure, title: format!("`{title}` failed"), lines };
        let reply = self.put(scope, &question).await?;
        if let Some(reply) = &reply {
            self.say(What::Said { key: key.clone(), text: format!("it failed, and {}", reply.evidence.summary) });
        }
        match reply.map(|reply| reply.verdict) {
            Some(crate::Verdict::Retry) => Ok(Verdict::Retry),
            Some(crate::Verdict::No) => Ok(Verdict::Final(error)),
            Some(crate::Verdict::Yes | crate::Verdict::Pause) | None => Err(self.park(key, error).await),
        }
    }
}

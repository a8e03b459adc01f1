//! Asking a check, once for ever.

use std::sync::Arc;
use std::time::Instant;

use super::gate::Condition;
use super::take::Verdict;
use super::{Engine, Scope};
use crate::event::What;
use crate::journal::{Memo, Part};
use crate::plan::Draft;
use crate::{Check, CheckRole, Context, Description, Error, Finding, Host, Key, Planned, Result, Run};

impl Run {
    /// Asks a check at the next position, and remembers the answer.
    pub(crate) async fn ask_check(&self, title: Arc<str>, check: Arc<dyn Check>, role: CheckRole) -> Result<Finding> {
        let key = self.next_key()?;
        let what = check.describe();
        if self.engine.is_explaining() {
            self.engine.explain(&self.scope, &self.host_name, &title, true, what).await;
            return Ok(self.engine.imagine_answer(role).await);
        }
        if let Some(finding) = self.plan_check(&key, &title, &what, role, &*check).await? {
            return Ok(finding);
        }
        let engine = &*self.engine;
        let mut asked_now = false;
        let memo = engine.once(
            &key,
            Part::Value,
            Box::pin(async {
                asked_now = true;
                self.answer(&key, &title, &what, role, &*check).await
            }),
        );
        let finding = Engine::same_check(&key, &what, memo.await?)?;
        if !asked_now {
            self.recalled(&key, &title, &what, role, check, &finding);
        }
        Ok(finding)
    }

    /// Asks until the answer stands: a bad one is what the policy of the run decides about.
    async fn answer(
        &self,
        key: &Key,
        title: &Arc<str>,
        what: &Description,
        role: CheckRole,
        check: &dyn Check,
    ) -> Result<Memo> {
        let engine = &*self.engine;
        engine.admit(&self.scope).await?;
        loop {
            let began = Instant::now();
            let finding = engine.question(&self.scope, &self.host, key, title, role, check).await?;
            if !finding.passes() && role == CheckRole::Check {
                let error = failed(title, &finding);
                match engine.judge(&self.scope, key, title, error).await? {
                    Verdict::Retry => continue,
                    Verdict::Final(_) => {}
                }
            }
            return Ok(Memo::Found {
                kind: what.kind.as_str().into(),
                subject: what.subject.as_str().into(),
                title: title.clone(),
                host: self.host_name.clone(),
                role,
                finding,
                took: began.elapsed(),
            });
        }
    }

    /// A remembered answer: said again, and kept for asking again when it was a condition of the run.
    fn recalled(
        &self,
        key: &Key,
        title: &Arc<str>,
        what: &Description,
        role: CheckRole,
        check: Arc<dyn Check>,
        finding: &Finding,
    ) {
        let engine = &*self.engine;
        engine.say_check_began(key, title, what, &self.host, role);
        engine.say(What::CheckEnded { key: key.clone(), finding: finding.clone(), took: std::time::Duration::ZERO });
        let precondition = role == CheckRole::Require || (role == CheckRole::Check && !engine.has_changed());
        if precondition && finding.passes() {
            let (key, title, reads, host) = (key.clone(), title.clone(), what.reads.clone(), self.host.clone());
            engine.again.remember(Condition::Check { key, title, reads, host, check });
        }
    }

    /// In a plan: asks now what can be asked now, and goes on as if the rest were fine.
    async fn plan_check(
        &self,
        key: &Key,
        title: &Arc<str>,
        what: &Description,
        role: CheckRole,
        check: &dyn Check,
    ) -> Result<Option<Finding>> {
        let Some(after) = self.engine.draft().map(|draft| draft.known_after_check(what)) else { return Ok(None) };
        let planned = match after {
            Some(step) => Planned::KnownAfter { step },
            None => match self.engine.question(&self.scope, &self.host, key, title, role, check).await {
                Ok(finding) => Planned::Asked { role, finding },
                Err(error) => Planned::Unknown(format!("{error:#}")),
            },
        };
        // What the procedure decides by is not assumed.
        let seen = match &planned {
            Planned::Asked { role: CheckRole::Probe, finding } => Some(finding.clone()),
            _ => None,
        };
        if let Some(mut draft) = self.engine.draft() {
            draft.add(Draft::step(key, self.scope.titles(), title, what, None, planned));
        }
        Ok(Some(seen.unwrap_or_else(|| Finding::pass("assumed by the plan"))))
    }
}

impl Engine {
    /// Asks once, with events around it. A stop of the run ends the question.
    pub(crate) async fn question(
        &self,
        scope: &Scope,
        host: &Arc<dyn Host>,
        key: &Key,
        title: &Arc<str>,
        role: CheckRole,
        check: &dyn Check,
    ) -> Result<Finding> {
        let began = Instant::now();
        let cx = Context::new(host.clone(), self.world.clone(), key.clone(), scope.soft.clone());
        self.say_check_began(key, title, &check.describe(), host, role);
        let finding = tokio::select! {
            answer = crate::check::ask(check, &cx) => answer,
            () = scope.soft.cancelled() => Err(crate::context::stopped()),
        };
        // A question that cannot even be asked has an answer too: nobody knows.
        let finding = match finding {
            Err(error) if scope.halted().is_some() => return Err(self.refuse(scope).unwrap_or(error)),
            Err(error) => Finding::unknown(crate::Evidence::new(format!("{error:#}")).lines(error.lines().to_vec())),
            Ok(finding) => finding,
        };
        self.say(What::CheckEnded { key: key.clone(), finding: finding.clone(), took: began.elapsed() });
        Ok(finding)
    }

    fn say_check_began(&self, key: &Key, title: &Arc<str>, what: &Description, host: &Arc<dyn Host>, role: CheckRole) {
        self.say(What::CheckBegan {
            key: key.clone(),
            title: title.clone(),
            kind: what.kind.as_str().into(),
            summary: what.line().into(),
            host: host.name().into(),
            role,
        });
    }

    fn same_check(key: &Key, what: &Description, memo: Memo) -> Result<Finding> {
        match memo {
            Memo::Found { kind, subject, finding, .. } if *kind == what.kind && *subject == what.subject => Ok(finding),
            Memo::Found { kind, subject, title, .. } => {
                let recorded = format!("the check {kind} `{subject}` (`{title}`)");
                Err(crate::engine::mismatch(key, &recorded, &format!("the check {} `{}`", what.kind, what.subject)))
            }
            other => Err(crate::engine::mismatch(key, &format!("{other:?}"), &format!("the check {}", what.kind))),
        }
    }
}

/// The error of a check that did not pass.
pub(crate) fn failed(title: &str, finding: &Finding) -> Error {
    let word = if matches!(finding, Finding::Unknown(_)) { "has no answer" } else { "failed" };
    let evidence = finding.evidence();
    Error::new(format!("check `{title}` {word}: {}", evidence.summary)).details(evidence.lines.clone())
}

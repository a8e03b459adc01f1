//! The gate: what every effect that is not remembered passes before it happens.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::{Engine, Mode, Scope, locked};
use crate::event::What;
use crate::journal::{Entry, Memo, Part};
use crate::run::Window;
use crate::{Check, Error, ErrorKind, Host, Key, Resource, Result};

/// What a resumed execution has to ask again before the first new change, and what it has replayed so far.
pub(crate) struct Again {
    resumed: bool,
    asked: AtomicBool,
    conditions: Mutex<Vec<Condition>>,
    written: Mutex<Vec<Resource>>,
    unvisited: Mutex<HashSet<Key>>,
    told: Vec<What>,
}

/// Something that held when the run began, and must still hold.
pub(crate) enum Condition {
    /// A precondition.
    Check { key: Key, title: Arc<str>, reads: Vec<Resource>, host: Arc<dyn Host>, check: Arc<dyn Check> },
    /// A window.
    Window { key: Key, window: Window },
}

impl Again {
    /// For an execution that finds these entries in its journal; only the first of a run finds none but the beginning.
    pub(crate) fn new(entries: &[Entry]) -> Self {
        // What goes forward is replayed to the letter; settling happens when something new does.
        let forward = |entry: &&Entry| matches!(entry.part, Part::Entered | Part::Survey | Part::Value);
        let keys = entries.iter().filter(forward).map(|entry| entry.key.clone());
        Self {
            resumed: !entries.is_empty(),
            asked: AtomicBool::new(entries.is_empty()),
            conditions: Mutex::default(),
            written: Mutex::default(),
            unvisited: Mutex::new(keys.collect()),
            told: entries.iter().filter_map(|entry| entry.memo.told()).collect(),
        }
    }

    /// Whether an earlier execution said so too. What is replayed says everything once more.
    pub(crate) fn was_told(&self, what: &What) -> bool {
        matches!(what, What::Said { .. } | What::Warned { .. } | What::Watched { .. }) && self.told.contains(what)
    }

    /// A remembered condition, to be asked again.
    pub(crate) fn remember(&self, condition: Condition) {
        if self.resumed && !self.asked.load(Ordering::Relaxed) {
            locked(&self.conditions).push(condition);
        }
    }

    /// A remembered change. Conditions on what the run itself has changed since are not asked again.
    pub(crate) fn wrote(&self, resources: &[Resource]) {
        if self.resumed {
            locked(&self.written).extend_from_slice(resources);
        }
    }

    /// The replay came by this key.
    pub(crate) fn visit(&self, key: &Key) {
        if self.resumed {
            locked(&self.unvisited).remove(key);
        }
    }

    /// The first key in this scope that the journal has and the replay has not come by.
    pub(crate) fn missed(&self) -> Option<Key> {
        locked(&self.unvisited).iter().min().cloned()
    }

    /// The conditions to be asked now, once.
    fn due(&self) -> Vec<Condition> {
        if self.asked.swap(true, Ordering::Relaxed) {
            return Vec::new();
        }
        let written = locked(&self.written);
        let ours = |reads: &[Resource]| reads.iter().any(|read| written.iter().any(|wrote| wrote.overlaps(read)));
        let mut due = std::mem::take(&mut *locked(&self.conditions));
        due.retain(|condition| !matches!(condition, Condition::Check { reads, .. } if ours(reads)));
        due
    }
}

impl Engine {
    /// Why nothing new may happen in this scope. Whoever swallows this error does not end well: a scope that is halted fails
    /// when it is left, and when it is the whole run that stops, so does the procedure.
    pub(crate) fn refuse(&self, scope: &Scope) -> Option<Error> {
        if let Mode::Verify = self.mode {
            return Some(Error::of(ErrorKind::Horizon, "the journal ends here"));
        }
        let reason = self.refused.get().filter(|reason| super::stops_here(reason)).cloned();
        let reason = reason.or_else(|| scope.halted())?;
        let of_the_run = if super::stops_here(&reason) { Some(reason.clone()) } else { scope.halted_run() };
        if let Some(of_the_run) = of_the_run {
            let _ = self.refused.set(of_the_run);
        }
        Some(reason)
    }

    /// Lets something that only looks happen, unless its scope is halted. What a failed scope inside still has to settle,
    /// settles first: its error did not come through to here.
    pub(crate) async fn admit(&self, scope: &Scope) -> Result<()> {
        if let Some(reason) = self.refuse(scope) {
            return Err(reason);
        }
        for scope in scope.chain() {
            self.settle_pending(scope).await?;
        }
        Ok(())
    }

    /// Lets a change happen: as above, and on a resumed run only when its conditions still hold.
    pub(crate) async fn admit_change(&self, scope: &Scope) -> Result<()> {
        self.admit(scope).await?;
        for condition in self.again.due() {
            Box::pin(self.ask_again(scope, condition)).await?;
        }
        Ok(())
    }

    async fn ask_again(&self, scope: &Scope, condition: Condition) -> Result<()> {
        match condition {
            Condition::Check { key, title, host, check, .. } => {
                let finding = self.question(scope, &host, &key, &title, crate::CheckRole::Require, &*check).await?;
                if finding.passes() {
                    return Ok(());
                }
                let why =
                    format!("`{title}` held when the run began and does not any more: {}", finding.evidence().summary);
                Err(self.park(&key, Error::new(why).hint("resume the run when it holds, or roll it back")).await)
            }
            Condition::Window { key, window } => match window.admits(self.world.clock.now()) {
                Ok(_) => Ok(()),
                Err(missed) => {
                    Err(self.park(&key, missed.context("the run was interrupted, and now the window is over")).await)
                }
            },
        }
    }
}

/// The error of a journal that remembers another procedure.
pub(crate) fn mismatch(key: &Key, recorded: &str, found: &str) -> Error {
    Error::of(
        ErrorKind::Mismatch,
        format!("the journal and the code differ at `{key}`: recorded {recorded}, found {found}"),
    )
    .hint("resume the run with the program that began it; nothing was changed")
}

/// What is remembered, for an error that names it.
pub(crate) fn in_words(memo: &Memo) -> String {
    match memo {
        Memo::Surveyed { kind, title, .. } => format!("step {kind} (`{title}`)"),
        Memo::Found { kind, title, .. } => format!("check {kind} (`{title}`)"),
        Memo::Entered { title, .. } => format!("the scope `{title}`"),
        other => format!("{other:?}"),
    }
}

//! Scopes: the procedure itself, and every part of it that is a unit. A scope counts positions, keeps what to undo, and
//! can be halted.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use tokio_util::sync::CancellationToken;

use super::{Armed, Engine, Undo, locked, stops_here};
use crate::event::What;
use crate::journal::{Memo, Part};
use crate::{Error, ErrorKind, Key, Result, ScopeKind, Stored};

/// A part of a procedure that is a unit.
pub(crate) struct Scope {
    pub(crate) key: Key,
    pub(crate) title: Arc<str>,
    pub(crate) parent: Option<Arc<Scope>>,
    /// The position of this scope in its parent.
    position: u32,
    next: AtomicU32,
    names: Mutex<BTreeSet<String>>,
    undo: Mutex<Stack>,
    /// Whether a failed scope inside has steps that are still to settle.
    unsettled: AtomicBool,
    halt: OnceLock<Error>,
    /// Ends what only looks and waits.
    pub(crate) soft: CancellationToken,
    /// Ends the current command too.
    pub(crate) hard: CancellationToken,
}

/// What a scope has to undo, by position. Almost everything comes in order, and goes all at once.
#[derive(Default)]
struct Stack(Vec<(u32, Undo)>);

impl Stack {
    fn put(&mut self, position: u32, undo: Undo) {
        match self.find(position) {
            Ok(at) => self.0[at].1 = undo,
            Err(at) => self.0.insert(at, (position, undo)),
        }
    }

    fn take(&mut self, position: u32) -> Option<Undo> {
        self.find(position).ok().map(|at| self.0.remove(at).1)
    }

    fn find(&self, position: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&position, |(at, _)| *at)
    }
}

impl Scope {
    /// The scope of the whole run.
    pub(crate) fn root(soft: CancellationToken, hard: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            key: Key::root(),
            title: "".into(),
            parent: None,
            position: 0,
            next: AtomicU32::new(0),
            names: Mutex::default(),
            undo: Mutex::default(),
            unsettled: AtomicBool::new(false),
            halt: OnceLock::new(),
            soft,
            hard,
        })
    }

    /// A scope at this position of its parent, under this key.
    pub(crate) fn child(self: &Arc<Self>, position: u32, key: Key, title: Arc<str>) -> Arc<Self> {
        Arc::new(Self {
            key,
            title,
            parent: Some(self.clone()),
            position,
            next: AtomicU32::new(0),
            names: Mutex::default(),
            undo: Mutex::default(),
            unsettled: AtomicBool::new(false),
            halt: OnceLock::new(),
            soft: self.soft.child_token(),
            hard: self.hard.child_token(),
        })
    }

    /// The next position. It is taken when a call is written, not when it is first polled.
    pub(crate) fn take_position(&self) -> u32 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The key of a name the author gives. A name that was given before is an error.
    pub(crate) fn take_name(&self, name: &str) -> Result<Key> {
        if !locked(&self.names).insert(name.to_owned()) {
            return Err(Error::new(format!("two things in `{}` are named `{name}`", self.path())));
        }
        Ok(self.key.named(name))
    }

    /// Puts something on the undo stack.
    pub(crate) fn arm(&self, position: u32, undo: Undo) {
        locked(&self.undo).put(position, undo);
    }

    /// Takes something off the undo stack.
    pub(crate) fn disarm(&self, position: u32) -> Option<Undo> {
        locked(&self.undo).take(position)
    }

    /// Takes the whole undo stack, first to last.
    pub(crate) fn take_undo(&self) -> Vec<Undo> {
        std::mem::take(&mut *locked(&self.undo)).0.into_iter().map(|(_, undo)| undo).collect()
    }

    /// Commits what was done so far, here and in the scopes around: it is never undone.
    pub(crate) fn commit(&self, why: &Arc<str>) {
        for scope in self.chain() {
            let mut stack = locked(&scope.undo);
            let before = std::mem::take(&mut *stack).0;
            *stack = Stack(before.into_iter().map(|(at, undo)| (at, undo.committed(why))).collect());
        }
    }

    /// Stops everything in this scope at the next safe point. The first reason counts.
    pub(crate) fn halt(&self, reason: Error) {
        let _ = self.halt.set(reason);
    }

    /// Why this very scope was stopped.
    pub(crate) fn is_halted(&self) -> Option<Error> {
        self.halt.get().cloned()
    }

    /// Why nothing new may happen here.
    pub(crate) fn halted(&self) -> Option<Error> {
        self.is_halted().or_else(|| match &self.parent {
            Some(parent) => parent.halted(),
            None if self.soft.is_cancelled() => Some(interrupted()),
            None => None,
        })
    }

    /// Why nothing new may happen in the whole run.
    pub(crate) fn halted_run(&self) -> Option<Error> {
        self.chain().last().and_then(Self::halted)
    }

    /// The titles of this scope and those around it, outermost first.
    pub(crate) fn titles(&self) -> Vec<String> {
        let mut titles = self.parent.as_ref().map(|parent| parent.titles()).unwrap_or_default();
        if !self.title.is_empty() {
            titles.push(self.title.to_string());
        }
        titles
    }

    fn path(&self) -> String {
        let titles = self.titles();
        if titles.is_empty() { "the procedure".to_owned() } else { titles.join(" / ") }
    }

    /// This scope and those around it, innermost first.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |scope| scope.parent.as_deref())
    }
}

pub(crate) fn interrupted() -> Error {
    Error::of(ErrorKind::Interrupted, "interrupted")
}

impl Engine {
    /// Enters a scope: remembers it, and halts it when the journal says that it is being rolled back or that its guard fired.
    pub(crate) async fn enter(&self, scope: &Scope, kind: ScopeKind, inputs: Option<Stored>) -> Result<()> {
        self.recall_halt(scope);
        if self.is_dry() {
            return Ok(());
        }
        let entered = Memo::Entered { title: scope.title.clone(), kind, inputs: inputs.clone() };
        let memo = self.once(&scope.key, Part::Entered, Box::pin(async { Ok(entered) })).await?;
        let (found, recorded) = match memo {
            Memo::Entered { kind: was, inputs: had, .. } if was == kind && had == inputs => {
                self.say(What::ScopeBegan { key: scope.key.clone(), title: scope.title.clone(), kind });
                return Ok(());
            }
            Memo::Entered { kind: was, inputs: had, .. } => (words(kind, inputs.as_ref()), words(was, had.as_ref())),
            other => (words(kind, None), format!("{other:?}")),
        };
        Err(crate::engine::mismatch(&scope.key, &recorded, &format!("{found} (`{}`)", scope.title)))
    }

    /// What an earlier execution decided about this scope.
    pub(crate) fn recall_halt(&self, scope: &Scope) {
        if let Some(Memo::Unwinding(cause)) = self.recall(&scope.key, Part::Unwind) {
            scope.halt(cause);
        }
        if let Some(Memo::Triggered { error, .. }) = self.recall(&scope.key, Part::Trigger) {
            scope.halt(error);
        }
    }

    /// Ends a scope: what it did becomes part of its parent, or is rolled back.
    pub(crate) async fn leave<R>(&self, scope: &Arc<Scope>, result: Result<R>) -> Result<R> {
        // Whoever halted the scope meant it, even if the body ended first.
        let result = result.and_then(|value| scope.is_halted().map_or(Ok(value), Err));
        if self.is_dry() {
            return result;
        }
        let result = match result {
            Ok(value) => self.merge(scope).await.map(|()| value),
            Err(error) if stops_here(&error) => Err(error),
            Err(error) => Err(self.unwind(scope, error).await),
        };
        self.say(What::ScopeEnded { key: scope.key.clone(), error: result.as_ref().err().cloned() });
        result
    }

    /// Hands the undo stack of a scope that ended well to its parent.
    async fn merge(&self, scope: &Arc<Scope>) -> Result<()> {
        self.settle_pending(scope).await?;
        self.once(&scope.key, Part::Left, Box::pin(async { Ok(Memo::Left) })).await?;
        scope.hand_over();
        Ok(())
    }
}

impl Scope {
    /// Leaves it to the parent to let these steps settle: after its own rollback when the error comes through, else before
    /// anything new happens in it, when it is `due`.
    pub(crate) fn leave_to_settle(&self, armed: Vec<Armed>, due: bool) {
        if let (Some(parent), false) = (&self.parent, armed.is_empty()) {
            parent.unsettled.fetch_or(due, Ordering::Relaxed);
            parent.arm(self.position, Undo::Settling(armed));
        }
    }

    /// Whether it has steps that are still to settle.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.unsettled.load(Ordering::Relaxed)
    }

    /// What settled in it is to do so once more: something was put back since.
    pub(crate) fn settles_again(&self) {
        let settling = locked(&self.undo).0.iter().any(|(_, undo)| undo.settling().next().is_some());
        self.unsettled.fetch_or(settling, Ordering::Relaxed);
    }

    /// The steps that are still to settle, first to last. They stay on the stack: when this scope is rolled back later,
    /// what they read changes once more.
    pub(crate) fn unsettled(&self) -> Vec<Armed> {
        if !self.unsettled.swap(false, Ordering::Relaxed) {
            return Vec::new();
        }
        locked(&self.undo).0.iter().flat_map(|(_, undo)| undo.settling()).cloned().collect()
    }

    /// Hands the undo stack to the parent, as one entry.
    pub(crate) fn hand_over(&self) {
        let inner = self.take_undo();
        if self.is_unsettled()
            && let Some(parent) = &self.parent
        {
            parent.unsettled.store(true, Ordering::Relaxed);
        }
        if let (Some(parent), false) = (&self.parent, inner.is_empty()) {
            parent.arm(self.position, Undo::Scope(inner));
        }
    }
}

fn words(kind: ScopeKind, inputs: Option<&Stored>) -> String {
    match inputs {
        Some(inputs) => format!("{kind:?} with inputs {}", inputs.json()).to_lowercase(),
        None => format!("{kind:?}").to_lowercase(),
    }
}

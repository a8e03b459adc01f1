//! The one fold over events that every renderer draws from.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::event::{Outage, RunBegan, RunEnded, StepEnd, What};
use crate::{
    Change, CheckRole, Error, Event, Evidence, Finding, Key, Left, Outcome, Outline, Reader, ScopeKind, Stored,
};

/// A run as far as its events tell: a tree of scopes, steps, checks and questions, and what came of it.
///
/// It costs a little for each event and does not grow with what commands print. The events of a run that was resumed
/// may all be folded, one execution after the other, or only those of the last.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// How the run began; the last time, when it was resumed.
    pub began: Option<RunBegan>,
    /// When its executions began and who started them.
    pub beginnings: Vec<Beginning>,
    /// The time of the last event.
    pub last: Option<Timestamp>,
    /// Warnings, in order.
    pub warnings: Vec<Noted>,
    /// Notes of steps and of the procedure, in order.
    pub notes: Vec<Noted>,
    /// Triggers of guards that fired.
    pub triggers: Vec<Noted>,
    /// Reasons why nothing before is undone.
    pub no_return: Vec<Noted>,
    /// What users saw of what was watched, in order.
    pub outages: Vec<Watched>,
    /// Why the whole run was rolled back, when it was.
    pub rollback: Option<Error>,
    /// Why a scope was rolled back, the innermost first.
    pub scope_rollbacks: Vec<(Key, Error)>,
    /// When rolling something back began, or went on: the whole run or a scope.
    pub turns: Vec<(Timestamp, Key)>,
    /// What could not be put back.
    pub left: Vec<Left>,
    /// Whether someone asked the run to stop.
    pub interrupted: bool,
    /// When someone asked one of its executions to stop.
    pub stops: Vec<Timestamp>,
    /// How the last execution ended; `None` while it goes on, and when it was cut off.
    pub ended: Option<RunEnded>,
    /// What the source of its procedure says, when that is at hand: what was left out is told from it.
    pub outline: Option<&'static Outline>,
    nodes: Vec<Node>,
    index: HashMap<Key, u32>,
    /// What earlier executions said: a replay says it once more.
    said: HashSet<(Key, String)>,
}

/// What users saw of something that was watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// When that was told.
    pub at: Timestamp,
    /// What was watched.
    pub of: Arc<str>,
    /// What was seen.
    pub outage: Outage,
}

/// A try that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retried {
    /// When.
    pub at: Timestamp,
    /// Which try it was, from 1.
    pub attempt: u32,
    /// Why.
    pub error: Error,
}

/// One act of the undo of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, once that is known.
    pub took: Option<Duration>,
    /// Whether it settled, after everything earlier was back.
    pub settling: bool,
}

/// The beginning of one execution of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Whether it went on with a run begun before.
    pub resumed: bool,
}

/// Something said about a place in the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// When.
    pub at: Timestamp,
    /// Where.
    pub key: Key,
    /// What.
    pub text: String,
}

/// A scope, a step, a check or a question.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where.
    pub key: Key,
    /// For people.
    pub title: Arc<str>,
    /// What it is.
    pub work: Work,
    /// The kind of step or check; empty for others.
    pub kind: Arc<str>,
    /// What it does or asks, in one line.
    pub summary: Arc<str>,
    /// The host its commands run on; empty for those that have none.
    pub host: Arc<str>,
    /// How far it is.
    pub state: State,
    /// How far its undo is.
    pub undo: Undo,
    /// When it began.
    pub at: Timestamp,
    /// When it ended; `None` while it goes on.
    pub end: Option<Timestamp>,
    /// How long it took, once that is known.
    pub took: Option<Duration>,
    /// Its output.
    pub output: Option<Stored>,
    parent: Option<u32>,
    more: Option<Box<More>>,
}

/// What only some nodes have.
#[derive(Debug, Clone, Default)]
pub struct More {
    /// What it was going to change.
    pub changes: Vec<Change>,
    /// The answer to a check.
    pub finding: Option<Finding>,
    /// The answer to a question.
    pub answer: Option<Evidence>,
    /// Whose answer is wanted.
    pub of: Option<String>,
    /// The tries that failed.
    pub retries: Vec<Retried>,
    /// Why it failed for good.
    pub error: Option<Error>,
    /// The commands it ran, the first few of them.
    pub commands: Vec<String>,
    /// The last line it printed, while it goes on.
    pub line: Option<String>,
    /// What its undo did, in order.
    pub acts: Vec<Act>,
    /// Why its undo failed, or was not tried.
    pub left: Option<Left>,
}

/// How many commands of a step are kept for the report.
const COMMANDS: usize = 8;

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// A scope.
    Scope(ScopeKind),
    /// A step; why it cannot be undone, when it cannot.
    Step(Option<Arc<str>>),
    /// A check.
    Check(CheckRole),
    /// A question to a person, or to the clock.
    Question,
}

/// How far a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It goes on, or was cut off.
    Going,
    /// A step: the world was already so.
    Already,
    /// A step: it changed the world.
    Changed,
    /// A step: it was found done after an interruption.
    FoundDone,
    /// A step: done in an earlier execution.
    Remembered,
    /// A scope that ended well, a check that passed, a question with an answer.
    Good,
    /// It failed; a check: it is not so.
    Failed,
    /// A check: nobody knows.
    Unknown,
    /// A question nobody has answered yet.
    Waiting,
}

/// How far the undo of a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    /// Not begun.
    Not,
    /// It goes on, or was cut off.
    Going,
    /// Done.
    Undone,
    /// Done, and settled once everything earlier was back.
    Settled,
    /// Not possible; the change is still there.
    Left,
}

impl Summary {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in one more event.
    pub fn add(&mut self, event: &Event) {
        let at = event.at;
        self.last = Some(at);
        match &event.what {
            What::RunBegan(began) => self.run_began(at, began),
            What::RunEnded(ended) => self.run_ended(ended),
            What::Interrupted { .. } => {
                self.interrupted = true;
                self.stops.push(at);
            }
            What::ScopeBegan { key, title, kind } => {
                self.begin(at, key, title, Work::Scope(*kind));
            }
            What::ScopeEnded { key, error } => self.scope_ended(at, key, error.as_ref()),
            What::StepBegan { key, title, kind, summary, host, irreversible } => {
                let node = self.begin(at, key, title, Work::Step(irreversible.clone()));
                (node.kind, node.summary, node.host) = (kind.clone(), summary.clone(), host.clone());
            }
            What::StepSurveyed { key, changes } if !changes.is_empty() => {
                self.more(at, key).changes.clone_from(changes);
            }
            What::StepEnded { key, how, took, output } => self.step_ended(at, key, *how, *took, output),
            What::StepRetried { key, attempt, error, .. } => {
                self.more(at, key).retries.push(Retried { at, attempt: *attempt, error: error.clone() });
            }
            What::StepFailed { key, error } => self.failed(at, key, error),
            What::CommandBegan { key, command } => self.command_began(at, key, command),
            What::Line { key, line, .. } => {
                if let Some(node) = self.find_mut(key).filter(|node| node.is_busy()) {
                    node.more_mut().line = Some(line.clone());
                }
            }
            What::CheckBegan { key, title, kind, summary, host, role } => {
                let node = self.begin(at, key, title, Work::Check(*role));
                (node.kind, node.summary, node.host) = (kind.clone(), summary.clone(), host.clone());
            }
            What::CheckEnded { key, finding, took } => self.check_ended(at, key, finding, *took),
            What::Asked { key, title, of } => {
                let node = self.begin(at, key, title, Work::Question);
                node.state = State::Waiting;
                node.more_mut().of.clone_from(of);
            }
            What::Answered { key, title, evidence } => self.answered(at, key, title, evidence),
            What::Warned { key, text } if self.is_new(key, text) => self.warnings.push(Noted::new(at, key, text)),
            What::Said { key, text } if self.is_new(key, text) => self.notes.push(Noted::new(at, key, text)),
            What::StepSurveyed { .. } | What::RollbackEnded { .. } | What::Warned { .. } | What::Said { .. } => {}
            What::Watched { of, outage, .. } => {
                let watched = Watched { at, of: of.clone(), outage: outage.clone() };
                // A replay tells once more what an earlier execution saw.
                if !self.outages.iter().any(|known| known.of == *of && known.outage == *outage) {
                    self.outages.push(watched);
                }
            }
            What::Triggered { key, title, evidence } => {
                let text = format!("{title}: {}", evidence.summary);
                self.triggers.push(Noted { at, key: key.clone(), text });
            }
            What::PointOfNoReturn { key, why } => {
                self.no_return.push(Noted { at, key: key.clone(), text: why.to_string() });
            }
            What::RollbackBegan { key, cause } => {
                self.turns.push((at, key.clone()));
                self.rollback_began(key, cause);
            }
            What::UndoBegan { key, title, settling } => {
                let node = self.ensure(at, key, Some(title), || Work::Step(None));
                // A change that is still there is not put back by what settles around it.
                if !*settling || node.undo != Undo::Left {
                    node.undo = Undo::Going;
                }
                node.more_mut().acts.push(Act { at, took: None, settling: *settling });
            }
            What::UndoEnded { key, settling, took } => self.undo_ended(at, key, *settling, *took),
            What::Left(left) => self.left_behind(at, left),
        }
    }

    /// The nodes in the order they began.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node at this place.
    pub fn node(&self, key: &Key) -> Option<&Node> {
        self.index.get(key).map(|&at| &self.nodes[at as usize])
    }

    /// The titles of the scopes around a node, and its own, outermost first.
    pub fn path<'a>(&'a self, node: &'a Node) -> Vec<&'a str> {
        let around = std::iter::successors(Some(node), |node| self.parent(node));
        let mut titles: Vec<&str> = around
            .filter(|node| !self.is_body_of_hold(node) && !self.is_named_by_hold(node))
            .map(|node| &*node.title)
            .collect();
        titles.reverse();
        titles
    }

    /// The titles around a place and its own, on one line: `Restart services / api / Restart`.
    pub fn place(&self, key: &Key) -> String {
        self.node(key).map_or_else(|| key.to_string(), |node| self.path(node).join(" / "))
    }

    /// Something said about a place, with the place before it when that is known.
    pub fn said(&self, key: &Key, text: &str) -> String {
        let place = self.node(key).map(|node| self.path(node).join(" / ")).filter(|place| !place.is_empty());
        place.map_or_else(|| text.to_owned(), |place| format!("{place}: {text}"))
    }

    /// The nodes as a tree, depth first, each with its depth. What ran at once stands one after the other. What is inside a
    /// hold stands right below it.
    pub fn tree(&self) -> Vec<(usize, &Node)> {
        let mut children: HashMap<Option<u32>, Vec<u32>> = HashMap::new();
        for (at, node) in (0u32..).zip(&self.nodes) {
            children.entry(node.parent).or_default().push(at);
        }
        let mut walked = Vec::with_capacity(self.nodes.len());
        let mut todo: Vec<(usize, u32)> = Vec::new();
        let below = |parent, depth| children.get(&parent).into_iter().flatten().rev().map(move |&at| (depth, at));
        todo.extend(below(None, 0));
        while let Some((depth, at)) = todo.pop() {
            let node = &self.nodes[at as usize];
            if self.is_body_of_hold(node) {
                todo.extend(below(Some(at), depth));
                continue;
            }
            walked.push((depth, node));
            todo.extend(below(Some(at), depth + 1));
        }
        walked
    }

    /// The scope around a node.
    pub fn parent(&self, node: &Node) -> Option<&Node> {
        node.parent.map(|at| &self.nodes[at as usize])
    }

    /// Whether it ran on another machine than the runner's, and than the one the run is about, whichever user it was.
    pub fn is_elsewhere(&self, node: &Node) -> bool {
        let machine = node.host.rsplit('@').next().unwrap_or_default();
        // A host is a `container db`; a place, and so the target of a run, is a `container:db`.
        let spellings = || [machine.to_owned(), machine.replacen("container ", "container:", 1)];
        let is_target = || {
            self.began.as_ref().is_some_and(|began| spellings().iter().any(|machine| began.target.contains(machine)))
        };
        !matches!(machine, "" | "localhost") && !is_target()
    }

    /// Whether it is the step of a hold, which is taken back at its end whatever happens.
    pub fn is_held(&self, node: &Node) -> bool {
        node.is_step() && self.parent(node).is_some_and(Node::is_hold)
    }

    /// Whether its name is that of the hold around it.
    fn is_named_by_hold(&self, node: &Node) -> bool {
        self.is_held(node) && self.parent(node).is_some_and(|hold| hold.title == node.title)
    }

    /// Whether it is the scope inside a hold that is there only to hold its body, under the same title.
    fn is_body_of_hold(&self, node: &Node) -> bool {
        let hold = self.parent(node).filter(|parent| parent.is_hold());
        node.is_scope() && hold.is_some_and(|hold| hold.title == node.title)
    }

    /// The steps in the order they began.
    pub fn steps(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.is_step())
    }

    /// The steps and checks that go on right now.
    pub fn going(&self) -> impl Iterator<Item = &Node> {
        // What a procedure looks up by itself is at the root, which has no name.
        self.nodes.iter().filter(|node| node.is_busy() && !node.title.is_empty())
    }

    /// The steps that changed something, whether or not that was undone later.
    pub fn changed(&self) -> usize {
        self.steps().filter(|node| node.has_changed()).count()
    }

    /// The steps whose change was undone.
    pub fn undone(&self) -> usize {
        self.steps().filter(|node| matches!(node.undo, Undo::Undone | Undo::Settled)).count()
    }

    /// The question that waits for an answer.
    pub fn waiting(&self) -> Option<&Node> {
        self.nodes.iter().rev().find(|node| node.state == State::Waiting)
    }

    /// The step, check or question that failed first.
    pub fn failure(&self) -> Option<&Node> {
        let failed = |node: &&Node| matches!(node.state, State::Failed | State::Unknown) && !node.is_scope();
        self.nodes.iter().filter(failed).find(|node| node.is_binding())
    }

    /// When the first execution began.
    pub fn first(&self) -> Option<Timestamp> {
        self.beginnings.first().map(|beginning| beginning.at)
    }

    /// From the first beginning to the last event, pauses included.
    pub fn span(&self) -> Option<Duration> {
        Some(since(self.first()?, self.last?))
    }

    /// Whether this was not said by an earlier execution.
    fn is_new(&self, key: &Key, text: &str) -> bool {
        self.said.is_empty() || !self.said.contains(&(key.clone(), text.to_owned()))
    }

    fn run_began(&mut self, at: Timestamp, began: &RunBegan) {
        if began.resumed {
            let said = self.warnings.iter().chain(&self.notes);
            self.said = said.map(|noted| (noted.key.clone(), noted.text.clone())).collect();
        }
        self.began = Some(began.clone());
        self.beginnings.push(Beginning { at, by: began.by.clone(), resumed: began.resumed });
        self.ended = None;
        self.interrupted = false;
    }

    fn run_ended(&mut self, ended: &RunEnded) {
        self.ended = Some(ended.clone());
        if ended.outcome != Outcome::Paused {
            self.close_scopes();
        }
        // What an earlier execution left may have been put back by this one.
        self.left.clone_from(&ended.left);
    }

    /// Ends the scopes whose end nobody told, as a journal does not of those that failed, nor of items: with the last thing in
    /// them, and as badly as the worst.
    fn close_scopes(&mut self) {
        let mut inside: Vec<Option<(Timestamp, bool)>> = vec![None; self.nodes.len()];
        for at in (0..self.nodes.len()).rev() {
            let node = &mut self.nodes[at];
            if let (true, State::Going, Some((end, failed))) = (node.is_scope(), node.state, inside[at]) {
                (node.end, node.took) = (Some(end), Some(since(node.at, end)));
                node.state = if failed { State::Failed } else { State::Good };
            }
            let failed = matches!(node.state, State::Failed | State::Unknown) && node.is_binding();
            if let (Some(end), Some(parent)) = (node.end, node.parent) {
                let (last, worst) = inside[parent as usize].unwrap_or((end, false));
                inside[parent as usize] = Some((last.max(end), worst || failed));
            }
        }
    }

    fn scope_ended(&mut self, at: Timestamp, key: &Key, error: Option<&Error>) {
        let Some(node) = self.find_mut(key) else { return };
        node.took = Some(since(node.at, at));
        node.end = Some(at);
        node.state = if error.is_some() { State::Failed } else { State::Good };
        if let Some(error) = error {
            node.more_mut().error = Some(error.clone());
        }
    }

    fn step_ended(&mut self, at: Timestamp, key: &Key, how: StepEnd, took: Duration, output: &Stored) {
        let node = self.ensure(at, key, None, || Work::Step(None));
        node.output = Some(output.clone());
        // A replay tells less than the execution it replays: what is known of that stays.
        let known = how == StepEnd::Remembered && node.took.is_some();
        if !known {
            node.took = Some(took);
            node.end = Some(at);
            node.state = ended(how);
        } else if node.state == State::Going {
            node.state = State::Remembered;
        }
        node.rest();
    }

    fn failed(&mut self, at: Timestamp, key: &Key, error: &Error) {
        let node = self.ensure(at, key, None, || Work::Step(None));
        node.state = State::Failed;
        node.took = Some(since(node.at, at));
        node.end = Some(at);
        node.more_mut().error = Some(error.clone());
        node.rest();
    }

    fn command_began(&mut self, at: Timestamp, key: &Key, command: &str) {
        let commands = &mut self.more(at, key).commands;
        if commands.len() < COMMANDS {
            commands.push(command.to_owned());
        }
    }

    fn check_ended(&mut self, at: Timestamp, key: &Key, finding: &Finding, took: Duration) {
        let node = self.ensure(at, key, None, || Work::Check(CheckRole::Check));
        (node.took, node.end) = (Some(took), Some(at));
        node.state = match finding {
            Finding::Pass(_) => State::Good,
            Finding::Fail(_) => State::Failed,
            Finding::Unknown(_) => State::Unknown,
        };
        node.more_mut().finding = Some(finding.clone());
        node.rest();
    }

    fn answered(&mut self, at: Timestamp, key: &Key, title: &Arc<str>, evidence: &Evidence) {
        let node = self.ensure(at, key, Some(title), || Work::Question);
        node.state = State::Good;
        (node.took, node.end) = (Some(since(node.at, at)), Some(at));
        node.more_mut().answer = Some(evidence.clone());
    }

    fn rollback_began(&mut self, key: &Key, cause: &Error) {
        if key.is_root() {
            self.rollback = Some(cause.clone());
        } else {
            self.scope_rollbacks.push((key.clone(), cause.clone()));
        }
    }

    fn undo_ended(&mut self, at: Timestamp, key: &Key, settling: bool, took: Duration) {
        let node = self.ensure(at, key, None, || Work::Step(None));
        let more = node.more_mut();
        match more.acts.last_mut().filter(|act| act.took.is_none() && act.settling == settling) {
            Some(act) => act.took = Some(took),
            None => more.acts.push(Act { at, took: Some(took), settling }),
        }
        if settling && took.as_millis() == 0 {
            // Every step may settle; for most there is nothing to do.
            more.acts.pop();
        }
        if !settling {
            more.left = None;
            node.undo = Undo::Undone;
        } else if node.undo != Undo::Left {
            node.undo = Undo::Settled;
        }
        node.rest();
    }

    fn left_behind(&mut self, at: Timestamp, left: &Left) {
        self.left.retain(|known| known.key != left.key);
        self.left.push(left.clone());
        let node = self.ensure(at, &left.key, Some(&left.title), || Work::Step(None));
        node.undo = Undo::Left;
        node.more_mut().left = Some(left.clone());
        node.rest();
    }

    /// A node that begins, or begins again in another execution.
    fn begin(&mut self, at: Timestamp, key: &Key, title: &Arc<str>, work: Work) -> &mut Node {
        let slot = self.slot(at, key, Some(title), || work.clone());
        let node = &mut self.nodes[slot];
        node.title = title.clone();
        node.work = work;
        if !node.has_changed() && node.state != State::Already {
            (node.at, node.end, node.took, node.state) = (at, None, None, State::Going);
            if let Some(more) = &mut node.more {
                (more.error, more.finding) = (None, None);
            }
        }
        node
    }

    fn more(&mut self, at: Timestamp, key: &Key) -> &mut More {
        self.ensure(at, key, None, || Work::Step(None)).more_mut()
    }

    /// The node at this place, made when an event tells of one whose beginning was not seen.
    fn ensure(&mut self, at: Timestamp, key: &Key, title: Option<&Arc<str>>, work: impl FnOnce() -> Work) -> &mut Node {
        let slot = self.slot(at, key, title, work);
        &mut self.nodes[slot]
    }

    fn slot(&mut self, at: Timestamp, key: &Key, title: Option<&Arc<str>>, work: impl FnOnce() -> Work) -> usize {
        // Events of one node mostly follow each other.
        if self.nodes.last().is_some_and(|last| last.key == *key) {
            return self.nodes.len() - 1;
        }
        let slot = match self.index.entry(key.clone()) {
            Entry::Occupied(known) => return *known.get() as usize,
            Entry::Vacant(vacant) => *vacant.insert(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)) as usize,
        };
        let title = title.map_or_else(|| key.as_str().into(), Arc::clone);
        self.nodes.push(Node::new(at, key.clone(), title, work(), self.parent_of(key)));
        slot
    }

    fn find_mut(&mut self, key: &Key) -> Option<&mut Node> {
        let slot = *self.index.get(key)?;
        self.nodes.get_mut(slot as usize)
    }

    /// The innermost known scope around a key. Names of items may hold any character, so the key is not taken apart:
    /// it is compared with the scopes there are.
    fn parent_of(&self, key: &Key) -> Option<u32> {
        let text = key.as_str();
        let ends = text.rmatch_indices(['.', '[', ':']).map(|(end, _)| end);
        ends.filter_map(|end| self.index.get(&text[..end]).copied()).find(|&at| self.nodes[at as usize].is_scope())
    }
}

impl Noted {
    fn new(at: Timestamp, key: &Key, text: &str) -> Self {
        Self { at, key: key.clone(), text: text.to_owned() }
    }
}

impl Node {
    fn new(at: Timestamp, key: Key, title: Arc<str>, work: Work, parent: Option<u32>) -> Self {
        let nothing: Arc<str> = Arc::default();
        Self {
            key,
            title,
            work,
            kind: nothing.clone(),
            summary: nothing.clone(),
            host: nothing,
            state: State::Going,
            undo: Undo::Not,
            at,
            end: None,
            took: None,
            output: None,
            parent,
            more: None,
        }
    }

    /// What only some nodes have, when this one does.
    pub fn more(&self) -> Option<&More> {
        self.more.as_deref()
    }

    /// Why it failed.
    pub fn error(&self) -> Option<&Error> {
        self.more()?.error.as_ref()
    }

    /// The answer to the check.
    pub fn finding(&self) -> Option<&Finding> {
        self.more()?.finding.as_ref()
    }

    /// What it was going to change.
    pub fn changes(&self) -> &[Change] {
        self.more().map_or(&[], |more| &more.changes)
    }

    /// The tries that failed.
    pub fn retries(&self) -> &[Retried] {
        self.more().map_or(&[], |more| &more.retries)
    }

    /// What its undo did.
    pub fn acts(&self) -> &[Act] {
        self.more().map_or(&[], |more| &more.acts)
    }

    /// Whether its change was undone.
    pub fn is_back(&self) -> bool {
        matches!(self.undo, Undo::Undone | Undo::Settled)
    }

    /// Whether it is a step.
    pub fn is_step(&self) -> bool {
        matches!(self.work, Work::Step(_))
    }

    /// Whether it is a check of any role.
    pub fn is_check(&self) -> bool {
        matches!(self.work, Work::Check(_))
    }

    /// Whether its failure is one of the procedure: not that of a check that only warns or informs.
    pub fn is_binding(&self) -> bool {
        !matches!(self.work, Work::Check(role) if !role.is_binding())
    }

    /// Whether it is a scope.
    pub fn is_scope(&self) -> bool {
        matches!(self.work, Work::Scope(_))
    }

    /// Whether it is the scope of a hold.
    pub fn is_hold(&self) -> bool {
        self.work == Work::Scope(ScopeKind::Hold)
    }

    /// Whether it did change the world, now or in an earlier execution.
    pub fn has_changed(&self) -> bool {
        self.is_step() && matches!(self.state, State::Changed | State::FoundDone | State::Remembered)
    }

    /// Whether a step, a check or an undo goes on here.
    pub fn is_busy(&self) -> bool {
        !self.is_scope() && (self.state == State::Going || self.undo == Undo::Going)
    }

    fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Nothing goes on here any more.
    fn rest(&mut self) {
        if let Some(more) = &mut self.more {
            more.line = None;
        }
    }
}

fn ended(how: StepEnd) -> State {
    match how {
        StepEnd::Already => State::Already,
        StepEnd::Changed => State::Changed,
        StepEnd::FoundDone => State::FoundDone,
        StepEnd::Remembered => State::Remembered,
    }
}

/// The time between two moments; none when the clock went back.
pub(super) fn since(from: Timestamp, to: Timestamp) -> Duration {
    to.duration_since(from).try_into().unwrap_or_default()
}

impl Reader for Summary {
    fn read(&mut self, event: &Event) {
        self.add(event);
    }
}

impl<'a> FromIterator<&'a Event> for Summary {
    fn from_iter<I: IntoIterator<Item = &'a Event>>(events: I) -> Self {
        let mut summary = Self::new();
        events.into_iter().for_each(|event| summary.add(event));
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{self, Story, stored};
    use super::*;
    use crate::Outcome;

    fn tree(summary: &Summary) -> Vec<String> {
        let line = |(depth, node): (usize, &Node)| {
            format!("{}{} {:?} {:?}", "  ".repeat(depth), node.title, node.state, node.undo)
        };
        summary.tree().into_iter().map(line).collect()
    }

    #[test]
    fn events_fold_into_a_tree_with_states() {
        let summary: Summary = sample::put_back().iter().collect();
        let expected = [
            "Disk space Good Not",
            "Pull latest code Changed Undone",
            "Restart services Good Not",
            "  api Good Not",
            "    Restart Already Not",
            "Run migrations Failed Undone",
        ];
        assert_eq!(tree(&summary), expected);
        assert_eq!(summary.place(&"2[api].0".into()), "Restart services / api / Restart");
        assert_eq!(summary.failure().map(|node| &*node.title), Some("Run migrations"));
        assert_eq!((summary.changed(), summary.undone()), (1, 2));
    }

    #[test]
    fn names_of_items_may_hold_anything() {
        let events = Story::begins()
            .scope("0", "Each", ScopeKind::Each)
            .scope("0[http://a.b:80/x]]", "http://a.b:80/x]", ScopeKind::Item)
            .step("0[http://a.b:80/x]].0", "Restart", StepEnd::Changed)
            .step("0[http://a.b:80/x]]:named", "Named", StepEnd::Changed)
            .events();
        let summary: Summary = events.iter().collect();
        assert_eq!(summary.place(&"0[http://a.b:80/x]].0".into()), "Each / http://a.b:80/x] / Restart");
        assert_eq!(summary.place(&"0[http://a.b:80/x]]:named".into()), "Each / http://a.b:80/x] / Named");
    }

    #[test]
    fn the_machine_that_a_run_is_about_is_not_elsewhere() {
        for (target, host, expected) in [
            ("container:web", "marb@container web", false),
            ("ssh:web", "web", false),
            ("container:web", "container db", true),
            ("local", "localhost", false),
        ] {
            let mut events = Story::begins().step_of("0", "Pull", "git.pull", stored(&serde_json::json!(1))).events();
            for event in &mut events {
                match &mut event.what {
                    What::RunBegan(began) => began.target = target.into(),
                    What::StepBegan { host: at, .. } => *at = host.into(),
                    _ => {}
                }
            }
            let summary: Summary = events.iter().collect();
            assert_eq!(summary.is_elsewhere(&summary.nodes()[0]), expected, "{host} of {target}");
        }
    }

    #[test]
    fn a_replay_does_not_forget_what_the_first_execution_told() {
        let mut events = Story::begins().step("0", "Pull", StepEnd::Changed).step_begins("1", "Migrate").events();
        let mut resumed = Story::begins();
        resumed = resumed.step("0", "Pull", StepEnd::Remembered).step("1", "Migrate", StepEnd::FoundDone);
        events.extend(resumed.ends(Outcome::Done, None, Vec::new()).events());
        let summary: Summary = events.iter().collect();
        assert_eq!(tree(&summary), ["Pull Changed Not", "Migrate FoundDone Not"]);
        assert_eq!(summary.beginnings.len(), 2);
        assert_eq!(summary.going().count(), 0);
    }

    #[test]
    fn a_resumed_run_read_alone_shows_what_was_done_before() {
        let events = Story::begins().step("0", "Pull", StepEnd::Remembered).events();
        let summary: Summary = events.iter().collect();
        assert_eq!(tree(&summary), ["Pull Remembered Not"]);
        assert_eq!(summary.changed(), 1);
    }

    #[test]
    fn an_event_about_something_never_begun_is_kept_all_the_same() {
        let output = stored(&serde_json::json!(1));
        let ended = What::StepEnded { key: "7".into(), how: StepEnd::Changed, took: Duration::ZERO, output };
        let summary: Summary = Story::begins().and(ended).events().iter().collect();
        assert_eq!(tree(&summary), ["7 Changed Not"]);
    }

    #[test]
    fn the_cost_of_a_step_does_not_grow() {
        let mut summary = Summary::new();
        let (title, nothing): (Arc<str>, Arc<str>) = ("Step".into(), Arc::default());
        let output = stored(&serde_json::json!({"pid": 1}));
        for number in 0..100_000_u32 {
            let key = Key::root().child(number);
            let at = Timestamp::UNIX_EPOCH;
            let (kind, host) = (nothing.clone(), nothing.clone());
            let began = What::StepBegan {
                key: key.clone(),
                title: title.clone(),
                kind,
                summary: nothing.clone(),
                host,
                irreversible: None,
            };
            let ended = What::StepEnded { key, how: StepEnd::Changed, took: Duration::ZERO, output: output.clone() };
            summary.add(&Event { seq: 0, at, what: began });
            summary.add(&Event { seq: 0, at, what: ended });
        }
        assert_eq!(summary.changed(), 100_000);
        // Nothing is copied: every title is the same allocation.
        assert!(summary.nodes().iter().all(|node| Arc::ptr_eq(&node.title, &title)));
        assert!(size_of::<Node>() <= 200, "a node has grown to {} bytes", size_of::<Node>());
    }
}

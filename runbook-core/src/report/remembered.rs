//! The events of a run as its journal still tells them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::summary::since;
use crate::event::{RunBegan, RunEnded, StepEnd, What};
use crate::journal::{Began, Ended, Entry, Looked, Memo};
use crate::{CheckRole, Event, Key, Left, RunId};

/// The events of a run, told from its journal alone: fewer and later than those of the time, but the same story. Which
/// commands ran and what they printed is not there.
pub fn from_journal(run: &RunId, entries: &[Entry]) -> Vec<Event> {
    let mut telling = Telling::new(run);
    for entry in entries {
        telling.entry(entry);
    }
    for (seq, event) in (0..).zip(&mut telling.events) {
        event.seq = seq;
    }
    telling.events
}

struct Telling {
    run: RunId,
    events: Vec<Event>,
    began: Option<Began>,
    /// When this execution began.
    since: Option<Timestamp>,
    titles: HashMap<Key, Arc<str>>,
    texts: HashSet<Arc<str>>,
    /// Steps that were surveyed and not finished.
    going: HashSet<Key>,
    left: Vec<Left>,
    warnings: u32,
}

impl Telling {
    fn new(run: &RunId) -> Self {
        Self {
            run: run.clone(),
            events: Vec::new(),
            began: None,
            since: None,
            titles: HashMap::new(),
            texts: HashSet::new(),
            going: HashSet::new(),
            left: Vec::new(),
            warnings: 0,
        }
    }

    fn entry(&mut self, entry: &Entry) {
        let Entry { at, key, memo, .. } = entry;
        let (at, key) = (*at, key.clone());
        match memo {
            Memo::Began(began) => {
                self.began = Some((**began).clone());
                self.begin(at, &began.by, false);
            }
            Memo::Resumed { by } => self.begin(at, by, true),
            Memo::Entered { title, kind, .. } => {
                let title = self.title(&key, title);
                self.say(at, What::ScopeBegan { key, title, kind: *kind });
            }
            Memo::Left => self.say(at, What::ScopeEnded { key, error: None }),
            Memo::Surveyed { kind, subject, title, host, irreversible, looked } => {
                let (title, kind, host) = (self.title(&key, title), self.shared(kind), self.shared(host));
                let (summary, irreversible) = (subject.clone(), irreversible.clone());
                self.say(at, What::StepBegan { key: key.clone(), title, kind, summary, host, irreversible });
                self.surveyed(at, key, looked);
            }
            Memo::Applied { output, took, found } => {
                let how = if *found { StepEnd::FoundDone } else { StepEnd::Changed };
                self.going.remove(&key);
                self.say(at, What::StepEnded { key, how, took: *took, output: output.clone() });
            }
            Memo::Failed(error) => {
                let title = self.titles.get(&key).map(|title| format!("step `{title}` failed")).unwrap_or_default();
                self.say(at, What::StepFailed { key, error: error.clone().without(&title) });
            }
            Memo::Found { kind, subject, title, host, role, finding, took } => {
                let (title, kind, host) = (self.title(&key, title), self.shared(kind), self.shared(host));
                let begin = What::CheckBegan {
                    key: key.clone(),
                    title: title.clone(),
                    kind,
                    summary: subject.clone(),
                    host,
                    role: *role,
                };
                self.say(at.checked_sub(*took).unwrap_or(at), begin);
                self.say(at, What::CheckEnded { key: key.clone(), finding: finding.clone(), took: *took });
                if !self.tells() && *role == CheckRole::Observe && !finding.passes() {
                    self.warn(at, key, format!("`{title}`: {}", finding.evidence().summary));
                }
            }
            Memo::Answered(answer) => {
                let title = self.title(&key, &answer.title);
                if !self.tells() && answer.evidence.summary.starts_with("overridden") {
                    self.warn(at, key.clone(), answer.evidence.summary.clone());
                }
                self.say(at, What::Answered { key, title, evidence: answer.evidence.clone() });
            }
            Memo::Triggered { title, evidence, .. } => {
                self.say(at, What::Triggered { key, title: title.to_string(), evidence: evidence.clone() });
            }
            Memo::PointOfNoReturn { why } => self.say(at, What::PointOfNoReturn { key, why: why.clone() }),
            Memo::Unwinding(cause) => self.say(at, What::RollbackBegan { key, cause: cause.clone() }),
            Memo::Undone { took } => self.undone(at, key, false, *took),
            Memo::Settled { took } => self.undone(at, key, true, *took),
            Memo::LeftBehind { title, why, commands } => {
                let title = self.title(&key, title);
                let left = Left { key, title, why: why.clone(), commands: commands.clone() };
                self.left.retain(|known| known.key != left.key);
                self.left.push(left.clone());
                self.say(at, What::Left(left));
            }
            Memo::Told(event) => self.told(event),
            // A step that failed and was left as it is, for a person. The end of the execution follows.
            Memo::Parked(error) if self.going.contains(&key) => {
                self.say(at, What::StepFailed { key, error: error.clone() });
            }
            Memo::Parked(_) | Memo::Value(_) => {}
            Memo::Asked { title, of } => {
                let title = self.title(&key, title);
                self.say(at, What::Asked { key, title, of: of.clone() });
            }
            Memo::Ended(ended) => self.ended(at, ended),
        }
    }

    fn begin(&mut self, at: Timestamp, by: &str, resumed: bool) {
        self.since = Some(at);
        let Some(began) = &self.began else { return };
        let began = RunBegan {
            run: self.run.clone(),
            book: began.book.clone(),
            procedure: began.procedure.clone(),
            title: began.title.clone(),
            target: began.target.clone(),
            inputs: began.inputs.clone(),
            by: by.to_owned(),
            host: began.host.clone(),
            resumed,
        };
        self.say(at, What::RunBegan(began));
    }

    fn surveyed(&mut self, at: Timestamp, key: Key, looked: &Looked) {
        match looked {
            Looked::Already(output) => {
                let (how, output) = (StepEnd::Already, output.clone());
                self.say(at, What::StepEnded { key, how, took: Duration::ZERO, output });
            }
            Looked::Change { changes, .. } => {
                self.going.insert(key.clone());
                self.say(at, What::StepSurveyed { key, changes: changes.clone() });
            }
        }
    }

    /// Whether the journal tells by itself what was said. The first format did not.
    fn tells(&self) -> bool {
        self.began.as_ref().is_some_and(|began| began.format > 1)
    }

    /// Puts an event of the time where it belongs: it was remembered a little later than it happened.
    fn told(&mut self, event: &Event) {
        self.warnings += u32::from(matches!(event.what, What::Warned { .. }));
        let key = event.what.key();
        let is_before = |known: &Event| match &known.what {
            What::RunBegan(_) => true,
            What::StepBegan { key: known, .. } | What::ScopeBegan { key: known, .. } if *known == key => true,
            _ => known.at <= event.at,
        };
        let place = self.events.iter().rposition(is_before).map_or(0, |before| before + 1);
        self.events.insert(place, event.clone());
    }

    fn warn(&mut self, at: Timestamp, key: Key, text: String) {
        self.warnings += 1;
        self.say(at, What::Warned { key, text });
    }

    fn undone(&mut self, at: Timestamp, key: Key, settling: bool, took: Duration) {
        let key = if self.titles.contains_key(&key) { key } else { key.of_settled() };
        let title = self.titles.get(&key).cloned().unwrap_or_else(|| key.as_str().into());
        self.left.retain(|left| settling || left.key != key);
        let began = at.checked_sub(took).unwrap_or(at);
        self.say(began, What::UndoBegan { key: key.clone(), title, settling });
        self.say(at, What::UndoEnded { key, settling, took });
    }

    fn ended(&mut self, at: Timestamp, ended: &Ended) {
        let took = self.since.map(|began| since(began, at)).unwrap_or_default();
        let ended = RunEnded {
            outcome: ended.outcome,
            error: ended.error.clone(),
            left: self.left.clone(),
            warnings: self.warnings,
            output: ended.output.clone(),
            took,
        };
        self.say(at, What::RunEnded(ended));
    }

    fn title(&mut self, key: &Key, title: &str) -> Arc<str> {
        let title = self.shared(title);
        self.titles.insert(key.clone(), title.clone());
        title
    }

    /// Kinds and titles are few, and steps are many.
    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let text: Arc<str> = text.into();
        self.texts.insert(text.clone());
        text
    }

    fn say(&mut self, at: Timestamp, what: What) {
        let seq = self.events.len() as u64;
        self.events.push(Event { seq, at, what });
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::stored;
    use super::super::{State, Summary, Undo};
    use super::*;
    use crate::journal::Part;
    use crate::{Change, Error, Finding, LeftBecause, OnFailure, Outcome, ScopeKind};

    fn told(what: What) -> Memo {
        let at = Timestamp::from_millisecond(1_767_225_601_500).expect("in range");
        Memo::Told(Box::new(Event { seq: 40, at, what }))
    }

    /// The part of a memo does not matter for its telling.
    fn entries(memos: Vec<(&str, Memo)>) -> Vec<Entry> {
        let at = |seconds: usize| Timestamp::from_second(1_767_225_600 + i64::try_from(seconds).expect("small"));
        let memos = memos.into_iter().enumerate();
        memos
            .map(|(n, (key, memo))| Entry { at: at(n).expect("in range"), key: key.into(), part: Part::Note, memo })
            .collect()
    }

    fn began() -> Memo {
        Memo::Began(Box::new(Began {
            format: 2,
            book: "marb".into(),
            procedure: "update".into(),
            title: "Update".into(),
            target: "production".into(),
            inputs: stored(&serde_json::json!({})),
            fingerprint: 1,
            by: "anna".into(),
            host: "build-1".into(),
            pid: 1,
            on_failure: OnFailure::RollBack,
        }))
    }

    fn surveyed(title: &str) -> Memo {
        let before = stored(&serde_json::json!("v1"));
        let looked = Looked::Change { before, changes: vec![Change::Note("new code".into())] };
        let (kind, subject, title, host) = ("git.checkout".into(), "/srv/app".into(), title.into(), "app-1".into());
        Memo::Surveyed { kind, subject, title, host, irreversible: None, looked }
    }

    fn applied() -> Memo {
        Memo::Applied {
            output: stored(&serde_json::json!({"commit": "3c4d"})),
            took: Duration::from_secs(1),
            found: false,
        }
    }

    #[test]
    fn a_journal_tells_the_story_of_its_run() {
        let found = Memo::Found {
            kind: "http.get".into(),
            subject: "/health".into(),
            title: "Health".into(),
            host: "app-1".into(),
            role: CheckRole::Check,
            finding: Finding::fail("503"),
            took: Duration::from_secs(1),
        };
        let why = LeftBecause::UndoFailed(Error::new("no such host"));
        let left = Memo::LeftBehind { title: "Pull".into(), why, commands: vec!["git checkout v1".into()] };
        let ended = Ended { outcome: Outcome::RollbackIncomplete, error: Some(Error::new("Health")), output: None };
        let told = from_journal(
            &RunId("r1".into()),
            &entries(vec![
                ("", began()),
                ("0", surveyed("Pull")),
                ("0", applied()),
                ("1", Memo::Entered { title: "Restart".into(), kind: ScopeKind::Each, inputs: None }),
                ("1[api].0", surveyed("Restart api")),
                ("1[api].0", applied()),
                ("2", found),
                ("", Memo::Unwinding(Error::new("check `Health` failed"))),
                ("1[api].0", Memo::Undone { took: Duration::from_secs(1) }),
                ("0", left),
                ("1[api].0^1", Memo::Settled { took: Duration::from_secs(1) }),
                ("1[api].0", Memo::Settled { took: Duration::from_secs(1) }),
                ("", Memo::Ended(Box::new(ended))),
            ]),
        );
        let summary: Summary = told.iter().collect();
        let seen: Vec<_> = summary.nodes().iter().map(|node| (&*node.title, node.state, node.undo)).collect();
        let expected = [
            ("Pull", State::Changed, Undo::Left),
            ("Restart", State::Good, Undo::Not),
            ("Restart api", State::Changed, Undo::Settled),
            ("Health", State::Failed, Undo::Not),
        ];
        assert_eq!(seen, expected);
        assert_eq!(
            summary.ended.as_ref().map(|ended| (ended.outcome, ended.left.len())),
            Some((Outcome::RollbackIncomplete, 1))
        );
        assert_eq!(summary.began.as_ref().map(|began| began.run.0.as_str()), Some("r1"));
    }

    #[test]
    fn what_was_said_stands_where_it_was_said() {
        let warned = told(What::Warned { key: "0".into(), text: "it is slow".into() });
        let retried = told(What::StepRetried {
            key: "0".into(),
            attempt: 1,
            after: Duration::from_secs(1),
            error: Error::transient("connection refused"),
        });
        let memos = vec![("", began()), ("0", surveyed("Pull")), ("0", applied()), ("0", warned), ("0", retried)];
        let told = from_journal(&RunId("r1".into()), &entries(memos));
        let order: Vec<_> = told.iter().map(|event| (event.seq, event.what.key().to_string())).collect();
        let seqs: Vec<u64> = order.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(seqs, [0, 1, 2, 3, 4, 5]);
        assert!(matches!(told[3].what, What::Warned { .. }), "{told:?}");
        assert!(matches!(told[5].what, What::StepEnded { .. }), "{told:?}");
        let summary: Summary = told.iter().collect();
        assert_eq!(summary.warnings.len(), 1);
        assert_eq!(&*summary.nodes()[0].host, "app-1");
        assert_eq!(summary.nodes()[0].retries().len(), 1);
    }

    #[test]
    fn a_journal_without_an_end_is_a_run_without_an_end() {
        let told = from_journal(&RunId("r1".into()), &entries(vec![("", began()), ("0", surveyed("Pull"))]));
        let summary: Summary = told.iter().collect();
        assert!(summary.ended.is_none());
        assert_eq!(summary.going().map(|node| &*node.title).collect::<Vec<_>>(), ["Pull"]);
    }

    #[test]
    fn what_was_left_and_then_undone_is_not_left() {
        let why = LeftBecause::UndoFailed(Error::new("no such host"));
        let left = Memo::LeftBehind { title: "Pull".into(), why, commands: Vec::new() };
        let ended = |outcome| Memo::Ended(Box::new(Ended { outcome, error: None, output: None }));
        let told = from_journal(
            &RunId("r1".into()),
            &entries(vec![
                ("", began()),
                ("0", surveyed("Pull")),
                ("0", left),
                ("", ended(Outcome::RollbackIncomplete)),
                ("", Memo::Resumed { by: "ben".into() }),
                ("0", Memo::Undone { took: Duration::ZERO }),
                ("", ended(Outcome::RolledBack)),
            ]),
        );
        let summary: Summary = told.iter().collect();
        assert!(summary.left.is_empty());
        assert_eq!(summary.nodes()[0].undo, Undo::Undone);
        assert_eq!(
            summary.beginnings.iter().map(|beginning| beginning.by.as_str()).collect::<Vec<_>>(),
            ["anna", "ben"]
        );
    }
}

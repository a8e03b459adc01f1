//! Stories for the tests of the renderers.

use std::time::Duration;

use jiff::Timestamp;

use crate::event::{RunBegan, RunEnded, StepEnd, What};
use crate::{
    Change, CheckRole, Error, ErrorKind, Event, Evidence, Finding, Key, Left, LeftBecause, Outcome, RunId, ScopeKind,
    Stored,
};

/// Tells events, half a second apart.
pub(super) struct Story(Vec<Event>);

pub(super) fn stored(value: &serde_json::Value) -> Stored {
    Stored::of(value).expect("stores")
}

impl Story {
    pub(super) fn begins() -> Self {
        let began = RunBegan {
            run: RunId("r1".into()),
            book: "marb".into(),
            procedure: "standard_update".into(),
            title: "Standard update".into(),
            target: "production".into(),
            inputs: stored(&serde_json::json!({"revision": "v2"})),
            by: "anna".into(),
            host: "build-1".into(),
            resumed: false,
        };
        Self(Vec::new()).and(What::RunBegan(began))
    }

    pub(super) fn and(mut self, what: What) -> Self {
        let seq = self.0.len() as u64;
        let at = Timestamp::from_millisecond(1_767_225_600_000 + 500 * i64::try_from(seq).expect("small"));
        self.0.push(Event { seq, at: at.expect("in range"), what });
        self
    }

    pub(super) fn step_begins(self, key: &str, title: &str) -> Self {
        let (kind, summary, host) = ("file.write".into(), "write /srv/app/.env".into(), "localhost".into());
        self.and(What::StepBegan { key: key.into(), title: title.into(), kind, summary, host, irreversible: None })
    }

    pub(super) fn step(self, key: &str, title: &str, how: StepEnd) -> Self {
        let changes = vec![Change::Turn { what: "HEAD".into(), from: "v1".into(), to: "v2".into() }];
        let output = stored(&serde_json::json!({"revision": "v2", "commit": "3c4d"}));
        let began = self.step_begins(key, title);
        let looked =
            if how == StepEnd::Changed { began.and(What::StepSurveyed { key: key.into(), changes }) } else { began };
        looked.and(What::StepEnded { key: key.into(), how, took: Duration::from_millis(412), output })
    }

    /// A step of this kind that ended well, with this output.
    pub(super) fn step_of(self, key: &str, title: &str, kind: &str, output: Stored) -> Self {
        let (kind, summary, host) = (kind.into(), "what it does".into(), "app-1".into());
        self.and(What::StepBegan { key: key.into(), title: title.into(), kind, summary, host, irreversible: None })
            .and(What::StepEnded { key: key.into(), how: StepEnd::Changed, took: Duration::from_millis(500), output })
    }

    pub(super) fn check(self, key: &str, title: &str, role: CheckRole, finding: Finding) -> Self {
        let (kind, summary) = ("http.get".into(), "GET /health".into());
        let host = "localhost".into();
        self.and(What::CheckBegan { key: key.into(), title: title.into(), kind, summary, host, role })
            .and(What::CheckEnded { key: key.into(), finding, took: Duration::from_secs(2) })
    }

    pub(super) fn scope(self, key: &str, title: &str, kind: ScopeKind) -> Self {
        self.and(What::ScopeBegan { key: key.into(), title: title.into(), kind })
    }

    pub(super) fn undo(self, key: &str, title: &str) -> Self {
        self.and(What::UndoBegan { key: key.into(), title: title.into(), settling: false }).and(What::UndoEnded {
            key: key.into(),
            settling: false,
            took: Duration::from_millis(80),
        })
    }

    pub(super) fn ends(self, outcome: Outcome, error: Option<Error>, left: Vec<Left>) -> Self {
        let (output, took) = (None, Duration::from_millis(8_100));
        self.and(What::RunEnded(RunEnded { outcome, error, left, warnings: 0, output, took }))
    }

    pub(super) fn events(self) -> Vec<Event> {
        self.0
    }
}

pub(super) fn refused() -> Error {
    Error::new("`alembic upgrade head` on db-1 exited with 1")
        .caused_by(Error::new("relation \"entries\" <already> exists"))
        .details(["INFO upgrading", "FATAL cannot go on"])
        .hint("look at the table `entries` first")
}

/// An update whose migration fails, and that puts itself back.
pub(super) fn put_back() -> Vec<Event> {
    Story::begins()
        .check("0", "Disk space", CheckRole::Require, Finding::pass("40 GB free"))
        .step("1", "Pull latest code", StepEnd::Changed)
        .scope("2", "Restart services", ScopeKind::Each)
        .scope("2[api]", "api", ScopeKind::Item)
        .step("2[api].0", "Restart", StepEnd::Already)
        .and(What::ScopeEnded { key: "2[api]".into(), error: None })
        .and(What::ScopeEnded { key: "2".into(), error: None })
        .step_begins("3", "Run migrations")
        .and(What::Line { key: "3".into(), line: "INFO upgrading".into(), error: true })
        .and(What::StepRetried {
            key: "3".into(),
            attempt: 1,
            after: Duration::from_secs(1),
            error: Error::transient("connection refused"),
        })
        .and(What::StepFailed { key: "3".into(), error: refused() })
        .and(What::RollbackBegan { key: Key::root(), cause: refused() })
        .undo("3", "Run migrations")
        .undo("1", "Pull latest code")
        .and(What::RollbackEnded { key: Key::root() })
        .ends(Outcome::RolledBack, Some(refused()), Vec::new())
        .events()
}

/// A release whose health check fails after a mail that nobody can call back.
pub(super) fn incomplete() -> Vec<Event> {
    let left = Left {
        key: "1".into(),
        title: "Tell the team".into(),
        why: LeftBecause::Irreversible("a mail cannot be called back".into()),
        commands: vec!["mail -s 'never mind' team".into()],
    };
    let cause = Error::new("check `Health` failed");
    Story::begins()
        .step("0", "Pull latest code", StepEnd::Changed)
        .step("1", "Tell the team", StepEnd::Changed)
        .check("2", "Health", CheckRole::Check, Finding::fail(Evidence::new("503").lines(["upstream <down>"])))
        .and(What::RollbackBegan { key: Key::root(), cause: cause.clone() })
        .and(What::Left(left.clone()))
        .undo("0", "Pull latest code")
        .ends(Outcome::RollbackIncomplete, Some(cause), vec![left])
        .events()
}

/// A run that waits for a person.
pub(super) fn waiting() -> Vec<Event> {
    let parked = Error::of(ErrorKind::Parked, "`Go on?` waits for an answer");
    Story::begins()
        .step("0", "Pull latest code", StepEnd::Changed)
        .and(What::Asked { key: "1".into(), title: "Go on?".into(), of: Some("lead".into()) })
        .ends(Outcome::Paused, Some(parked), Vec::new())
        .events()
}

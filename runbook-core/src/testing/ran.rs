//! What came of a run on a rig, and the verbs that say what should have come of it.

use std::fmt;
use std::marker::PhantomData;

use crate::event::{Event, RunEnded, What};
use crate::{Error, ErrorKind, Finished, Outcome, Procedure, Resume};

use super::rig::{Orders, Rig, Start};
use super::transcript::{Line, Transcript};
use super::world::World;

/// What came of a run. Its verbs say what should have; when it was otherwise, they panic with the whole story.
pub struct Ran<P> {
    rig: Rig,
    before: World,
    ending: Ending,
    of: PhantomData<fn() -> P>,
}

/// How an execution ended.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    /// As executions end.
    Finished(Finished),
    /// It did not even begin, or could not go on.
    Error(Error),
    /// Its runner died.
    Crashed,
}

impl<P: Procedure> Ran<P> {
    pub(crate) fn new(rig: Rig, before: World, ending: Ending) -> Self {
        Self { rig, before, ending, of: PhantomData }
    }

    /// It did everything.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.ends(Outcome::Done)
    }

    /// It failed, and put back all it had done.
    #[track_caller]
    pub fn rolls_back(self) -> Self {
        self.ends(Outcome::RolledBack)
    }

    /// It was interrupted, and put back all it had done.
    #[track_caller]
    pub fn is_interrupted(self) -> Self {
        self.ends(Outcome::Interrupted)
    }

    /// It refused before any change.
    #[track_caller]
    pub fn refuses(self) -> Self {
        let refused = match &self.ending {
            Ending::Finished(finished) => finished.outcome() == Outcome::Refused,
            Ending::Error(error) => error.kind() == ErrorKind::Refused,
            Ending::Crashed => false,
        };
        self.must(refused, "refuse before any change")
    }

    /// It waits for a person, or has paused.
    #[track_caller]
    pub fn parks(self) -> Self {
        self.ends(Outcome::Paused)
    }

    /// Its runner was killed.
    #[track_caller]
    pub fn crashes(self) -> Self {
        let crashed = matches!(self.ending, Ending::Crashed);
        self.must(crashed, "be killed (it ended before: lower `crash_after`)")
    }

    /// It could not put back what this step did, and says so.
    #[track_caller]
    pub fn leaves(self, title: &str) -> Self {
        let left = self.ended().is_some_and(|ended| ended.left.iter().any(|left| &*left.title == title));
        self.must(left, &format!("name `{title}` as left behind"))
    }

    /// The world is as it was before the run.
    #[track_caller]
    pub fn world_is_unchanged(self) -> Self {
        let before = self.before.clone();
        self.world_is(&before)
    }

    /// The world is this one.
    #[track_caller]
    pub fn world_is(self, world: &World) -> Self {
        let differences = world.diff(&self.rig.world());
        let wanted = format!("leave another world; the world it left is different in\n{}", super::lines(&differences));
        self.must(differences.is_empty(), &wanted)
    }

    /// An event, or the error it ended in, contains these words.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        let in_events = self.rig.events().iter().any(|event| Line(&event.what).to_string().contains(words));
        let in_error = self.error().is_some_and(|error| format!("{error:?}").contains(words));
        self.must(in_events || in_error, &format!("say `{words}`"))
    }

    /// These steps ended well, in this order; others may have come between.
    #[track_caller]
    pub fn did<'t>(self, titles: impl IntoIterator<Item = &'t str>) -> Self {
        let titles: Vec<_> = titles.into_iter().collect();
        let done = self.titles(|what| matches!(what, What::StepEnded { .. }));
        let all = is_part(&titles, &done);
        self.must(all, &format!("do {titles:?} (it did {done:?})"))
    }

    /// These steps were undone, in this order; others may have come between.
    #[track_caller]
    pub fn undid<'t>(self, titles: impl IntoIterator<Item = &'t str>) -> Self {
        let titles: Vec<_> = titles.into_iter().collect();
        let undone = self.titles(|what| matches!(what, What::UndoEnded { settling: false, .. }));
        let all = is_part(&titles, &undone);
        self.must(all, &format!("undo {titles:?} (it undid {undone:?})"))
    }

    /// What the procedure returned; panics when it did not succeed.
    #[track_caller]
    pub fn output(&self) -> P::Output {
        let output = self.ended().and_then(|ended| ended.output.as_ref()).map(crate::Stored::load);
        match output {
            Some(Ok(output)) => output,
            Some(Err(error)) => panic!("{error:#}\n{self}"),
            None => panic!("the run was to return something\n{self}"),
        }
    }

    /// All events, those of earlier executions of the run included.
    pub fn events(&self) -> Vec<Event> {
        self.rig.events()
    }

    /// How it ended, unless its runner was killed or it did not even begin.
    pub fn ended(&self) -> Option<&RunEnded> {
        match &self.ending {
            Ending::Finished(finished) => Some(&finished.ended),
            _ => None,
        }
    }

    /// The error it ended in.
    pub fn error(&self) -> Option<&Error> {
        match &self.ending {
            Ending::Finished(finished) => finished.ended.error.as_ref(),
            Ending::Error(error) => Some(error),
            Ending::Crashed => None,
        }
    }

    /// Takes the run up again.
    pub async fn resumes(self) -> Self {
        self.go_on(Resume::Continue).await
    }

    /// Takes the run up again, backwards.
    pub async fn resumes_backwards(self) -> Self {
        self.go_on(Resume::RollBack).await
    }

    /// Someone answers what the run waits for, and it goes on.
    pub async fn approved_by(mut self, who: &str) -> Self {
        self.ending = match self.rig.last_run().await {
            Ok(run) => self.rig.execute(Start::Approve(&run, who), Orders::default()).await,
            Err(error) => Ending::Error(error),
        };
        self
    }

    async fn go_on(mut self, how: Resume) -> Self {
        self.ending = match self.rig.last_run().await {
            Ok(run) => self.rig.execute(Start::Resume(&run, how), Orders::default()).await,
            Err(error) => Ending::Error(error),
        };
        self
    }

    #[track_caller]
    fn ends(self, outcome: Outcome) -> Self {
        let so = self.ended().is_some_and(|ended| ended.outcome == outcome);
        self.must(so, &format!("end `{}`", outcome.words()))
    }

    #[track_caller]
    fn must(self, so: bool, wanted: &str) -> Self {
        assert!(so, "the run of `{}` was to {wanted}\n{self}", P::OUTLINE.name);
        self
    }

    /// The titles of steps with such an event, in order.
    fn titles(&self, such: impl Fn(&What) -> bool) -> Vec<String> {
        let events = self.rig.events();
        let title = |key: &crate::Key| {
            events.iter().find_map(|event| match &event.what {
                What::StepBegan { key: of, title, .. } if of == key => Some(title.to_string()),
                _ => None,
            })
        };
        events.iter().filter(|event| such(&event.what)).filter_map(|event| title(&event.what.key())).collect()
    }
}

impl<P: Procedure> fmt::Display for Ran<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ending {
            Ending::Finished(finished) => writeln!(f, "it ended `{}`", finished.outcome().words())?,
            Ending::Error(error) => writeln!(f, "it ended in an error: {error:?}")?,
            Ending::Crashed => writeln!(f, "its runner was killed")?,
        }
        if let Some(error) = self.ended().and_then(|ended| ended.error.as_ref()) {
            writeln!(f, "because: {error:?}")?;
        }
        writeln!(f, "events:\n{}", Transcript(&self.rig.events()))?;
        writeln!(f, "commands:\n{}", super::lines(&self.rig.calls()))?;
        write!(f, "what changed in the world:\n{}", super::lines(&self.before.diff(&self.rig.world())))
    }
}

impl<P: Procedure> fmt::Debug for Ran<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Whether these come in the others, in this order.
fn is_part(wanted: &[&str], all: &[String]) -> bool {
    let mut rest = all.iter();
    wanted.iter().all(|wanted| rest.any(|one| one == wanted))
}

//! People, as a port: who is there to be asked, and what they say.

use async_trait::async_trait;

use crate::Evidence;

/// Someone who can be asked while a run goes on: a terminal, a chat, a test.
#[async_trait]
pub trait People: Send + Sync {
    /// Asks, and waits for the answer. `None` when nobody is there; then the run parks and waits.
    async fn ask(&self, question: &Question) -> Option<Reply>;

    /// Who runs this.
    fn me(&self) -> String;
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What kind of answer is wanted.
    pub kind: QuestionKind,
    /// The question.
    pub title: String,
    /// More to read before answering.
    pub lines: Vec<String>,
}

/// The kinds of questions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum QuestionKind {
    /// Yes or no.
    Confirm,
    /// One point of a checklist.
    Tick,
    /// An approval by a person of this role or name.
    Approve(String),
    /// What to do about a failure: try again, roll back, or pause.
    Failure,
    /// A window is missed: a reason to go on anyway.
    Override,
}

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The answer.
    pub verdict: Verdict,
    /// Who said it, and what they added.
    pub evidence: Evidence,
}

/// The answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes; go on; ticked; approved.
    Yes,
    /// No; roll back.
    No,
    /// Try again.
    Retry,
    /// Pause here.
    Pause,
}

/// Nobody is there. Every question parks the run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

#[async_trait]
impl People for Nobody {
    async fn ask(&self, _question: &Question) -> Option<Reply> {
        None
    }

    fn me(&self) -> String {
        whoami()
    }
}

/// The user the runner runs as: the one behind `sudo`, the one of the environment, or the name of the user id.
pub fn whoami() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
        .unwrap_or_else(|| user_name(rustix::process::getuid().as_raw()))
}

/// The name of a user id in `/etc/passwd` (passwd(5)).
fn user_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let name = lines.filter_map(|fields| Some((fields.first()?.to_string(), fields.get(2)?.parse::<u32>().ok()?)));
    name.into_iter().find_map(|(name, id)| (id == uid).then_some(name)).unwrap_or_else(|| format!("uid-{uid}"))
}

//! The step: something is said, and something else when it is taken back.

use async_trait::async_trait;
use runbook::{Context, Description, Diff, Result, Rollback, Step, Survey, redact};
use serde::{Deserialize, Serialize};

use super::Channel;
use super::letter::Letter;

/// Something to be said.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a message is sent by a run: `run.step(\"title\", message).await?`"]
pub struct Message {
    pub(super) channel: Channel,
    pub(super) text: String,
    pub(super) back: Option<String>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// To whom, by the name of a secret.
    pub to: String,
    /// Whether they took it.
    pub delivered: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl Message {
    /// When the run takes this back, says that in the same place.
    pub fn when_rolled_back(mut self, text: impl Into<String>) -> Self {
        self.back = Some(text.into());
        self
    }
}

impl Sent {
    /// What a plan goes on with.
    pub(super) fn expected(to: &str) -> Self {
        Self { to: to.to_owned(), delivered: true, trouble: None }
    }
}

/// Sends them all. What does not go is a warning.
pub(super) async fn send_all(cx: &Context, to: &str, letters: &[Letter]) -> Sent {
    let mut sent = Sent::expected(to);
    for letter in letters {
        if let Err(error) = letter.send(cx).await {
            let words = format!("nobody was told through {to}: {error:#}");
            cx.warn(words.clone());
            sent = Sent { delivered: false, trouble: Some(words), ..sent };
        }
    }
    sent
}

/// What would be said, and why it cannot be.
pub(super) fn preview(words: &str, letters: &[Letter]) -> Diff {
    let diff = Diff::note(format!("says: {}", redact::text(words)));
    let obstacles = letters.iter().filter_map(Letter::obstacle);
    obstacles.fold(diff, |diff, why| diff.and_note(format!("it will not go: {why}")))
}

#[async_trait]
impl Step for Message {
    type Before = ();
    type Output = Sent;

    fn describe(&self) -> Description {
        let (to, text) = (self.channel.names(), redact::text(&self.text));
        Description::new(self.channel.kind(), &to).summary(format!("tell {to}: {text}")).repeats()
    }

    async fn survey(&self, _: &Context) -> Result<Survey<(), Sent>> {
        let letters = self.channel.letters(&self.text);
        Ok(Survey::predict((), preview(&self.text, &letters), Sent::expected(&self.channel.names())))
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<Sent> {
        Ok(send_all(cx, &self.channel.names(), &self.channel.letters(&self.text)).await)
    }

    fn predict(&self) -> Option<Sent> {
        Some(Sent::expected(&self.channel.names()))
    }
}

#[async_trait]
impl Rollback for Message {
    /// What was said cannot be unsaid.
    async fn rollback(&self, cx: &Context, (): &()) -> Result<()> {
        if let Some(text) = &self.back {
            send_all(cx, &self.channel.names(), &self.channel.letters(text)).await;
        }
        Ok(())
    }
}

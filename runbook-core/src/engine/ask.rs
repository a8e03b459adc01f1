//! Asking people, once for ever.

use std::sync::Arc;

use super::{Engine, Scope};
use crate::context::stopped;
use crate::event::What;
use crate::journal::{Answer, Memo, Part};
use crate::{Description, Error, ErrorKind, Key, Question, QuestionKind, Reply, Result, Run, Verdict};

/// A question to be asked at the next position of a run.
pub(crate) struct Asking {
    pub(crate) kind: QuestionKind,
    pub(crate) title: Arc<str>,
    pub(crate) lines: Vec<String>,
}

impl Run {
    /// Asks a person, and fails unless they say yes.
    pub(crate) async fn ask_person(&self, asking: Asking) -> Result<()> {
        let key = self.next_key()?;
        if self.engine.is_explaining() {
            let summary = if asking.lines.is_empty() { asking.title.to_string() } else { asking.lines.join("\n") };
            let what = Description::new("person", &*asking.title).summary(summary);
            self.engine.explain(&self.scope, &self.host_name, &asking.title, true, what).await;
            return Ok(());
        }
        if let Some(mut draft) = self.engine.draft() {
            draft.add_person(&key, self.scope.titles(), &asking.title);
            return Ok(());
        }
        let title = asking.title.clone();
        let engine = &*self.engine;
        let answering = async {
            engine.admit(&self.scope).await?;
            engine.answer(&self.scope, &key, asking).await
        };
        match engine.once(&key, Part::Value, Box::pin(answering)).await? {
            Memo::Answered(answer) if answer.title == *title => {
                engine.say(What::Answered { key, title: title.clone(), evidence: answer.evidence.clone() });
                if answer.yes {
                    return Ok(());
                }
                Err(Error::new(format!("`{title}` was declined: {}", answer.evidence.summary)))
            }
            Memo::Answered(answer) => Err(crate::engine::mismatch(
                &key,
                &format!("the question `{}`", answer.title),
                &format!("the question `{title}`"),
            )),
            other => Err(crate::engine::mismatch(&key, &format!("{other:?}"), &format!("the question `{title}`"))),
        }
    }
}

impl Engine {
    /// Puts a question to people. A stop of the run ends the waiting for an answer.
    pub(crate) async fn put(&self, scope: &Scope, question: &Question) -> Result<Option<Reply>> {
        tokio::select! {
            reply = self.people.ask(question) => Ok(reply),
            () = scope.soft.cancelled() => Err(self.refuse(scope).unwrap_or_else(stopped)),
        }
    }

    /// The answer of a person; when nobody is there, the run waits for `approve`.
    async fn answer(&self, scope: &Scope, key: &Key, asking: Asking) -> Result<Memo> {
        let of = match &asking.kind {
            QuestionKind::Approve(by) => Some(by.clone()),
            _ => None,
        };
        self.say(What::Asked { key: key.clone(), title: asking.title.clone(), of: of.clone() });
        let question = Question { kind: asking.kind, title: asking.title.to_string(), lines: asking.lines };
        match self.put(scope, &question).await? {
            Some(reply) if matches!(reply.verdict, Verdict::Yes | Verdict::No) => {
                let yes = reply.verdict == Verdict::Yes;
                Ok(Memo::Answered(Answer { title: question.title, yes, evidence: reply.evidence }))
            }
            _ => {
                self.note(key, Memo::Asked { title: asking.title.clone(), of: of.clone() }).await?;
                let who = of.map(|of| format!(" by {of}")).unwrap_or_default();
                let waiting =
                    Error::of(ErrorKind::Parked, format!("waiting for `{}` to be answered{who}", asking.title));
                Err(self.park(key, waiting.hint("`approve` answers it and continues the run")).await)
            }
        }
    }
}

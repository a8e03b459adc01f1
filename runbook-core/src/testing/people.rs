//! Simulated people.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{Evidence, People, Question, Reply, Verdict};

/// What simulated people say: the first answer whose words are in the question counts. A question without an answer
/// finds nobody there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers(Vec<(Arc<str>, Verdict)>);

impl Answers {
    pub(crate) fn add(&mut self, words: &str, verdict: Verdict) {
        self.0.push((words.into(), verdict));
    }
}

#[async_trait]
impl People for Answers {
    async fn ask(&self, question: &Question) -> Option<Reply> {
        let (_, verdict) = self.0.iter().find(|(words, _)| question.title.contains(&**words))?;
        Some(Reply { verdict: *verdict, evidence: Evidence::new("said a simulated person") })
    }

    fn me(&self) -> String {
        "tester".to_owned()
    }
}

//! Instances, replaced one after the other or by batch.

use std::fmt;

use runbook::{AtOnce as _, Result, Rollback, Run};

use super::{Replace, Replaced};

/// Replaces these instances in this order, each by what the function says. One at a time; [`Rolling::by`] changes that.
pub fn rolling<I: Into<String>, D, R>(
    instances: impl IntoIterator<Item = I>,
    replace: impl Fn(&str) -> Replace<D, R> + Send + Sync + 'static,
) -> Rolling<D, R> {
    let instances = instances.into_iter().map(Into::into).collect();
    Rolling { title: "Roll out".to_owned(), instances, batch: 1, replace: Box::new(replace) }
}

/// How an instance of this name is replaced.
type Replacement<D, R> = Box<dyn Fn(&str) -> Replace<D, R> + Send + Sync>;

/// A rollout over instances: see [`rolling`].
#[must_use = "a rollout does nothing until `.go(run).await?`"]
pub struct Rolling<D, R> {
    title: String,
    instances: Vec<String>,
    batch: usize,
    replace: Replacement<D, R>,
}

impl<D: Rollback + 'static, R: Rollback + 'static> Rolling<D, R> {
    /// Named so in the log, instead of "Roll out".
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// This many at a time, at least one: the next batch waits until all of this one are well.
    pub fn by(mut self, batch: usize) -> Self {
        self.batch = batch.max(1);
        self
    }

    /// Replaces them. At the first that is not well it ends, and all that were replaced are put back.
    pub async fn go(self, run: &Run) -> Result<Vec<Replaced<R::Output>>> {
        let Self { title, instances, batch, replace } = self;
        let batches: Vec<Vec<String>> = instances.chunks(batch).map(<[String]>::to_vec).collect();
        let replace = &replace;
        let roll = async move |run: &Run| {
            let mut replaced = Vec::new();
            for batch in batches {
                let items = batch.at_once(8);
                let one = async |run: &Run, instance: String| run.step("Replace", replace(&instance)).await;
                replaced.extend(run.each("Instances", items, one).await?);
            }
            Ok(replaced)
        };
        run.scope(title, roll).await
    }
}

impl<D, R> fmt::Debug for Rolling<D, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rolling")
            .field("instances", &self.instances)
            .field("batch", &self.batch)
            .finish_non_exhaustive()
    }
}

//! Steps with their types erased: what the engine handles and the undo stack keeps.

use async_trait::async_trait;
use serde::de::DeserializeOwned;

use crate::imagine::{Mood, imagine};
use crate::journal::Looked;
use crate::step::acts;
use crate::{Context, Description, Error, Result, Rollback, Step, Stored, Survey};

/// A step whose before-state and output are in their stored form.
#[async_trait]
pub(crate) trait DynStep: Send + Sync {
    fn describe(&self) -> Description;
    async fn survey(&self, cx: &Context) -> Result<Seen>;
    async fn apply(&self, cx: &Context, before: &Stored) -> Result<Stored>;
    async fn rollback(&self, cx: &Context, before: &Stored) -> Result<()>;
    async fn settle(&self, cx: &Context, before: &Stored) -> Result<()>;
    fn predict(&self) -> Option<Stored>;
    /// A made up output.
    fn imagine(&self, name: &str, mood: &Mood) -> Option<Stored>;
}

/// What an erased step saw, and the output it foresees.
pub(crate) struct Seen {
    pub(crate) looked: Looked,
    pub(crate) predicted: Option<Stored>,
}

/// A step that can be undone.
pub(crate) struct Reversible<S>(pub(crate) S);

/// A step that cannot.
pub(crate) struct Irreversible<S>(pub(crate) S);

async fn survey<S: Step>(step: &S, cx: &Context) -> Result<Seen> {
    Ok(match acts::survey(step, cx).await? {
        Survey::Already(output) => Seen { looked: Looked::Already(Stored::of(&output)?), predicted: None },
        Survey::Change { before, diff, predicted } => Seen {
            looked: Looked::Change { before: Stored::of(&before)?, changes: diff.into() },
            predicted: predicted.map(|output| Stored::of(&output)).transpose()?,
        },
    })
}

async fn apply<S: Step>(step: &S, cx: &Context, before: &Stored) -> Result<Stored> {
    Stored::of(&acts::apply(step, cx, &before.load()?).await?)
}

/// The output foreseen without looking. A step that returns nothing foresees that.
fn predict<S: Step>(step: &S) -> Option<Stored> {
    step.predict().and_then(|output| Stored::of(&output).ok()).or_else(nothing::<S::Output>)
}

fn nothing<T: DeserializeOwned>() -> Option<Stored> {
    let null = Stored::of(&()).ok()?;
    (std::any::type_name::<T>() == std::any::type_name::<()>()).then_some(null)
}

#[async_trait]
impl<S: Rollback> DynStep for Reversible<S> {
    fn describe(&self) -> Description {
        self.0.describe()
    }

    async fn survey(&self, cx: &Context) -> Result<Seen> {
        survey(&self.0, cx).await
    }

    async fn apply(&self, cx: &Context, before: &Stored) -> Result<Stored> {
        apply(&self.0, cx, before).await
    }

    async fn rollback(&self, cx: &Context, before: &Stored) -> Result<()> {
        acts::rollback(&self.0, cx, &before.load()?).await
    }

    async fn settle(&self, cx: &Context, before: &Stored) -> Result<()> {
        acts::settle(&self.0, cx, &before.load()?).await
    }

    fn predict(&self) -> Option<Stored> {
        predict(&self.0)
    }

    fn imagine(&self, name: &str, mood: &Mood) -> Option<Stored> {
        Stored::of(&imagine::<S::Output>(name, mood)?).ok()
    }
}

#[async_trait]
impl<S: Step> DynStep for Irreversible<S> {
    fn describe(&self) -> Description {
        self.0.describe()
    }

    async fn survey(&self, cx: &Context) -> Result<Seen> {
        survey(&self.0, cx).await
    }

    async fn apply(&self, cx: &Context, before: &Stored) -> Result<Stored> {
        apply(&self.0, cx, before).await
    }

    async fn rollback(&self, _: &Context, _: &Stored) -> Result<()> {
        Err(Error::new("the step was declared irreversible"))
    }

    async fn settle(&self, _: &Context, _: &Stored) -> Result<()> {
        Ok(())
    }

    fn predict(&self) -> Option<Stored> {
        predict(&self.0)
    }

    fn imagine(&self, name: &str, mood: &Mood) -> Option<Stored> {
        Stored::of(&imagine::<S::Output>(name, mood)?).ok()
    }
}

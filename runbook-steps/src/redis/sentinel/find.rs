//! Finding the master.

use async_trait::async_trait;
use runbook::{Context, Description, Result, Rollback, Step, Survey};

use super::{Master, Sentinels};

/// The step of [`Sentinels::master`]. As a step, it is remembered: a resumed run goes on with the same one.
#[derive(Debug, Clone)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct FindMaster(Sentinels);

impl Sentinels {
    /// Finds the master: who a majority of the sentinels says it is.
    pub fn master(&self) -> FindMaster {
        FindMaster(self.clone())
    }
}

#[async_trait]
impl Step for FindMaster {
    type Before = ();
    type Output = Master;

    fn describe(&self) -> Description {
        let Self(sentinels) = self;
        Description::new("redis.find_master", &sentinels.master)
            .summary(format!("find the master of {}", sentinels.master))
            .command(sentinels.by_hand(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &sentinels.master]))
            .reads(sentinels.resource())
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<(), Master>> {
        self.0.master_now(cx).await.map(Survey::Already)
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<Master> {
        self.0.master_now(cx).await
    }
}

#[async_trait]
impl Rollback for FindMaster {
    async fn rollback(&self, _: &Context, (): &()) -> Result<()> {
        Ok(())
    }
}

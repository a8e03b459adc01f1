//! Rollbacks: all at once, or one after the other.

use runbook::prelude::*;
use runbook::steps::git;

use crate::deployment::{images, in_order};
use crate::updates::{Release, bring, roll};
use crate::verification::verify;

/// Quick rollback.
///
/// The previous release, all of it, in the order the services need each other. Data stays.
#[procedure(target = to.sentinal.on)]
pub async fn quick_rollback(run: &Run, to: &Release) -> Result<git::Release> {
    let (sentinal, server) = (&to.sentinal, to.sentinal.server(run));
    let code = server.step("Check out the release", git::checkout(&sentinal.root, &to.revision)).await?;
    images(run, sentinal).await?;
    sentinal.watched(run, async |run| in_order(run, sentinal).await).await?;
    verify(run, sentinal).await?;
    Ok(code.release())
}

/// Gradual rollback.
///
/// The previous release, one instance after the other, without a request lost.
#[procedure(target = to.sentinal.on)]
pub async fn gradual_rollback(run: &Run, to: &Release) -> Result<git::Release> {
    let sentinal = &to.sentinal;
    let release = sentinal
        .watched(run, async |run| {
            let release = bring(run, to).await?;
            roll(run, sentinal).await?;
            Ok(release)
        })
        .await?;
    verify(run, sentinal).await?;
    Ok(release)
}

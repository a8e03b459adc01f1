//! Sessions with PostgreSQL, until the runner dies.

use std::sync::Arc;

use async_trait::async_trait;
use runbook_core::{Context, Result};
use serde_json::Value;

use super::{Cutting, cut};
use crate::postgres::{Ask, Real, Server, Session, Target};

/// Real sessions, in which every order is an operation. A question is none: to be cut off at one is to be cut off at the
/// next order.
pub(super) struct Sessions(pub(super) Arc<Cutting>);

struct Mortal {
    session: Box<dyn Session>,
    runner: Arc<Cutting>,
}

#[async_trait]
impl Server for Sessions {
    async fn session(&self, _: &Context, target: &Target, os_user: Option<&str>) -> Result<Box<dyn Session>> {
        let session = Real.session(&Context::local(), target, os_user).await?;
        Ok(Box::new(Mortal { session, runner: self.0.clone() }))
    }
}

#[async_trait]
impl Session for Mortal {
    async fn ask(&mut self, ask: &Ask) -> Result<Value> {
        if ask.is_order() {
            return self.runner.pass(self.session.ask(ask)).await;
        }
        if self.runner.is_dead() { Err(cut()) } else { self.session.ask(ask).await }
    }
}

//! Tests of the docker steps.

mod lab;
mod laws;
mod refusals;

use std::collections::BTreeMap;
use std::sync::Arc;

use runbook::Context;
use runbook::testing::SimHost;

use super::*;

fn cx(engine: &Fake) -> (SimHost, Context) {
    let host = engine.on(SimHost::new("web-1").dir("/backups"));
    (host.clone(), Context::on(Arc::new(host)))
}

fn tags(host: &SimHost) -> BTreeMap<String, String> {
    fake::tags(host)
}

//! What a Grafana says, as values.

use runbook::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use super::Grafana;
use crate::api::read;

/// `GET /api/health`.
#[derive(Debug, Deserialize)]
pub(super) struct Now {
    pub(super) database: String,
    #[serde(default)]
    pub(super) version: String,
}

/// One of `GET /api/datasources`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Source {
    pub(super) uid: String,
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) is_default: bool,
}

/// One of `GET /api/search`.
#[derive(Debug, Deserialize)]
pub(super) struct Found {
    pub(super) uid: String,
    pub(super) title: String,
}

/// What `GET /api/dashboards/uid/…` wraps a dashboard in.
#[derive(Debug, Deserialize)]
pub(super) struct Wrapped {
    pub(super) dashboard: Value,
}

impl Grafana {
    pub(super) async fn now(&self, cx: &Context) -> Result<Now> {
        read(cx, &self.api.get("/api/health")).await
    }

    pub(super) async fn sources(&self, cx: &Context) -> Result<Vec<Source>> {
        read(cx, &self.api.get("/api/datasources")).await
    }

    pub(super) async fn found(&self, cx: &Context) -> Result<Vec<Found>> {
        let query = [("type", "dash-db".to_owned()), ("limit", "5000".to_owned())];
        read(cx, &self.api.ask("/api/search", query)).await
    }
}

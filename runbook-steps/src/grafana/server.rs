//! A Grafana, and how it is reached.

use crate::api::{Api, reached};

/// A Grafana, by its URL.
#[derive(Debug, Clone, PartialEq)]
pub struct Grafana {
    pub(super) api: Api,
}

/// The Grafana at this URL: `http://localhost:3000`. It wants to know who asks: a token of a service account, or a user.
pub fn at(url: impl Into<String>) -> Grafana {
    Grafana { api: Api::at(url) }
}

reached!(Grafana);

//! A Jaeger, and how it is reached.

use crate::api::{Api, reached};

/// The query service of a Jaeger, by its URL.
#[derive(Debug, Clone, PartialEq)]
pub struct Jaeger {
    pub(super) api: Api,
}

/// The Jaeger at this URL: `http://localhost:16686`.
pub fn at(url: impl Into<String>) -> Jaeger {
    Jaeger { api: Api::at(url) }
}

reached!(Jaeger);

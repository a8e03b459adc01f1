//! Series: labels, and values in the order of time.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_http_query::response::{Data, PromqlResult, Sample};
use serde::{Deserialize, Serialize};

/// The answer to an expression, as the client reads it.
pub(super) type Shape = PromqlResult;

/// The labels of a series, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(pub BTreeMap<String, String>);

/// One series of values. A journal keeps only what is a number: the others are `null` there, and NaN again when read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its labels.
    pub labels: Labels,
    /// Its values, oldest first.
    pub points: Vec<Point>,
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// When, in seconds since 1970.
    pub at: f64,
    /// What. It may be no number.
    #[serde(deserialize_with = "nothing_is_no_number")]
    pub value: f64,
}

fn nothing_is_no_number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Option::<f64>::deserialize(from).map(|value| value.unwrap_or(f64::NAN))
}

impl Series {
    /// The series of an answer. A scalar is one without labels.
    pub(super) fn of(answer: Shape) -> Vec<Self> {
        match answer.into_inner().0 {
            Data::Vector(all) => all
                .into_iter()
                .map(|one| {
                    let (labels, sample) = one.into_inner();
                    Self::new(labels, [sample])
                })
                .collect(),
            Data::Matrix(all) => all
                .into_iter()
                .map(|one| {
                    let (labels, samples) = one.into_inner();
                    Self::new(labels, samples)
                })
                .collect(),
            Data::Scalar(sample) => vec![Self::new([], [sample])],
        }
    }

    fn new(labels: impl IntoIterator<Item = (String, String)>, samples: impl IntoIterator<Item = Sample>) -> Self {
        let point = |sample: Sample| Point { at: sample.timestamp(), value: sample.value() };
        Self { labels: Labels(labels.into_iter().collect()), points: samples.into_iter().map(point).collect() }
    }

    /// Its last value.
    pub fn last(&self) -> Option<&Point> {
        self.points.last()
    }
}

impl fmt::Display for Labels {
    /// `up{job="api"}`; nothing when there are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.get("__name__").map_or("", String::as_str);
        let labels = self.0.iter().filter(|(name, _)| *name != "__name__");
        let labels: Vec<_> = labels.map(|(name, value)| format!("{name}={value:?}")).collect();
        if labels.is_empty() { f.write_str(name) } else { write!(f, "{name}{{{}}}", labels.join(",")) }
    }
}

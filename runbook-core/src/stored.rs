//! A value as the journal keeps it.

use std::fmt;
use std::sync::{Arc, LazyLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{Error, Result};

/// What a journal can remember: the bound on inputs, before-states and outputs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be remembered by the journal",
    label = "cannot be serialised and read back",
    note = "derive what it needs: `#[derive(Serialize, Deserialize)]`"
)]
pub trait Record: Serialize + DeserializeOwned + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Record for T {}

/// A value in the form the journal keeps it: JSON that is copied, never parsed, until it is loaded.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored(Arc<str>);

/// Most steps need to know nothing of the world before, and many give nothing: all of them share this.
static NOTHING: LazyLock<Arc<str>> = LazyLock::new(|| "null".into());

impl Stored {
    /// The stored form of a value.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        let json = serde_json::to_string(value).map_err(|error| {
            let name = std::any::type_name::<T>();
            Error::from(error).context(format!("store a value of type `{name}` in the journal"))
        })?;
        Ok(Self::json_text(&json))
    }

    fn json_text(json: &str) -> Self {
        Self(if json == &**NOTHING { NOTHING.clone() } else { json.into() })
    }

    /// The value itself.
    pub fn load<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(self.json()).map_err(|error| {
            let name = std::any::type_name::<T>();
            Error::of(crate::ErrorKind::Mismatch, format!("the journal holds no `{name}` here but {}", self.json()))
                .caused_by(error)
                .hint("the type has changed since the run began; give changed fields #[serde(default)]")
        })
    }

    /// The JSON text.
    pub fn json(&self) -> &str {
        &self.0
    }

    /// The value as a JSON tree, for reading without its type.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(self.json()).unwrap_or_default()
    }
}

impl Serialize for Stored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::json_text(Box::<RawValue>::deserialize(deserializer)?.get()))
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.json())
    }
}

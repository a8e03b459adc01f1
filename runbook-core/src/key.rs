//! Keys: where in a procedure something happened, the same at every replay.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A stable place in a procedure: scope path and position in it (`2.0`), the item of an `each` (`3[api]`), or a
/// name the author gives (`2:migrate`).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Arc<str>);

impl Key {
    /// The whole run.
    pub fn root() -> Self {
        Self("".into())
    }

    /// The n-th thing in the scope of this key.
    pub fn child(&self, position: u32) -> Self {
        let position = position.to_string();
        if self.0.is_empty() { Self(position.into()) } else { Self([&*self.0, ".", &*position].concat().into()) }
    }

    /// The part of this that belongs to an item.
    pub fn item(&self, item: &str) -> Self {
        Self(format!("{self}[{item}]").into())
    }

    /// This place under a name the author gives.
    pub fn named(&self, name: &str) -> Self {
        if self.0.is_empty() { Self(format!(":{name}").into()) } else { Self(format!("{self}:{name}").into()) }
    }

    /// The settling of the step of this key in a scope around the one that was rolled back.
    pub(crate) fn settled_in(&self, scope: &Key) -> Self {
        Self(format!("{self}^{scope}").into())
    }

    /// The step that settled under this key. An item may have the sign in its name, so what follows must be a scope around.
    pub(crate) fn of_settled(&self) -> Self {
        let mut splits = self.0.match_indices('^').map(|(at, sign)| (&self.0[..at], &self.0[at + sign.len()..]));
        splits.find(|(step, scope)| step.starts_with(scope)).map_or_else(|| self.clone(), |(step, _)| step.into())
    }

    /// Whether this is the whole run.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_that_settled_is_found_again() {
        for (step, scope) in [("1.0", "1"), ("1.0", ""), ("1[a^b].0", "1"), ("1[a^b].0", "1[a^b]")] {
            assert_eq!(Key::from(step).settled_in(&scope.into()).of_settled(), step.into(), "{step} in {scope}");
            assert_eq!(Key::from(step).of_settled(), step.into());
        }
    }
}

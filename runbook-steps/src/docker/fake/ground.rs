//! What a simulated engine stands on: a simulated host, from inside a program and from outside.

use runbook::Resource;
use runbook::testing::{Call, SimHost, Tree};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The files and the memory of a simulated host.
pub(super) trait Ground {
    /// What it remembers of this.
    fn get<T: DeserializeOwned + Default>(&self, resource: &Resource) -> T;
    /// Remembers this, or nothing.
    fn put(&mut self, resource: &Resource, state: Option<Value>);
    /// Looks at its files.
    fn look<T>(&mut self, look: impl FnOnce(&mut Tree) -> T) -> T;
}

impl Ground for Call<'_> {
    fn get<T: DeserializeOwned + Default>(&self, resource: &Resource) -> T {
        self.state(resource)
    }

    fn put(&mut self, resource: &Resource, state: Option<Value>) {
        match state {
            Some(state) => self.set_state(resource, &state),
            None => self.forget(resource),
        }
    }

    fn look<T>(&mut self, look: impl FnOnce(&mut Tree) -> T) -> T {
        look(self.files())
    }
}

impl Ground for SimHost {
    fn get<T: DeserializeOwned + Default>(&self, resource: &Resource) -> T {
        self.state(resource)
    }

    fn put(&mut self, resource: &Resource, state: Option<Value>) {
        if let Some(state) = state {
            let _ = self.clone().with_state(resource, &state);
        }
    }

    fn look<T>(&mut self, look: impl FnOnce(&mut Tree) -> T) -> T {
        let mut seen = None;
        self.edit(|tree| {
            seen = Some(look(tree));
            Ok(())
        });
        seen.unwrap_or_else(|| unreachable!("`edit` calls once"))
    }
}

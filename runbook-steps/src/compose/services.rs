//! What runs after a step, as evidence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::was::Was;
use crate::docker::{Container, ImageId};

/// The containers of services after a step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Services {
    /// Those of each service; none in a plan that cannot know.
    pub services: BTreeMap<String, Vec<Instance>>,
}

/// A container of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is made of.
    pub image: ImageId,
    /// Whether it is another container, or another life of it, than before the step.
    pub new: bool,
}

impl Services {
    pub(super) fn of(now: &BTreeMap<String, Vec<Container>>, was: Option<&Was>) -> Self {
        let instance = |container: &Container| Instance {
            id: container.id.clone(),
            name: container.name.clone(),
            image: container.image.clone(),
            new: was.is_some_and(|was| !was.lives(container)),
        };
        let all =
            |(name, containers): (&String, &Vec<Container>)| (name.clone(), containers.iter().map(instance).collect());
        Self { services: now.iter().map(all).collect() }
    }

    /// The containers of one service.
    pub fn of_service(&self, service: &str) -> &[Instance] {
        self.services.get(service).map_or(&[], Vec::as_slice)
    }

    /// Whether any container is new.
    pub fn changed(&self) -> bool {
        self.services.values().flatten().any(|instance| instance.new)
    }
}

//! How a run is asked to stop.

use std::sync::{Arc, Mutex, Weak};

use tokio_util::sync::CancellationToken;

use crate::context::World;
use crate::engine::locked;
use crate::event::What;

/// How a run is asked to stop, from a signal handler or another task.
#[derive(Debug, Clone, Default)]
pub struct Interrupts {
    pub(crate) soft: CancellationToken,
    pub(crate) hard: CancellationToken,
    world: Arc<Mutex<Weak<World>>>,
}

impl Interrupts {
    /// Asks the run to stop. The first time, the current step is finished; the second time, the current command is
    /// ended. Then the run is rolled back or parked, as its policy says.
    pub fn interrupt(&self) {
        let force = self.soft.is_cancelled();
        if let Some(world) = locked(&self.world).upgrade() {
            world.voice.say(world.clock.now(), What::Interrupted { force });
        }
        if force {
            self.hard.cancel();
        }
        self.soft.cancel();
    }

    /// Tells this world when it happens.
    pub(crate) fn announce(&self, world: &Arc<World>) {
        *locked(&self.world) = Arc::downgrade(world);
    }
}

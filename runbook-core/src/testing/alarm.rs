//! An alarm: interrupts a run when a step begins.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Interrupts;

/// Interrupts a run when the step of a title begins. Readers of events hear that it begins, but cannot speak; so the
/// next act of a step rings.
pub(crate) struct Alarm {
    pub(crate) title: Option<Arc<str>>,
    pub(crate) interrupts: Interrupts,
    set: AtomicBool,
}

impl Alarm {
    pub(crate) fn new(title: Option<Arc<str>>, interrupts: Interrupts) -> Self {
        Self { title, interrupts, set: AtomicBool::new(false) }
    }

    /// A step began.
    pub(crate) fn hear(&self, title: &Arc<str>) {
        if self.title.as_ref() == Some(title) {
            self.set.store(true, Ordering::Relaxed);
        }
    }

    /// Interrupts the run, if the step has begun.
    pub(crate) fn ring(&self) {
        if self.set.swap(false, Ordering::Relaxed) {
            self.interrupts.interrupt();
        }
    }
}

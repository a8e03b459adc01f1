//! Guards: triggers watched beside a body.

/// Something watched while a body runs, and what follows when it fires.
#[derive(Debug)]
pub struct Trigger {}

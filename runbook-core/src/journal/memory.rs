//! To be written.
/// Journals in memory.
#[derive(Debug)]
pub struct MemoryStore {}

//! To be written.
/// Journals in a directory.
#[derive(Debug)]
pub struct FileStore {}

//! Windows: days and hours in which a change is allowed.

/// Days and hours, in a time zone, in which a change is allowed.
#[derive(Debug, Clone)]
pub struct Window {}

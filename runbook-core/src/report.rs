//! Reports: readers of events, and the summary they share.

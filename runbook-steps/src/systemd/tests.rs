//! The steps against a simulated systemd, and the simulated one against the real one.

#[cfg(feature = "testing")]
mod conformance;
#[cfg(feature = "testing")]
mod laws;
#[cfg(feature = "testing")]
mod refusals;

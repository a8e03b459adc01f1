//! Ctrl-C and SIGTERM ask the run to stop; asked again, its current command is ended.

use runbook_core::Interrupts;
use tokio::signal::unix::{SignalKind, signal};

/// Listens from now on, until the process ends.
pub(super) fn listen(interrupts: &Interrupts) -> std::io::Result<()> {
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let mut signals = signal(kind)?;
        let interrupts = interrupts.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                interrupts.interrupt();
            }
        });
    }
    Ok(())
}

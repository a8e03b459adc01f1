//! Small commands for the library's own needs: their whole output is kept.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::host::{Exit, Process};
use crate::{Error, Result};

/// What came of it.
pub(in crate::host) struct Errand {
    exit: Exit,
    pub(in crate::host) stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Errand {
    pub(in crate::host) fn is_done(&self) -> bool {
        self.exit == Exit::Code(0)
    }

    /// The last line it complained with.
    pub(super) fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason was given").trim().to_owned()
    }

    /// What it printed, or an error that says what was being done.
    pub(super) fn done(self, doing: impl FnOnce() -> String) -> Result<Vec<u8>> {
        if self.is_done() {
            return Ok(self.stdout);
        }
        Err(Error::new(doing()).caused_by(Error::new(self.complaint())))
    }
}

/// Feeds it, reads what it prints, and waits for its end.
pub(in crate::host) async fn run(mut process: Process, input: &[u8]) -> Result<Errand> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let stdin = process.stdin.take();
    let feed = async {
        if let Some(mut stdin) = stdin
            && stdin.write_all(input).await.is_ok()
        {
            let _ = stdin.shutdown().await;
        }
    };
    let read_out = async {
        if let Some(stream) = &mut process.stdout {
            let _ = stream.read_to_end(&mut stdout).await;
        }
    };
    let read_err = async {
        if let Some(stream) = &mut process.stderr {
            let _ = stream.read_to_end(&mut stderr).await;
        }
    };
    tokio::join!(feed, read_out, read_err);
    let exit = process.control.wait().await?;
    Ok(Errand { exit, stdout, stderr })
}

//! A simulated process: three streams, and a task that is the program.

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

use crate::command::Output;
use crate::host::{Control, Exit, Process};
use crate::{Error, Result};

/// As much as a pipe of Linux holds.
const PIPE: usize = 64 * 1024;

/// Starts a process that prints this on its error output at once, and runs `program` on all of its input.
pub(crate) fn start<F>(greeting: &'static str, program: impl FnOnce(Vec<u8>) -> F + Send + 'static) -> Process
where
    F: Future<Output = (Output, Exit)> + Send,
{
    let (stdin, mut input) = tokio::io::duplex(PIPE);
    let (stdout, output) = tokio::io::duplex(PIPE);
    let (stderr, mut errors) = tokio::io::duplex(PIPE);
    let task = tokio::spawn(async move {
        let _ = errors.write_all(greeting.as_bytes()).await;
        let mut bytes = Vec::new();
        // An input that ends badly is an input that ends.
        let _ = input.read_to_end(&mut bytes).await;
        let (printed, exit) = program(bytes).await;
        tokio::join!(print(output, &printed.stdout), print(errors, &printed.stderr));
        exit
    });
    Process {
        stdin: Some(Box::new(stdin)),
        stdout: Some(Box::new(stdout)),
        stderr: Some(Box::new(stderr)),
        control: Box::new(SimControl { task, ended: None }),
    }
}

/// Nobody may be reading; then the rest is lost, as with a closed pipe.
async fn print(mut stream: DuplexStream, bytes: &[u8]) {
    let _ = stream.write_all(bytes).await;
}

struct SimControl {
    task: JoinHandle<Exit>,
    ended: Option<Result<Exit>>,
}

#[async_trait]
impl Control for SimControl {
    async fn wait(&mut self) -> Result<Exit> {
        if let Some(ended) = &self.ended {
            return ended.clone();
        }
        // A simulated program that panics is a mistake in the test, and says so by itself.
        let ended = (&mut self.task).await.map_err(|error| Error::from(error).context("run a simulated program"));
        self.ended.insert(ended).clone()
    }

    async fn end(&mut self, force: bool) {
        if self.ended.is_none() && !self.task.is_finished() {
            self.task.abort();
            self.ended = Some(Ok(Exit::Signal(if force { 9 } else { 15 })));
        }
    }
}

impl Drop for SimControl {
    fn drop(&mut self) {
        self.task.abort();
    }
}

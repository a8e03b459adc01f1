//! Taking streams in: piece by piece, without secrets, with their checksums.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use runbook::command::Input;
use runbook::host::{Attributes, Draft, Exit, Files};
use runbook::{Command, Context, Error, ErrorKind, Result, redact};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use super::item::Kept;

/// How long a line may be that is looked through as one: 1 MiB.
const LONGEST: usize = 1 << 20;

/// A file of evidence that is being written.
struct Writing<'a> {
    draft: Box<dyn Draft + 'a>,
    sum: Sha256,
    bytes: u64,
    redacted: bool,
    /// The beginning of a line.
    begun: Vec<u8>,
}

impl<'a> Writing<'a> {
    async fn to(files: &'a dyn Files, path: &Path) -> Result<Self> {
        let draft = files.create(path, &Attributes::mode(0o600)).await?;
        Ok(Self { draft, sum: Sha256::new(), bytes: 0, redacted: false, begun: Vec::new() })
    }

    async fn take(&mut self, piece: &[u8]) -> Result<()> {
        self.begun.extend_from_slice(piece);
        let whole = match self.begun.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if self.begun.len() > LONGEST => self.begun.len(),
            None => return Ok(()),
        };
        let rest = self.begun.split_off(whole);
        let lines = std::mem::replace(&mut self.begun, rest);
        self.write(&lines).await
    }

    /// Bytes without a secret in them are kept as they are, text or not.
    async fn write(&mut self, lines: &[u8]) -> Result<()> {
        let text = String::from_utf8_lossy(lines);
        match redact::text(&text) {
            Cow::Borrowed(_) => self.put(lines).await,
            Cow::Owned(clean) => {
                self.redacted = true;
                self.put(clean.as_bytes()).await
            }
        }
    }

    async fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.sum.update(bytes);
        self.bytes += bytes.len() as u64;
        self.draft.write(bytes).await
    }

    async fn keep(mut self, name: &Path) -> Result<Kept> {
        let rest = std::mem::take(&mut self.begun);
        self.write(&rest).await?;
        self.draft.keep().await?;
        let (bytes, redacted) = (self.bytes, self.redacted);
        Ok(Kept { path: name.to_owned(), sha256: hex(&self.sum.finalize()), bytes, redacted })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// How a command ended.
pub(super) struct Ended {
    pub(super) files: Vec<Kept>,
    pub(super) ending: String,
    pub(super) good: bool,
}

/// What a command says, in a file for each of its streams; the one for its errors only when there are any.
pub(super) async fn command(
    cx: &Context,
    command: &Command,
    limit: Duration,
    (files, dir, stem): (&dyn Files, &Path, &str),
) -> Result<Ended> {
    let input = match command.standard_input() {
        Input::Nothing => Vec::new(),
        Input::Bytes(bytes) => bytes.clone(),
        Input::Secret(secret) => secret.expose()?.into_bytes(),
    };
    let mut process = cx.host().start(command).await?;
    let stdin = process.stdin.take();
    let feeding = async {
        let Some(mut stdin) = stdin else { return };
        // One that does not read its input is none the worse for it.
        let _ = stdin.write_all(&input).await;
    };
    let names = [format!("{stem}.txt"), format!("{stem}.stderr.txt")];
    let mut out = Writing::to(files, &dir.join(&names[0])).await?;
    let mut err = Writing::to(files, &dir.join(&names[1])).await?;
    let streams = async {
        // Beside each other: one that answers while it reads would wait for us, and we for it.
        let drained =
            tokio::join!(drain(process.stdout.take(), &mut out), drain(process.stderr.take(), &mut err), feeding);
        let (a, b, ()) = drained;
        a.and(b)
    };
    let late = tokio::select! {
        drained = tokio::time::timeout(limit, streams) => match drained {
            Ok(drained) => {
                drained?;
                false
            }
            Err(_) => true,
        },
        () = cx.cancelled() => {
            process.control.end(true).await;
            return Err(Error::of(ErrorKind::Stopped, format!("`{command}` was ended: the run is stopping")));
        }
    };
    let (ending, good) = if late {
        process.control.end(true).await;
        (format!("did not end within {limit:?}, and was ended"), false)
    } else {
        words(process.control.wait().await?, command)
    };
    let mut kept = vec![out.keep(Path::new(&names[0])).await?];
    if err.bytes > 0 || !err.begun.is_empty() {
        kept.push(err.keep(Path::new(&names[1])).await?);
    } else {
        err.draft.discard().await;
    }
    Ok(Ended { files: kept, ending, good })
}

fn words(exit: Exit, command: &Command) -> (String, bool) {
    match exit {
        Exit::Code(code) => (format!("exited with {code}"), command.accepts(code)),
        Exit::Signal(0) => ("was killed by a signal".to_owned(), false),
        Exit::Signal(signal) => (format!("was killed by signal {signal}"), false),
    }
}

async fn drain(stream: Option<Box<dyn AsyncRead + Send + Unpin>>, into: &mut Writing<'_>) -> Result<()> {
    let Some(mut stream) = stream else { return Ok(()) };
    let mut piece = vec![0; 64 * 1024];
    // A stream that breaks has ended.
    while let Ok(read @ 1..) = stream.read(&mut piece).await {
        into.take(&piece[..read]).await?;
    }
    Ok(())
}

/// A copy of a file.
pub(super) async fn file(cx: &Context, path: &Path, (files, dir, name): (&dyn Files, &Path, &Path)) -> Result<Kept> {
    let mut reading = cx.files().open(path).await?;
    let mut writing = Writing::to(files, &dir.join(name)).await?;
    loop {
        let piece = reading.next().await?;
        if piece.is_empty() {
            return writing.keep(name).await;
        }
        writing.take(&piece).await?;
    }
}

/// The checksum of a file.
pub(super) async fn checksum(files: &dyn Files, path: &Path) -> Result<String> {
    let mut reading = files.open(path).await?;
    let mut sum = Sha256::new();
    loop {
        let piece = reading.next().await?;
        if piece.is_empty() {
            return Ok(hex(&sum.finalize()));
        }
        sum.update(&piece);
    }
}

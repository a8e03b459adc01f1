//! The data of a server that is stopped: other data comes in, and what was there is kept beside it.

use std::path::{Path, PathBuf};

use runbook::host::{Attributes, Draft, Reading};
use runbook::{Context, Explain as _, Result};

use super::layout::Layout;
use super::snapshot::Snapshot;
use crate::backup::archive;

/// The directory of a server's data, seen from the host that has it.
///
/// In the middle of it, `work` says how far it has come: `incoming` is new data that is whole, `moved` names what was there,
/// `old` holds as much of that as is out of the way. New data is in place when `moved` is there and `incoming` is not.
#[derive(Debug)]
pub(super) struct Swap<'a> {
    pub(super) files: &'a Context,
    pub(super) data: &'a Path,
    pub(super) work: PathBuf,
    pub(super) layout: &'a Layout,
}

impl Swap<'_> {
    fn incoming(&self) -> PathBuf {
        self.work.join("incoming")
    }

    fn moved(&self) -> PathBuf {
        self.work.join("moved")
    }

    /// Where what was there is kept.
    pub(super) fn old(&self) -> PathBuf {
        self.work.join("old")
    }

    async fn there(&self, path: &Path) -> Result<bool> {
        Ok(self.files.files().stat(path).await?.is_some())
    }

    /// Whether it has begun to take what was there out of the way.
    pub(super) async fn has_begun(&self) -> Result<bool> {
        self.there(&self.moved()).await
    }

    /// Whether the new data is in place.
    pub(super) async fn is_done(&self) -> Result<bool> {
        Ok(self.has_begun().await? && !self.there(&self.incoming()).await?)
    }

    /// Copies the new data beside the old, owned as that is. The server may still run.
    pub(super) async fn bring_in(&self, cx: &Context, snapshot: &Snapshot) -> Result<()> {
        if self.there(&self.incoming()).await? {
            return Ok(());
        }
        let (files, partial) = (self.files.files(), self.work.join("partial"));
        let about = files.stat(self.data).await?;
        let about = about.with_context(|| format!("there is no directory `{}`", self.data.display()))?;
        let owner = Some(format!("{}:{}", about.uid, about.gid));
        let attributes = Attributes { mode: Some(0o640), owner: owner.clone() };
        files.remove(&partial).await?;
        files.make_dir(&self.work).await?;
        let dump = match &self.layout.log {
            None => partial.clone(),
            Some(log) => {
                files.make_dir(&partial).await?;
                files.set(&partial, &Attributes { mode: Some(0o750), owner }).await?;
                let (name, text) = log.manifest();
                files.write(&partial.join(name), text.as_bytes(), &attributes).await?;
                partial.join(log.base())
            }
        };
        copy((cx, &snapshot.dump()), (self.files, &dump), &attributes).await?;
        archive::require(self.files, &dump, &snapshot.checksum).await?;
        files.rename(&partial, &self.incoming()).await
    }

    /// The file that was brought in.
    pub(super) fn brought(&self) -> PathBuf {
        self.layout.log.as_ref().map_or_else(|| self.incoming(), |log| self.incoming().join(log.base()))
    }

    /// Moves the old data out of the way, and the new one to its place. The server is stopped.
    pub(super) async fn put_in(&self) -> Result<()> {
        let files = self.files.files();
        if !self.has_begun().await? {
            let mut names = Vec::new();
            for name in self.layout.names() {
                if self.there(&self.data.join(name)).await? {
                    names.push(name);
                }
            }
            files.make_dir(&self.old()).await?;
            files.write(&self.moved(), names.join("\n").as_bytes(), &Attributes::default()).await?;
        }
        for name in self.names().await? {
            if !self.there(&self.old().join(&name)).await? {
                files.rename(&self.data.join(&name), &self.old().join(&name)).await?;
            }
        }
        if self.there(&self.incoming()).await? {
            files.rename(&self.incoming(), &self.data.join(self.layout.read_at_start())).await?;
        }
        Ok(())
    }

    /// Puts the old data back, wherever it had come to. The server is stopped.
    pub(super) async fn put_back(&self) -> Result<()> {
        let (files, names, new) = (self.files.files(), self.names().await?, self.layout.read_at_start());
        if self.is_done().await? && names.iter().all(|name| name != new) {
            files.remove(&self.data.join(new)).await?;
        }
        for name in &names {
            let (old, place) = (self.old().join(name), self.data.join(name));
            if self.there(&old).await? {
                files.remove(&place).await?;
                files.rename(&old, &place).await?;
            }
        }
        Ok(())
    }

    /// The names of what was there.
    async fn names(&self) -> Result<Vec<String>> {
        let text = self.files.files().read(&self.moved()).await?;
        Ok(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
    }

    /// Removes all that is beside the data.
    pub(super) async fn tidy(&self) -> Result<()> {
        self.files.files().remove(&self.work).await
    }
}

/// Copies a file from one host to another, piece by piece.
pub(super) async fn copy(from: (&Context, &Path), to: (&Context, &Path), attributes: &Attributes) -> Result<()> {
    let mut source = from.0.files().open(from.1).await?;
    let mut draft = to.0.files().create(to.1, attributes).await?;
    match pour(source.as_mut(), draft.as_mut()).await {
        Ok(()) => draft.keep().await,
        Err(error) => {
            draft.discard().await;
            Err(error)
        }
    }
}

async fn pour(source: &mut dyn Reading, draft: &mut dyn Draft) -> Result<()> {
    loop {
        let piece = source.next().await?;
        if piece.is_empty() {
            return Ok(());
        }
        draft.write(&piece).await?;
    }
}

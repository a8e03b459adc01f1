//! Secrets in files.

use std::path::Path;

use super::Context;
use crate::host::Attributes;
use crate::{Result, Secret};

impl Context {
    /// Writes a secret into a file of mode 0600 on the host, atomically: the third way by which a secret reaches a
    /// program. Nobody but its owner can ever read it there.
    pub async fn secret_file(&self, path: impl AsRef<Path>, secret: &Secret) -> Result<()> {
        self.files().write(path.as_ref(), secret.expose()?.as_bytes(), &Attributes::mode(0o600)).await
    }
}

//! This machine.

use std::path::Path;

use async_trait::async_trait;

use super::{Attributes, Files, Host, Process, Stat};
use crate::{Command, Result};

/// The machine the runner runs on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Local;

#[async_trait]
impl Host for Local {
    fn name(&self) -> &'static str {
        "localhost"
    }

    async fn start(&self, _command: &Command) -> Result<Process> {
        todo!()
    }

    fn files(&self) -> &dyn Files {
        self
    }
}

#[async_trait]
impl Files for Local {
    async fn stat(&self, _path: &Path) -> Result<Option<Stat>> {
        todo!()
    }
    async fn read(&self, _path: &Path) -> Result<Vec<u8>> {
        todo!()
    }
    async fn write(&self, _path: &Path, _content: &[u8], _attributes: &Attributes) -> Result<()> {
        todo!()
    }
    async fn make_dir(&self, _path: &Path) -> Result<()> {
        todo!()
    }
    async fn remove(&self, _path: &Path) -> Result<()> {
        todo!()
    }
    async fn symlink(&self, _target: &Path, _link: &Path) -> Result<()> {
        todo!()
    }
    async fn rename(&self, _from: &Path, _to: &Path) -> Result<()> {
        todo!()
    }
    async fn list(&self, _path: &Path) -> Result<Vec<String>> {
        todo!()
    }
    async fn set(&self, _path: &Path, _attributes: &Attributes) -> Result<()> {
        todo!()
    }
}

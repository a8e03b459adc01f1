//! Where the guestbook lives, and what is deployed there: the inputs of the procedures.

use std::path::PathBuf;

use clap::Args;
use runbook::Resource;
use serde::{Deserialize, Serialize};

/// Where the guestbook lives.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Site {
    /// The directory that holds everything: code, data, backups.
    #[arg(long, default_value = "/srv/guestbook")]
    pub root: PathBuf,
    /// The loopback port it answers on.
    #[arg(long, default_value_t = 8300)]
    pub port: u16,
}

/// A release, and where it goes.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Deployment {
    #[command(flatten)]
    pub site: Site,
    /// The git repository with the releases.
    #[arg(long)]
    pub repository: String,
    /// The release: a tag, a branch or a commit.
    #[arg(long)]
    pub revision: String,
}

impl Site {
    /// The code: a checkout of the repository.
    pub fn app(&self) -> PathBuf {
        self.root.join("app")
    }

    /// What the checked out release says of itself.
    pub fn release(&self) -> PathBuf {
        self.app().join("release.json")
    }

    /// The entries people left.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// Backups of the entries.
    pub fn backups(&self) -> PathBuf {
        self.root.join("backups")
    }

    /// Which process serves, and which is wanted.
    pub fn state(&self) -> PathBuf {
        self.root.join("run")
    }

    /// Where the process says who it is.
    pub fn pid_file(&self) -> PathBuf {
        self.state().join("guestbook.pid")
    }

    /// The process, as something that steps change and checks look at.
    pub fn process(&self) -> Resource {
        Resource::new("process", format!("guestbook:{}", self.port))
    }

    /// An address of the running guestbook.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// What a release says of itself, in the file `release.json` of its commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its number.
    pub release: u32,
    /// The format of the entries it works with.
    pub format: u32,
    /// Whether it answers its health check well. Release 3 does not: that is what a bad release looks like.
    pub healthy: bool,
}

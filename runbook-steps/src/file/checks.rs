//! Questions about files.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook_core::host::{FileKind, Stat};
use runbook_core::{Check, Context, Description, Finding, Resource, Result};

use super::content;
use crate::command::word;

macro_rules! check {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        #[must_use = "a check asks nothing until a run asks it: `run.check(\"…\", check).await?`"]
        pub struct $name { path: PathBuf, $($field: $type),* }

        impl $name {
            pub(super) fn new(path: &Path, $($field: $type),*) -> Self {
                Self { path: path.to_owned(), $($field),* }
            }
        }
    };
}

check!(
    /// Whether there is something at a path.
    Exists {}
);
check!(
    /// Whether there is nothing at a path.
    Absent {}
);
check!(
    /// Whether something has these permission bits.
    ModeIs { mode: u32 }
);
check!(
    /// Whether a file contains a text.
    Contains { text: String }
);

fn describe(kind: &str, path: &Path, summary: String, command: String) -> Description {
    Description::new(kind, path.to_string_lossy()).summary(summary).command(command).reads(Resource::path(path))
}

fn nothing(path: &Path) -> Finding {
    Finding::fail(format!("`{}` does not exist", path.display()))
}

/// What something is, in a few words.
fn words(stat: &Stat) -> String {
    match &stat.kind {
        FileKind::File => format!("a file of {} bytes", stat.size),
        FileKind::Directory => "a directory".to_owned(),
        FileKind::Symlink(to) => format!("a link to `{}`", to.display()),
        FileKind::Other => "neither a file nor a directory".to_owned(),
    }
}

#[async_trait]
impl Check for Exists {
    fn describe(&self) -> Description {
        let path = self.path.display();
        describe("file.exists", &self.path, format!("{path} exists"), format!("ls -ld {}", word(&self.path)))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        Ok(match cx.files().stat(&self.path).await? {
            Some(stat) => Finding::pass(format!("`{}` is {}", self.path.display(), words(&stat))),
            None => nothing(&self.path),
        })
    }
}

#[async_trait]
impl Check for Absent {
    fn describe(&self) -> Description {
        let path = self.path.display();
        describe("file.absent", &self.path, format!("{path} does not exist"), format!("ls -ld {}", word(&self.path)))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        Ok(match cx.files().stat(&self.path).await? {
            Some(stat) => Finding::fail(format!("`{}` is {}", self.path.display(), words(&stat))),
            None => Finding::pass(format!("`{}` does not exist", self.path.display())),
        })
    }
}

#[async_trait]
impl Check for ModeIs {
    fn describe(&self) -> Description {
        let path = self.path.display();
        let summary = format!("{path} has the mode {:04o}", self.mode);
        describe("file.mode_is", &self.path, summary, format!("stat -c %a {}", word(&self.path)))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let Some(stat) = cx.files().stat(&self.path).await? else { return Ok(nothing(&self.path)) };
        let evidence = format!("`{}` has the mode {:04o}", self.path.display(), stat.mode);
        Ok(Finding::of(stat.mode == self.mode, evidence))
    }
}

#[async_trait]
impl Check for Contains {
    fn describe(&self) -> Description {
        let path = self.path.display();
        let command = runbook_core::Command::new("grep").args(["-F", "--", &self.text]).arg(&self.path);
        describe("file.contains", &self.path, format!("{path} contains `{}`", self.text), command.to_string())
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let path = self.path.display();
        let Some(stat) = cx.files().stat(&self.path).await? else { return Ok(nothing(&self.path)) };
        let content = match content::read(cx, &self.path, &stat).await {
            Ok(content) => content,
            Err(error) => return Ok(Finding::unknown(format!("{error:#}"))),
        };
        let text = self.text.as_bytes();
        let holds = text.is_empty() || content.windows(text.len()).any(|window| window == text);
        let verb = if holds { "contains" } else { "does not contain" };
        Ok(Finding::of(holds, format!("`{path}` {verb} `{}`", self.text)))
    }
}

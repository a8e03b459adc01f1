//! Env files: made from a template, edited in place, and held to constraints.
//!
//! ```
//! # use runbook_core::Secret;
//! # use runbook_steps::env;
//! env::from_template("/srv/app/.env.example", "/srv/app/.env");
//! env::set("/srv/app/.env").key("ENVIRONMENT", "production").secret("SENTRY_DSN", &Secret::env("SENTRY_DSN"));
//! env::set("/srv/app/.env").generate("JWT_SECRET_KEY", 48);
//! env::satisfies("/srv/app/.env")
//!     .required(["DATABASE_URL", "JWT_SECRET_KEY"])
//!     .length("JWT_SECRET_KEY", 32..)
//!     .equals("ENVIRONMENT", "production")
//!     .url("DATABASE_URL", |url| url.scheme("postgresql").password().query("sslmode"))
//!     .no_wildcard("CORS_ORIGINS")
//!     .differs_from("/srv/app/.env.example", ["JWT_SECRET_KEY"]);
//! ```
//!
//! An env file is taken to hold secrets: no value of it reaches a plan, an event or a journal, and what it was before
//! is kept for the rollback on its host alone, with mode 0600 (see [`file`](crate::file)).
//!
//! The syntax is that of dotenv, Compose and systemd: `KEY=value`, `export KEY=value`, comments, single quotes
//! (as it stands), double quotes (with `\n`, `\"`, `\\`, `\$`), both over several lines. `$NAME` is not expanded.

use std::path::Path;

use runbook_core::{Context, Error, Explain as _, Result};

use crate::file::before::Present;

pub use self::difference::Difference;
pub use self::dotenv::EnvFile;
pub use self::satisfies::{Satisfies, UrlParts};
pub use self::set::{Configured, Set};
pub use self::template::FromTemplate;

mod difference;
mod dotenv;
mod placeholder;
mod random;
mod satisfies;
mod set;
mod template;
#[cfg(test)]
mod tests;

/// Makes an env file from its example: with mode 0600, keeping the values it has, adding the keys it lacks.
pub fn from_template(example: impl AsRef<Path>, target: impl AsRef<Path>) -> FromTemplate {
    FromTemplate::new(example.as_ref(), target.as_ref())
}

/// Sets keys of an env file. Its comments and its order stay as they are.
pub fn set(path: impl AsRef<Path>) -> Set {
    Set::new(path.as_ref())
}

/// Whether an env file is fit for use. Every violation is told at once, by key, never by value.
///
/// Placeholders like `changeme`, `your-key-here`, `<token>` and `xxxx` are refused everywhere in it, unless
/// [allowed](Satisfies::allow_placeholder).
pub fn satisfies(path: impl AsRef<Path>) -> Satisfies {
    Satisfies::new(path.as_ref())
}

/// Whether an env file has every key of its example. Keys that only it has are told, and are fine.
pub fn diff(path: impl AsRef<Path>, example: impl AsRef<Path>) -> Difference {
    Difference::new(path.as_ref(), example.as_ref())
}

/// Reads an env file. A missing file is an error.
pub async fn read(cx: &Context, path: impl AsRef<Path>) -> Result<EnvFile> {
    let path = path.as_ref();
    let missing = || {
        let error = Error::new(format!("the env file `{}` does not exist", path.display()));
        error.hint("make it first, with an `env::from_template` step")
    };
    find(cx, path).await?.ok_or_else(missing)
}

/// Reads an env file, if there is one.
pub(crate) async fn find(cx: &Context, path: &Path) -> Result<Option<EnvFile>> {
    let about = || format!("read the env file `{}`", path.display());
    // Through a link, because a shared env file is often linked into a release.
    let Some(stat) = cx.files().stat(path).await? else { return Ok(None) };
    let content = crate::file::content::read(cx, path, &stat).await.with_context(about)?;
    let text = String::from_utf8(content).map_err(|_| Error::new("it is not UTF-8 text")).with_context(about)?;
    EnvFile::parse(&text).with_context(about).map(Some)
}

/// What is at the path of an env file that is to be written. A link is refused: writing would put a file in its place.
async fn present(cx: &Context, path: &Path) -> Result<Present> {
    match Present::look(cx, path).await? {
        Present::Link(to) => {
            let error = Error::new(format!("`{}` is a symbolic link to `{}`", path.display(), to.display()));
            Err(error.hint("name the file it leads to"))
        }
        present => Ok(present),
    }
}

//! What is in a snapshot file, by `redis-check-rdb`, which reads all of it.

use std::path::Path;

use runbook::{Command, Context, Error, Explain as _, Result};
use serde::{Deserialize, Serialize};

use crate::tool;

/// What is in a snapshot file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contents {
    /// The version of the server that wrote it.
    pub(super) version: String,
    pub(super) keys: u64,
    /// How many of them go by themselves.
    pub(super) expires: u64,
}

/// Reads a file through. One that is damaged is an error.
pub(super) async fn check(cx: &Context, path: &Path) -> Result<Contents> {
    let command = Command::new("redis-check-rdb").arg(path);
    let output = match cx.output(&command).await {
        Ok(output) if output.code == Some(127) => return Err(missing(cx)),
        Err(error) if tool::is_missing(&error) => return Err(missing(cx)),
        output => output?,
    };
    let said = output.lossy().into_owned();
    if !output.success() || !said.contains("RDB looks OK!") {
        let error = Error::new(format!("`{}` is no snapshot that Redis could load", path.display()));
        return Err(error.details(output.tail(10)));
    }
    contents(&said).with_context(|| format!("cannot read what redis-check-rdb says of `{}`", path.display()))
}

fn contents(said: &str) -> Option<Contents> {
    let number = |what: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix("[info] ")?.strip_suffix(what))?;
        line.trim().parse().ok()
    };
    let version = said.lines().find_map(|line| line.split_once("AUX FIELD redis-ver = '")?.1.strip_suffix('\''));
    Some(Contents {
        version: version.unwrap_or("unknown").to_owned(),
        keys: number("keys read")?,
        expires: number("expires")?,
    })
}

fn missing(cx: &Context) -> Error {
    let error = Error::new(format!("no program `redis-check-rdb` on {}", cx.host().name()));
    error.hint("it is in the package redis-tools, and in every image of Redis")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_counted() {
        let said = "[offset 0] Checking RDB file a\n[offset 27] AUX FIELD redis-ver = '7.0.15'\n[offset 197] Checksum OK\n\
                    [offset 197] \\o/ RDB looks OK! \\o/\n[info] 12 keys read\n[info] 3 expires\n[info] 1 already expired\n";
        let found = contents(said).expect("is read");
        assert_eq!(found, Contents { version: "7.0.15".to_owned(), keys: 12, expires: 3 });
        assert_eq!(contents("[info] 12 keys"), None);
    }
}

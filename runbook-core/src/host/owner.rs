//! Owners by name: `user`, `user:group`, `:group`, by name or number.

use std::process::Command;

use crate::{Error, Result};

/// The numbers of an owner; what is `None` stays as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Owner {
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
}

impl Owner {
    /// Looks the names up on this machine.
    pub(super) fn look_up(text: &str) -> Result<Self> {
        let (user, group) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self { uid: number("passwd", user)?, gid: number("group", group)? })
    }
}

/// The number of a name in this database; `None` for no name.
fn number(database: &str, name: &str) -> Result<Option<u32>> {
    if name.is_empty() {
        return Ok(None);
    }
    if let Ok(number) = name.parse() {
        return Ok(Some(number));
    }
    let text = std::fs::read_to_string(format!("/etc/{database}")).unwrap_or_default();
    let found = entry(&text, name).or_else(|| entry(&getent(database, name)?, name));
    let what = if database == "group" { "group" } else { "user" };
    found.map(Some).ok_or_else(|| Error::new(format!("no {what} `{name}` on this machine")))
}

/// Names that come from a directory service are in no file; `getent` knows them.
fn getent(database: &str, name: &str) -> Option<String> {
    let output = Command::new("getent").args([database, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()
}

/// The third field of the line of this name: passwd(5) and group(5) agree on it.
fn entry(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_a_user_a_group_or_both_by_name_or_number() {
        let root = Owner { uid: Some(0), gid: Some(0) };
        assert_eq!(Owner::look_up("root:root").expect("exists"), root);
        assert_eq!(Owner::look_up("0:0").expect("numbers"), root);
        assert_eq!(Owner::look_up(":root").expect("exists"), Owner { uid: None, gid: Some(0) });
        assert_eq!(Owner::look_up("root").expect("exists"), Owner { uid: Some(0), gid: None });
        let error = Owner::look_up("no-such-user").expect_err("does not exist");
        assert_eq!(error.message(), "no user `no-such-user` on this machine");
    }
}

//! Properties, as `systemctl show` prints them: one `Name=value` a line.

use runbook::{Error, Explain as _, Result};

/// The properties of a unit, or of systemd itself.
#[derive(Debug, Clone)]
pub(super) struct Properties<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Properties<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        Self(text.lines().filter_map(|line| line.split_once('=')).collect())
    }

    /// All values of a name; commands like `ExecStart` may be there more than once.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The value of a name; an empty or unset one is none. Other kinds of units lack many of them.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.all(name).next().filter(|value| !value.is_empty() && *value != "[not set]")
    }

    /// A value that every unit has.
    pub(super) fn require(&self, name: &str) -> Result<&'a str> {
        self.get(name).with_context(|| format!("systemd does not say the property `{name}`"))
    }

    /// A value that means something to `parse`.
    pub(super) fn read<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let read = parse(value);
        read.map(Some).ok_or_else(|| Error::new(format!("cannot read the property `{name}={value}` of systemd")))
    }

    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        self.read(name, |value| value.parse().ok())
    }

    pub(super) fn yes(&self, name: &str) -> bool {
        self.get(name) == Some("yes")
    }
}

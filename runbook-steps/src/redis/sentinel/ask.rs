//! What sentinels answer with: names and values, line by line.

use std::collections::BTreeMap;

use runbook::{Context, Error, Explain as _, Result};

use super::Sentinels;
use crate::redis::Redis;
use crate::redis::cli::Answer;

/// The fields of one thing a sentinel tells of.
pub(super) type Fields = BTreeMap<String, String>;

impl Sentinels {
    /// Where they are; without any there is nobody to ask.
    pub(super) fn addresses(&self) -> Result<&[String]> {
        if self.addresses.is_empty() {
            let error = Error::new(format!("no sentinel of `{}` is given", self.master));
            return Err(error.hint("name them: `.at([\"10.0.0.1:26379\", …])`"));
        }
        Ok(&self.addresses)
    }

    /// What one of them says of the master; an `Err` of words when it does not say.
    pub(super) async fn said_by(&self, cx: &Context, address: &str) -> Result<Result<Fields, String>> {
        let answer = self.sentinel(address)?.ask(&self.asking(cx), ["SENTINEL", "MASTER", &self.master]).await?;
        Ok(match answer {
            Answer::Is(text) => records(&text).into_iter().next().ok_or_else(|| format!("says `{text}`")),
            Answer::Refused(words) => Err(format!("refuses us: {words}")),
            Answer::Silent(words) => Err(format!("does not answer: {words}")),
        })
    }

    /// What one of them says of the replicas.
    pub(super) async fn replicas_by(&self, cx: &Context, address: &str) -> Result<Vec<Fields>> {
        let sentinel = self.sentinel(address)?;
        let text = sentinel.require(&self.asking(cx), ["SENTINEL", "REPLICAS", &self.master]).await?;
        Ok(records(&text))
    }

    /// Tells one of them something, of which `OK` is to come.
    pub(super) async fn tell(&self, cx: &Context, address: &str, words: &[&str]) -> Result<()> {
        let sentinel = self.sentinel(address)?;
        sentinel.tell(&self.asking(cx), words).await
    }
}

impl Redis {
    /// Tells it something to which it says `OK`.
    pub(in crate::redis) async fn tell(&self, cx: &Context, words: &[&str]) -> Result<()> {
        let said = self.require(cx, words.iter().copied()).await?;
        if said.starts_with("OK") {
            return Ok(());
        }
        Err(Error::unknown(format!("{} says `{said}` to `{}`", self.url, words.join(" "))))
    }

    /// A parameter of its configuration.
    pub(in crate::redis) async fn parameter(&self, cx: &Context, name: &str) -> Result<Option<String>> {
        let text = self.require(cx, ["CONFIG", "GET", name]).await?;
        let mut lines = text.lines();
        Ok(lines.next().filter(|line| *line == name).map(|_| lines.next().unwrap_or_default().to_owned()))
    }

    /// The id of its life: another one after each start.
    pub(in crate::redis) async fn run_id(&self, cx: &Context) -> Result<String> {
        let info = self.require(cx, ["INFO", "server"]).await?;
        Self::field(&info, "run_id").map(str::to_owned).with_context(|| format!("{} does not say its run_id", self.url))
    }
}

/// Names and values in turn; with each `name` another thing begins.
pub(super) fn records(text: &str) -> Vec<Fields> {
    let lines: Vec<&str> = text.lines().collect();
    let mut all: Vec<Fields> = Vec::new();
    for pair in lines.chunks(2).filter(|pair| pair.len() == 2 || !pair[0].is_empty()) {
        if pair[0] == "name" || all.is_empty() {
            all.push(Fields::new());
        }
        let value = pair.get(1).copied().unwrap_or_default();
        all.last_mut().map(|fields| fields.insert(pair[0].to_owned(), value.to_owned()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_begins_another_thing() {
        let all = records("name\na\nport\n1\nname\nb\nflags\n");
        assert_eq!(all.len(), 2);
        assert_eq!(all[0]["port"], "1");
        assert_eq!(all[1]["flags"], "");
        assert!(records("").is_empty());
    }
}

//! The text of an env file: parsed, edited, and written back as it was.

use std::fmt;

use runbook_core::{Error, Result};

/// An env file: its keys and values, with everything else it says. `Debug` shows its keys only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct EnvFile(Vec<Line>);

#[derive(Clone, PartialEq, Eq)]
enum Line {
    /// A comment or an empty line.
    Text(String),
    Pair(Pair),
}

#[derive(Clone, PartialEq, Eq)]
struct Pair {
    /// The whole of it as it stands, without the last newline.
    raw: String,
    export: bool,
    key: String,
    value: String,
    /// What follows the value: a comment, with the space before it.
    tail: String,
}

impl EnvFile {
    /// Parses the text of an env file. An error names the line, and nothing of what it says.
    pub fn parse(text: &str) -> Result<Self> {
        let (mut lines, mut rest, mut number) = (Vec::new(), text, 1);
        while !rest.is_empty() {
            let (line, length) = next(rest).map_err(|why| Error::new(format!("line {number}: {why}")))?;
            number += rest[..length].matches('\n').count();
            rest = &rest[length..];
            lines.push(line);
        }
        Ok(Self(lines))
    }

    /// The value of a key; the last one, when it stands there more than once.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs().filter(|pair| pair.key == key).last().map(|pair| pair.value.as_str())
    }

    /// The keys in their order, each once.
    pub fn keys(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = Vec::new();
        for pair in self.pairs() {
            if !keys.contains(&pair.key.as_str()) {
                keys.push(&pair.key);
            }
        }
        keys
    }

    /// Sets a key where it stands last, or at the end.
    pub fn set(&mut self, key: &str, value: &str) {
        let last = self.0.iter_mut().rev().find_map(|line| match line {
            Line::Pair(pair) if pair.key == key => Some(pair),
            _ => None,
        });
        match last {
            Some(pair) if pair.value == value => {}
            Some(pair) => pair.set(value),
            None => self.0.push(Line::Pair(Pair::new(key, value))),
        }
    }

    /// Takes a key out.
    pub fn unset(&mut self, key: &str) {
        self.0.retain(|line| !matches!(line, Line::Pair(pair) if pair.key == key));
    }

    /// Adds the keys that another file has and this one lacks, each with the comments above it.
    pub(crate) fn add_missing(&mut self, other: &Self) {
        let mut above: Vec<Line> = Vec::new();
        for line in &other.0 {
            match line {
                Line::Text(_) => above.push(line.clone()),
                Line::Pair(pair) if self.get(&pair.key).is_none() => {
                    self.0.append(&mut above);
                    self.0.push(line.clone());
                }
                Line::Pair(_) => above.clear(),
            }
        }
    }

    fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.0.iter().filter_map(|line| match line {
            Line::Pair(pair) => Some(pair),
            Line::Text(_) => None,
        })
    }
}

impl Pair {
    fn new(key: &str, value: &str) -> Self {
        let (key, tail) = (key.to_owned(), String::new());
        let mut pair = Self { raw: String::new(), export: false, key, value: String::new(), tail };
        pair.set(value);
        pair
    }

    fn set(&mut self, value: &str) {
        let export = if self.export { "export " } else { "" };
        self.raw = format!("{export}{}={}{}", self.key, quote(value), self.tail);
        value.clone_into(&mut self.value);
    }
}

impl EnvFile {
    /// The file as text. It holds the values.
    pub(crate) fn text(&self) -> String {
        let lines = self.0.iter().map(|line| match line {
            Line::Text(text) => text.as_str(),
            Line::Pair(pair) => pair.raw.as_str(),
        });
        lines.fold(String::new(), |text, line| text + line + "\n")
    }
}

impl fmt::Debug for EnvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EnvFile").field(&self.keys()).finish()
    }
}

/// The value as dotenv, Compose and systemd all read it back.
fn quote(value: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,=?&~*".contains(c);
    if value.chars().all(harmless) {
        return value.to_owned();
    }
    if !value.contains(['\'', '\n', '\r', '\\']) {
        return format!("'{value}'");
    }
    let escaped = value.chars().fold(String::new(), |mut text, c| {
        match c {
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '"' | '\\' | '$' | '`' => text.extend(['\\', c]),
            other => text.push(other),
        }
        text
    });
    format!("\"{escaped}\"")
}

type Parsed<T> = Result<T, &'static str>;

/// The next line of a text, or lines when a value goes over several, and how many bytes it takes.
fn next(text: &str) -> Parsed<(Line, usize)> {
    let line = text.split('\n').next().unwrap_or_default();
    let start = line.trim_start();
    if start.is_empty() || start.starts_with('#') {
        return Ok((Line::Text(line.trim_end_matches('\r').to_owned()), with_newline(text, line.len())));
    }
    let (export, rest) = match start.strip_prefix("export ") {
        Some(rest) => (true, rest),
        None => (false, start),
    };
    let (key, _) = rest.split_once('=').ok_or("it has no `=`")?;
    let at = line.len() - rest.len() + key.len() + 1;
    let key = key.trim();
    if !is_key(key) {
        return Err("what stands before `=` is no name of a variable");
    }
    let (value, value_length) = value(&text[at..])?;
    let end = at + value_length;
    let tail = text[end..].split('\n').next().unwrap_or_default();
    if !tail.trim().is_empty() && !tail.trim_start().starts_with('#') {
        return Err("something follows the closing quote");
    }
    let raw = text[..end + tail.len()].trim_end_matches('\r').to_owned();
    let pair = Pair { raw, export, key: key.to_owned(), value, tail: tail.trim_end().to_owned() };
    Ok((Line::Pair(pair), with_newline(text, end + tail.len())))
}

fn with_newline(text: &str, length: usize) -> usize {
    (length + 1).min(text.len())
}

pub(super) fn is_key(key: &str) -> bool {
    let first = key.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    first && key.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
}

/// The value that a text begins with, and how many bytes it takes, its quotes and the space before it included.
fn value(text: &str) -> Parsed<(String, usize)> {
    let start = text.len() - text.trim_start_matches([' ', '\t']).len();
    let body = &text[start..];
    match body.chars().next() {
        Some('\'') => {
            let end = body[1..].find('\'').ok_or("a quote is not closed")?;
            Ok((body[1..=end].to_owned(), start + end + 2))
        }
        Some('"') => double_quoted(&body[1..]).map(|(value, length)| (value, start + length + 1)),
        _ => {
            let line = body.split('\n').next().unwrap_or_default();
            let end = if start > 0 && line.starts_with('#') { Some(0) } else { comment(line) };
            let bare = line[..end.unwrap_or(line.len())].trim_end();
            Ok((bare.to_owned(), start + bare.len()))
        }
    }
}

/// Where the comment of a line begins: at a `#` with a space before it.
fn comment(line: &str) -> Option<usize> {
    line.match_indices('#').map(|(at, _)| at).find(|at| line[..*at].ends_with([' ', '\t']))
}

/// The value up to the closing quote, and how many bytes it takes, that quote included.
fn double_quoted(text: &str) -> Parsed<(String, usize)> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, at + 1)),
            '\\' => match chars.next().ok_or("a quote is not closed")?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                c @ ('"' | '\\' | '$' | '`') => value.push(c),
                other => value.extend(['\\', other]),
            },
            other => value.push(other),
        }
    }
    Err("a quote is not closed")
}

#[cfg(test)]
mod tests {
    use super::EnvFile;

    #[test]
    fn values_are_read_as_dotenv_reads_them() {
        for (text, value) in [
            ("K=v", "v"),
            ("K=", ""),
            ("K=v # comment", "v"),
            ("K= # comment", ""),
            ("K=a#b", "a#b"),
            ("K=#abc", "#abc"),
            ("  export K = v  ", "v"),
            ("K='a # $b \\n'", "a # $b \\n"),
            ("K=\"a\\nb \\\"c\\\" \\$d \\x\" # comment", "a\nb \"c\" $d \\x"),
            ("K='one\ntwo'\nL=1", "one\ntwo"),
            ("K=\"one\ntwo\"", "one\ntwo"),
            ("K=a=b=c", "a=b=c"),
            ("K=v\r\nL=w\r\n", "v"),
            ("K=first\nK=last", "last"),
            ("# K=no\n\nK=yes", "yes"),
        ] {
            let file = EnvFile::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!(file.get("K"), Some(value), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_env_file_is_an_error_that_names_the_line_and_not_what_it_says() {
        for (text, error) in [
            ("A=1\nhunter2", "line 2: it has no `=`"),
            ("A='1\n2'\nhunter2 x=1", "line 3: what stands before `=` is no name of a variable"),
            ("A='hunter2", "line 1: a quote is not closed"),
            ("\n\nA=\"hunter2", "line 3: a quote is not closed"),
            ("A='x' hunter2", "line 1: something follows the closing quote"),
            ("=hunter2", "line 1: what stands before `=` is no name of a variable"),
        ] {
            assert_eq!(EnvFile::parse(text).expect_err(text).message(), error);
        }
    }

    #[test]
    fn comments_and_order_stay_when_keys_are_set() {
        let text = "# the app\nexport A=1 # one\n\nB='two'\n# end\n";
        let mut file = EnvFile::parse(text).expect("it parses");
        assert_eq!(file.text(), text);
        file.set("B", "two");
        assert_eq!(file.text(), text, "a value that is so already is not rewritten");
        file.set("A", "has space");
        file.set("C", "new");
        assert_eq!(file.text(), "# the app\nexport A='has space' # one\n\nB='two'\n# end\nC=new\n");
        file.unset("B");
        assert_eq!(file.keys(), ["A", "C"]);
    }

    #[test]
    fn any_value_comes_back() {
        for value in
            ["", "plain", "a b", "it's", "#x", " x ", "a\nb", "\\", "'\"`$\\n", "ü", "a\\b", "\"", "$HOME", "x #y"]
        {
            let mut file = EnvFile::parse("K=old # c\n").expect("it parses");
            file.set("K", value);
            let back = EnvFile::parse(&file.text()).unwrap_or_else(|error| panic!("{value:?}: {error}"));
            assert_eq!(back.get("K"), Some(value), "{}", file.text());
        }
    }

    #[test]
    fn missing_keys_come_with_their_comments() {
        let mut file = EnvFile::parse("B=mine\n").expect("it parses");
        let example = EnvFile::parse("# a\nA=1\n# b\nB=2\n# c\nC=3\n# end\n").expect("it parses");
        file.add_missing(&example);
        assert_eq!(file.text(), "B=mine\n# a\nA=1\n# c\nC=3\n");
    }

    #[test]
    fn debug_shows_no_value() {
        let file = EnvFile::parse("TOKEN=hunter2").expect("it parses");
        assert_eq!(format!("{file:?}"), "EnvFile([\"TOKEN\"])");
    }
}

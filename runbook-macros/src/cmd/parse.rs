//! A line as words, each of literal text and values.

use std::iter::Peekable;
use std::str::Chars;

use syn::{Error, Expr, LitStr, Result};

/// One word of the line.
#[derive(Debug, PartialEq)]
pub(super) enum Word {
    /// One argument, glued together from these.
    One(Vec<Part>),
    /// As many arguments as the list has.
    Many(Box<Expr>),
}

/// A part of an argument.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// This text.
    Text(String),
    /// The value of this.
    Value(Box<Expr>),
}

/// The words of a line: a program and its arguments.
pub(super) fn words(line: &LitStr) -> Result<Vec<Word>> {
    let text = line.value();
    let mut reader = Reader { line, rest: text.chars().peekable(), words: Vec::new(), word: Building::default() };
    reader.read()?;
    match reader.words.first() {
        None => Err(Error::new(line.span(), "a command starts with a program: `cmd!(\"git status\")`")),
        Some(Word::Many(_)) => {
            Err(Error::new(line.span(), "a command starts with a program, and a `{list...}` may be empty"))
        }
        Some(Word::One(_)) => Ok(reader.words),
    }
}

/// The word being read.
#[derive(Default)]
struct Building {
    /// Whether there is a word at all: `''` is one, though it is empty.
    begun: bool,
    /// What stands there without quotes, to see what is meant for a shell.
    plain: String,
    parts: Vec<Part>,
    list: Option<Box<Expr>>,
}

struct Reader<'a> {
    line: &'a LitStr,
    rest: Peekable<Chars<'a>>,
    words: Vec<Word>,
    word: Building,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<()> {
        while let Some(char) = self.rest.next() {
            match char {
                space if space.is_whitespace() => self.end_word()?,
                '\'' => self.single_quoted()?,
                '"' => self.double_quoted()?,
                '{' | '}' => self.brace(char, true)?,
                other => {
                    self.word.plain.push(other);
                    self.word.push(other);
                }
            }
        }
        self.end_word()
    }

    fn single_quoted(&mut self) -> Result<()> {
        self.word.begun = true;
        loop {
            match self.rest.next() {
                Some('\'') => return Ok(()),
                Some(char) => self.word.push(char),
                None => return self.error("a `'` is never closed: add the other one, or put it in double quotes"),
            }
        }
    }

    fn double_quoted(&mut self) -> Result<()> {
        self.word.begun = true;
        loop {
            match self.rest.next() {
                Some('"') => return Ok(()),
                Some(brace @ ('{' | '}')) => self.brace(brace, false)?,
                Some(char) => self.word.push(char),
                None => return self.error("a `\"` is never closed: add the other one, or put it in single quotes"),
            }
        }
    }

    /// A brace: doubled it is itself, else it opens a value.
    fn brace(&mut self, brace: char, list_allowed: bool) -> Result<()> {
        if self.rest.next_if_eq(&brace).is_some() {
            self.word.push(brace);
            return Ok(());
        }
        if brace == '}' {
            return self.error("a `}` closes nothing: write `}}` for a brace");
        }
        let source = self.until_brace_closes()?;
        match source.strip_suffix("...") {
            None => {
                let value = self.value(&source)?;
                self.word.begun = true;
                self.word.parts.push(Part::Value(value));
                Ok(())
            }
            Some(_) if self.word.begun || !list_allowed => self.glued(&source),
            Some(list) => {
                self.word.list = Some(self.value(list)?);
                self.word.begun = true;
                match self.rest.peek() {
                    Some(next) if !next.is_whitespace() => self.glued(&source),
                    _ => Ok(()),
                }
            }
        }
    }

    fn glued(&self, source: &str) -> Result<()> {
        self.error(format!("`{{{source}}}` is several arguments: put spaces around it"))
    }

    /// What stands before the brace that closes the one just read. Braces in strings do not count.
    fn until_brace_closes(&mut self) -> Result<String> {
        let (mut source, mut depth, mut in_string) = (String::new(), 0_usize, false);
        while let Some(char) = self.rest.next() {
            match char {
                '"' => in_string = !in_string,
                '\\' if in_string => {
                    source.push(char);
                    source.extend(self.rest.next());
                    continue;
                }
                '{' if !in_string => depth += 1,
                '}' if !in_string && depth == 0 => return Ok(source),
                '}' if !in_string => depth -= 1,
                _ => {}
            }
            source.push(char);
        }
        self.error(format!("`{{{source}` is never closed: add a `}}`, or write `{{{{` for a brace"))
    }

    fn value(&self, source: &str) -> Result<Box<Expr>> {
        if source.trim().is_empty() {
            return self.error("`{}` has no value in it: write `{name}`, or `{{}}` for braces");
        }
        LitStr::new(source, self.line.span()).parse().map(Box::new).or_else(|_| {
            self.error(format!("`{{{source}}}` holds no expression: write a value like `{{name}}` or `{{site.root}}`"))
        })
    }

    fn end_word(&mut self) -> Result<()> {
        let word = std::mem::take(&mut self.word);
        if !word.begun {
            return Ok(());
        }
        if let Some(meant) = meant_for_a_shell(&word.plain) {
            return self.error(meant);
        }
        self.words.push(match word.list {
            Some(list) => Word::Many(list),
            None => Word::One(word.parts),
        });
        Ok(())
    }

    fn error<T>(&self, message: impl Into<String>) -> Result<T> {
        Err(Error::new(self.line.span(), message.into()))
    }
}

impl Building {
    fn push(&mut self, char: char) {
        self.begun = true;
        match self.parts.last_mut() {
            Some(Part::Text(text)) => text.push(char),
            _ => self.parts.push(Part::Text(char.into())),
        }
    }
}

/// What a word without quotes would mean to a shell, which is not there.
fn meant_for_a_shell(word: &str) -> Option<String> {
    let (is, instead) = match word {
        "|" | "|&" => ("is a pipe", "build a `Pipeline` of two commands"),
        "&&" | "||" | "&" => ("joins commands", "run them one after the other"),
        _ if word.ends_with(';') => ("ends a command", "run them one after the other"),
        _ if redirects(word) => ("redirects", "give input with `.input(…)`, and read the output that `cx.run` gives"),
        _ if word.contains(['$', '`']) => ("stands for a value", "write `{value}`"),
        _ if word.contains('*') => ("stands for file names", "list the files and write `{files...}`"),
        _ if word.starts_with('~') => ("stands for a home directory", "write `{home}`"),
        _ if word.contains('\\') => ("escapes something", "use quotes"),
        _ => return None,
    };
    Some(format!("`{word}` {is}, but there is no shell here: {instead}. To mean the text itself, write `'{word}'`"))
}

fn redirects(word: &str) -> bool {
    word.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['<', '>'])
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;

    use super::*;

    /// The words as text, values in angle brackets.
    fn read(line: &str) -> std::result::Result<Vec<String>, String> {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Value(value) => format!("<{}>", crate::source::print(value)),
        };
        let word = |word: &Word| match word {
            Word::One(parts) => parts.iter().map(part).collect(),
            Word::Many(list) => format!("<{}...>", crate::source::print(list)),
        };
        let words = words(&LitStr::new(line, Span::call_site())).map_err(|error| error.to_string())?;
        Ok(words.iter().map(word).collect())
    }

    fn good(line: &str) -> Vec<String> {
        read(line).expect("a line")
    }

    #[test]
    fn a_line_is_split_at_white_space_and_kept_together_by_quotes() {
        assert_eq!(good("git  log\n -1"), ["git", "log", "-1"]);
        assert_eq!(
            good("git commit -m 'two words' \"and 'more'\""),
            ["git", "commit", "-m", "two words", "and 'more'"]
        );
        assert_eq!(good("psql -c '' a'b c'd"), ["psql", "-c", "", "ab cd"]);
        assert_eq!(good("awk '{print $1}'"), ["awk", "{print $1}"]);
    }

    #[test]
    fn values_are_one_argument_or_part_of_one() {
        assert_eq!(good("git checkout {revision} --"), ["git", "checkout", "<revision>", "--"]);
        assert_eq!(good("tar --file={dir.join(\"a b\")}.gz"), ["tar", "--file=<dir . join ( \"a b\" )>.gz"]);
        assert_eq!(good("echo \"hello {name}!\" {a}{b}"), ["echo", "hello <name>!", "<a><b>"]);
        assert_eq!(good("rm -- {files...}"), ["rm", "--", "<files...>"]);
        assert_eq!(good("echo {{}} \"{{x}}\" {f(|x| { x })}"), ["echo", "{}", "{x}", "<f ( | x | { x } )>"]);
    }

    #[test]
    fn what_is_meant_for_a_shell_is_refused_unless_quoted() {
        for line in ["a | b", "a && b", "a; b", "a > b", "a 2>&1", "a $HOME", "a `b`", "rm *.log", "ls ~/x", "a \\;"] {
            let message = read(line).expect_err(line);
            assert!(message.contains("there is no shell here"), "{line}: {message}");
        }
        assert_eq!(
            good("psql -c 'select * from a where b > 1;' \"$x\""),
            ["psql", "-c", "select * from a where b > 1;", "$x"]
        );
    }

    #[test]
    fn broken_lines_say_what_is_missing() {
        for (line, want) in [
            ("", "starts with a program"),
            ("{list...} x", "starts with a program"),
            ("a 'b", "never closed"),
            ("a \"b", "never closed"),
            ("a {b", "never closed"),
            ("a b}", "closes nothing"),
            ("a {}", "no value"),
            ("a {b:?}", "no expression"),
            ("a x{b...}", "put spaces around it"),
            ("a {b...}x", "put spaces around it"),
            ("a \"{b...}\"", "put spaces around it"),
        ] {
            let message = read(line).expect_err(line);
            assert!(message.contains(want), "{line}: {message}");
        }
    }
}

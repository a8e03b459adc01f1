//! Constraints on the values of an env file.

use std::collections::BTreeSet;
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook_core::{Check, Command, Context, Description, Evidence, Finding, Resource, Result};
use url::Url;

use super::EnvFile;
use super::placeholder::is_placeholder;

/// Whether an env file is fit for use: every constraint holds, and nothing in it is a placeholder.
#[derive(Debug, Clone)]
#[must_use = "a check asks nothing until a run asks it: `run.check(\"…\", check).await?`"]
pub struct Satisfies {
    path: PathBuf,
    rules: Vec<(String, Rule)>,
    example: Option<PathBuf>,
    placeholders: BTreeSet<String>,
}

/// What must hold for one value.
#[derive(Debug, Clone)]
enum Rule {
    Required,
    Length(Bound<usize>, Bound<usize>),
    OneOf(Vec<String>),
    StartsWith(String),
    Url(UrlParts),
    NoWildcard,
    DiffersFromExample,
}

/// The parts a URL must have.
#[derive(Debug, Clone, Default)]
pub struct UrlParts {
    schemes: Vec<String>,
    password: bool,
    queries: Vec<(String, Vec<String>)>,
}

impl UrlParts {
    /// This scheme, or one of several when called again. `postgresql` also stands for `postgresql+psycopg`.
    pub fn scheme(mut self, scheme: impl Into<String>) -> Self {
        self.schemes.push(scheme.into());
        self
    }

    /// A password that is no placeholder.
    pub fn password(mut self) -> Self {
        self.password = true;
        self
    }

    /// A parameter in the query, with any value.
    pub fn query(self, name: impl Into<String>) -> Self {
        self.query_is(name, [] as [String; 0])
    }

    /// A parameter in the query, with one of these values.
    pub fn query_is(mut self, name: impl Into<String>, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.queries.push((name.into(), values.into_iter().map(Into::into).collect()));
        self
    }

    /// What has to be in it, in words.
    fn wanted(&self) -> String {
        let schemes = (!self.schemes.is_empty()).then(|| format!("{}://", self.schemes.join(":// or ")));
        let password = self.password.then(|| "a password".to_owned());
        let queries = self.queries.iter().map(|(name, values)| match values.as_slice() {
            [] => name.clone(),
            values => format!("{name}={}", values.join(" or ")),
        });
        let parts: Vec<_> = schemes.into_iter().chain(password).chain(queries).collect();
        if parts.is_empty() { "a URL".to_owned() } else { format!("a URL with {}", parts.join(" and ")) }
    }

    /// What is wrong with a value, without repeating it.
    fn violations(&self, value: &str) -> Vec<String> {
        let Ok(url) = Url::parse(value) else { return vec!["is not a URL".to_owned()] };
        let scheme = url.scheme().split('+').next().unwrap_or_default();
        let fits = |wanted: &String| wanted == scheme || wanted == url.scheme();
        let mut wrong = Vec::new();
        if !self.schemes.is_empty() && !self.schemes.iter().any(fits) {
            wrong.push(format!("does not begin with `{}://`", self.schemes.join("://` or `")));
        }
        if self.password && url.password().is_none_or(|password| password.is_empty() || is_placeholder(password)) {
            wrong.push("has no password, or a placeholder for one".to_owned());
        }
        wrong.extend(self.queries.iter().filter_map(|query| query_violation(&url, query)));
        wrong
    }
}

fn query_violation(url: &Url, (name, values): &(String, Vec<String>)) -> Option<String> {
    let found = url.query_pairs().find(|(key, _)| key == name.as_str());
    match found {
        None => Some(format!("has no `{name}` in its query")),
        Some((_, value)) if !values.is_empty() && !values.iter().any(|wanted| *wanted == value) => {
            Some(format!("has another `{name}` in its query than `{}`", values.join("` or `")))
        }
        Some(_) => None,
    }
}

impl Satisfies {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), rules: Vec::new(), example: None, placeholders: BTreeSet::new() }
    }

    /// These keys are there and not empty.
    pub fn required(self, keys: impl IntoIterator<Item = impl Into<String>>) -> Self {
        keys.into_iter().fold(self, |this, key| this.rule(key, Rule::Required))
    }

    /// The value has this many characters: `32..`, `8..=64`.
    pub fn length(self, key: impl Into<String>, characters: impl RangeBounds<usize>) -> Self {
        self.rule(key, Rule::Length(characters.start_bound().cloned(), characters.end_bound().cloned()))
    }

    /// The value is this.
    pub fn equals(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.one_of(key, [value.into()])
    }

    /// The value is one of these.
    pub fn one_of(self, key: impl Into<String>, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.rule(key, Rule::OneOf(values.into_iter().map(Into::into).collect()))
    }

    /// The value begins so: `sk_test_`.
    pub fn starts_with(self, key: impl Into<String>, prefix: impl Into<String>) -> Self {
        self.rule(key, Rule::StartsWith(prefix.into()))
    }

    /// The value is a URL with these parts.
    pub fn url(self, key: impl Into<String>, parts: impl FnOnce(UrlParts) -> UrlParts) -> Self {
        self.rule(key, Rule::Url(parts(UrlParts::default())))
    }

    /// The value holds no `*`.
    pub fn no_wildcard(self, key: impl Into<String>) -> Self {
        self.rule(key, Rule::NoWildcard)
    }

    /// The values of these keys are not those of the example file.
    pub fn differs_from(
        mut self,
        example: impl AsRef<Path>,
        keys: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.example = Some(example.as_ref().to_owned());
        keys.into_iter().fold(self, |this, key| this.rule(key, Rule::DiffersFromExample))
    }

    /// The value of this key may look like a placeholder.
    pub fn allow_placeholder(mut self, key: impl Into<String>) -> Self {
        self.placeholders.insert(key.into());
        self
    }

    fn rule(mut self, key: impl Into<String>, rule: Rule) -> Self {
        self.rules.push((key.into(), rule));
        self
    }

    /// Says which keys are set, and what their values have to be; never what they are.
    fn by_hand(&self) -> Vec<String> {
        let mut keys: Vec<&str> = Vec::new();
        keys.extend(self.rules.iter().map(|(key, _)| key.as_str()));
        let mut seen = BTreeSet::new();
        keys.retain(|key| seen.insert(*key));
        let wanted = |key: &&str| {
            let rules = self.rules.iter().filter(|(of, _)| of == key).map(|(_, rule)| rule.wanted());
            let rules: Vec<_> = rules.filter(|wanted| !wanted.is_empty()).collect();
            (!rules.is_empty()).then(|| format!("# {key}: {}", rules.join(", ")))
        };
        let path = self.path.to_string_lossy();
        let set = Command::new("sed").arg("-nE").arg(format!(r"s/^({})=.+/\1 is set/p", keys.join("|"))).arg(&*path);
        [set.to_string()].into_iter().chain(keys.iter().filter_map(wanted)).collect()
    }

    /// Everything that is wrong, each by key, none by value.
    fn violations(&self, file: &EnvFile, example: &EnvFile) -> Vec<String> {
        let ruled = self.rules.iter().flat_map(|(key, rule)| {
            let wrong = rule.violations(key, file.get(key).filter(|value| !value.trim().is_empty()), example);
            wrong.into_iter().map(move |wrong| format!("`{key}` {wrong}"))
        });
        let refused = |key: &&str| !self.placeholders.contains(*key) && file.get(key).is_some_and(is_placeholder);
        let placeholders = file.keys().into_iter().filter(refused).map(|key| format!("`{key}` is a placeholder"));
        let mut all = Vec::new();
        for violation in ruled.chain(placeholders) {
            if !all.contains(&violation) {
                all.push(violation);
            }
        }
        all
    }
}

impl Rule {
    /// What has to hold, in words.
    fn wanted(&self) -> String {
        match self {
            Self::Required => String::new(),
            Self::Length(from, to) => match (least(*from), most(*to)) {
                (least, most) if least == most => format!("{least} characters"),
                (least, usize::MAX) => format!("at least {least} characters"),
                (0, most) => format!("at most {most} characters"),
                (least, most) => format!("{least} to {most} characters"),
            },
            Self::OneOf(values) => values.join(" or "),
            Self::StartsWith(prefix) => format!("begins with {prefix}"),
            Self::Url(parts) => parts.wanted(),
            Self::NoWildcard => "no wildcard".to_owned(),
            Self::DiffersFromExample => "not the value of the example".to_owned(),
        }
    }

    fn violations(&self, key: &str, value: Option<&str>, example: &EnvFile) -> Vec<String> {
        let Some(value) = value else { return vec!["is missing or empty".to_owned()] };
        match self {
            Self::Length(from, to) => length_violation(value.chars().count(), *from, *to).into_iter().collect(),
            Self::OneOf(values) if values.iter().any(|wanted| wanted == value) => Vec::new(),
            Self::OneOf(values) => vec![format!("is not `{}`", values.join("` or `"))],
            Self::StartsWith(prefix) if value.starts_with(prefix) => Vec::new(),
            Self::StartsWith(prefix) => vec![format!("does not begin with `{prefix}`")],
            Self::Url(parts) => parts.violations(value),
            Self::NoWildcard if value.contains('*') => vec!["holds a wildcard".to_owned()],
            Self::DiffersFromExample if example.get(key) == Some(value) => {
                vec!["has the value of the example file".to_owned()]
            }
            Self::Required | Self::NoWildcard | Self::DiffersFromExample => Vec::new(),
        }
    }
}

fn least(from: Bound<usize>) -> usize {
    match from {
        Bound::Included(least) => least,
        Bound::Excluded(below) => below + 1,
        Bound::Unbounded => 0,
    }
}

fn most(to: Bound<usize>) -> usize {
    match to {
        Bound::Included(most) => most,
        Bound::Excluded(above) => above.saturating_sub(1),
        Bound::Unbounded => usize::MAX,
    }
}

fn length_violation(length: usize, from: Bound<usize>, to: Bound<usize>) -> Option<String> {
    let (least, most) = (least(from), most(to));
    if length < least {
        return Some(format!("is shorter than {least} characters"));
    }
    (length > most).then(|| format!("is longer than {most} characters"))
}

#[async_trait]
impl Check for Satisfies {
    fn describe(&self) -> Description {
        let path = self.path.display();
        let mut description = Description::new("env.satisfies", path.to_string())
            .summary(format!("{path} satisfies {} constraints, without placeholders", self.rules.len()))
            .reads(Resource::path(&self.path));
        description.commands = self.by_hand();
        description.reads.extend(self.example.as_ref().map(Resource::path));
        description
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let path = self.path.display();
        let file = match super::find(cx, &self.path).await {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(Finding::fail(format!("`{path}` does not exist"))),
            Err(error) => return Ok(Finding::unknown(format!("{error:#}"))),
        };
        let example = match &self.example {
            None => EnvFile::default(),
            Some(example) => match super::read(cx, example).await {
                Ok(example) => example,
                Err(error) => return Ok(Finding::unknown(format!("{error:#}"))),
            },
        };
        let violations = self.violations(&file, &example);
        if violations.is_empty() {
            return Ok(Finding::pass(format!("{} keys of `{path}` are fit for use", file.keys().len())));
        }
        let count = violations.len();
        let noun = if count == 1 { "violation" } else { "violations" };
        let summary = format!("{count} {noun} in `{path}`: {}", violations.join(", "));
        Ok(Finding::fail(Evidence::new(summary).lines(violations)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(text: &str, rules: impl FnOnce(Satisfies) -> Satisfies) -> Vec<String> {
        let file = EnvFile::parse(text).expect("it parses");
        let example = EnvFile::parse("KEY=from-the-example\n").expect("it parses");
        rules(Satisfies::new(Path::new("/srv/app/.env"))).violations(&file, &example)
    }

    #[test]
    fn it_says_what_to_look_for_by_hand() {
        let rules = Satisfies::new(Path::new("/srv/app/.env"))
            .required(["HOST", "KEY"])
            .length("KEY", 32..)
            .equals("DEBUG", "false")
            .url("URL", |url| url.scheme("redis").password().query_is("db", ["1"]));
        assert_eq!(
            rules.describe().commands,
            [
                r"sed -nE 's/^(HOST|KEY|DEBUG|URL)=.+/\1 is set/p' /srv/app/.env",
                "# KEY: at least 32 characters",
                "# DEBUG: false",
                "# URL: a URL with redis:// and a password and db=1",
            ]
        );
    }

    #[test]
    fn every_constraint_names_the_key_and_never_the_value() {
        type Rules = fn(Satisfies) -> Satisfies;
        let postgres: Rules = |s| s.url("URL", |url| url.scheme("postgresql").password().query("sslmode"));
        let strict: Rules = |s| s.url("URL", |url| url.query_is("sslmode", ["require", "verify-full"]));
        let cases: [(&str, Rules, &[&str]); 21] = [
            ("KEY=1", |s| s.required(["KEY"]), &[]),
            ("KEY=", |s| s.required(["KEY", "OTHER"]), &["`KEY` is missing or empty", "`OTHER` is missing or empty"]),
            ("KEY=hunter2", |s| s.length("KEY", 32..), &["`KEY` is shorter than 32 characters"]),
            ("KEY=hunter2", |s| s.length("KEY", ..=3), &["`KEY` is longer than 3 characters"]),
            ("KEY=hunter2", |s| s.length("KEY", 7..8), &[]),
            ("KEY=üüü", |s| s.length("KEY", 3..=3), &[]),
            ("KEY=staging", |s| s.equals("KEY", "production"), &["`KEY` is not `production`"]),
            ("KEY=b", |s| s.one_of("KEY", ["a", "b"]), &[]),
            ("KEY=sk_live_1", |s| s.starts_with("KEY", "sk_test_"), &["`KEY` does not begin with `sk_test_`"]),
            ("KEY=sk_test_1", |s| s.starts_with("KEY", "sk_test_"), &[]),
            ("KEY=https://a.b,*", |s| s.no_wildcard("KEY"), &["`KEY` holds a wildcard"]),
            ("KEY=from-the-example", |s| s.differs_from("e", ["KEY"]), &["`KEY` has the value of the example file"]),
            ("KEY=mine", |s| s.differs_from("e", ["KEY"]), &[]),
            ("ANY=changeme", |s| s, &["`ANY` is a placeholder"]),
            ("ANY=changeme", |s| s.allow_placeholder("ANY"), &[]),
            ("URL=postgresql://app:s3same@db/app?sslmode=require", postgres, &[]),
            ("URL=postgresql+psycopg://app:s3same@db/app?sslmode=require", postgres, &[]),
            (
                "URL=mysql://app@db/app",
                postgres,
                &[
                    "`URL` does not begin with `postgresql://`",
                    "`URL` has no password, or a placeholder for one",
                    "`URL` has no `sslmode` in its query",
                ],
            ),
            ("URL=nonsense", postgres, &["`URL` is not a URL"]),
            (
                "URL=pg://db?sslmode=disable",
                strict,
                &["`URL` has another `sslmode` in its query than `require` or `verify-full`"],
            ),
            (
                "URL=pg://app:password@db",
                |s| s.url("URL", UrlParts::password),
                &["`URL` has no password, or a placeholder for one"],
            ),
        ];
        for (text, rules, wanted) in cases {
            assert_eq!(violations(text, rules), wanted, "{text}");
        }
    }
}

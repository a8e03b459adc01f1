//! Tools: is a program there, and is it new enough?
//!
//! ```
//! use runbook_steps::tool;
//!
//! let check = tool::version("git").at_least("2.30");
//! let check = tool::version("java").args(["-version"]).at_least("17").install("apt-get install openjdk-17-jre");
//! ```

use std::cmp::Ordering;
use std::fmt;

use async_trait::async_trait;
use runbook::command::Output;
use runbook::{Check, Command, Context, Description, Error, Evidence, Explain, Finding, Resource, Result};

/// A version: numbers with dots between them, compared as numbers. `2.9` is older than `2.10`, and `2.0` is `2`.
#[derive(Debug, Clone, Eq)]
pub struct Version(Vec<u64>);

impl Version {
    /// The first version in a text: the first run of digits and dots with a dot in it, else the first
    /// number.
    pub fn find(text: &str) -> Option<Self> {
        let runs = || text.split(|c: char| !c.is_ascii_digit() && c != '.').filter_map(Self::parse);
        runs().find(|version| version.0.len() > 1).or_else(|| runs().next())
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches('.');
        text.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>().map(Self)
    }

    fn significant(&self) -> &[u64] {
        let end = self.0.iter().rposition(|part| *part != 0).map_or(0, |last| last + 1);
        &self.0[..end]
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.significant() == other.significant()
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.significant().cmp(other.significant())
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&parts.join("."))
    }
}

/// Asks whether `program` is on the host and says its version. It is asked with `--version` unless told
/// [otherwise](ToolVersion::args).
pub fn version(program: impl Into<String>) -> ToolVersion {
    ToolVersion { program: program.into(), args: vec!["--version".to_owned()], at_least: None, install: None }
}

/// The check of [`version`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct ToolVersion {
    program: String,
    args: Vec<String>,
    at_least: Option<String>,
    install: Option<String>,
}

impl ToolVersion {
    /// With this version or a newer one.
    pub fn at_least(mut self, version: impl Into<String>) -> Self {
        self.at_least = Some(version.into());
        self
    }

    /// Asks with these arguments instead of `--version`.
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// What a person types to install it, said when it is missing or too old.
    pub fn install(mut self, command: impl Into<String>) -> Self {
        self.install = Some(command.into());
        self
    }

    fn command(&self) -> Command {
        Command::new(&self.program).args(&self.args).env("LC_ALL", "C")
    }

    fn wanted(&self) -> Result<Option<Version>> {
        let wanted = self.at_least.as_deref();
        let parse = |text| Version::parse(text).with_context(|| format!("`{text}` is no version like `2.30`"));
        wanted.map(parse).transpose()
    }

    fn missing(&self) -> Finding {
        let evidence = Evidence::new(format!("no program `{}` on the host", self.program));
        Finding::fail(evidence.lines([self.advice()]))
    }

    fn advice(&self) -> String {
        match &self.install {
            Some(command) => format!("install it: {command}"),
            None => format!("install `{}`{}", self.program, self.or_newer()),
        }
    }

    fn or_newer(&self) -> String {
        self.at_least.as_ref().map(|version| format!(" {version} or newer")).unwrap_or_default()
    }

    fn judge(&self, output: &Output) -> Result<Finding> {
        let program = &self.program;
        let said = [String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)];
        let Some(version) = said.iter().find_map(|text| Version::find(text)) else {
            let evidence = Evidence::new(format!("`{}` says no version ({})", self.command(), output.ending()));
            return Ok(Finding::unknown(evidence.lines(output.tail(5))));
        };
        Ok(match self.wanted()? {
            Some(wanted) if version < wanted => {
                let evidence = Evidence::new(format!("{program} is {version}, wanted {wanted} or newer"));
                Finding::fail(evidence.lines([self.advice()]))
            }
            _ => Finding::pass(format!("{program} is {version}")),
        })
    }
}

#[async_trait]
impl Check for ToolVersion {
    fn describe(&self) -> Description {
        Description::new("tool.version", &self.program)
            .summary(format!("`{}`{} is installed", self.program, self.or_newer()))
            .command(format!("{} {}", self.program, self.args.join(" ")))
            .reads(Resource::new("program", &self.program))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        self.wanted()?;
        match cx.output(&self.command()).await {
            // A host that goes through another program says it with an exit code, as a shell does.
            Ok(output) if output.code == Some(127) => Ok(self.missing()),
            Err(error) if is_missing(&error) => Ok(self.missing()),
            output => self.judge(&output?),
        }
    }
}

/// Whether a host said that a program does not exist.
pub(crate) fn is_missing(error: &Error) -> bool {
    let mut said = std::iter::once(error.message()).chain(error.causes());
    said.any(|words| {
        words.starts_with("no program `") || (words.starts_with("program `") && words.ends_with("not found"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_say() {
        for (said, version) in [
            ("git version 2.47.3", "2.47.3"),
            ("Docker version 24.0.5, build ced0996", "24.0.5"),
            ("psql (PostgreSQL) 15.4 (Debian 15.4-1.pgdg120+1)", "15.4"),
            ("Python 3.11.2", "3.11.2"),
            ("openjdk version \"17.0.8\" 2023-07-18", "17.0.8"),
            ("Redis server v=7.0.15 sha=00000000:0", "7.0.15"),
            ("jq-1.6", "1.6"),
            ("less 590 (GNU regular expressions)", "590"),
            ("nginx version: nginx/1.22.1", "1.22.1"),
        ] {
            assert_eq!(Version::find(said).map(|found| found.to_string()).as_deref(), Some(version), "{said}");
        }
        assert_eq!(Version::find("command not found"), None);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let version = |text| Version::parse(text).expect("a version");
        assert!(version("2.9") < version("2.10"));
        assert!(version("2.30.1") > version("2.30"));
        assert_eq!(version("2.0"), version("2"));
        assert!(version("24") > version("3.11"));
    }

    async fn ask(check: ToolVersion) -> Finding {
        check.check(&Context::local()).await.expect("is asked")
    }

    #[tokio::test]
    async fn git_is_new_enough_and_not_from_the_future() {
        assert!(ask(version("git").at_least("2.0")).await.passes());
        let finding = ask(version("git").at_least("900.1").install("apt-get install git")).await;
        assert!(
            matches!(&finding, Finding::Fail(evidence) if evidence.summary.contains("wanted 900.1")),
            "{finding:?}"
        );
        assert_eq!(finding.evidence().lines, ["install it: apt-get install git"]);
    }

    #[tokio::test]
    async fn a_missing_program_fails_by_name_and_silence_is_unknown() {
        let finding = ask(version("no-such-tool").at_least("1.2")).await;
        assert!(
            matches!(&finding, Finding::Fail(evidence) if evidence.summary.contains("`no-such-tool`")),
            "{finding:?}"
        );
        assert_eq!(finding.evidence().lines, ["install `no-such-tool` 1.2 or newer"]);
        assert!(matches!(ask(version("sh").args(["-c", "echo none"])).await, Finding::Unknown(_)));
    }

    #[tokio::test]
    async fn a_minimum_that_is_no_version_is_an_error() {
        let error = version("git").at_least("new").check(&Context::local()).await.expect_err("is refused");
        assert!(error.to_string().contains("`new`"), "{error:?}");
    }
}

//! What a unit runs.

use std::path::PathBuf;

use runbook::{Context, Result};
use serde::{Deserialize, Serialize};

use super::properties::Properties;
use super::{Unit, commands, facts};

/// A command of a unit, with everything its drop-ins make of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecStart {
    /// The program.
    pub program: PathBuf,
    /// The program and its arguments with a space between them. systemd does not say where quotes were.
    pub line: String,
}

impl ExecStart {
    /// The value of an option: `--port 8000` or `--port=8000`.
    pub fn option(&self, name: &str) -> Option<&str> {
        let words = || self.line.split_whitespace();
        let after = words().skip_while(|word| *word != name).nth(1);
        after.or_else(|| words().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')))
    }

    /// From `{ path=/bin/a ; argv[]=/bin/a -b ; ignore_errors=no ; … }`.
    fn parse(value: &str) -> Option<Self> {
        let (program, rest) = value.strip_prefix("{ path=")?.split_once(" ; argv[]=")?;
        let (line, _) = rest.rsplit_once(" ; ignore_errors=")?;
        Some(Self { program: program.into(), line: line.to_owned() })
    }
}

/// The commands a service runs; more than one only in a `oneshot`. Source: `systemctl show`.
pub async fn exec_start(cx: &Context, unit: impl Into<Unit>) -> Result<Vec<ExecStart>> {
    let unit = unit.into();
    facts::status(cx, &unit).await?.require_loaded()?;
    let command = commands::show_exec_start(&unit.to_ask());
    let output = commands::ask(cx, &command).await?;
    let all = Properties::parse(output.text()?).all("ExecStart").map(ExecStart::parse).collect::<Option<Vec<_>>>();
    all.ok_or_else(|| super::failure::unread(&command, &output))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_in_both_spellings() {
        let text = "{ path=/opt/v/bin/uvicorn ; argv[]=/opt/v/bin/uvicorn app:app --port 8000 --workers=4 ; \
                    ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }";
        let exec = ExecStart::parse(text).expect("is read");
        assert_eq!(exec.program, PathBuf::from("/opt/v/bin/uvicorn"));
        assert_eq!((exec.option("--port"), exec.option("--workers")), (Some("8000"), Some("4")));
        assert_eq!((exec.option("--host"), exec.option("--workers=4")), (None, None));
        assert_eq!(ExecStart::parse("{ path=/a }"), None);
    }
}

//! Memory: is there enough of it left?
//!
//! ```
//! use runbook_steps::memory;
//! use runbook_steps::sizes::Sizes as _;
//!
//! let check = memory::available().at_least(512.mib());
//! ```

use std::path::Path;

use async_trait::async_trait;
use runbook::{Check, Context, Description, Explain, Finding, Resource, Result};

use crate::sizes::{Amount, Bytes, Sizes as _};

/// The memory of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// What programs can still get without swapping.
    pub available: Bytes,
    /// All of it.
    pub total: Bytes,
}

/// The memory of the host. Source: `/proc/meminfo`.
pub async fn read(cx: &Context) -> Result<Memory> {
    let text = cx.files().read(Path::new(MEMINFO)).await?;
    parse(&String::from_utf8_lossy(&text)).with_context(|| format!("cannot read the memory of the host in `{MEMINFO}`"))
}

const MEMINFO: &str = "/proc/meminfo";

fn parse(text: &str) -> Option<Memory> {
    let field = |name: &str| -> Option<Bytes> {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.kib())
    };
    Some(Memory { available: field("MemAvailable")?, total: field("MemTotal")? })
}

/// The memory that programs on the host can still get; say [how much](Available::at_least) there has to be.
pub fn available() -> Available {
    Available
}

/// The memory that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "say how much there has to be: `.at_least(512.mib())`"]
pub struct Available;

impl Available {
    /// Asks whether this much is available: bytes, or a share of all memory.
    pub fn at_least(self, amount: impl Into<Amount>) -> AvailableAtLeast {
        AvailableAtLeast { amount: amount.into() }
    }
}

/// The check of [`available`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct AvailableAtLeast {
    amount: Amount,
}

#[async_trait]
impl Check for AvailableAtLeast {
    fn describe(&self) -> Description {
        Description::new("memory.available", self.amount.to_string())
            .summary(format!("at least {} of memory are available", self.amount))
            .command("free -h")
            .reads(Resource::new("memory", "available"))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let memory = read(cx).await?;
        let evidence = format!("{} of {} of memory are available", memory.available, memory.total);
        let enough = memory.available >= self.amount.of(memory.total);
        Ok(Finding::of(enough, if enough { evidence } else { format!("{evidence}, wanted {}", self.amount) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read() {
        let text = "MemTotal:        2048 kB\nMemFree:          100 kB\nMemAvailable:     1024 kB\n";
        assert_eq!(parse(text), Some(Memory { available: 1.mib(), total: 2.mib() }));
        assert_eq!(parse("MemTotal: 2048 kB\n"), None);
        assert_eq!(parse("MemTotal: 2048 kB\nMemAvailable: many\n"), None);
    }

    #[tokio::test]
    async fn this_machine_has_some_memory_and_not_all_there_is() {
        let cx = Context::local();
        assert!(available().at_least(1).check(&cx).await.expect("is asked").passes());
        assert!(!available().at_least(u64::MAX).check(&cx).await.expect("is asked").passes());
        assert!(!available().at_least(100.percent()).check(&cx).await.expect("is asked").passes());
    }
}

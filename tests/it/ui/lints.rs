//! Lints of the user's crate are not tripped by what the macros write.

#![deny(warnings, missing_docs)]

use runbook::prelude::*;

/// Start it.
#[step(rollback = stop)]
pub async fn start<'a>(cx: &'a Context, unit: &'a str, mut port: u16) -> Result<u16> {
    port += u16::from(cx.is_cancelled());
    println!("{unit}");
    Ok(port)
}

async fn stop(_cx: &Context, _unit: &str, _port: u16) -> Result<()> {
    Ok(())
}

#[test]
fn the_lints_of_the_user_are_not_tripped() {
    assert_eq!(start("web", 80).describe().subject, "web 80");
}

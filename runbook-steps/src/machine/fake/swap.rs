//! dd, mkswap, swapon and swapoff; and df.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use runbook::Resource;
use runbook::command::Output;
use runbook::testing::{Call, SimHost};

use super::{Fake, Tool, operands};
use crate::sizes::{Bytes, Sizes as _};

pub(super) fn on(fake: &Fake, host: SimHost) -> SimHost {
    host.program("dd", Tool::new(fake, |_, call| dd(call)))
        .program("mkswap", Tool::new(fake, |_, call| mkswap(call)))
        .program("swapon", Tool::new(fake, |_, call| swapon(call)))
        .program("swapoff", Tool::new(fake, |_, call| swapoff(call)))
        .program("df", Tool::new(fake, |fake, _| Some(df(fake))))
}

fn swaps() -> Resource {
    Resource::new("swap", "all")
}

/// Path and bytes.
type Swaps = BTreeMap<String, u64>;

/// What stands for the content of a file: so many MiB of zeros, formatted or not.
const ZEROS: &str = "MiB of zeros: ";
const FORMATTED: &str = "MiB of swap: ";

fn df(fake: &Fake) -> Output {
    let Bytes(space) = fake.space;
    Output::ok(format!("Avail 1B-blocks\n{space} {}\n", 200.gib().0))
}

fn dd(call: &mut Call<'_>) -> Option<Output> {
    let args = call.args();
    let path = args.iter().find_map(|arg| arg.strip_prefix("of="))?;
    let count = args.iter().find_map(|arg| arg.strip_prefix("count="))?;
    Some(written(call, path, &format!("{ZEROS}{count}")))
}

/// Writes into a file without changing its mode.
fn written(call: &mut Call<'_>, path: &str, text: &str) -> Output {
    match call.files().write(path, text) {
        Ok(()) => Output::ok(""),
        Err(error) => Output::failed(1, format!("{error:#}\n")),
    }
}

fn content(call: &mut Call<'_>, path: &str, kind: &str) -> Option<u64> {
    call.files().text(path).ok()?.strip_prefix(kind)?.parse().ok()
}

fn mkswap(call: &mut Call<'_>) -> Option<Output> {
    let args = call.args();
    let path = *operands(&args).first()?;
    Some(match content(call, path, ZEROS).or_else(|| content(call, path, FORMATTED)) {
        Some(mib) => written(call, path, &format!("{FORMATTED}{mib}")),
        None => Output::failed(1, format!("mkswap: cannot open {path}: No such file or directory\n")),
    })
}

fn swapon(call: &mut Call<'_>) -> Option<Output> {
    let args = call.args();
    let mut all: Swaps = call.state(&swaps());
    if args.contains(&"--show=NAME,SIZE") {
        let mut said = String::new();
        for (path, bytes) in &all {
            let _ = writeln!(said, "{path} {bytes}");
        }
        return Some(Output::ok(said));
    }
    let path = *operands(&args).first()?;
    let Some(mib) = content(call, path, FORMATTED) else {
        return Some(Output::failed(255, format!("swapon: {path}: read swap header failed\n")));
    };
    if all.insert(path.to_owned(), mib.mib().0).is_some() {
        return Some(Output::failed(255, format!("swapon: {path}: swapon failed: Device or resource busy\n")));
    }
    call.set_state(&swaps(), &all);
    Some(Output::ok(""))
}

fn swapoff(call: &mut Call<'_>) -> Option<Output> {
    let args = call.args();
    let path = *operands(&args).first()?;
    let mut all: Swaps = call.state(&swaps());
    if all.remove(path).is_none() {
        return Some(Output::failed(4, format!("swapoff: {path}: swapoff failed: Invalid argument\n")));
    }
    if all.is_empty() {
        call.forget(&swaps());
    } else {
        call.set_state(&swaps(), &all);
    }
    Some(Output::ok(""))
}

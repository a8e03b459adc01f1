//! The programs of PostgreSQL, and the compressor, on a simulated host.

use std::collections::BTreeMap;

use runbook::command::Output;
use runbook::testing::{Call, SimHost};
use runbook::{Command, Error, Resource, Result};
use serde::{Deserialize, Serialize};

use super::cluster::{Table, VERSION};
use super::{Cluster, with};
use crate::file::content::sha256;

/// A program that asks the server.
type Asks = fn(&mut Call<'_>, &Resource) -> Result<Output>;

pub(super) fn install(host: SimHost, server: &Resource) -> SimHost {
    let asking: [(&'static str, Asks); 3] = [("pg_dump", pg_dump), ("pg_restore", pg_restore), ("psql", psql)];
    asking
        .into_iter()
        .fold(host, |host, (name, program)| {
            let server = server.clone();
            host.program(name, move |call: &mut Call<'_>| ended(name, program(call, &server)))
        })
        .program("zstd", |call: &mut Call<'_>| ended("zstd", zstd(call)))
        .program("sync", |_: &mut Call<'_>| Output::ok(""))
        .program("sh -c", |call: &mut Call<'_>| ended("sh", shell(call)))
}

fn ended(program: &str, result: Result<Output>) -> Output {
    result.unwrap_or_else(|error| Output::failed(1, format!("{program}: error: {error:#}\n")))
}

fn not_simulated(call: &Call<'_>) -> Error {
    Error::new(format!("`{}` is not simulated", call.command()))
}

/// What is in a dump.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Dumped {
    tables: BTreeMap<String, Table>,
    revisions: Option<Vec<String>>,
}

const CUSTOM: &str = "PGDMP";
const PLAIN: &str = "--\n-- PostgreSQL database dump\n--\n";

/// The database a program asks, by its environment.
fn database(call: &Call<'_>) -> String {
    call.env("PGDATABASE").unwrap_or_default()
}

fn require_server(cluster: &mut Cluster, name: &str) -> Result<()> {
    if cluster.stopped {
        return Err(Error::new("connection to server failed: Connection refused"));
    }
    match cluster.data(name) {
        Ok(_) => Ok(()),
        Err(refused) => Err(Error::new(format!("connection to server failed: FATAL:  {}", refused.message))),
    }
}

fn pg_dump(call: &mut Call<'_>, server: &Resource) -> Result<Output> {
    let header = match call.args()[..] {
        ["--version"] => return Ok(Output::ok(format!("pg_dump (PostgreSQL) {VERSION}\n"))),
        ["--format=custom", ..] => CUSTOM,
        ["--format=plain", ..] => PLAIN,
        _ => return Err(not_simulated(call)),
    };
    let name = database(call);
    let dumped = with(call, server, |cluster| {
        require_server(cluster, &name)?;
        let data = cluster.data(&name).map_err(|refused| Error::new(refused.message))?;
        Ok::<_, Error>(Dumped { tables: data.tables.clone(), revisions: data.revisions.clone() })
    })?;
    Ok(Output::ok(format!("{header}{}\n", serde_json::to_string(&dumped)?)))
}

/// Reads a dump with this header.
fn dumped(input: &[u8], header: &str, damaged: &'static str) -> Result<Dumped> {
    let text = input.strip_prefix(header.as_bytes()).ok_or_else(|| Error::new(damaged))?;
    serde_json::from_slice(text).map_err(|_| Error::new(damaged))
}

fn pg_restore(call: &mut Call<'_>, server: &Resource) -> Result<Output> {
    let args = call.args();
    let whole = args.contains(&"--single-transaction") && args.contains(&"--exit-on-error");
    let [.., "--dbname", name] = args[..] else { return Err(not_simulated(call)) };
    if !whole {
        return Err(not_simulated(call));
    }
    let dumped = dumped(call.input(), CUSTOM, "could not read from input file: end of file")?;
    with(call, server, |cluster| restore(cluster, name, dumped)).map(|()| Output::ok(""))
}

fn psql(call: &mut Call<'_>, server: &Resource) -> Result<Output> {
    let args = call.args();
    let needed = ["--single-transaction", "--set=ON_ERROR_STOP=1", "--file=-"];
    if !needed.iter().all(|option| args.contains(option)) {
        return Err(not_simulated(call));
    }
    let name = database(call);
    let restored = dumped(call.input(), PLAIN, "ERROR:  syntax error at end of input");
    match restored.and_then(|dumped| with(call, server, |cluster| restore(cluster, &name, dumped))) {
        Ok(()) => Ok(Output::ok("")),
        Err(error) => Ok(Output::failed(3, format!("psql:<stdin>:1: {error:#}\n"))),
    }
}

fn restore(cluster: &mut Cluster, name: &str, dumped: Dumped) -> Result<()> {
    require_server(cluster, name)?;
    let data = cluster.data(name).map_err(|refused| Error::new(refused.message))?;
    if let Some(table) = dumped.tables.keys().find(|table| data.tables.contains_key(*table)) {
        return Err(Error::new(format!("ERROR:  relation \"{table}\" already exists")));
    }
    data.tables.extend(dumped.tables);
    data.revisions = dumped.revisions.or(data.revisions.take());
    Ok(())
}

/// What a compressed file begins with; a checksum comes next, then what was compressed.
const MAGIC: &str = "(zstd)";

fn zstd(call: &mut Call<'_>) -> Result<Output> {
    match call.args()[..] {
        ["--version"] => Ok(Output::ok("*** Zstandard CLI (64-bit) v1.5.4, by Yann Collet ***\n")),
        ["-T0", level, "-q", "-c"] if level.starts_with('-') => {
            let head = format!("{MAGIC}{}", sha256(call.input()));
            Ok(Output::ok([head.as_bytes(), call.input()].concat()))
        }
        ["-d", "-q", "-c", "--", file] => {
            let packed = call.files().read(file)?;
            let rest = packed.strip_prefix(MAGIC.as_bytes()).filter(|rest| rest.len() >= 64);
            let (sum, content) = rest.ok_or_else(|| Error::new(format!("{file}: unsupported format")))?.split_at(64);
            if sha256(content).as_bytes() != sum {
                return Err(Error::new(format!("{file} : Decoding error (36) : Data corruption detected")));
            }
            Ok(Output::ok(content))
        }
        _ => Err(not_simulated(call)),
    }
}

/// Turns into another user, which makes no difference here; or what backups of directories need.
fn shell(call: &mut Call<'_>) -> Result<Output> {
    match call.args()[..] {
        [script, "sh", _, program, ref args @ ..] if script == super::super::tools::SWITCH => {
            let mut inner = Command::new(program).args(args).input(call.input().to_vec());
            for (name, _) in call.command().environment() {
                inner = inner.env(name, call.env(name).unwrap_or_default());
            }
            call.run(&inner)
        }
        _ => crate::backup::simulated_script(call),
    }
}

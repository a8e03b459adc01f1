//! The files of simulated servers.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runbook::command::Output;
use runbook::testing::Call;

use super::super::Database;
use super::Server;

/// What a simulated snapshot begins with.
const MAGIC: &str = "REDIS0010\n";
const LOG: &str = "appendonlydir";
const BASE: &str = "appendonly.aof.1.base.rdb";
const MANIFEST: &str = "appendonly.aof.manifest";

fn text(databases: &BTreeMap<u32, Database>) -> String {
    MAGIC.to_owned() + &serde_json::to_string(databases).unwrap_or_default()
}

fn parse(text: &str) -> Option<BTreeMap<u32, Database>> {
    serde_json::from_str(text.strip_prefix(MAGIC)?).ok()
}

/// The files a server has at first.
pub(super) fn at_first(server: &Server) -> Vec<(PathBuf, String)> {
    let dump = (server.dir.join("dump.rdb"), text(&server.databases));
    if server.log { log(server).into_iter().chain([dump]).collect() } else { vec![dump] }
}

fn log(server: &Server) -> [(PathBuf, String); 2] {
    let dir = server.dir.join(LOG);
    [(dir.join(BASE), text(&server.databases)), (dir.join(MANIFEST), format!("file {BASE} seq 1 type b\n"))]
}

/// Writes the snapshot of a server.
pub(super) fn save(call: &mut Call<'_>, server: &Server) {
    let _ = call.files().write(server.dir.join("dump.rdb"), text(&server.databases));
}

/// Writes all that a server leaves behind when it stops.
pub(super) fn write(call: &mut Call<'_>, server: &Server) {
    save(call, server);
    if server.log {
        let _ = call.files().make_dir(server.dir.join(LOG));
        for (path, content) in log(server) {
            let _ = call.files().write(path, content);
        }
    }
}

/// What a server reads when it starts: its append-only file if it uses one, though there be a snapshot.
pub(super) fn read(call: &mut Call<'_>, server: &Server) -> BTreeMap<u32, Database> {
    let path = if server.log {
        let dir = server.dir.join(LOG);
        let manifest = call.files().text(dir.join(MANIFEST)).unwrap_or_default();
        manifest.contains(BASE).then(|| dir.join(BASE))
    } else {
        Some(server.dir.join("dump.rdb"))
    };
    path.and_then(|path| parse(&call.files().text(path).ok()?)).unwrap_or_default()
}

/// `redis-check-rdb FILE`
pub(super) fn check_rdb(call: &mut Call<'_>) -> Output {
    let args = call.args();
    let [path] = args[..] else { return super::unknown(call) };
    let path = call.path(Path::new(path));
    let Some(databases) = call.files().text(&path).ok().as_deref().and_then(parse) else {
        return Output::failed(1, "--- RDB ERROR DETECTED ---\n");
    };
    let keys: usize = databases.values().map(BTreeMap::len).sum();
    let entries = databases.values().flat_map(BTreeMap::values);
    let expires = entries.filter(|entry| entry.expires_at.is_some()).count();
    Output::ok(format!(
        "[offset 0] Checking RDB file {}\n[offset 27] AUX FIELD redis-ver = '7.0.15'\n[offset 197] Checksum OK\n\
         [offset 197] \\o/ RDB looks OK! \\o/\n[info] {keys} keys read\n[info] {expires} expires\n[info] 0 already expired\n",
        path.display()
    ))
}

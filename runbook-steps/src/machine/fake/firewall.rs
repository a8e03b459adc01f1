//! nft, or iptables and ip6tables.

use std::collections::BTreeMap;

use runbook::Resource;
use runbook::command::Output;
use runbook::testing::{Call, SimHost};
use serde_json::{Value, json};

use super::{Fake, Tool};
use crate::machine::Firewall;

pub(super) fn on(fake: &Fake, host: SimHost) -> SimHost {
    let host = host.program("printenv", Tool::new(fake, |_, _| Some(Output::failed(1, ""))));
    match fake.firewall {
        Firewall::Nftables => host.program("nft", Tool::new(fake, |_, call| nft(call))),
        Firewall::Iptables => host
            .program("iptables", Tool::new(fake, |_, call| iptables(call, "4")))
            .program("ip6tables", Tool::new(fake, |_, call| iptables(call, "6"))),
    }
}

fn resource() -> Resource {
    Resource::new("firewall", "runbook")
}

/// Sets of nft, or chains of iptables, with the addresses in them.
type Table = BTreeMap<String, Vec<String>>;

fn keep(call: &mut Call<'_>, table: &Table) {
    call.set_state(&resource(), table);
}

const NOTHING: &str = "Error: No such file or directory\n";

fn nft(call: &mut Call<'_>) -> Option<Output> {
    let args = call.args();
    let table: Option<Table> = call.state(&resource());
    let missing = || Output::failed(1, NOTHING);
    Some(match args[..] {
        ["--version"] => Output::ok("nftables v1.0.6 (Lester Gooch #5)\n"),
        ["-j", "list", "set", "inet", "runbook", set] => match table.as_ref().and_then(|table| table.get(set)) {
            Some(elements) => Output::ok(listed(set, elements).to_string()),
            None => missing(),
        },
        ["list", "table", "inet", "runbook"] if table.is_some() => Output::ok("table inet runbook {\n}\n"),
        ["delete", "table", "inet", "runbook"] if table.is_some() => {
            call.forget(&resource());
            Output::ok("")
        }
        ["delete", "element", "inet", "runbook", set, element] => {
            let element = element.trim_matches(['{', '}', ' ']);
            let mut table = table.unwrap_or_default();
            let all = table.entry(set.to_owned()).or_default();
            match all.iter().position(|other| other == element) {
                Some(at) => drop(all.remove(at)),
                None => return Some(missing()),
            }
            keep(call, &table);
            Output::ok("")
        }
        ["list" | "delete", ..] => missing(),
        ["-f", "-"] => {
            let script = String::from_utf8_lossy(call.input()).into_owned();
            let mut table = table.unwrap_or_default();
            for line in script.lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                match words[..] {
                    ["add", "set", "inet", "runbook", set, ..] => drop(table.entry(set.to_owned()).or_default()),
                    ["add", "element", "inet", "runbook", set, "{", element, "}"] => {
                        let all = table.entry(set.to_owned()).or_default();
                        if !all.iter().any(|other| other == element) {
                            all.push(element.to_owned());
                        }
                    }
                    ["add", "table" | "chain" | "rule", ..] | ["flush", "chain", ..] => {}
                    _ => return None,
                }
            }
            keep(call, &table);
            Output::ok("")
        }
        _ => return None,
    })
}

fn listed(set: &str, elements: &[String]) -> Value {
    let element = |text: &String| match text.split_once('/') {
        Some((address, length)) => {
            json!({"prefix": {"addr": address, "len": length.parse::<u8>().unwrap_or_default()}})
        }
        None => json!(text),
    };
    let elements: Vec<Value> = elements.iter().map(element).collect();
    let mut described = json!({"family": "inet", "name": set, "table": "runbook"});
    if !elements.is_empty() {
        described["elem"] = Value::Array(elements);
    }
    json!({"nftables": [{"metainfo": {"json_schema_version": 1}}, {"set": described}]})
}

fn iptables(call: &mut Call<'_>, family: &str) -> Option<Output> {
    let args = call.args();
    if args == ["--version"] {
        return Some(Output::ok("iptables v1.8.9 (nf_tables)\n"));
    }
    let mut table: Table = call.state(&resource());
    let chain = |chain: &str| format!("{chain}{family}");
    let ["-w", "30", rest @ ..] = &args[..] else { return None };
    match rest {
        ["-S", name] => {
            let whole = if family == "4" { "32" } else { "128" };
            let rule = |source: &String| {
                let source = if source.contains('/') { source.clone() } else { format!("{source}/{whole}") };
                format!("-A {name} -s {source} -m comment --comment runbook -j DROP\n")
            };
            let rules: String = table.get(&chain(name)).into_iter().flatten().map(rule).collect();
            Some(Output::ok(format!("-P {name} ACCEPT\n{rules}")))
        }
        [verb, name, "-s", source, "-m", "comment", "--comment", "runbook", "-j", "DROP"] => {
            let all = table.entry(chain(name)).or_default();
            let at = all.iter().position(|other| other == source);
            match (*verb, at) {
                ("-I", _) => all.insert(0, (*source).to_owned()),
                ("-C", Some(_)) => return Some(Output::ok("")),
                ("-D", Some(at)) => drop(all.remove(at)),
                _ => {
                    let words = "iptables: Bad rule (does a matching rule exist in that chain?).\n";
                    return Some(Output::failed(1, words));
                }
            }
            table.retain(|_, all| !all.is_empty());
            if table.is_empty() {
                call.forget(&resource());
            } else {
                keep(call, &table);
            }
            Some(Output::ok(""))
        }
        _ => None,
    }
}

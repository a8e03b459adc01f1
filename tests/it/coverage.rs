//! Every command of the document that `marb` replaces, and whether its procedures do what it does.
//!
//! `coverage/commands.tsv` has the commands, each with the procedure of the document it stands in and what it does.
//! `coverage/covered.tsv` says by what that is done here, for each thing done, or for a single row: the kind of a step or a
//! check, or of an item of an outline, and words that have to be in it. The outlines are those the built program prints.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::example;

const COMMANDS: &str = include_str!("coverage/commands.tsv");
const COVERED: &str = include_str!("coverage/covered.tsv");

/// The procedures that stand for those of the document: the one of the longest prefix.
const PROCEDURES: &[(&str, &[&str])] = &[
    ("A1", &["prerequisites", "initial_deployment"]),
    ("A2", &["checklist", "standard_update"]),
    ("A3", &["verify_environment"]),
    ("A4", &["initial_deployment"]),
    ("A5", &["standard_update"]),
    ("A6", &["update_breaking", "checklist"]),
    ("A7", &["update_schema"]),
    ("A8", &["quick_rollback"]),
    ("A9", &["rollback_with_migration"]),
    ("A10", &["emergency_rollback"]),
    ("A11", &["quick_health"]),
    ("A12", &["comprehensive_health", "app_log"]),
    ("A13", &["comprehensive_health"]),
    ("A14", &["service_does_not_start"]),
    ("A15", &["migrations_fail", "rollback_with_migration"]),
    ("A16", &["memory_is_short"]),
    ("A17", &["tasks_wait"]),
    ("A18", &["bad_gateway"]),
    ("A19", &["completely_down"]),
    ("A20", &["data_loss"]),
    ("A21", &["security_breach"]),
    ("A22", &["scheduled_maintenance"]),
    ("A23", &["back_up"]),
    ("A24", &["back_up_every_night"]),
    ("A25", &["verify_backup"]),
    ("A26", &[]),
    (
        "A27",
        &[
            "status",
            "logs",
            "app_log",
            "commits",
            "revisions",
            "tables",
            "restart_services",
            "stop_services",
            "start_services",
            "quick_health",
            "comprehensive_health",
            "standard_update",
            "quick_rollback",
            "rollback_with_migration",
        ],
    ),
];

/// One row of the document.
struct Row {
    id: &'static str,
    procedure: &'static str,
    kind: &'static str,
    does: &'static str,
    command: &'static str,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {}): {}", self.id, self.procedure, self.does, self.command)
    }
}

fn rows() -> Vec<Row> {
    let rows = COMMANDS.lines().skip(1).map(|line| line.splitn(5, '\t').collect::<Vec<_>>());
    rows.map(|cells| match cells[..] {
        [id, procedure, kind, does, command] => Row { id, procedure, kind, does, command },
        _ => panic!("{cells:?} has other columns"),
    })
    .collect()
}

/// By what a thing is done, or a row: one of several.
fn covered() -> BTreeMap<&'static str, Vec<&'static str>> {
    let lines = COVERED.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    lines.map(|cells| (cells[0], cells[1].split(" | ").collect())).collect()
}

impl Row {
    /// Whether these procedures do it.
    fn is_covered(&self, covered: &BTreeMap<&str, Vec<&str>>, outlines: &BTreeMap<String, Vec<Told>>) -> bool {
        let ways = covered.get(self.id).or_else(|| covered.get(self.does));
        let told: Vec<&Told> = self.procedures().iter().filter_map(|name| outlines.get(*name)).flatten().collect();
        ways.is_some_and(|ways| ways.iter().any(|way| told.iter().any(|told| told.is(way, self.command))))
    }

    fn procedures(&self) -> &'static [&'static str] {
        let whole = self.procedure.split('.').next().unwrap_or_default();
        let known = PROCEDURES.iter().find(|(name, _)| *name == whole);
        known.unwrap_or_else(|| panic!("no procedure stands for {}", self.procedure)).1
    }
}

/// What an outline tells in one place.
#[derive(Debug, Clone)]
struct Told {
    kind: String,
    words: String,
}

impl Told {
    /// Whether it is of this kind and has these words. `systemd` stands for all kinds of `systemd.…`.
    fn is(&self, way: &str, command: &str) -> bool {
        let (kind, words) = way.split_once(' ').unwrap_or((way, ""));
        let of_kind = self.kind == kind || self.kind.split_once('.').is_some_and(|(tool, _)| tool == kind);
        of_kind && words.split_whitespace().all(|word| self.has(word, command))
    }

    fn has(&self, word: &str, command: &str) -> bool {
        let alternatives = match word {
            "{unit}" => UNITS,
            "{tool}" => TOOLS,
            "{topic}" => TOPICS,
            "{module}" => MODULES,
            "{path}" => PATHS,
            "{key}" => return keys(command).iter().all(|key| self.words.contains(&key.to_lowercase())),
            word => return self.words.contains(&word.to_lowercase()),
        };
        let known = alternatives.iter().find(|(said, _)| command.contains(said));
        known.is_some_and(|(_, here)| self.words.contains(here))
    }
}

/// What the document calls something, and what it is called here; the longer names first.
type Names = &'static [(&'static str, &'static str)];

const UNITS: Names = &[
    ("marb2.0-celery", "marb2.0-celery.service"),
    ("marb2.0", "marb2.0.service"),
    ("systemd-services.sh", "marb2.0.service"),
    ("--workers", "marb2.0.service"),
    ("--concurrency", "marb2.0-celery.service"),
    ("postgresql", "postgresql"),
    ("redis", "redis-server"),
    ("nginx", "nginx.service"),
];
const TOOLS: Names = &[
    ("pg_dump", "pg_dump"),
    ("PostgreSQL", "psql"),
    ("psql", "psql"),
    ("Python", "python3"),
    ("python3", "python3"),
    ("Redis", "redis-cli"),
    ("redis-cli", "redis-cli"),
    ("nginx", "nginx"),
    ("Git", "git"),
    ("Systemd", "systemctl"),
    ("gzip", "gzip"),
    ("find", "find"),
    ("curl", "curl"),
];
const TOPICS: Names = &[
    ("audit logs", "audit logs"),
    ("access logs", "access log"),
    ("unauthorized changes", "changed"),
    ("security settings", "security settings"),
];
const MODULES: Names = &[("fastapi", "fastapi"), ("app.main", "app.main")];
const PATHS: Names = &[("/docs", "/docs"), ("/claims", "/claims"), ("/health", "/health")];

/// The settings that a row names.
fn keys(command: &str) -> Vec<&str> {
    let words = command.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
    words.filter(|word| word.contains('_') || matches!(*word, "ENVIRONMENT" | "DEBUG")).collect()
}

/// What the outlines of these procedures tell.
fn outlines<'a>(procedures: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, Vec<Told>> {
    let marb = example::program("marb");
    let told = procedures.into_iter().map(|name| {
        let printed = Command::new(&marb).args(["outline", name, "--format", "json"]).output().expect("marb starts");
        assert!(printed.status.success(), "{name}: {}", String::from_utf8_lossy(&printed.stderr));
        let outline: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
        let mut told = vec![Told { kind: "says".to_owned(), words: texts(&outline, &["title", "doc"]) }];
        tell(&outline, &mut told);
        (name.to_owned(), told)
    });
    told.collect()
}

fn tell(item: &Value, told: &mut Vec<Told>) {
    for item in list(item, "items") {
        let explained: Vec<Told> = list(item, "explained")
            .map(|step| {
                let words = texts(step, &["subject", "summary", "title", "commands"]);
                Told { kind: step["kind"].as_str().unwrap_or_default().to_owned(), words }
            })
            .collect();
        let part = item["part"].as_object().map(|_| texts(&item["part"], &["name", "title", "doc"]));
        let mut words = texts(item, &["title", "doc", "code"]) + &part.unwrap_or_default();
        told.push(Told { kind: "says".to_owned(), words: words.clone() });
        words.extend(explained.iter().map(|step| step.words.as_str()));
        told.push(Told { kind: item["kind"].as_str().unwrap_or_default().to_owned(), words });
        told.extend(explained);
        tell(item, told);
    }
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

/// The texts in these fields, in small letters.
fn texts(value: &Value, fields: &[&str]) -> String {
    let texts = fields.iter().flat_map(|field| match &value[*field] {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect::<Vec<_>>(),
    });
    texts.map(|text| format!("{text}\n").to_lowercase()).collect()
}

/// The rows that nothing covers.
fn uncovered(outlines: &BTreeMap<String, Vec<Told>>) -> Vec<Row> {
    let covered = covered();
    rows().into_iter().filter(|row| row.kind != "doc" && !row.is_covered(&covered, outlines)).collect()
}

/// The outlines of all procedures that stand for one of the document, printed once.
fn all() -> BTreeMap<String, Vec<Told>> {
    static ALL: OnceLock<BTreeMap<String, Vec<Told>>> = OnceLock::new();
    let names = || PROCEDURES.iter().flat_map(|(_, names)| *names).copied().collect::<BTreeSet<&str>>();
    ALL.get_or_init(|| outlines(names())).clone()
}

#[test]
fn every_command_of_the_document_is_done_by_a_procedure() {
    let left: Vec<String> = uncovered(&all()).iter().map(ToString::to_string).collect();
    assert!(left.is_empty(), "{} rows are covered by nothing:\n{}", left.len(), left.join("\n"));
}

#[test]
fn a_procedure_that_is_gone_leaves_its_rows() {
    let mut outlines = all();
    outlines.remove("verify_backup");
    let update = outlines.get_mut("update_schema").expect("an outline");
    update.retain(|told| told.kind != "alembic.rehearse");
    let left: Vec<_> = uncovered(&outlines).iter().map(|row| row.id).collect();
    assert_eq!(left, ["A-123", "A-335", "A-336", "A-337"]);
}

#[test]
fn no_mapping_is_for_nothing() {
    let rows = rows();
    for name in covered().into_keys() {
        assert!(rows.iter().any(|row| row.id == name || row.does == name && row.kind != "doc"), "`{name}` is no row");
    }
}

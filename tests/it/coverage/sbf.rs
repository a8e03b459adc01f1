//! The fourth document.

use super::{Document, Names};

const DOCUMENT: Document = Document {
    program: "sbf",
    procedures: &[
        ("D1", &[]),
        ("D2", &["prerequisites"]),
        ("D3", &["prerequisites", "set_up"]),
        ("D4", &["set_up"]),
        ("D5", &["set_up"]),
        ("D6", &["standard_deployment", "clean_up"]),
        ("D7", &["hotfix"]),
        ("D8", &["health"]),
        ("D9", &["health"]),
        ("D10", &["immediate_rollback"]),
        ("D11", &["database_rollback"]),
        ("D12", &["migration_rollback"]),
        ("D13", &["api_does_not_start"]),
        ("D14", &["no_database", "api_does_not_start"]),
        ("D15", &["no_redis"]),
        ("D16", &["memory_is_short"]),
        ("D17", &["slow_answers"]),
        ("D18", &[]),
        ("D19", &["severity_one", "health", "immediate_rollback"]),
        ("D20", &[]),
        ("D21", &["key_metrics"]),
        ("D22", &[]),
        ("D23", &["scheduled_maintenance"]),
        ("D24", &["scheduled_maintenance"]),
        ("D25", &["scheduled_maintenance"]),
        ("D26", &["health", "logs", "memory_is_short", "rebuild"]),
        ("D27", &[]),
    ],
    commands: include_str!("sbf/commands.tsv"),
    covered: &[include_str!("sbf/covered.tsv"), include_str!("compose.tsv")],
    names: &[("{tool}", TOOLS)],
};

const TOOLS: Names =
    &[("docker compose", "compose"), ("docker", "docker"), ("psql", "psql"), ("redis-cli", "redis-cli")];

#[test]
fn every_command_of_the_document_is_done_by_a_procedure() {
    DOCUMENT.is_covered();
}

#[test]
fn no_mapping_is_for_nothing() {
    DOCUMENT.has_no_idle_mapping();
}

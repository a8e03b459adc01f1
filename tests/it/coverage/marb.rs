//! The first document.

use super::{Document, Names};

const DOCUMENT: Document = Document {
    program: "marb",
    procedures: &[
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
    ],
    commands: include_str!("marb/commands.tsv"),
    covered: &[include_str!("marb/covered.tsv")],
    names: &[("{unit}", UNITS), ("{tool}", TOOLS), ("{topic}", TOPICS), ("{module}", MODULES), ("{path}", PATHS)],
};

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

#[test]
fn every_command_of_the_document_is_done_by_a_procedure() {
    DOCUMENT.is_covered();
}

#[test]
fn a_procedure_that_is_gone_leaves_its_rows() {
    let mut outlines = DOCUMENT.outlines();
    outlines.remove("verify_backup");
    let update = outlines.get_mut("update_schema").expect("an outline");
    update.retain(|told| told.kind != "alembic.rehearse");
    let left: Vec<_> = DOCUMENT.uncovered(&outlines).iter().map(|row| row.id).collect();
    assert_eq!(left, ["A-123", "A-335", "A-336", "A-337"]);
}

#[test]
fn no_mapping_is_for_nothing() {
    DOCUMENT.has_no_idle_mapping();
}

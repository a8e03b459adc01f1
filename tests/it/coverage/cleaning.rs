//! The fifth document.

use super::{Document, Names};

const DOCUMENT: Document = Document {
    program: "cleaning",
    procedures: &[
        ("E1", &["prerequisites", "checklist"]),
        ("E2", &["checklist"]),
        ("E3", &["prerequisites"]),
        ("E4", &[]),
        ("E5", &["standard_deployment"]),
        ("E6", &["blue_green_deployment"]),
        ("E7", &["quick_checks"]),
        ("E8", &["detailed_checks"]),
        ("E9", &["smoke_tests"]),
        ("E10", &["manual_checks"]),
        ("E11", &["quick_rollback"]),
        ("E12", &["rollback_with_downgrade"]),
        ("E13", &["emergency_rollback"]),
        ("E14", &["after_a_rollback"]),
        ("E15", &["health_check_fails"]),
        ("E16", &["readiness_fails"]),
        ("E17", &["migration_fails"]),
        ("E18", &["service_keeps_restarting"]),
        ("E19", &["web_build_fails"]),
        ("E20", &["no_database"]),
        ("E21", &["standard_deployment"]),
        ("E22", &["standard_deployment", "checklist"]),
        ("E23", &["standard_deployment", "monitor"]),
        ("E24", &["restart_services"]),
        ("E25", &["change_setting"]),
        ("E26", &["logs", "detailed_checks"]),
        ("E27", &["clean_up"]),
        ("E28", &["monitor"]),
        ("E29", &[]),
        ("E30", &["checklist"]),
    ],
    commands: include_str!("cleaning/commands.tsv"),
    covered: &[include_str!("cleaning/covered.tsv"), include_str!("compose.tsv")],
    names: &[("{tool}", TOOLS)],
};

const TOOLS: Names =
    &[("docker compose", "compose"), ("Docker and Docker Compose", "compose"), ("docker", "docker"), ("git", "git")];

#[test]
fn every_command_of_the_document_is_done_by_a_procedure() {
    DOCUMENT.is_covered();
}

#[test]
fn no_mapping_is_for_nothing() {
    DOCUMENT.has_no_idle_mapping();
}

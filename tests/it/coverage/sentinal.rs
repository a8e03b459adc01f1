//! The second document.

use super::{Document, Names};

const DOCUMENT: Document = Document {
    program: "sentinal",
    procedures: &[
        ("B1", &["checklist", "deployment"]),
        ("B2", &["prerequisites", "checklist"]),
        ("B3", &["checklist"]),
        ("B4", &["deployment"]),
        ("B5", &["monitoring"]),
        ("B6", &["baseline", "performance"]),
        ("B7", &["quick_rollback"]),
        ("B8", &["gradual_rollback"]),
        ("B9", &["restore_redis"]),
        ("B10", &["fail_over"]),
        ("B11", &["complete_failure"]),
        ("B12", &["back_up", "back_up_every_night"]),
        ("B13", &["add_instance"]),
        ("B14", &["update"]),
        ("B15", &["redis_for_reading"]),
        ("B16", &["api_does_not_respond"]),
        ("B17", &["no_redis"]),
        ("B18", &["high_latency"]),
        ("B19", &["alerts_do_not_fire"]),
        ("B20", &["planned_maintenance"]),
        ("B21", &["update"]),
        ("B22", &["suspected_breach"]),
        ("B23", &[]),
        (
            "B24",
            &[
                "clean_up",
                "logs",
                "restart_services",
                "monitoring",
                "api_does_not_respond",
                "high_latency",
                "checklist",
            ],
        ),
        ("B25", &[]),
    ],
    commands: include_str!("sentinal/commands.tsv"),
    covered: &[include_str!("sentinal/covered.tsv"), include_str!("compose.tsv")],
    names: &[("{tool}", TOOLS)],
};

const TOOLS: Names = &[("Docker", "docker")];

#[test]
fn every_command_of_the_document_is_done_by_a_procedure() {
    DOCUMENT.is_covered();
}

#[test]
fn no_mapping_is_for_nothing() {
    DOCUMENT.has_no_idle_mapping();
}

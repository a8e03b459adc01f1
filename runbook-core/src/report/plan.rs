//! A plan as people read it before they say yes.

use std::fmt::Write as _;

use super::words::{count, fields_line, printable};
use crate::{CheckRole, Plan, Planned, PlannedStep};

/// The plan as text: what each step would do, what is known only later, and what could not be seen.
pub fn text(plan: &Plan) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "Plan: {} of book {} on {}", plan.procedure, plan.book, plan.target);
    let inputs = fields_line(&plan.inputs);
    if !inputs.is_empty() {
        let _ = writeln!(out, "  inputs  {}", printable(&inputs));
    }
    out.push('\n');
    for step in &plan.steps {
        planned(&mut out, step);
    }
    if let Some(why) = &plan.ends_because {
        let _ = writeln!(out, "\n  The plan sees no further: {}", printable(why));
    }
    if !plan.unreached.is_empty() {
        let _ = writeln!(out, "\n  Not reached yet, from the outline:");
        for title in &plan.unreached {
            let _ = writeln!(out, "    {}", printable(title));
        }
    }
    let _ = writeln!(out, "\n{}", totals(plan));
    out
}

fn planned(out: &mut String, step: &PlannedStep) {
    let (word, detail) = what(&step.what);
    let title = step.title.join(" / ");
    let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    let _ = writeln!(out, "  {word:<12} {}{}", printable(&title), printable(&detail));
    if let Planned::WillChange(changes) = &step.what {
        if !step.summary.is_empty() && step.summary != title {
            let _ = writeln!(out, "  {:12}   {}", "", printable(&step.summary));
        }
        for change in changes {
            let _ = writeln!(out, "  {:12}   {}", "", printable(&change.to_string()));
        }
        for command in &step.commands {
            let _ = writeln!(out, "  {:12}   $ {}", "", printable(command));
        }
    }
    let undoable = !matches!(step.what, Planned::Already);
    if let Some(why) = step.irreversible.as_ref().filter(|_| undoable) {
        let _ = writeln!(out, "  {:12}   ! cannot be undone: {}", "", printable(why));
    }
}

fn what(planned: &Planned) -> (&'static str, String) {
    match planned {
        Planned::Already => ("already so", String::new()),
        Planned::WillChange(_) => ("will change", String::new()),
        Planned::KnownAfter { step } => ("known after", format!("known once `{step}` has happened")),
        Planned::Asked { role, finding } => {
            let word = match (finding.passes(), role) {
                (true, _) => "passes now",
                (false, CheckRole::Require) => "REFUSES now",
                (false, CheckRole::Check) => "FAILS now",
                (false, CheckRole::Observe) => "warns now",
                (false, CheckRole::Probe) => "fails now",
            };
            (word, finding.evidence().summary.clone())
        }
        Planned::Person => ("asks", "a person will be asked".to_owned()),
        Planned::Unknown(why) => ("UNKNOWN", why.clone()),
    }
}

fn totals(plan: &Plan) -> String {
    let number = |is: fn(&Planned) -> bool| plan.steps.iter().filter(|step| is(&step.what)).count();
    let will = number(|what| matches!(what, Planned::WillChange(_)));
    let already = number(|what| matches!(what, Planned::Already));
    let later = number(|what| matches!(what, Planned::KnownAfter { .. }));
    let unknown = number(|what| matches!(what, Planned::Unknown(_)));
    let mut parts = vec![format!("{} will change something", count(will, "step"))];
    let more =
        [(already, "already so"), (later, "known later"), (unknown, "unknown"), (plan.unreached.len(), "not reached")];
    parts.extend(more.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")));
    format!("{}. Nothing was changed.", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Change, Finding, Key, Stored};

    fn step(title: &str, irreversible: Option<&str>, what: Planned) -> PlannedStep {
        PlannedStep {
            key: Key::from("0"),
            title: vec!["Restart services".into(), title.into()],
            kind: "k".into(),
            summary: format!("do {title}"),
            commands: vec![format!("do-it {title}")],
            irreversible: irreversible.map(Into::into),
            what,
        }
    }

    #[test]
    fn a_plan_names_for_each_step_what_would_happen() {
        let turn = Change::Turn { what: "HEAD".into(), from: "v1".into(), to: "v2".into() };
        let plan = Plan {
            book: "marb".into(),
            procedure: "update".into(),
            target: "production".into(),
            inputs: Stored::of(&serde_json::json!({"revision": "v2"})).expect("stores"),
            steps: vec![
                step("Disk", None, Planned::Asked { role: CheckRole::Require, finding: Finding::fail("2 GB free") }),
                step("Backup", None, Planned::Already),
                step("Pull", Some("history"), Planned::WillChange(vec![turn])),
                step("Migrate", None, Planned::KnownAfter { step: "Pull".into() }),
                step("Sure?", None, Planned::Person),
            ],
            unreached: vec!["Health".into()],
            ends_because: Some("`Migrate` decides what follows".into()),
        };
        let expected = "\
Plan: update of book marb on production
  inputs  revision = v2

  REFUSES now  Restart services / Disk: 2 GB free
  already so   Restart services / Backup
  will change  Restart services / Pull
                 do Pull
                 ~ HEAD: v1 -> v2
                 $ do-it Pull
                 ! cannot be undone: history
  known after  Restart services / Migrate: known once `Pull` has happened
  asks         Restart services / Sure?: a person will be asked

  The plan sees no further: `Migrate` decides what follows

  Not reached yet, from the outline:
    Health

1 step will change something, 1 already so, 1 known later, 1 not reached. Nothing was changed.
";
        assert_eq!(text(&plan), expected);
    }
}

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Outlines, Told, told};

/// A document, and the program that replaces it.
pub struct Document {
    /// The example.
    pub program: &'static str,
    /// The procedures that stand for those of the document.
    pub procedures: &'static [(&'static str, &'static [&'static str])],
    /// The rows.
    pub commands: &'static str,
    /// By what a thing is done, or a row; the first that tells it counts.
    pub covered: &'static [&'static str],
    /// What `{name}` stands for.
    pub names: &'static [(&'static str, Names)],
}

/// What a document calls something, and what it is called here; the longer names first.
pub type Names = &'static [(&'static str, &'static str)];

/// One row of a document.
pub struct Row {
    pub id: &'static str,
    procedure: &'static str,
    kind: &'static str,
    does: &'static str,
    command: &'static str,
}

/// By what a thing is done, or a row: one of several.
type Covered = BTreeMap<&'static str, Vec<&'static str>>;

impl Document {
    fn rows(&self) -> impl Iterator<Item = Row> {
        let rows = self.commands.lines().skip(1).map(|line| line.splitn(5, '\t').collect::<Vec<_>>());
        rows.map(|cells| match cells[..] {
            [id, procedure, kind, does, command] => Row { id, procedure, kind, does, command },
            _ => panic!("{cells:?} has other columns"),
        })
    }

    fn covered(&self) -> Covered {
        let lines = self.covered.iter().rev().flat_map(|table| table.lines().skip(1));
        let cells = lines.map(|line| line.split('\t').collect::<Vec<_>>());
        cells.map(|cells| (cells[0], cells[1].split(" | ").collect())).collect()
    }

    /// What the outlines of all its procedures tell.
    pub fn outlines(&self) -> Outlines {
        told::outlines(self.program, self.procedures.iter().flat_map(|(_, names)| *names).copied().collect())
    }

    /// The rows that nothing covers.
    pub fn uncovered(&self, outlines: &Outlines) -> Vec<Row> {
        let covered = self.covered();
        self.rows().filter(|row| row.kind != "doc" && !self.covers(row, &covered, outlines)).collect()
    }

    fn covers(&self, row: &Row, covered: &Covered, outlines: &Outlines) -> bool {
        let ways = covered.get(row.id).or_else(|| covered.get(row.does));
        let told: Vec<&Told> = self.stand_for(row).iter().filter_map(|name| outlines.get(*name)).flatten().collect();
        ways.is_some_and(|ways| ways.iter().any(|way| told.iter().any(|told| told.is(way, row.command, self.names))))
    }

    fn stand_for(&self, row: &Row) -> &'static [&'static str] {
        let whole = row.procedure.split('.').next().unwrap_or_default();
        let known = self.procedures.iter().find(|(name, _)| *name == whole);
        known.unwrap_or_else(|| panic!("no procedure stands for {}", row.procedure)).1
    }

    /// Every row that is not of the document alone is done by a procedure.
    pub fn is_covered(&self) {
        let left: Vec<String> = self.uncovered(&self.outlines()).iter().map(ToString::to_string).collect();
        assert!(left.is_empty(), "{} rows are covered by nothing:\n{}", left.len(), left.join("\n"));
    }

    /// Every line of its own table stands for a row.
    pub fn has_no_idle_mapping(&self) {
        let rows: Vec<Row> = self.rows().collect();
        let names: BTreeSet<&str> =
            self.covered[0].lines().skip(1).filter_map(|line| line.split('\t').next()).collect();
        for name in names {
            assert!(
                rows.iter().any(|row| row.id == name || row.does == name && row.kind != "doc"),
                "`{name}` is no row"
            );
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {}): {}", self.id, self.procedure, self.does, self.command)
    }
}

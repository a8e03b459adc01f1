//! Migrations as files: written for tests, and read as far as the fake understands them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use runbook::{Error, Result};

use crate::alembic::Back;

/// A migration for tests. Its text is one that the real alembic takes, too.
///
/// ```
/// use runbook_steps::alembic::fake::Script;
///
/// let (path, text) = Script::new("2024_notes").after("2024_claims").titled("notes of a claim").adds("claims.notes").file();
/// assert_eq!(path, "alembic/versions/2024_notes.py");
/// assert!(text.contains("op.add_column(\"claims\", sa.Column(\"notes\", sa.Integer))"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Script {
    revision: String,
    title: String,
    after: Vec<String>,
    up: Vec<String>,
    down: Vec<String>,
}

impl Script {
    /// The first migration, which does nothing yet.
    pub fn new(revision: &str) -> Self {
        Self { revision: revision.to_owned(), title: revision.to_owned(), ..Self::default() }
    }

    /// After this one; after several it is a merge.
    pub fn after(mut self, revision: &str) -> Self {
        self.after.push(revision.to_owned());
        self
    }

    /// With this title.
    pub fn titled(mut self, title: &str) -> Self {
        title.clone_into(&mut self.title);
        self
    }

    /// Adds a table, with a column `id`.
    pub fn creates(self, table: &str) -> Self {
        let up = format!("op.create_table(\"{table}\", sa.Column(\"id\", sa.Integer))");
        self.both(up, format!("op.drop_table(\"{table}\")"))
    }

    /// Adds a column, given as `TABLE.COLUMN`.
    pub fn adds(self, column: &str) -> Self {
        let (table, column) = column.split_once('.').unwrap_or((column, "value"));
        let up = format!("op.add_column(\"{table}\", sa.Column(\"{column}\", sa.Integer))");
        self.both(up, format!("op.drop_column(\"{table}\", \"{column}\")"))
    }

    fn both(mut self, up: String, down: String) -> Self {
        self.up.push(up);
        self.down.insert(0, down);
        self
    }

    /// Takes this long.
    pub fn takes(mut self, time: Duration) -> Self {
        self.up.push(format!("op.execute(\"SELECT pg_sleep({})\")", time.as_secs_f64()));
        self
    }

    /// Cannot be taken back: `downgrade()` raises an error that says this.
    pub fn irreversible(mut self, why: &str) -> Self {
        self.down = vec![format!("raise NotImplementedError(\"{why}\")")];
        self
    }

    /// Is not taken back by its `downgrade()`, which does nothing.
    pub fn without_downgrade(mut self) -> Self {
        self.down.clear();
        self
    }

    /// Fails after what it did so far; that is taken back with its transaction.
    pub fn fails(mut self) -> Self {
        self.up.push("op.execute(\"SELECT 1/0\")".to_owned());
        self
    }

    /// Does what it did so far outside its transaction, and then fails.
    pub fn fails_half_way(mut self) -> Self {
        let outside = self.up.iter().map(|line| format!("    {line}"));
        self.up = std::iter::once(BLOCK.to_owned()).chain(outside).collect();
        self.fails()
    }

    /// Its path below the directory of the application, and its text.
    pub fn file(&self) -> (String, String) {
        let Self { revision, title, after, up, down } = self;
        let after = match &after[..] {
            [] => "None".to_owned(),
            [one] => format!("\"{one}\""),
            several => format!("({})", several.iter().map(|one| format!("\"{one}\"")).collect::<Vec<_>>().join(", ")),
        };
        let [up, down] = [up, down].map(|lines| match &lines[..] {
            [] => "    pass\n".to_owned(),
            lines => lines.iter().fold(String::new(), |text, line| text + "    " + line + "\n"),
        });
        let text = format!(
            "\"\"\"{title}\"\"\"\n\nimport sqlalchemy as sa\nfrom alembic import op\n\nrevision = \"{revision}\"\n\
             down_revision = {after}\n\n\ndef upgrade():\n{up}\n\ndef downgrade():\n{down}"
        );
        (format!("alembic/versions/{revision}.py"), text)
    }
}

const BLOCK: &str = "with op.get_context().autocommit_block():";

/// What the fake knows of a migration.
#[derive(Debug, Clone)]
pub(super) struct Code {
    pub(super) revision: String,
    pub(super) title: String,
    pub(super) after: Vec<String>,
    pub(super) up: Vec<Statement>,
    pub(super) down: Option<Vec<Statement>>,
    pub(super) file: PathBuf,
    pub(super) source: String,
}

/// A line of a migration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    pub(super) act: Act,
    /// Whether it stands outside the transaction.
    pub(super) outside: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Act {
    CreateTable(String),
    DropTable(String),
    AddColumn(String, String),
    DropColumn(String, String),
    Raise { kind: String, said: String },
    DivideByZero,
    Sleep(Duration),
    Execute,
}

impl Code {
    pub(super) fn read(file: &Path, source: &str) -> Result<Self> {
        let after = assigned(source, "down_revision").unwrap_or_default();
        let title = source.split("\"\"\"").nth(1).unwrap_or_default().trim();
        Ok(Self {
            revision: words(assigned(source, "revision").unwrap_or_default()).concat(),
            title: title.lines().next().unwrap_or_default().to_owned(),
            after: words(after),
            up: body(source, "upgrade")?.unwrap_or_default(),
            down: body(source, "downgrade")?,
            file: file.to_owned(),
            source: source.to_owned(),
        })
    }

    /// What is known of its way back.
    pub(super) fn back(&self) -> Back {
        let Some(down) = &self.down else { return Back::Missing };
        if let Some(Act::Raise { said, .. }) =
            down.iter().map(|one| &one.act).find(|act| matches!(act, Act::Raise { .. }))
        {
            return Back::Raises { said: said.clone() };
        }
        if down.is_empty() && !self.up.is_empty() {
            return Back::Empty;
        }
        let columns = down.iter().filter_map(|one| match &one.act {
            Act::DropColumn(table, column) => Some(format!("{table}.{column}")),
            _ => None,
        });
        let tables = down.iter().filter_map(|one| match &one.act {
            Act::DropTable(table) => Some(table.clone()),
            _ => None,
        });
        Back::Works { loses: columns.chain(tables).collect() }
    }
}

/// What stands behind `NAME = `.
fn assigned<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    source.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='))
}

/// The words in quotes.
fn words(text: &str) -> Vec<String> {
    text.split(['"', '\'']).skip(1).step_by(2).map(str::to_owned).collect()
}

/// The statements of a function; `None` when there is none of this name.
fn body(source: &str, name: &str) -> Result<Option<Vec<Statement>>> {
    let Some((_, rest)) = source.split_once(&format!("\ndef {name}():\n")) else { return Ok(None) };
    let (mut all, mut block) = (Vec::new(), None);
    for line in rest.lines().take_while(|line| line.is_empty() || line.starts_with(' ')) {
        let (depth, line) = (line.len() - line.trim_start().len(), line.trim());
        block = block.filter(|start| depth > *start);
        match line {
            "" | "pass" => {}
            BLOCK => block = Some(depth),
            line if line.starts_with('#') => {}
            line => all.push(Statement { act: act(line)?, outside: block.is_some() }),
        }
    }
    Ok(Some(all))
}

fn act(line: &str) -> Result<Act> {
    let quoted = words(line);
    let (call, _) = line.split_once('(').unwrap_or((line, ""));
    Ok(match (call, &quoted[..]) {
        ("op.create_table", [table, ..]) => Act::CreateTable(table.clone()),
        ("op.drop_table", [table]) => Act::DropTable(table.clone()),
        ("op.add_column", [table, column, ..]) => Act::AddColumn(table.clone(), column.clone()),
        ("op.drop_column", [table, column]) => Act::DropColumn(table.clone(), column.clone()),
        ("op.execute", [sql]) if sql == "SELECT 1/0" => Act::DivideByZero,
        ("op.execute", [sql]) if sql.starts_with("SELECT pg_sleep(") => {
            let seconds = sql.trim_start_matches("SELECT pg_sleep(").trim_end_matches(')').parse()?;
            Act::Sleep(Duration::try_from_secs_f64(seconds)?)
        }
        ("op.execute", [_]) => Act::Execute,
        (raise, [said]) if raise.starts_with("raise ") => {
            Act::Raise { kind: raise.trim_start_matches("raise ").to_owned(), said: said.clone() }
        }
        _ => return Err(Error::new(format!("the simulated alembic does not know `{line}`"))),
    })
}

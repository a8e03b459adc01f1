//! What is asked of a server: typed questions and orders, each with its SQL.

use jiff::Timestamp;
use runbook::Result;
use serde::{Deserialize, Serialize};

use super::sql;

/// A question to a server, or an order. A question changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Its version: a number like `150018`, the session's database and its size.
    Hello,
    /// A role: [`RoleFacts`] or null.
    Role(String),
    /// A database: [`DatabaseFacts`] or null.
    Database(String),
    /// The names of all databases.
    Databases,
    /// Whether a role may create things in the schema `public` of the session's database.
    MayCreate(String),
    /// The tables of the session's database, `public.` left out, sorted.
    Tables,
    /// The number of rows of every table, counted.
    RowCounts,
    /// A hash over some columns of a table, whatever the order of its rows.
    Hash {
        /// The table.
        table: String,
        /// The columns, in the order they are hashed in; none means all there are.
        columns: Vec<String>,
    },
    /// How many rows of a table point to no row of another.
    Orphans {
        /// The column that points, as `TABLE.COLUMN`.
        from: String,
        /// The column it points to.
        to: String,
    },
    /// The other sessions: a list of [`Activity`].
    Activity,
    /// Who waits for whom: a list of [`Lock`].
    Locks,
    /// The rows of `alembic_version`; null when there is no such table.
    Revisions,
    /// Makes all later questions of the session see one moment, and gives it a name for other sessions.
    Snapshot,
    /// Creates a role that may log in, with a SCRAM verifier of its password.
    CreateRole(String, Option<String>),
    /// Removes a role and its rights in the session's database.
    DropRole(String),
    /// Creates an empty database of this owner.
    CreateDatabase {
        /// Its name.
        name: String,
        /// The role it belongs to.
        owner: Option<String>,
        /// Its encoding and locale; those of the server's template unless given.
        locale: Option<Locale>,
    },
    /// Removes a database with all that is in it, and ends the sessions in it. One that is not there is fine.
    DropDatabase(String),
    /// Renames a database.
    RenameDatabase(String, String),
    /// Gives a role all rights of a database and its schema `public`, or takes them.
    Grant {
        /// The role.
        role: String,
        /// Give or take.
        give: bool,
    },
    /// How many sessions a database lets in, superusers not counted: any number for -1.
    Limit(String, i32),
    /// Ends all other sessions in a database: how many.
    Terminate(String),
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// As a number: 150018 is 15.18.
    pub number: u32,
    /// For people: `15.18 (Debian 15.18-0+deb12u1)`.
    pub version: String,
    /// The database of the session.
    pub database: String,
    /// The size of that database in bytes.
    pub bytes: u64,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleFacts {
    /// Its number, which a new role of the same name does not share.
    pub oid: u32,
    /// Whether it may log in.
    pub login: bool,
    /// Whether it may create databases.
    pub creates_databases: bool,
    /// Whether it may do anything.
    pub superuser: bool,
}

/// A database, as its server knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseFacts {
    /// Its number, which a new database of the same name does not share.
    pub oid: u32,
    /// The role it belongs to.
    pub owner: String,
    /// How many sessions it lets in, superusers not counted: any number for -1.
    pub limit: i32,
    /// Its encoding and locale.
    pub locale: Locale,
}

/// How a database writes and sorts text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locale {
    /// `UTF8`.
    pub encoding: String,
    /// How it sorts: `C.UTF-8`.
    pub collate: String,
    /// What it takes for a letter.
    pub ctype: String,
}

/// A session of somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// The process that serves it.
    pub pid: i32,
    /// The role.
    pub user: String,
    /// The program, as it calls itself.
    pub application: String,
    /// `active`, `idle`, `idle in transaction`, …
    pub state: String,
    /// Since when it is in this state.
    pub since: Option<Timestamp>,
    /// The beginning of its last statement.
    pub query: String,
    /// What it waits for, if anything: `Lock: relation`.
    pub waits_for: Option<String>,
}

/// A session that waits for another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The process that waits.
    pub waiting: i32,
    /// Its statement.
    pub query: String,
    /// The process it waits for.
    pub held_by: i32,
    /// The statement of that one.
    pub holder: String,
}

/// The tables people made, as `t.schema`, `t.name` and `t.named`.
const TABLES: &str = "(SELECT n.nspname AS schema, c.relname AS name, \
    CASE WHEN n.nspname = 'public' THEN c.relname::text ELSE n.nspname || '.' || c.relname END AS named \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition \
    AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema') t";

/// What a hash is made of: a number of rows and two sums, so that their order does not matter.
const SUMS: &str = "count(*) || ':' || coalesce(sum(('x' || left(h, 16))::bit(64)::bigint), 0) \
    || ':' || coalesce(sum(('x' || right(h, 16))::bit(64)::bigint), 0)";

impl Ask {
    /// Whether it changes something.
    pub fn is_order(&self) -> bool {
        matches!(
            self,
            Self::CreateRole(..)
                | Self::DropRole(_)
                | Self::CreateDatabase { .. }
                | Self::DropDatabase(_)
                | Self::RenameDatabase(..)
                | Self::Grant { .. }
                | Self::Limit(..)
                | Self::Terminate(_)
        )
    }

    /// Its statements, run one after the other. The first column of the first row of the last one is the answer, in JSON.
    pub(super) fn statements(&self) -> Result<Vec<String>> {
        use sql::{name, table, text};
        Ok(match self {
            Self::Hello => one(
                "SELECT json_build_object('number', current_setting('server_version_num')::int, \
                 'version', current_setting('server_version'), 'database', current_database(), \
                 'bytes', pg_database_size(current_database()))",
            ),
            Self::Role(role) => one(format!(
                "SELECT json_build_object('oid', oid::bigint, 'login', rolcanlogin, 'superuser', rolsuper, \
                 'creates_databases', rolcreatedb OR rolsuper) FROM pg_roles WHERE rolname = {}",
                text(role)
            )),
            Self::Database(database) => one(format!(
                "SELECT json_build_object('oid', oid::bigint, 'owner', pg_get_userbyid(datdba), \
                 'limit', datconnlimit, 'locale', json_build_object('encoding', \
                 pg_encoding_to_char(encoding), 'collate', datcollate, 'ctype', datctype)) FROM pg_database WHERE datname = {}",
                text(database)
            )),
            Self::Databases => one("SELECT json_agg(datname ORDER BY datname) FROM pg_database"),
            // One call with both would ask whether it has either.
            Self::MayCreate(role) => one(format!(
                "SELECT (has_schema_privilege({0}, 'public', 'CREATE') AND has_schema_privilege({0}, 'public', 'USAGE'))::text",
                text(role)
            )),
            Self::Tables => one(format!("SELECT coalesce(json_agg(named ORDER BY named), '[]') FROM {TABLES}")),
            // One statement for any number of tables, whose names it has to find first.
            Self::RowCounts => one(format!(
                "SELECT coalesce(json_object_agg(named, (xpath('/row/n/text()', query_to_xml(format(\
                 'SELECT count(*) AS n FROM %I.%I', schema, name), false, true, '')))[1]::text::bigint), '{{}}') \
                 FROM {TABLES}"
            )),
            Self::Hash { table: of, columns } => {
                let columns: Vec<String> = columns.iter().map(|column| name(column)).collect();
                let row = if columns.is_empty() { "t.*".to_owned() } else { columns.join(", ") };
                one(format!(
                    "SELECT to_json(md5({SUMS})) FROM (SELECT md5(ROW({row})::text) AS h FROM {} t) rows",
                    table(of)
                ))
            }
            Self::Orphans { from, to } => {
                let ((child, key), (parent, target)) = (sql::column(from)?, sql::column(to)?);
                let (key, target) = (name(key), name(target));
                one(format!(
                    "SELECT count(*) FROM {} c WHERE c.{key} IS NOT NULL AND NOT EXISTS \
                     (SELECT 1 FROM {} p WHERE p.{target} = c.{key})",
                    table(child),
                    table(parent)
                ))
            }
            Self::Activity => one(
                "SELECT coalesce(json_agg(json_build_object('pid', pid, 'user', coalesce(usename, ''), \
                 'application', coalesce(application_name, ''), 'state', coalesce(state, 'unknown'), \
                 'since', to_char(state_change AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), \
                 'query', left(coalesce(query, ''), 200), \
                 'waits_for', CASE WHEN wait_event_type = 'Lock' THEN 'Lock: ' || wait_event END) ORDER BY pid), '[]') \
                 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
            ),
            Self::Locks => one(
                "SELECT coalesce(json_agg(json_build_object('waiting', w.pid, 'query', left(w.query, 200), \
                 'held_by', h.pid, 'holder', left(h.query, 200)) ORDER BY w.pid, h.pid), '[]') \
                 FROM pg_stat_activity w CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS b(pid) \
                 JOIN pg_stat_activity h ON h.pid = b.pid WHERE w.datname = current_database()",
            ),
            Self::Revisions => vec![
                // Two steps in one: a table that is not there cannot be named, not even in a branch not taken.
                "SELECT CASE WHEN to_regclass('alembic_version') IS NULL THEN 'null' ELSE (SELECT coalesce(\
                 json_agg((xpath('/row/v/text()', row))[1]::text), '[]')::text FROM (SELECT unnest(xpath('/table/row', \
                 query_to_xml('SELECT version_num AS v FROM alembic_version ORDER BY 1', false, false, ''))) AS row) r) END"
                    .into(),
            ],
            Self::Snapshot => vec![
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".into(),
                "SELECT to_json(pg_export_snapshot())".into(),
            ],
            Self::CreateRole(role, verifier) => {
                let password = verifier.as_ref().map(|verifier| format!(" PASSWORD {}", text(verifier)));
                one(format!("CREATE ROLE {} LOGIN{}", name(role), password.unwrap_or_default()))
            }
            Self::DropRole(role) => {
                let role = name(role);
                vec![format!("DROP OWNED BY {role}"), format!("DROP ROLE {role}")]
            }
            Self::CreateDatabase { name: database, owner, locale } => {
                let owner = owner.as_ref().map(|owner| format!(" OWNER {}", name(owner))).unwrap_or_default();
                let locale = locale.as_ref().map(Locale::clause).unwrap_or_default();
                one(format!("CREATE DATABASE {}{owner}{locale}", name(database)))
            }
            Self::DropDatabase(database) => one(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", name(database))),
            Self::RenameDatabase(from, to) => one(format!("ALTER DATABASE {} RENAME TO {}", name(from), name(to))),
            Self::Grant { role, give: true } => vec![
                format!("GRANT ALL ON SCHEMA public TO {}", name(role)),
            ],
            Self::Grant { role, give: false } => vec![format!("REVOKE ALL ON SCHEMA public FROM {}", name(role))],
            // Not by `datallowconn`, which only a superuser may set; the owner may set a limit.
            Self::Limit(database, sessions) => {
                one(format!("ALTER DATABASE {} CONNECTION LIMIT {sessions}", name(database)))
            }
            Self::Terminate(database) => one(format!(
                "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE datname = {} AND pid <> pg_backend_pid()",
                text(database)
            )),
        })
    }
}

impl Locale {
    /// From the empty template, the only one that takes another locale than its own.
    fn clause(&self) -> String {
        let [encoding, collate, ctype] = [&self.encoding, &self.collate, &self.ctype].map(|word| sql::text(word));
        format!(" TEMPLATE template0 ENCODING {encoding} LC_COLLATE {collate} LC_CTYPE {ctype}")
    }
}

fn one(statement: impl Into<String>) -> Vec<String> {
    vec![statement.into()]
}

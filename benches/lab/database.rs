//! A database of 500 MB, as an application might have it.

use std::process::{Command, Stdio};

use runbook::steps::postgres::Database;

/// The variable with the URL of a superuser.
pub(crate) const URL: &str = "RUNBOOK_TEST_POSTGRES";

/// The tables: short rows and long ones, numbers, names, texts and digests, with keys and indexes. 500 MB in all.
const TABLES: &str = "
CREATE TABLE patients (id bigint PRIMARY KEY, name text NOT NULL, born date NOT NULL, insurance text NOT NULL);
INSERT INTO patients SELECT n,
    (ARRAY['Anna','Bert','Clara','David','Erika','Fritz','Greta','Hans'])[1 + n % 8] || ' ' ||
    (ARRAY['Schmidt','Meier','Schulz','Weber','Wagner','Becker','Koch'])[1 + n % 7],
    date '1930-01-01' + (n * 7919 % 30000)::int, upper(substr(md5(n::text), 1, 10))
    FROM generate_series(1::bigint, 200000) n;
CREATE TABLE claims (id bigint PRIMARY KEY, reference text NOT NULL UNIQUE, patient bigint NOT NULL REFERENCES patients,
    diagnosis text NOT NULL, amount numeric(12,2) NOT NULL, status text NOT NULL, created_at timestamptz NOT NULL);
INSERT INTO claims SELECT n, 'CLM-2026-' || lpad(n::text, 9, '0'), 1 + n * 31 % 200000,
    'ICD-' || (n * 7919 % 9973) || ': follow-up after treatment, see report ' || (n * 31 % 100003),
    (n * 104729 % 1000000) / 100.0, (ARRAY['new','paid','refused','in review'])[1 + n % 4],
    timestamptz '2024-01-01' + n * interval '17 seconds' FROM generate_series(1::bigint, 800000) n;
CREATE TABLE events (id bigint PRIMARY KEY, claim bigint NOT NULL, kind text NOT NULL, at timestamptz NOT NULL,
    digest text NOT NULL);
INSERT INTO events SELECT n, 1 + n * 17 % 800000,
    (ARRAY['created','scored','assigned','paid','closed'])[1 + n % 5],
    timestamptz '2024-01-01' + n * interval '9 seconds', md5(n::text) FROM generate_series(1::bigint, 1200000) n;
CREATE INDEX ON events (claim);
CREATE TABLE documents (id bigint PRIMARY KEY, claim bigint NOT NULL, body text NOT NULL);
INSERT INTO documents SELECT n, 1 + n * 13 % 800000, (SELECT string_agg(
    'finding ' || md5((n * 8 + i)::text) || ' is noted by the examiner on page ' || i, E'\\n' ORDER BY i)
    FROM generate_series(1, 4) i) FROM generate_series(1::bigint, 380000) n;
VACUUM ANALYZE;";

/// The URL itself.
pub(crate) fn url() -> String {
    std::env::var(URL).expect("it was looked for")
}

/// The database of the server that is there already.
pub(crate) fn server() -> Database {
    Database::from_env(URL)
}

/// A database on the server, dropped in the end.
pub(crate) struct Made {
    name: &'static str,
    server: String,
}

impl Made {
    /// An empty one.
    pub(crate) fn empty(name: &'static str) -> Self {
        let made = Self { name, server: url() };
        made.drop();
        made.ask_server(&format!("CREATE DATABASE {name}"));
        made
    }

    /// One of 500 MB.
    pub(crate) fn filled(name: &'static str) -> Self {
        let made = Self::empty(name);
        psql(&made.url(), TABLES);
        made
    }

    /// As our steps name it.
    pub(crate) fn database(&self) -> Database {
        server().named(self.name)
    }

    /// As `psql` takes it.
    pub(crate) fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("a URL names a database");
        format!("{server}/{}", self.name)
    }

    /// As big as this.
    pub(crate) fn bytes(&self) -> u64 {
        self.ask_server(&format!("SELECT pg_database_size('{}')", self.name)).trim().parse().expect("a number")
    }

    pub(crate) fn drop(&self) {
        self.ask_server(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }

    pub(crate) fn create(&self) {
        self.ask_server(&format!("CREATE DATABASE {}", self.name));
    }

    fn ask_server(&self, sql: &str) -> String {
        psql(&self.server, sql)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        Self::drop(self);
    }
}

fn psql(url: &str, sql: &str) -> String {
    let mut psql = Command::new("psql");
    psql.args(["-XqAt", "--set=ON_ERROR_STOP=1", "--dbname", url]).env("PGOPTIONS", "-c client_min_messages=warning");
    let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("psql starts");
    let mut input = psql.stdin.take().expect("its input");
    std::io::Write::write_all(&mut input, sql.as_bytes()).expect("it reads");
    drop(input);
    let output = psql.wait_with_output().expect("it ends");
    assert!(output.status.success(), "psql fails");
    String::from_utf8(output.stdout).expect("it is text")
}

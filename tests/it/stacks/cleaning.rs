//! `examples/cleaning`: the fifth document.

use std::process::Command;

use super::{Stack, status};

mod deployment;
mod kills;
mod rollbacks;

const PASSWORD: &str = "a-password-of-the-lab";

/// A CleanWithSnapshot of a test's own.
struct Cleaning(Stack);

/// What is deployed.
#[derive(Debug, PartialEq)]
struct State {
    release: String,
    revision: String,
    columns: String,
    /// Which services run, on which images.
    services: Vec<String>,
}

impl Cleaning {
    fn new() -> Self {
        let url = format!("postgresql+asyncpg://postgres:{PASSWORD}@db:5432/cleaning");
        let stack = Stack::new("cleaning", 4)
            .secret("POSTGRES_PASSWORD", PASSWORD)
            .secret("DATABASE_URL", url)
            .secret("STRIPE_SECRET_KEY", "sk_live_of_the_lab")
            .secret("ADMIN_PASS", "admin-of-the-lab");
        Self(stack)
    }

    /// With this release running.
    fn with(release: &str) -> Self {
        let cleaning = Self::new();
        cleaning.deploy(release, &[], 0);
        cleaning
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.ports[0])
    }

    fn words(&self, more: &[&str]) -> Vec<String> {
        let url = self.url();
        let fixed = ["--api".into(), url.clone(), "--web".into(), url];
        fixed.into_iter().chain(more.iter().map(|&word| word.to_owned())).collect()
    }

    fn begin(&self, procedure: &str, more: &[&str]) -> Command {
        let words = self.words(more);
        self.0.begin(procedure, &words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn ends(&self, procedure: &str, more: &[&str], code: i32) -> String {
        super::told(&self.begin(procedure, more).output().expect("it runs"), code)
    }

    /// What a deployment of this release is told.
    fn deployment(&self, release: &str, more: &[&str]) -> Vec<String> {
        let names = ["HTTP_PORT", "HTTPS_PORT", "API_PORT", "WEB_PORT"];
        let ports = names.iter().zip(&self.0.ports).map(|(name, port)| format!("{name}={port}"));
        let ports = ports.flat_map(|pair| ["--set".to_owned(), pair]);
        let words = ["--repository".into(), self.0.repository(), "--revision".into(), release.to_owned()];
        words.into_iter().chain(ports).chain(more.iter().map(|&word| word.to_owned())).collect()
    }

    fn deploy(&self, release: &str, more: &[&str], code: i32) -> String {
        let words = self.deployment(release, more);
        self.ends("standard_deployment", &words.iter().map(String::as_str).collect::<Vec<_>>(), code)
    }

    fn query(&self, sql: &str) -> String {
        self.0.inside("db", &format!("psql -U postgres -qXAt -d cleaning -c \"{sql}\""))
    }

    fn state(&self) -> State {
        let columns = "SELECT table_name, column_name FROM information_schema.columns
             WHERE table_schema = 'public' ORDER BY 1, 2";
        let containers = self.0.containers();
        let services = containers.iter().map(|line| line.rsplit_once(' ').expect("three words").0.to_owned());
        State {
            release: self.0.release(),
            revision: self.query("SELECT version_num FROM alembic_version ORDER BY 1"),
            columns: self.query(columns),
            services: services.collect(),
        }
    }

    fn is_ready(&self) -> bool {
        status(&format!("{}/readyz", self.url()), None) == "200"
    }

    /// A lead, as a user makes one.
    fn lead(&self, name: &str) {
        let insert = format!("INSERT INTO leads (name, phone) VALUES ('{name}', '123')");
        self.query(&insert);
    }

    fn leads(&self) -> String {
        self.query("SELECT string_agg(name, ' ' ORDER BY name) FROM leads")
    }
}

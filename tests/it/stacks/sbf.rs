//! `examples/sbf`: the fourth document.

use super::{Stack, asking, variable};

const JWT_SECRET: &str = "a-secret-of-the-lab-that-is-long-enough";

/// A token as the application makes them (RFC 7519, HS256).
fn token() -> String {
    let script = "import base64, hashlib, hmac, json, sys, time
part = lambda data: base64.urlsafe_b64encode(data).rstrip(b'=')
claims = {'sub': 'runbook', 'exp': int(time.time()) + 86400}
text = part(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode()) + b'.' + part(json.dumps(claims).encode())
print((text + b'.' + part(hmac.new(sys.argv[1].encode(), text, hashlib.sha256).digest())).decode())";
    let output = std::process::Command::new("python3").args(["-c", script, JWT_SECRET]).output();
    super::told(&output.expect("python3 runs"), 0).trim().to_owned()
}

struct Sbf(Stack);

impl Sbf {
    fn new() -> Self {
        let stack = Stack::new("sbf", 1)
            .secret("GITHUB_TOKEN", variable("RUNBOOK_LAB_REGISTRY_PASSWORD"))
            .secret("DB_PASSWORD", "a-password-of-the-lab")
            .secret("JWT_SECRET", JWT_SECRET)
            .secret("OPENAI_API_KEY", "sk-of-the-lab")
            .secret("ANTHROPIC_API_KEY", "sk-ant-of-the-lab")
            .secret("PINECONE_API_KEY", "pc-of-the-lab")
            .secret("TEST_TOKEN", token());
        Self(stack)
    }

    /// With this release running, from a place in the registry of this test's own.
    fn with(release: &str) -> Self {
        let sbf = Self::new();
        sbf.publish(release);
        sbf.set_up();
        sbf
    }

    fn url(&self) -> String {
        format!("http://localhost:{}", self.0.ports[0])
    }

    fn ends(&self, procedure: &str, more: &[&str], code: i32) -> String {
        let url = self.url();
        self.0.ends(procedure, &[&["--url", &*url], more].concat(), code)
    }

    /// Where its images are.
    fn images(&self) -> String {
        format!("{}/{}", variable("RUNBOOK_LAB_REGISTRY"), self.0.project)
    }

    /// Makes a release `latest`, as a team's pipeline does.
    fn publish(&self, release: &str) {
        self.publish_as(release, "latest");
    }

    fn publish_as(&self, release: &str, tag: &str) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/stacks");
        let output = std::process::Command::new(script).args(["publish", release, &self.images(), tag]).output();
        super::told(&output.expect("it runs"), 0);
    }

    fn set_up(&self) {
        let (repository, port) = (self.0.repository(), self.0.ports[0].to_string());
        let (registry, user) = (variable("RUNBOOK_LAB_REGISTRY"), variable("RUNBOOK_LAB_REGISTRY_USER"));
        let words = ["--repository", &repository, "--port", &port, "--registry", &registry, "--user", &user];
        self.ends("set_up", &[&words[..], &["--images", &self.images()]].concat(), 0);
    }

    /// The version that each instance of the API has.
    fn version(&self) -> String {
        self.0.inside("api", "curl -fsS http://localhost:8000/api/v1/health")
    }

    fn query(&self, sql: &str) -> String {
        self.0.inside("postgres", &format!("psql -U sbf_prod -qXAt -d sbf -c \"{sql}\""))
    }

    /// Which services run, on which images.
    fn services(&self) -> Vec<String> {
        let lines = self.0.containers();
        lines.iter().map(|line| line.rsplit_once(' ').expect("three words").0.to_owned()).collect()
    }

    fn health(&self) -> String {
        format!("{}/api/v1/health", self.url())
    }
}

/// The claim of D6.5, done better: new instances beside the old, and no request is lost.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn a_new_version_comes_beside_the_old_and_no_request_is_lost() {
    let sbf = Sbf::with("v1");
    let containers = sbf.0.containers();
    sbf.set_up();
    assert_eq!(sbf.0.containers(), containers, "a second run changes nothing");
    sbf.publish("v2");
    let (_, asked, bad) = asking(&sbf.health(), None, || sbf.ends("standard_deployment", &[], 0));
    assert!(asked > 100 && bad.is_empty(), "{} of {asked} were answered badly: {bad:?}", bad.len());
    assert!(sbf.version().contains("2.0.0"), "{}", sbf.version());

    for release in ["unhealthy", "crash-loop"] {
        sbf.publish(release);
        let before = sbf.0.containers();
        let (text, asked, bad) =
            asking(&sbf.health(), None, || sbf.ends("standard_deployment", &["--patience", "40"], 4));
        assert!(asked > 100 && bad.is_empty(), "{release}: {} of {asked} were answered badly: {bad:?}", bad.len());
        assert_eq!(sbf.0.containers(), before, "{release}: {text}");
    }
}

/// A deployment whose way back is taken afterwards: by its images, its schema, its data.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn images_schema_and_data_go_back() {
    let sbf = Sbf::with("v2");
    sbf.query("INSERT INTO notebooks (owner, title, text) VALUES ('runbook', 'before', 'text')");
    let (old, schema) = (sbf.services(), sbf.query("SELECT version_num FROM alembic_version"));
    let images = ["api", "web", "workers"].map(|name| {
        let tag = format!("{}/{name}:latest", sbf.images());
        let id = super::docker(&["image", "inspect", "--format", "{{.Id}}", &tag]);
        ["--image".to_owned(), format!("{tag}={id}")]
    });
    let images: Vec<&str> = images.iter().flatten().map(String::as_str).collect();
    sbf.publish("v3");
    sbf.ends("standard_deployment", &[], 0);
    assert_eq!(sbf.query("SELECT version_num FROM alembic_version"), "abc123");

    sbf.ends("migration_rollback", &[&*schema], 0);
    assert_eq!(sbf.query("SELECT version_num FROM alembic_version"), schema);
    sbf.ends("immediate_rollback", &images, 0);
    assert_eq!(sbf.services(), old);

    sbf.ends("back_up", &[], 0);
    sbf.query("INSERT INTO notebooks (owner, title, text) VALUES ('runbook', 'after', 'text')");
    sbf.ends("database_rollback", &[], 0);
    assert_eq!(sbf.query("SELECT string_agg(title, ' ') FROM notebooks"), "before");
}

/// D7: a fix that is none takes itself back.
#[test]
#[ignore = "needs the lab: tests/all runs it"]
fn a_hotfix_comes_alone_and_a_bad_one_takes_itself_back() {
    let sbf = Sbf::with("v1");
    sbf.publish_as("hotfix", "hotfix-1");
    sbf.publish_as("unhealthy", "hotfix-2");
    let (image, tag) = (|n| format!("{}/api:hotfix-{n}", sbf.images()), format!("{}/api:latest", sbf.images()));
    sbf.ends("hotfix", &[&image(1), "--tag", &tag], 0);
    assert!(sbf.version().contains("1.0.1"), "{}", sbf.version());
    let before = sbf.0.containers();
    let bad = || sbf.ends("hotfix", &[&image(2), "--tag", &tag, "--patience", "40"], 4);
    let (_, asked, bad) = asking(&sbf.health(), None, bad);
    assert!(asked > 100 && bad.is_empty(), "{} of {asked} were answered badly: {bad:?}", bad.len());
    assert_eq!(sbf.0.containers(), before);
}

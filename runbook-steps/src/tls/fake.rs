//! A simulated certbot with an authority behind it, for simulated hosts.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair, PKCS_ED25519};
use runbook::command::Output;
use runbook::testing::{Call, Program, SimClock, SimHost};
use runbook::{Clock as _, Error, Explain as _, Result};

use super::certbot::{Lineage, ROOT};

/// A certbot, as far as the steps of this library ask it. Its certificates are real ones, which nobody trusts; all have one
/// and the same key, and begin at midnight, so that two runs of one procedure end with the same files.
///
/// ```
/// use runbook_core::testing::SimHost;
/// use runbook_steps::tls;
///
/// let host = tls::Fake::new().good_for_days(90).on(SimHost::new("web-1"));
/// ```
#[derive(Debug, Clone)]
pub struct Fake {
    days: u64,
    refusal: Option<String>,
    start: Option<Timestamp>,
    clock: Arc<OnceLock<SimClock>>,
}

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const DAY: u64 = 86_400;

impl Default for Fake {
    fn default() -> Self {
        Self::new()
    }
}

impl Fake {
    /// A certbot that obtains whatever it is asked for, good for ninety days.
    pub fn new() -> Self {
        Self { days: 90, refusal: None, start: None, clock: Arc::default() }
    }

    /// Whose certificates are good for so many days.
    pub fn good_for_days(mut self, days: u64) -> Self {
        self.days = days;
        self
    }

    /// That obtains nothing, and says this.
    pub fn refuses(mut self, words: &str) -> Self {
        self.refusal = Some(words.to_owned());
        self
    }

    /// Whose clock shows this time now, instead of that of a simulated run.
    pub fn at(mut self, now: Timestamp) -> Self {
        self.start = Some(now);
        self
    }

    /// The host, with this certbot on it.
    pub fn on(&self, host: SimHost) -> SimHost {
        host.program("certbot", self.clone())
    }

    fn now(&self) -> Timestamp {
        self.clock.get_or_init(|| self.start.map_or_else(SimClock::default, SimClock::at)).now()
    }

    /// Certificate and key for these names.
    fn issue(&self, names: &[String]) -> Result<(String, String)> {
        static KEY: OnceLock<Option<KeyPair>> = OnceLock::new();
        let key = KEY.get_or_init(|| KeyPair::generate_for(&PKCS_ED25519).ok()).as_ref().context("there is no key")?;
        let mut params = CertificateParams::new(names.to_vec())?;
        let today = u64::try_from(self.now().as_second()).unwrap_or_default() / DAY * DAY;
        params.not_before = (UNIX_EPOCH + Duration::from_secs(today)).into();
        params.not_after = (UNIX_EPOCH + Duration::from_secs(today + self.days * DAY)).into();
        Ok((params.self_signed(key)?.pem(), key.serialize_pem()))
    }

    fn keep(&self, call: &mut Call<'_>, lineage: &Lineage, names: &[String], server: &str) -> Result<()> {
        let (certificate, key) = self.issue(names)?;
        let archive = lineage.root.join("archive").join(&lineage.name);
        let files = call.files();
        let number = files.list(&archive).unwrap_or_default().len() / 4 + 1;
        files.make_dir(&archive)?;
        files.make_dir(lineage.live())?;
        files.make_dir(lineage.root.join("renewal"))?;
        for (part, content) in
            [("cert", &certificate), ("chain", &certificate), ("fullchain", &certificate), ("privkey", &key)]
        {
            let file = format!("{part}{number}.pem");
            files.write(archive.join(&file), content)?;
            let target = Path::new("../../archive").join(&lineage.name).join(&file);
            files.symlink(target, lineage.live().join(format!("{part}.pem")))?;
        }
        files.write(lineage.renewal(), format!("[renewalparams]\nserver = {server}\nnames = {}\n", names.join(" ")))
    }

    fn act(&self, call: &mut Call<'_>) -> Result<Option<String>> {
        let args = call.args();
        let option = |name: &str| Some(args[args.iter().position(|arg| *arg == name)? + 1].to_owned());
        let root = option("--config-dir").unwrap_or_else(|| ROOT.to_owned()).into();
        let Some(name) = option("--cert-name") else { return Ok(None) };
        let lineage = Lineage { name, root };
        let known = call.files().text(lineage.renewal()).ok();
        let unknown = || Error::new(format!("No certificate found with name {}", lineage.name));
        let field = |field: &str| {
            let line = known.as_deref()?.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(" = "));
            line.map(str::to_owned)
        };
        match (args[0], &self.refusal) {
            ("certonly" | "renew", Some(words)) => Err(Error::new(words.clone())),
            ("certonly", None) => {
                if known.is_none() && call.files().exists(lineage.live()) {
                    return Err(Error::new(format!("live directory exists for {}", lineage.name)));
                }
                let server = option("--server").or_else(|| field("server")).unwrap_or_else(|| LETS_ENCRYPT.to_owned());
                let names: Vec<String> =
                    args.windows(2).filter(|pair| pair[0] == "-d").map(|pair| pair[1].to_owned()).collect();
                self.keep(call, &lineage, &names, &server)?;
                Ok(Some("Successfully received certificate.".to_owned()))
            }
            ("renew", None) => {
                let names = field("names").ok_or_else(unknown)?;
                if args.contains(&"--dry-run") {
                    let all = "Congratulations, all simulated renewals succeeded:";
                    return Ok(Some(format!("{all}\n  {} (success)", lineage.chain().display())));
                }
                let names: Vec<String> = names.split(' ').map(str::to_owned).collect();
                self.keep(call, &lineage, &names, &field("server").unwrap_or_default())?;
                Ok(Some("Congratulations, all renewals succeeded:".to_owned()))
            }
            ("delete", _) if known.is_none() => Err(unknown()),
            ("delete", _) => {
                for path in lineage.all() {
                    call.files().remove(path)?;
                }
                Ok(Some(format!("Deleted all files relating to certificate {}.", lineage.name)))
            }
            _ => Ok(None),
        }
    }
}

impl Program for Fake {
    fn run(&self, call: &mut Call<'_>) -> Output {
        match self.act(call) {
            Ok(Some(said)) => Output::ok(said + "\n"),
            Ok(None) => Output::failed(64, format!("the simulated certbot does not know `{}`\n", call.command())),
            Err(error) => Output::failed(1, format!("{error:#}\n")),
        }
    }
}

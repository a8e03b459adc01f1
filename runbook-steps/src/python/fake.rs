//! A simulated Python with venv and pip, for simulated hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use runbook::Result;
use runbook::command::Output;
use runbook::testing::{Call, Program, SimHost};

use super::facts::{name_of, normal};
use super::probe::{Orders, SCRIPT, Told};

/// What lines of Python do: what they print, or the last line of their traceback.
type Snippet = Arc<dyn Fn(&BTreeMap<String, String>) -> Result<String, String> + Send + Sync>;

/// A Python 3.11.2 whose pip knows an index that lives in the test.
///
/// ```
/// use runbook_core::testing::SimHost;
/// use runbook_steps::python;
///
/// let python = python::Fake::new().package("fastapi", "0.110.0", ["starlette>=0.36"]).package("starlette", "0.36.3", []);
/// let host = python.on(SimHost::new("web-1").dir("/srv").file("/srv/requirements.txt", "fastapi==0.110.0\n"));
/// ```
///
/// It knows what the steps of this library ask of Python, and refuses everything else. Requirements are names with
/// `==` and `>=`. A module is there when a package of its name is, or a file of its name in the directory; lines of
/// Python do what [`snippet`](Fake::snippet) says. It is held to the real pip by one suite that runs against both.
/// What is installed lies in the files of the host, so a snapshot has it.
#[derive(Clone, Default)]
pub struct Fake {
    index: BTreeMap<String, BTreeMap<Version, Vec<String>>>,
    snippets: Vec<(String, Snippet)>,
}

const PYTHON: &str = "3.11.2";
const PIP: &str = "23.0.1";

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Version(Vec<u64>, String);

impl Version {
    fn of(text: &str) -> Self {
        Self(text.split('.').map(|part| part.parse().unwrap_or(0)).collect(), text.to_owned())
    }
}

impl Fake {
    /// A Python whose index has nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this version of a package in the index, which requires these.
    pub fn package<'a>(mut self, name: &str, version: &str, requires: impl IntoIterator<Item = &'a str>) -> Self {
        let requires = requires.into_iter().map(str::to_owned).collect();
        self.index.entry(normal(name)).or_default().insert(Version::of(version), requires);
        self
    }

    /// With what lines of Python that contain this text do with their environment: what they print, or the last line of
    /// their traceback.
    pub fn snippet(
        mut self,
        text: &str,
        does: impl Fn(&BTreeMap<String, String>) -> Result<String, String> + Send + Sync + 'static,
    ) -> Self {
        self.snippets.push((text.to_owned(), Arc::new(does)));
        self
    }

    /// The host, with this Python on it as `python3` and `python3.11`.
    pub fn on(&self, host: SimHost) -> SimHost {
        ["python", "python3", "python3.11"].into_iter().fold(host, |host, name| host.program(name, self.clone()))
    }
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fake with {} packages", self.index.len())
    }
}

impl Program for Fake {
    fn run(&self, call: &mut Call<'_>) -> Output {
        let program = PathBuf::from(call.command().program());
        let venv =
            program.parent().and_then(Path::parent).map(|venv| call.path(venv)).filter(|_| program.is_absolute());
        let args = call.args();
        match (&args[..], venv) {
            (["--version"], _) => Output::ok(format!("Python {PYTHON}\n")),
            (["-c", "import venv, ensurepip"], _) => Output::ok(""),
            (["-m", "venv", "--clear", dir], None) => make(call, dir, true),
            (["-m", "venv", "--clear", "--without-pip", dir], None) => make(call, dir, false),
            (["-m", "pip", rest @ ..], Some(venv)) => self.pip(call, &venv, rest),
            (["-c", SCRIPT], Some(venv)) => self.script(call, &venv),
            _ => Output::failed(2, format!("the simulated Python does not know `python {}`\n", args.join(" "))),
        }
    }
}

fn packages(venv: &Path) -> PathBuf {
    venv.join("lib/python3.11/site-packages")
}

/// `python -m venv DIR`
fn make(call: &mut Call<'_>, dir: &str, pip: bool) -> Output {
    let venv = call.path(dir);
    let mut making = || -> Result<()> {
        for name in call.files().list(&venv).unwrap_or_default() {
            call.files().remove(venv.join(name))?;
        }
        call.files().make_dir(packages(&venv))?;
        call.files().make_dir(venv.join("bin"))?;
        call.files().write(venv.join("bin/python"), "")?;
        call.files().write(venv.join("pyvenv.cfg"), format!("version = {PYTHON}\n"))?;
        if pip {
            add(call, &venv, "pip", PIP, &[])?;
        }
        Ok(())
    };
    match making() {
        Ok(()) => Output::ok(""),
        Err(error) => Output::failed(1, format!("Error: {error:#}\n")),
    }
}

fn add(call: &mut Call<'_>, venv: &Path, name: &str, version: &str, requires: &[String]) -> Result<()> {
    let info = packages(venv).join(format!("{}-{version}.dist-info", name.replace('-', "_")));
    call.files().make_dir(&info)?;
    let requires = requires.iter().fold(String::new(), |text, line| text + "Requires-Dist: " + line + "\n");
    call.files().write(info.join("METADATA"), format!("Name: {name}\nVersion: {version}\n{requires}"))
}

/// What is installed: version and requirements by name.
fn installed(call: &mut Call<'_>, venv: &Path) -> BTreeMap<String, (String, Vec<String>)> {
    let names = call.files().list(packages(venv)).unwrap_or_default();
    let mut all = BTreeMap::new();
    for name in names {
        let Ok(text) = call.files().text(packages(venv).join(&name).join("METADATA")) else { continue };
        let field = |field: &str| text.lines().find_map(|line| line.strip_prefix(field)).unwrap_or_default().to_owned();
        let requires = text.lines().filter_map(|line| line.strip_prefix("Requires-Dist: ")).map(str::to_owned);
        all.insert(field("Name: "), (field("Version: "), requires.collect()));
    }
    all
}

fn remove(call: &mut Call<'_>, venv: &Path, name: &str) -> Result<()> {
    let prefix = format!("{}-", name.replace('-', "_"));
    for entry in call.files().list(packages(venv))? {
        if entry.starts_with(&prefix) && entry.ends_with(".dist-info") {
            call.files().remove(packages(venv).join(entry))?;
        }
    }
    Ok(())
}

/// Whether a version is what a requirement wants.
fn fits(requirement: &str, version: &str) -> bool {
    let (version, tail) = (Version::of(version), requirement.trim());
    match (tail.split_once("=="), tail.split_once(">=")) {
        (Some((_, wanted)), _) => version == Version::of(wanted.trim()),
        (_, Some((_, wanted))) => version >= Version::of(wanted.trim()),
        _ => true,
    }
}

impl Fake {
    fn pip(&self, call: &mut Call<'_>, venv: &Path, args: &[&str]) -> Output {
        let there = installed(call, venv);
        if !there.contains_key("pip") {
            return Output::failed(1, "No module named pip\n");
        }
        match args {
            ["--version"] => Output::ok(format!("pip {PIP} from somewhere (python 3.11)\n")),
            ["freeze", "--all"] => Output::ok(
                there.iter().fold(String::new(), |text, (name, (version, _))| text + &format!("{name}=={version}\n")),
            ),
            ["check"] => check(&there),
            ["uninstall", "--yes", names @ ..] => match names.iter().try_for_each(|name| remove(call, venv, name)) {
                Ok(()) => Output::ok(""),
                Err(error) => Output::failed(1, format!("ERROR: {error:#}\n")),
            },
            ["install", rest @ ..] => self.install(call, venv, &there, rest),
            _ => Output::failed(1, format!("ERROR: unknown command \"{}\"\n", args.join(" "))),
        }
    }

    fn install(
        &self,
        call: &mut Call<'_>,
        venv: &Path,
        there: &BTreeMap<String, (String, Vec<String>)>,
        args: &[&str],
    ) -> Output {
        let (mut wanted, mut flags, mut args) = (Vec::new(), BTreeSet::new(), args.iter());
        while let Some(arg) = args.next() {
            match *arg {
                "-r" => {
                    let file = call.path(args.next().copied().unwrap_or_default());
                    let Ok(text) = call.files().text(&file) else {
                        let why = "[Errno 2] No such file or directory";
                        let file = file.display();
                        return error(&format!("Could not open requirements file: {why}: '{file}'"));
                    };
                    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
                    wanted.extend(lines.map(str::to_owned));
                }
                "--find-links" | "--index-url" => drop(args.next()),
                flag if flag.starts_with('-') => drop(flags.insert(flag)),
                package => wanted.push(package.to_owned()),
            }
        }
        let plan = match self.plan(there, &wanted, &flags) {
            Ok(plan) => plan,
            Err(requirement) => {
                return error(&format!("No matching distribution found for {requirement}"));
            }
        };
        let mut text = String::new();
        if flags.contains("--dry-run") && !plan.is_empty() {
            let items: Vec<String> = plan.iter().map(|(name, version)| format!("{name}-{version}")).collect();
            let _ = writeln!(text, "Would install {}", items.join(" "));
        }
        if !flags.contains("--dry-run") {
            for (name, version) in &plan {
                let requires = self.index[name].get(&Version::of(version)).cloned().unwrap_or_default();
                let put = remove(call, venv, name).and_then(|()| add(call, venv, name, version, &requires));
                if let Err(error) = put {
                    return Output::failed(1, format!("ERROR: {error:#}\n"));
                }
            }
        }
        Output::ok(text)
    }

    /// What is to be installed; else the requirement that nothing meets.
    fn plan(
        &self,
        there: &BTreeMap<String, (String, Vec<String>)>,
        wanted: &[String],
        flags: &BTreeSet<&str>,
    ) -> Result<BTreeMap<String, String>, String> {
        let (mut plan, mut left) = (BTreeMap::<String, String>::new(), wanted.to_vec());
        let again = flags.contains("--force-reinstall") || flags.contains("--upgrade");
        while let Some(requirement) = left.pop() {
            let name = name_of(&requirement).unwrap_or_default();
            let planned = plan.get(&name).is_some_and(|version| fits(&requirement, version));
            let has = there.get(&name).filter(|(version, _)| fits(&requirement, version) && !again);
            let requires = match has {
                _ if planned => continue,
                Some((_, requires)) => requires.clone(),
                None => {
                    let versions = self.index.get(&name).into_iter().flatten();
                    let found = versions.rev().find(|(version, _)| fits(&requirement, &version.1));
                    let (version, requires) = found.ok_or(requirement)?;
                    plan.insert(name, version.1.clone());
                    requires.clone()
                }
            };
            if !flags.contains("--no-deps") {
                left.extend(requires);
            }
        }
        if flags.contains("--upgrade") && !flags.contains("--force-reinstall") {
            plan.retain(|name, version| there.get(name).is_none_or(|(has, _)| has != version));
        }
        Ok(plan)
    }

    fn script(&self, call: &mut Call<'_>, venv: &Path) -> Output {
        let Ok(orders) = serde_json::from_slice::<Orders>(call.input()) else {
            return Output::failed(1, "json.decoder.JSONDecodeError\n");
        };
        let there = installed(call, venv);
        let mut text = String::new();
        let mut whole = true;
        for module in &orders.modules {
            let top = module.split('.').next().unwrap_or_default();
            let files = [call.path(module.replace('.', "/") + ".py"), call.path(module.replace('.', "/"))];
            let here = files.iter().any(|file| call.files().exists(file));
            if !here && !there.contains_key(&normal(top)) {
                let _ = writeln!(text, "ModuleNotFoundError: No module named '{top}'");
                whole = false;
                break;
            }
        }
        if whole && !orders.code.is_empty() {
            let snippet = self.snippets.iter().rev().find(|(text, _)| orders.code.contains(text));
            let done = snippet.map_or_else(|| Ok(String::new()), |(_, does)| does(&orders.env));
            whole = done.is_ok();
            text += &done.unwrap_or_else(|error| error);
        }
        for (name, value) in orders.env.iter().filter(|(_, value)| value.len() >= 8) {
            text = text.replace(value, &format!("[{name}]"));
        }
        Output::ok(serde_json::to_vec(&Told { whole, text }).unwrap_or_default())
    }
}

fn error(words: &str) -> Output {
    Output::failed(1, format!("ERROR: {words}\n"))
}

/// `pip check`
fn check(there: &BTreeMap<String, (String, Vec<String>)>) -> Output {
    let mut text = String::new();
    for (name, (version, requires)) in there {
        for requirement in requires {
            match name_of(requirement).and_then(|wanted| there.get(&wanted).map(|(has, _)| (wanted, has))) {
                Some((_, has)) if fits(requirement, has) => {}
                Some((wanted, has)) => {
                    let _ =
                        writeln!(text, "{name} {version} has requirement {requirement}, but you have {wanted} {has}.");
                }
                None => {
                    let wanted = name_of(requirement).unwrap_or_default();
                    let _ = writeln!(text, "{name} {version} requires {wanted}, which is not installed.");
                }
            }
        }
    }
    if text.is_empty() {
        return Output::ok("No broken requirements found.\n");
    }
    Output { code: Some(1), stdout: text.into_bytes(), ..Output::default() }
}

//! Compose files, and what a simulated Compose makes of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use runbook::testing::Tree;
use serde_json::{Map, Value, json};

use super::Content;
use super::engine::Engine;
use super::ground::Ground;
use super::life::Life;
use crate::docker::Reference;
use crate::file::content::sha256;

/// A project, as its files and the words of a command say it.
#[derive(Debug, Clone, Default)]
pub(super) struct Project {
    pub(super) name: String,
    pub(super) directory: PathBuf,
    pub(super) files: Vec<PathBuf>,
    pub(super) env_files: Vec<PathBuf>,
    pub(super) profiles: Vec<String>,
    /// What is said of each service, variables filled in.
    pub(super) services: BTreeMap<String, Value>,
    /// Variables that have no value.
    pub(super) unset: Vec<String>,
}

/// The names Compose looks for.
const NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

impl Project {
    /// Reads the files of the project, or says what is wrong with them.
    pub(super) fn read(&mut self, tree: &mut Tree) -> Result<(), String> {
        let files = self.paths(tree)?;
        let variables = self.variables(tree)?;
        let mut services = Map::new();
        for file in files {
            let text = tree.text(&file).map_err(|_| format!("open {}: no such file or directory", file.display()))?;
            let value: Value = serde_saphyr::from_str(&text).map_err(|error| format!("yaml: {error}"))?;
            let value = self.filled(value, &variables);
            merge(&mut services, value.get("services").and_then(Value::as_object).cloned().unwrap_or_default());
        }
        if services.is_empty() {
            return Err("empty compose file".to_owned());
        }
        for (name, service) in services {
            let profiles: Vec<String> = strings(service.get("profiles"));
            if profiles.is_empty() || profiles.iter().any(|profile| self.profiles.contains(profile)) {
                self.services.insert(name, service);
            }
        }
        self.check()
    }

    fn paths(&self, tree: &mut Tree) -> Result<Vec<PathBuf>, String> {
        if self.files.is_empty() {
            let mut all = NAMES.iter().map(|name| self.directory.join(name));
            let found = all.find(|path| tree.is_file(path));
            return found.map(|path| vec![path]).ok_or_else(|| "no configuration file provided: not found".to_owned());
        }
        Ok(self.files.iter().map(|file| self.directory.join(file)).collect())
    }

    fn variables(&self, tree: &mut Tree) -> Result<BTreeMap<String, String>, String> {
        let mut all = BTreeMap::new();
        let given = self.env_files.iter().map(|file| self.directory.join(file));
        let files: Vec<PathBuf> =
            if self.env_files.is_empty() { vec![self.directory.join(".env")] } else { given.collect() };
        for file in files {
            match tree.text(&file) {
                Ok(text) => {
                    let pairs = text.lines().filter(|line| !line.trim_start().starts_with('#'));
                    let pairs = pairs.filter_map(|line| line.split_once('='));
                    all.extend(
                        pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().trim_matches('"').to_owned())),
                    );
                }
                Err(_) if self.env_files.is_empty() => {}
                Err(_) => return Err(format!("couldn't find env file: {}", file.display())),
            }
        }
        Ok(all)
    }

    fn filled(&mut self, value: Value, variables: &BTreeMap<String, String>) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(&text, variables)),
            Value::Array(all) => all.into_iter().map(|value| self.filled(value, variables)).collect(),
            Value::Object(all) => {
                all.into_iter().map(|(name, value)| (name, self.filled(value, variables))).collect::<Map<_, _>>().into()
            }
            other => other,
        }
    }

    /// `${NAME}`, `${NAME:-otherwise}` and `$NAME`.
    fn fill(&mut self, text: &str, variables: &BTreeMap<String, String>) -> String {
        let (mut out, mut rest) = (String::new(), text);
        while let Some((before, after)) = rest.split_once('$') {
            out += before;
            if let Some(after) = after.strip_prefix('$') {
                out.push('$');
                rest = after;
                continue;
            }
            let (name, otherwise, left) = variable(after);
            match variables.get(name).map(String::as_str).or(otherwise) {
                Some(value) => out += value,
                None => self.unset.push(name.to_owned()),
            }
            rest = left;
        }
        out + rest
    }

    fn check(&self) -> Result<(), String> {
        for (name, service) in &self.services {
            if service.get("image").is_none() && service.get("build").is_none() {
                return Err(format!(
                    "service \"{name}\" has neither an image nor a build context specified: invalid compose project"
                ));
            }
            if let Some(on) = depends_on(service).keys().find(|on| !self.services.contains_key(*on)) {
                return Err(format!(
                    "service \"{name}\" depends on undefined service \"{on}\": invalid compose project"
                ));
            }
        }
        Ok(())
    }

    pub(super) fn image(&self, service: &str) -> Reference {
        let image = self.services.get(service).and_then(|service| service.get("image")).and_then(Value::as_str);
        Reference::named(image.map_or_else(|| format!("{}-{service}", self.name), str::to_owned))
    }

    /// Where an image is built; `None` for one that is not.
    pub(super) fn context(&self, service: &str) -> Option<PathBuf> {
        let build = self.services.get(service)?.get("build")?;
        let context = build.as_str().or_else(|| build.get("context").and_then(Value::as_str))?;
        Some(self.directory.join(context))
    }

    pub(super) fn replicas(&self, service: &str) -> u32 {
        let service = self.services.get(service);
        let deploy = service.and_then(|service| service.get("deploy")).and_then(|deploy| deploy.get("replicas"));
        let count = service.and_then(|service| service.get("scale")).or(deploy).and_then(Value::as_u64);
        count.and_then(|count| u32::try_from(count).ok()).unwrap_or(1)
    }

    pub(super) fn policy(&self, service: &str) -> String {
        let policy = self.services.get(service).and_then(|service| service.get("restart")).and_then(Value::as_str);
        policy.unwrap_or("no").to_owned()
    }

    fn volumes(&self, service: &str) -> Vec<String> {
        let all = strings(self.services.get(service).and_then(|service| service.get("volumes")));
        let named = all.iter().filter_map(|volume| volume.split(':').next());
        named.filter(|name| !name.starts_with(['.', '/'])).map(|name| format!("{}_{name}", self.name)).collect()
    }

    /// The digest of what is said of a service, apart from how many there are and how it is built.
    pub(super) fn hash(&self, service: &str) -> String {
        let mut value = self.services.get(service).cloned().unwrap_or_default();
        if let Some(fields) = value.as_object_mut() {
            for field in ["build", "scale", "depends_on", "profiles"] {
                fields.remove(field);
            }
            if let Some(deploy) = fields.get_mut("deploy").and_then(Value::as_object_mut) {
                deploy.remove("replicas");
            }
        }
        sha256(value.to_string().as_bytes())
    }

    /// What `config --format json` says.
    pub(super) fn shown(&self) -> Value {
        let service = |(name, service): (&String, &Value)| {
            let mut service = service.clone();
            if let Some(fields) = service.as_object_mut() {
                let on = depends_on(&Value::Object(fields.clone()));
                let on = on.into_iter().map(|(on, condition)| (on, json!({"condition": condition, "required": true})));
                fields.insert("depends_on".into(), on.collect::<Map<_, _>>().into());
                if let Some(context) = self.context(name) {
                    fields.insert("build".into(), json!({"context": context, "dockerfile": "Dockerfile"}));
                }
            }
            (name.clone(), service)
        };
        json!({"name": self.name, "services": self.services.iter().map(service).collect::<Map<_, _>>()})
    }

    /// These services, all when there are none, with what they depend on unless they are to be alone; those first that
    /// others depend on.
    pub(super) fn in_order(&self, chosen: &[&str], alone: bool) -> Result<Vec<String>, String> {
        if let Some(unknown) = chosen.iter().find(|name| !self.services.contains_key(**name)) {
            return Err(format!("no such service: {unknown}"));
        }
        let all: Vec<&str> =
            if chosen.is_empty() { self.services.keys().map(String::as_str).collect() } else { chosen.to_vec() };
        let mut order = Vec::new();
        for service in &all {
            self.visit(service, &all, alone, &mut order);
        }
        Ok(order)
    }

    fn visit(&self, service: &str, chosen: &[&str], alone: bool, order: &mut Vec<String>) {
        let Some(said) = self.services.get(service).filter(|_| order.iter().all(|known| known != service)) else {
            return;
        };
        for on in depends_on(said).keys().filter(|on| !alone || chosen.contains(&on.as_str())) {
            self.visit(on, chosen, alone, order);
        }
        order.push(service.to_owned());
    }
}

/// What a service depends on, and what it waits for.
pub(super) fn depends_on(service: &Value) -> BTreeMap<String, String> {
    match service.get("depends_on") {
        Some(Value::Array(all)) => {
            all.iter().filter_map(Value::as_str).map(|name| (name.to_owned(), "service_started".to_owned())).collect()
        }
        Some(Value::Object(all)) => {
            let condition =
                |how: &Value| how.get("condition").and_then(Value::as_str).unwrap_or("service_started").to_owned();
            all.iter().map(|(name, how)| (name.clone(), condition(how))).collect()
        }
        _ => BTreeMap::new(),
    }
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let all = value.and_then(Value::as_array).into_iter().flatten();
    all.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (name, value) in from {
        match (into.get_mut(&name), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => drop(into.insert(name, value)),
        }
    }
}

/// The variable that a text begins with, its default, and the rest of the text.
fn variable(text: &str) -> (&str, Option<&str>, &str) {
    if let Some((inner, rest)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        let (name, otherwise) = match inner.split_once(":-").or_else(|| inner.split_once('-')) {
            Some((name, otherwise)) => (name, Some(otherwise)),
            None => (inner.split(':').next().unwrap_or(inner), None),
        };
        return (name, otherwise, rest);
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    (&text[..end], None, &text[end..])
}

/// What is in the image that is built in this directory. Dot files and compose files make no difference to it.
fn built(tree: &mut Tree, context: &Path) -> Content {
    let mut files = BTreeMap::new();
    for path in tree.walk(context) {
        let Ok(below) = path.strip_prefix(context) else { continue };
        let hidden = below.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'));
        let is_compose = below.to_string_lossy().contains("compose");
        if let (false, false, Ok(text)) = (hidden, is_compose, tree.text(&path)) {
            files.insert(below.to_owned(), text);
        }
    }
    Content { files }
}

/// Builds the image of a service.
pub(super) fn build<G: Ground>(engine: &mut Engine<'_, G>, project: &Project, service: &str) -> Result<(), String> {
    let Some(context) = project.context(service) else { return Ok(()) };
    let files = engine.ground.look(|tree| {
        if tree.is_dir(&context) {
            Ok(built(tree, &context))
        } else {
            Err(format!("path \"{}\" not found", context.display()))
        }
    })?;
    if files.text("VERSION") == "does-not-build" {
        return Err(
            "failed to solve: process \"/bin/sh -c make\" did not complete successfully: exit code: 2".to_owned()
        );
    }
    let id = engine.add(files);
    engine.tag(project.image(service), id);
    Ok(())
}

/// Pulls an image.
pub(super) fn pull<G: Ground>(engine: &mut Engine<'_, G>, reference: &Reference) -> Result<(), String> {
    let Some(content) = engine.fake.pulled(reference) else {
        return Err(format!(
            "Error response from daemon: manifest for {reference} not found: manifest unknown: manifest unknown"
        ));
    };
    let id = engine.add(content);
    engine.tag(reference.clone(), id);
    Ok(())
}

/// A project that is up from the beginning.
pub(super) fn bring_up<G: Ground>(engine: &mut Engine<'_, G>, name: &str, directory: &Path) {
    let mut project = Project { name: name.to_owned(), directory: directory.to_owned(), ..Project::default() };
    let read = engine.ground.look(|tree| project.read(tree));
    let up = read.and_then(|()| {
        for service in project.in_order(&[], false)? {
            let reference = project.image(&service);
            if engine.find(reference.as_str()).is_none() {
                build(engine, &project, &service)?;
            }
            if engine.find(reference.as_str()).is_none() {
                pull(engine, &reference)?;
            }
            let wanted = project.replicas(&service);
            create(engine, &project, &service, 1..=wanted)?;
        }
        Ok(())
    });
    assert!(up.is_ok(), "the project {name} cannot be up from the beginning: {up:?}");
    for life in engine.store.containers.iter().map(|life| life.id.clone()).collect::<Vec<_>>() {
        engine.change(&life, |engine, life| engine.start(life, engine.now));
    }
}

/// Makes containers with these numbers, not yet started.
pub(super) fn create<G: Ground>(
    engine: &mut Engine<'_, G>,
    project: &Project,
    service: &str,
    numbers: impl IntoIterator<Item = u32>,
) -> Result<Vec<String>, String> {
    let reference = project.image(service);
    let Some(image) = engine.find(reference.as_str()) else { return Err(format!("No such image: {reference}")) };
    engine.store.networks.entry(format!("{}_default", project.name)).or_insert_with(|| project.name.clone());
    let volumes = project.volumes(service);
    engine.store.volumes.extend(volumes.iter().cloned());
    let mut made = Vec::new();
    for number in numbers {
        let life = Life {
            id: engine.new_id(),
            name: format!("{}-{service}-{number}", project.name),
            image: image.clone(),
            reference: project.services[service]["image"]
                .as_str()
                .map_or_else(|| format!("{}-{service}", project.name), str::to_owned),
            project: project.name.clone(),
            service: service.to_owned(),
            number,
            config: project.hash(service),
            policy: project.policy(service),
            volumes: volumes.clone(),
            created: engine.now,
            ..Life::default()
        };
        made.push(life.id.clone());
        engine.store.containers.push(life);
        engine.save();
    }
    Ok(made)
}

//! The simulated engine itself.

use std::collections::{BTreeMap, BTreeSet};

use runbook::Resource;
use serde::{Deserialize, Serialize};

use super::ground::Ground;
use super::life::{Happens, Health, Life};
use super::{Content, Fake, locked};
use crate::docker::Reference;
use crate::docker::tagged::{BEFORE, KEPT};
use crate::file::content::sha256;

/// The kind of resources that are left out of snapshots.
pub(super) const HIDDEN: &str = "docker-store";

/// The simulated engine, while it is asked something.
pub(super) struct Engine<'f, G> {
    pub(super) fake: &'f Fake,
    pub(super) ground: &'f mut G,
    pub(super) now: u64,
    pub(super) store: Store,
    /// The images that tags point at.
    pub(super) tags: BTreeMap<Reference, String>,
    /// The volumes with something in them or on them.
    pub(super) volumes: BTreeMap<String, Volume>,
    /// What was remembered when its program began.
    was: Remembered,
    is_changed: bool,
}

/// What is remembered of an engine.
#[derive(Debug, Clone, Default)]
struct Remembered {
    names: Names,
    services: BTreeMap<String, Shown>,
    tags: BTreeMap<Reference, String>,
    volumes: BTreeMap<String, Volume>,
    store: Store,
}

/// What there may be in a snapshot, under a name of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Names {
    services: BTreeSet<String>,
    tags: BTreeSet<Reference>,
    volumes: BTreeSet<String>,
}

impl Remembered {
    fn read(ground: &impl Ground) -> Self {
        let names: Names = ground.get(&names());
        let services =
            names.services.iter().filter_map(|key| Some((key.clone(), ground.get::<Option<_>>(&service(key))?)));
        let tags = names.tags.iter().filter_map(|tag| Some((tag.clone(), ground.get::<Option<_>>(&tagged(tag))?)));
        let volumes =
            names.volumes.iter().filter_map(|name| Some((name.clone(), ground.get::<Option<_>>(&volume(name))?)));
        let (services, tags, volumes) = (services.collect(), tags.collect(), volumes.collect());
        Self { services, tags, volumes, store: ground.get(&store()), names }
    }
}

/// What the engine remembers that no snapshot shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Store {
    made: u64,
    pub(super) images: BTreeMap<String, Content>,
    /// Images that were removed, and are known for the case that a snapshot is put back.
    pub(super) removed: BTreeSet<String>,
    /// When an image was last tagged.
    pub(super) tagged: BTreeMap<String, u64>,
    pub(super) containers: Vec<Life>,
    pub(super) networks: BTreeMap<String, String>,
    pub(super) volumes: BTreeSet<String>,
    /// Volumes that hold nothing but a note.
    notes: BTreeMap<String, Volume>,
}

/// A volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Volume {
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) files: BTreeMap<String, String>,
}

/// What a snapshot shows of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Shown {
    /// The image and the settings of each container that is up.
    up: Vec<(String, String)>,
    /// What a container needs that is made from a snapshot.
    reference: String,
    policy: String,
}

fn store() -> Resource {
    Resource::new(HIDDEN, "engine")
}

fn names() -> Resource {
    Resource::new(HIDDEN, "names")
}

fn service(key: &str) -> Resource {
    Resource::new("service", key)
}

fn tagged(reference: &Reference) -> Resource {
    match reference.as_str().rsplit_once(':') {
        Some((of, tag)) if tag.starts_with(BEFORE) => Resource::new(KEPT, format!("{of}/{tag}")),
        _ => Resource::new("image", reference.as_str()),
    }
}

fn volume(name: &str) -> Resource {
    Resource::new("volume", name)
}

impl<'f, G: Ground> Engine<'f, G> {
    pub(super) fn new(fake: &'f Fake, ground: &'f mut G, now: u64) -> Self {
        let was = Remembered::read(ground);
        let (store, tags, mut volumes) = (was.store.clone(), was.tags.clone(), was.volumes.clone());
        volumes.extend(store.notes.clone());
        let mut this = Self { fake, now, ground, store, tags, volumes, was, is_changed: false };
        this.put_back();
        this
    }

    /// The world before the first question: images and projects that are there from the beginning.
    pub(super) fn begin(&mut self) {
        for (reference, content) in locked(&self.fake.0.images).clone() {
            let id = self.add(content);
            self.tags.entry(reference).or_insert(id);
        }
        for (name, files) in locked(&self.fake.0.volumes).clone() {
            self.store.volumes.insert(name.clone());
            self.volumes.insert(name, Volume { files, ..Volume::default() });
        }
        for (name, directory) in locked(&self.fake.0.running).clone() {
            super::project::bring_up(self, &name, &directory);
        }
        for life in &mut self.store.containers {
            life.has_been_up();
        }
        self.save();
        self.remember();
    }

    /// A snapshot was put back when it shows something else than what is remembered.
    fn put_back(&mut self) {
        let shown = self.was.services.clone();
        let now = self.shown();
        if shown == now {
            return;
        }
        self.save();
        for (key, was) in &shown {
            if now.get(key) == Some(was) {
                continue;
            }
            let Some((project, service)) = key.split_once('/') else { continue };
            self.store.containers.retain(|life| life.project != project || life.service != service);
            for (index, (image, config)) in was.up.iter().enumerate() {
                let mut life = Life {
                    project: project.to_owned(),
                    service: service.to_owned(),
                    number: u32::try_from(index + 1).unwrap_or(1),
                    image: image.clone(),
                    config: config.clone(),
                    reference: was.reference.clone(),
                    policy: was.policy.clone(),
                    ..Life::default()
                };
                life.name = format!("{project}-{service}-{}", life.number);
                life.id = self.new_id();
                self.start(&mut life, self.now);
                life.has_been_up();
                self.store.containers.push(life);
            }
        }
        self.store.containers.retain(|life| {
            let key = format!("{}/{}", life.project, life.service);
            !life.is_up() || life.project.is_empty() || shown.contains_key(&key)
        });
    }

    fn shown(&self) -> BTreeMap<String, Shown> {
        let mut all: BTreeMap<String, Shown> = BTreeMap::new();
        for life in self.store.containers.iter().filter(|life| life.is_up() && !life.project.is_empty()) {
            let shown = all.entry(format!("{}/{}", life.project, life.service)).or_default();
            shown.up.push((life.image.clone(), life.config.clone()));
            shown.reference.clone_from(&life.reference);
            shown.policy.clone_from(&life.policy);
        }
        for shown in all.values_mut() {
            shown.up.sort();
        }
        all
    }

    /// Something has changed that is to be remembered.
    pub(super) fn save(&mut self) {
        self.is_changed = true;
    }

    /// Remembers all, when its program ends. What a snapshot shows comes first.
    pub(super) fn remember(&mut self) {
        if !std::mem::take(&mut self.is_changed) {
            return;
        }
        let mut now = Remembered { names: self.was.names.clone(), services: self.shown(), ..Remembered::default() };
        now.tags.clone_from(&self.tags);
        let there = self.volumes.iter().filter(|(_, volume)| **volume != Volume::default());
        // Notes are no part of the world: they are gone when what they are about is over.
        let (notes, volumes) = there.map(|(name, volume)| (name.clone(), volume.clone())).partition(is_note);
        (self.store.notes, now.volumes) = (notes, volumes);
        now.store = self.store.clone();
        now.names.services.extend(now.services.keys().cloned());
        now.names.tags.extend(now.tags.keys().cloned());
        now.names.volumes.extend(now.volumes.keys().cloned());
        let Self { ground, was, .. } = self;
        keep(*ground, &names(), Some(&now.names), Some(&was.names));
        for key in &now.names.services {
            keep(*ground, &service(key), now.services.get(key), was.services.get(key));
        }
        for tag in &now.names.tags {
            keep(*ground, &tagged(tag), now.tags.get(tag), was.tags.get(tag));
        }
        for name in &now.names.volumes {
            keep(*ground, &volume(name), now.volumes.get(name), was.volumes.get(name));
        }
        keep(*ground, &store(), Some(&now.store), Some(&was.store));
        *was = now;
    }

    /// Lets everything happen that happens by now, in the order it does.
    pub(super) fn catch_up(&mut self) {
        while let Some((index, at, what)) = self.next().filter(|(_, at, _)| *at <= self.now) {
            let mut life = self.store.containers[index].clone();
            self.happens(&mut life, at, what);
            self.store.containers[index] = life;
            self.save();
        }
    }

    /// The next thing that happens to any container.
    fn next(&self) -> Option<(usize, u64, Happens)> {
        let lives = self.store.containers.iter().enumerate();
        let all = lives.filter_map(|(index, life)| life.next().map(|(at, what)| (index, at, what)));
        all.min_by_key(|(_, at, _)| *at)
    }

    /// When something next happens to a container of this project that is an event.
    pub(super) fn next_event(&self, project: &str) -> Option<(u64, &'static str)> {
        let lives = self.store.containers.iter().filter(|life| life.project == project);
        let event = |life: &Life| {
            let quiet = Life { says: Vec::new(), ..life.clone() };
            quiet.next().map(|(at, what)| (at, word(&what)))
        };
        lives.filter_map(event).min()
    }

    fn happens(&mut self, life: &mut Life, at: u64, what: Happens) {
        match what {
            Happens::Says(words) => {
                life.says.remove(0);
                life.log.push((at, words));
            }
            Happens::Turns(health) => {
                life.turns_at = None;
                life.health = Some(health);
            }
            Happens::Dies(code) => life.dies(code, at),
            Happens::Restarts => {
                let restarts = life.restarts + 1;
                self.start(life, at);
                life.restarts = restarts;
            }
        }
    }

    /// Starts a container.
    pub(super) fn start(&mut self, life: &mut Life, at: u64) {
        let content = self.store.images.get(&life.image).cloned().unwrap_or_default();
        let behaviour = self.fake.decide(&life.service, &content);
        life.begin(&behaviour, at);
    }

    /// Changes a container, and remembers it.
    pub(super) fn change(&mut self, id: &str, change: impl FnOnce(&mut Self, &mut Life)) {
        let Some(index) = self.store.containers.iter().position(|life| life.id == id) else { return };
        let mut life = self.store.containers[index].clone();
        change(self, &mut life);
        self.store.containers[index] = life;
        self.save();
        self.catch_up();
    }

    pub(super) fn stop(&mut self, id: &str) {
        let at = self.now;
        self.change(id, |_, life| life.stop(137, at));
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.store.containers.retain(|life| life.id != id);
        self.save();
    }

    /// A container by its id, the beginning of it, or its name.
    pub(super) fn container(&self, name: &str) -> Option<&Life> {
        let is = |life: &&Life| life.id == name || life.name == name || name.len() >= 12 && life.id.starts_with(name);
        self.store.containers.iter().find(is)
    }

    pub(super) fn new_id(&mut self) -> String {
        self.store.made += 1;
        sha256(format!("container {}", self.store.made).as_bytes())
    }

    /// An image with this in it.
    pub(super) fn add(&mut self, content: Content) -> String {
        let text = serde_json::to_string(&content).unwrap_or_default();
        let id = format!("sha256:{}", sha256(text.as_bytes()));
        self.store.removed.remove(&id);
        self.store.images.insert(id.clone(), content);
        id
    }

    pub(super) fn tag(&mut self, reference: Reference, id: String) {
        self.store.tagged.insert(id.clone(), self.now);
        self.tags.insert(reference, id);
        self.save();
    }

    /// Whether the image is there: one with a tag always is.
    pub(super) fn has(&self, id: &str) -> bool {
        let tagged = self.tags.values().any(|tagged| tagged == id);
        tagged || self.store.images.contains_key(id) && !self.store.removed.contains(id)
    }

    /// The id of the image that this name or id is of.
    pub(super) fn find(&self, name: &str) -> Option<String> {
        let tagged = self.tags.get(&Reference::named(name)).cloned();
        tagged.or_else(|| {
            let digits = name.strip_prefix("sha256:").unwrap_or(name);
            let mut known = self.store.images.keys().filter(|id| self.has(id));
            known.find(|id| digits.len() >= 12 && id.trim_start_matches("sha256:").starts_with(digits)).cloned()
        })
    }

    pub(super) fn is_used(&self, id: &str) -> bool {
        self.store.containers.iter().any(|life| life.image == id)
    }
}

fn word(what: &Happens) -> &'static str {
    match what {
        Happens::Says(_) => "says",
        Happens::Turns(Health::Healthy) => "health_status: healthy",
        Happens::Turns(_) => "health_status: unhealthy",
        Happens::Dies(_) => "die",
        Happens::Restarts => "start",
    }
}

fn is_note((_, volume): &(String, Volume)) -> bool {
    !volume.labels.is_empty()
}

/// Remembers what is another than before.
fn keep<T: Serialize + PartialEq>(ground: &mut impl Ground, resource: &Resource, now: Option<&T>, was: Option<&T>) {
    if now != was {
        ground.put(resource, now.map(|now| serde_json::to_value(now).unwrap_or_default()));
    }
}

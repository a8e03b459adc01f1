//! What the files of a unit say.

use std::path::{Path, PathBuf};
use std::time::Duration;

use runbook::host::FileKind;
use runbook::testing::Tree;
use serde::{Deserialize, Serialize};

use super::super::Unit;
use super::super::unit_file::UNITS;

/// Where unit files lie, the first that has one wins.
pub(super) const PLACES: [&str; 4] = [UNITS, "/run/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"];

/// The files of a unit as systemd read them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Config {
    pub(super) fragment: Option<PathBuf>,
    pub(super) drop_ins: Vec<PathBuf>,
    pub(super) masked: bool,
    /// The unit file with its drop-ins behind it.
    text: String,
}

impl Config {
    /// What the files say now.
    pub(super) fn read(tree: &Tree, unit: &Unit) -> Self {
        let Some(fragment) = fragment(tree, unit) else { return Self::default() };
        if tree.stat(&fragment).is_some_and(|stat| stat.kind == FileKind::Symlink("/dev/null".into())) {
            return Self { fragment: Some(fragment), masked: true, ..Self::default() };
        }
        let mut config = Self { text: tree.text(&fragment).unwrap_or_default(), ..Self::default() };
        config.fragment = Some(fragment);
        for place in PLACES {
            config.add_drop_ins(tree, &Path::new(place).join(format!("{unit}.d")));
        }
        config
    }

    /// What the files in a directory say, for `systemd-analyze verify`.
    pub(super) fn beside(tree: &Tree, file: &Path) -> Self {
        let text = tree.text(file).unwrap_or_default();
        let mut config = Self { fragment: Some(file.to_owned()), text, ..Self::default() };
        let dir = format!("{}.d", file.display());
        config.add_drop_ins(tree, Path::new(&dir));
        config
    }

    fn add_drop_ins(&mut self, tree: &Tree, dir: &Path) {
        for path in tree.list(dir).unwrap_or_default().into_iter().map(|name| dir.join(name)) {
            if path.extension().is_some_and(|suffix| suffix == "conf") {
                self.text += "\n";
                self.text += &tree.text(&path).unwrap_or_default();
                self.drop_ins.push(path);
            }
        }
    }

    /// All values of a setting; an empty one forgets those before it.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let mut all = Vec::new();
        for (known, value) in self.text.lines().filter_map(|line| line.split_once('=')) {
            match (known.trim() == name, value.trim()) {
                (false, _) => {}
                (true, "") => all.clear(),
                (true, value) => all.push(value),
            }
        }
        all
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).last().copied()
    }

    /// Whether it is restarted when it ended like this, and how soon.
    pub(super) fn restart(&self, code: i32) -> Option<Duration> {
        let again = match self.get("Restart") {
            Some("always") => true,
            Some("on-failure") => code != 0,
            _ => false,
        };
        again.then(|| self.get("RestartSec").and_then(span).unwrap_or(Duration::from_millis(100)))
    }

    pub(super) fn is_service(unit: &Unit) -> bool {
        unit.as_str().ends_with(".service")
    }

    /// What systemd would refuse.
    pub(super) fn refusal(&self, unit: &Unit) -> Option<&'static str> {
        let oneshot = self.get("Type") == Some("oneshot");
        match self.all("ExecStart").len() {
            _ if !Self::is_service(unit) => None,
            0 => Some("Service has no ExecStart=, ExecStop=, or SuccessAction=. Refusing."),
            1 => None,
            _ if oneshot => None,
            _ => Some(
                "Service has more than one ExecStart= setting, which is only allowed for Type=oneshot services. Refusing.",
            ),
        }
    }

    /// Settings with a line number each.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(n, line)| (n + 1, line.trim()))
    }
}

fn fragment(tree: &Tree, unit: &Unit) -> Option<PathBuf> {
    let template =
        unit.as_str().split_once('@').and_then(|(name, rest)| Some(format!("{name}@.{}", rest.rsplit_once('.')?.1)));
    let names = [Some(unit.as_str().to_owned()), template];
    let paths = names.iter().flatten().flat_map(|name| PLACES.map(|place| Path::new(place).join(name)));
    paths.into_iter().find(|path| tree.stat(path).is_some())
}

/// `50ms`, `5s`, `5`.
fn span(text: &str) -> Option<Duration> {
    if let Some(millis) = text.strip_suffix("ms") {
        return millis.parse().ok().map(Duration::from_millis);
    }
    text.trim_end_matches('s').parse().ok().map(Duration::from_secs_f64)
}

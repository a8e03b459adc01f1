//! A simulated host.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::command::Output;
use crate::host::elsewhere::{GREETING, is_wrapped};
use crate::host::{Attributes, Exit, Files, Host, Process, Stat};
use crate::{Command, Error, Resource, Result};

use super::builtin;
use super::drill::{Drill, Gate};
use super::machine::{Machine, Programs};
use super::process;
use super::program::Program;
use super::tree::Tree;
use super::world::World;

/// A simulated host: files in memory, and programs that are Rust. A clone is another handle to the same host.
///
/// It has a few everyday programs (`cat`, `cp`, `ln`, `mkdir`, `mv`, `rm`, `test`, `sha256sum` and their like); all
/// others are given to it. A program it does not have fails as on a real host.
///
/// ```
/// use runbook_core::command::Output;
/// use runbook_core::testing::SimHost;
///
/// let host = SimHost::new("db-1")
///     .file("/etc/app.conf", "port = 80\n")
///     .replies("pg_isready", Output::ok("accepting connections"))
///     .replies("systemctl is-active api", Output::failed(3, "inactive"));
/// assert_eq!(host.read("/etc/app.conf"), "port = 80\n");
/// ```
#[derive(Clone)]
pub struct SimHost(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    machine: Mutex<Machine>,
    programs: Mutex<Arc<Programs>>,
    calls: Mutex<Vec<String>>,
    drill: Mutex<Option<Arc<Drill>>>,
}

impl SimHost {
    /// A host of this name, with nothing on it but `/tmp`.
    pub fn new(name: &str) -> Self {
        Self(Arc::new(Inner {
            name: name.into(),
            machine: Mutex::new(Machine::new(name)),
            programs: Mutex::new(Arc::new(builtin::programs())),
            calls: Mutex::default(),
            drill: Mutex::default(),
        }))
    }

    /// With this file, and the directories above it.
    #[track_caller]
    pub fn file(self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Self {
        self.set_up(|tree| {
            tree.make_dir(path.as_ref().parent().unwrap_or(Path::new("/")))?;
            tree.write(path, content)
        })
    }

    /// With this mode of a file or directory it already has.
    #[track_caller]
    pub fn mode(self, path: impl AsRef<Path>, mode: u32) -> Self {
        self.set_up(|tree| tree.set(path, &Attributes::mode(mode)))
    }

    /// With this directory, and those above it.
    #[track_caller]
    pub fn dir(self, path: impl AsRef<Path>) -> Self {
        self.set_up(|tree| tree.make_dir(path))
    }

    /// With this symbolic link, and the directories above it.
    #[track_caller]
    pub fn link(self, link: impl AsRef<Path>, target: impl AsRef<Path>) -> Self {
        self.set_up(|tree| {
            tree.make_dir(link.as_ref().parent().unwrap_or(Path::new("/")))?;
            tree.symlink(target, link)
        })
    }

    /// With a user of this number, whose group has the same name and number.
    pub fn user(self, name: &str, id: u32) -> Self {
        self.machine().tree().user(name, id);
        self
    }

    /// Where nothing can be written below this path, for this reason: "no space left on device".
    pub fn unwritable(self, path: impl Into<PathBuf>, why: impl Into<String>) -> Self {
        self.machine().tree().close(path.into(), why.into());
        self
    }

    /// With a program, called by these words: `git`, or `docker compose`. The longest words that a command begins
    /// with win; a program called by its path is found by its name.
    pub fn program(self, words: &str, program: impl Program + 'static) -> Self {
        Arc::make_mut(&mut self.lock(&self.0.programs)).add(words, Arc::new(program));
        self
    }

    /// With one answer to every command that begins with these words.
    pub fn replies(self, words: &str, output: Output) -> Self {
        self.program(words, move |_: &mut super::Call<'_>| output.clone())
    }

    /// With what a program remembers of this resource.
    pub fn with_state<T: Serialize + ?Sized>(self, resource: &Resource, state: &T) -> Self {
        self.machine().set_state(resource, state);
        self
    }

    /// Leaving this path, and all below it, out of snapshots.
    pub fn ignoring(self, path: impl AsRef<Path>) -> Self {
        self.machine().ignore(Resource::path(path));
        self
    }

    /// Leaving all resources of this kind out of snapshots: process numbers, for one.
    pub fn ignoring_state(self, kind: &str) -> Self {
        self.machine().ignore(Resource::new(kind, ""));
        self
    }

    /// The content of a file as text; panics when there is none.
    #[track_caller]
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        let text = self.machine().tree().text(path);
        text.unwrap_or_else(|error| panic!("on {}: {error:#}", self.0.name))
    }

    /// Whether something is at this path.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.machine().tree().exists(path)
    }

    /// What a program remembers of this resource; the default when it remembers nothing.
    pub fn state<T: DeserializeOwned + Default>(&self, resource: &Resource) -> T {
        self.machine().state(resource)
    }

    /// Changes its files from outside, as another person would; panics on an error.
    #[track_caller]
    pub fn edit(&self, change: impl FnOnce(&mut Tree) -> Result<()>) {
        if let Err(error) = change(self.machine().tree()) {
            panic!("on {}: {error:#}", self.0.name);
        }
    }

    /// The commands it was given so far, rendered.
    pub fn calls(&self) -> Vec<String> {
        self.lock(&self.0.calls).clone()
    }

    /// All it holds now.
    pub fn snapshot(&self) -> World {
        self.machine().snapshot()
    }

    /// Puts everything back to a snapshot.
    pub fn restore(&self, world: &World) {
        self.machine().restore(world);
    }

    pub(crate) fn meddle(&self, drill: &Arc<Drill>) {
        *self.lock(&self.0.drill) = Some(drill.clone());
    }

    #[track_caller]
    fn set_up(self, change: impl FnOnce(&mut Tree) -> Result<()>) -> Self {
        self.edit(change);
        self
    }

    /// One operation on the files, with what goes wrong in it.
    async fn operate<T>(&self, what: &str, path: &Path, work: impl FnOnce(&mut Tree) -> Result<T>) -> Result<T> {
        let Some(drill) = self.lock(&self.0.drill).clone() else { return work(self.machine().tree()) };
        let gate = drill.enter(|| format!("{what} {}", path.display())).await?;
        let (result, changes) = self.changing(&gate, |machine| work(machine.tree()));
        drill.leave(gate, changes).await?;
        result
    }

    /// Works on the machine as far as the gate lets changes through, and counts them.
    fn changing<T>(&self, gate: &Gate, work: impl FnOnce(&mut Machine) -> T) -> (T, u64) {
        self.machine().cut_after(gate.cut(), work)
    }

    /// Runs a program on its input. A program that was made to fail half way has been killed.
    async fn execute(self, command: Command, input: Vec<u8>, gate: Option<(Arc<Drill>, Gate)>) -> (Output, Exit) {
        let programs = self.lock(&self.0.programs).clone();
        let run = |machine: &mut Machine| programs.run(&command, &input, machine);
        let (ran, killed) = match gate {
            None => (run(&mut self.machine()), None),
            Some((drill, gate)) => {
                let (ran, changes) = self.changing(&gate, run);
                (ran, drill.leave(gate, changes).await.err())
            }
        };
        match (ran, killed) {
            (_, Some(error)) => (Output::failed(137, format!("{error}\n")), Exit::Signal(9)),
            (Err(error), None) => (Output::failed(127, format!("{error:#}\n")), Exit::Code(127)),
            (Ok((output, takes)), None) => {
                tokio::time::sleep(takes).await;
                let exit = output.signal.map_or(Exit::Code(output.code.unwrap_or(0)), Exit::Signal);
                (output, exit)
            }
        }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.lock(&self.0.machine)
    }

    #[expect(clippy::unused_self, reason = "reads better at the call sites")]
    fn lock<'a, T>(&self, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Host for SimHost {
    fn name(&self) -> &str {
        &self.0.name
    }

    async fn start(&self, command: &Command) -> Result<Process> {
        self.lock(&self.0.calls).push(command.to_string());
        let drill = self.lock(&self.0.drill).clone();
        let gate = match drill {
            Some(drill) => {
                let gate = drill.enter(|| command.to_string()).await?;
                Some((drill, gate))
            }
            None => None,
        };
        self.lock(&self.0.programs)
            .find(command)
            .map_err(|error| error.context(format!("start `{command}` on {}", self.name())))?;
        if let Some(dir) = command.directory().filter(|dir| !self.machine().tree().is_dir(dir)) {
            let why = Error::new(format!("directory `{}` does not exist", dir.display()));
            return Err(why.context(format!("start `{command}` on {}", self.name())));
        }
        let (host, command) = (self.clone(), command.clone());
        // Whoever reaches through it waits for this before the input ends.
        let greeting = if is_wrapped(&command) { GREETING } else { "" };
        Ok(process::start(greeting, move |input| host.execute(command, input, gate)))
    }

    fn files(&self) -> &dyn Files {
        self
    }
}

#[async_trait]
impl Files for SimHost {
    async fn stat(&self, path: &Path) -> Result<Option<Stat>> {
        self.operate("stat", path, |tree| Ok(tree.stat(path))).await
    }

    async fn read(&self, path: &Path) -> Result<Vec<u8>> {
        self.operate("read", path, |tree| tree.read(path)).await
    }

    async fn write(&self, path: &Path, content: &[u8], attributes: &Attributes) -> Result<()> {
        self.operate("write", path, |tree| tree.write_as(path, content, attributes)).await
    }

    async fn make_dir(&self, path: &Path) -> Result<()> {
        self.operate("make directory", path, |tree| tree.make_dir(path)).await
    }

    async fn remove(&self, path: &Path) -> Result<()> {
        self.operate("remove", path, |tree| tree.remove(path)).await
    }

    async fn symlink(&self, target: &Path, link: &Path) -> Result<()> {
        self.operate("link", link, |tree| tree.symlink(target, link)).await
    }

    async fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.operate("rename", from, |tree| tree.rename(from, to)).await
    }

    async fn list(&self, path: &Path) -> Result<Vec<String>> {
        self.operate("list", path, |tree| tree.list(path)).await
    }

    async fn set(&self, path: &Path, attributes: &Attributes) -> Result<()> {
        self.operate("set mode and owner of", path, |tree| tree.set(path, attributes)).await
    }
}

impl fmt::Debug for SimHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimHost({})", self.0.name)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::testing::Call;

    async fn run(host: &SimHost, command: Command, input: &str) -> (String, String, Exit) {
        let mut process = host.start(&command).await.expect("starts");
        let mut stdin = process.stdin.take().expect("has an input");
        stdin.write_all(input.as_bytes()).await.expect("takes input");
        drop(stdin);
        let (mut out, mut err) = (String::new(), String::new());
        process.stdout.take().expect("has an output").read_to_string(&mut out).await.expect("prints");
        process.stderr.take().expect("has an output").read_to_string(&mut err).await.expect("prints");
        (out, err, process.control.wait().await.expect("ends"))
    }

    #[tokio::test]
    async fn everyday_programs_work_on_its_files() {
        let host = SimHost::new("web-1").file("/srv/app/VERSION", "1\n");
        let copy = Command::new("cp").args(["-a", "app", "old"]).dir("/srv");
        assert_eq!(run(&host, copy, "").await.2, Exit::Code(0));
        host.edit(|tree| tree.write("/srv/app/VERSION", "2\n"));
        let cat = Command::new("/bin/cat").args(["old/VERSION", "app/VERSION", "-"]).dir("/srv");
        assert_eq!(run(&host, cat, "3\n").await.0, "1\n2\n3\n");
        let sum = run(&host, Command::new("sha256sum"), "abc").await.0;
        assert_eq!(sum, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  -\n");
        let sudo = Command::new("sudo").args(["-n", "-u", "marb", "--", "env", "A=1", "test", "-d", "old"]).dir("/srv");
        assert_eq!(run(&host, sudo, "").await.2, Exit::Code(0));
        let (_, err, exit) = run(&host, Command::new("rm").arg("/srv/app"), "").await;
        assert_eq!((err.as_str(), exit), ("rm: `/srv/app` is a directory\n", Exit::Code(1)));
        assert_eq!(host.calls().len(), 5);
    }

    #[tokio::test]
    async fn the_longest_words_win_and_an_unknown_program_fails_as_on_a_real_host() {
        let host = SimHost::new("db-1")
            .replies("docker", Output::ok("docker"))
            .replies("docker compose ps", Output::failed(3, "none"));
        assert_eq!(run(&host, Command::new("docker").arg("ps"), "").await.0, "docker");
        assert_eq!(
            run(&host, Command::new("/usr/bin/docker").args(["compose", "ps", "-a"]), "").await.2,
            Exit::Code(3)
        );
        let error = host.start(&Command::new("podman")).await.expect_err("is not there");
        assert!(format!("{error:#}").contains("program `podman` not found"), "{error:#}");
    }

    #[tokio::test]
    async fn what_programs_remember_is_part_of_the_snapshot_and_can_be_put_back() {
        let unit = Resource::new("unit", "api");
        let named = unit.clone();
        let start = move |call: &mut Call<'_>| {
            call.set_state(&Resource::new("pid", "api"), &4711);
            call.set_state(&named, "running");
            Output::ok("")
        };
        let host = SimHost::new("web-1").program("systemctl start", start).ignoring_state("pid");
        let before = host.snapshot();
        run(&host, Command::new("systemctl").args(["start", "api"]), "").await;
        let lines: Vec<_> = before.diff(&host.snapshot()).iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["+ web-1: unit api: \"running\""]);
        host.restore(&before);
        assert_eq!(host.snapshot(), before);
        assert_eq!(host.state::<String>(&unit), "");
        assert_eq!(host.state::<u32>(&Resource::new("pid", "api")), 4711, "what is ignored stays as it is");
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_command_costs_no_time_and_ends_when_it_is_dropped() {
        let host = SimHost::new("web-1");
        let began = tokio::time::Instant::now();
        run(&host, Command::new("sleep").arg("1800"), "").await;
        assert_eq!(began.elapsed().as_secs(), 1800);
        let mut process = host.start(&Command::new("sleep").arg("1800")).await.expect("starts");
        drop(process.stdin.take());
        tokio::time::sleep(Duration::from_secs(1)).await;
        process.control.end(false).await;
        assert_eq!(process.control.wait().await.expect("ends"), Exit::Signal(15));
        assert_eq!(began.elapsed().as_secs(), 1801);
    }
}

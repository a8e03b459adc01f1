//! Users: is there one, and making one.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use runbook::Command;
use runbook::{
    Check, Context, Description, Diff, Error, Explain as _, Finding, Resource, Result, Rollback, Step, Survey,
};
use serde::{Deserialize, Serialize};

use super::commands;

/// A user of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its name.
    pub name: String,
    /// Its number.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
    /// Its home directory, which need not be there.
    pub home: PathBuf,
    /// The shell it gets when it logs in.
    pub shell: PathBuf,
}

/// The user of this name; `None` when the host knows none. Users of a directory service count. Source: `getent`.
pub async fn user(cx: &Context, name: &str) -> Result<Option<User>> {
    ensure_name(name)?;
    let command = commands::entry("passwd", name);
    let output = commands::ask(cx, &command).await?;
    if output.code != Some(0) {
        return Ok(None);
    }
    parse(output.text()?).map(Some).with_context(|| format!("cannot read what `{command}` says"))
}

/// `marb:x:998:998:mARB:/opt/marb2.0:/usr/sbin/nologin`
fn parse(entry: &str) -> Option<User> {
    let fields: Vec<&str> = entry.split(':').collect();
    let [name, _, uid, gid, _, home, shell] = fields[..] else { return None };
    Some(User {
        name: name.to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        home: home.into(),
        shell: shell.into(),
    })
}

/// Names that no tool takes for an option or a number.
fn ensure_name(name: &str) -> Result<()> {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    let sane = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
    if first && name.chars().all(sane) && name.len() <= 32 {
        Ok(())
    } else {
        Err(Error::refused(format!("`{name}` is no name of a user")))
    }
}

/// Asks whether the host knows a user of this name.
pub fn user_exists(name: impl Into<String>) -> UserExists {
    UserExists { name: name.into() }
}

/// The check of [`user_exists`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a check asks nothing until it is run: `run.check(\"title\", check).await?`"]
pub struct UserExists {
    name: String,
}

#[async_trait]
impl Check for UserExists {
    fn describe(&self) -> Description {
        Description::new("machine.user_exists", &self.name)
            .summary(format!("there is a user {}", self.name))
            .command(commands::entry("passwd", &self.name).to_string())
            .reads(resource(&self.name))
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        Ok(match user(cx, &self.name).await? {
            Some(User { name, uid, home, .. }) => {
                Finding::pass(format!("{name} is user {uid}, at home in {}", home.display()))
            }
            None => Finding::fail(format!("no user `{}` on {}", self.name, cx.host().name())),
        })
    }
}

/// Makes a user, with a group of the same name. One that is there already must be as it is wanted: nothing of it is
/// changed.
pub fn make_user(name: impl Into<String>) -> MakeUser {
    MakeUser { name: name.into(), system: false, home: None, make_home: false, shell: None }
}

/// The step of [`make_user`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a step does nothing until it is run: `run.step(\"title\", step).await?`"]
pub struct MakeUser {
    name: String,
    system: bool,
    home: Option<PathBuf>,
    make_home: bool,
    shell: Option<PathBuf>,
}

/// What there was of a user before it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserBefore {
    /// Whether there was the user, and only its home was missing.
    pub user: bool,
    /// Whether there was a group of its name, which is then its group.
    pub group: bool,
    /// Whether there was something at its home.
    pub home: bool,
}

fn resource(name: &str) -> Resource {
    Resource::new("user", name)
}

impl MakeUser {
    /// A user that is a service, not a person: a low number, and no password that grows old.
    pub fn system(mut self) -> Self {
        self.system = true;
        self
    }

    /// With this home, which is not made.
    pub fn home(mut self, home: impl AsRef<Path>) -> Self {
        self.home = Some(home.as_ref().to_owned());
        self
    }

    /// With this home, which is made when there is nothing, and removed by an undo with all that is in it by then.
    pub fn with_home(mut self, home: impl AsRef<Path>) -> Self {
        self.make_home = true;
        self.home(home)
    }

    /// With this shell instead of the usual one: `/bin/bash`, `/usr/sbin/nologin`.
    pub fn shell(mut self, shell: impl AsRef<Path>) -> Self {
        self.shell = Some(shell.as_ref().to_owned());
        self
    }

    fn command(&self, group: bool) -> Command {
        let mut command = Command::new("useradd").env("LC_ALL", "C");
        if self.system {
            command = command.arg("--system");
        }
        if let Some(home) = &self.home {
            command = command.arg("--home-dir").arg(home);
        }
        if let Some(shell) = &self.shell {
            command = command.arg("--shell").arg(shell);
        }
        // Were it cut off, `useradd` would leave half a home: that is made here, whole or not at all.
        command = command.arg("--no-create-home");
        command = if group { command.args(["--gid", &self.name]) } else { command.arg("--user-group") };
        command.arg("--").arg(&self.name)
    }

    /// What of it is another than it is wanted.
    fn differs(&self, user: &User) -> Vec<String> {
        let differs = |what: &str, wanted: &Option<PathBuf>, is: &Path| {
            let wanted = wanted.as_deref().filter(|wanted| *wanted != is)?;
            Some(format!("its {what} is {}, wanted {}", is.display(), wanted.display()))
        };
        [differs("home", &self.home, &user.home), differs("shell", &self.shell, &user.shell)]
            .into_iter()
            .flatten()
            .collect()
    }

    /// A home is made in a directory that is there, so that nothing else has to go with it.
    async fn ensure_place(&self, cx: &Context) -> Result<()> {
        let Some(parent) = self.home.as_deref().filter(|_| self.make_home).and_then(Path::parent) else {
            return Ok(());
        };
        if cx.files().stat(parent).await?.is_none() {
            return Err(Error::refused(format!(
                "there is no directory `{}` for the home of `{}`",
                parent.display(),
                self.name
            )));
        }
        Ok(())
    }

    async fn has_group(&self, cx: &Context) -> Result<bool> {
        let output = commands::ask(cx, &commands::entry("group", &self.name)).await?;
        Ok(output.code == Some(0))
    }

    async fn has_home(&self, cx: &Context) -> Result<bool> {
        match &self.home {
            Some(home) => Ok(cx.files().stat(home).await?.is_some()),
            None => Ok(false),
        }
    }
}

#[async_trait]
impl Step for MakeUser {
    type Before = UserBefore;
    type Output = User;

    fn describe(&self) -> Description {
        let name = &self.name;
        let description = Description::new("machine.make_user", name)
            .summary(format!("make the user {name}"))
            .command(self.command(false).to_string())
            .undo_command(format!("userdel {name}"))
            .reads(resource(name))
            .writes(resource(name));
        match &self.home {
            Some(home) if self.make_home => {
                let home_of = format!("cp -aT /etc/skel {home} && chown -R {name}: {home}", home = home.display());
                let description = description.command(home_of).undo_command(format!("rm -r {}", home.display()));
                description.writes(Resource::path(home)).writes(Resource::path(draft_of(home)))
            }
            _ => description,
        }
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<UserBefore, User>> {
        self.ensure_place(cx).await?;
        let user = user(cx, &self.name).await?;
        let home = self.has_home(cx).await?;
        let before = UserBefore { user: user.is_some(), group: self.has_group(cx).await?, home };
        let Some(user) = user else {
            return Ok(Survey::change(before, Diff::none().and_add(format!("user {}", self.name))));
        };
        let differs = self.differs(&user);
        if !differs.is_empty() {
            let error = Error::refused(format!("there is a user `{}` already: {}", self.name, differs.join(", ")));
            return Err(error.hint("want it as it is, or change it by hand"));
        }
        if self.make_home && !home {
            return Ok(Survey::predict(before, Diff::none().and_add(user.home.to_string_lossy()), user));
        }
        Ok(Survey::Already(user))
    }

    async fn apply(&self, cx: &Context, before: &UserBefore) -> Result<User> {
        if user(cx, &self.name).await?.is_none() {
            // A group of its name may have been left by a `useradd` that was cut off.
            let group = before.group || self.has_group(cx).await?;
            commands::ask(cx, &self.command(group)).await?;
        }
        let made = user(cx, &self.name).await?;
        let made = made.with_context(|| format!("there is no user `{}` after `useradd`", self.name))?;
        if self.make_home && !self.has_home(cx).await? {
            self.make_the_home(cx, &made).await?;
        }
        Ok(made)
    }
}

impl MakeUser {
    /// Makes a home as `useradd` does, beside its place.
    async fn make_the_home(&self, cx: &Context, user: &User) -> Result<()> {
        let draft = draft_of(&user.home);
        cx.files().remove(&draft).await?;
        commands::ask(cx, &Command::new("cp").args(["-aT", "--", "/etc/skel"]).arg(&draft)).await?;
        let owner = format!("{}:{}", user.uid, user.gid);
        commands::ask(cx, &Command::new("chown").args(["-R", "--", &owner]).arg(&draft)).await?;
        cx.files().rename(&draft, &user.home).await
    }
}

fn draft_of(home: &Path) -> PathBuf {
    let mut name = home.to_owned().into_os_string();
    name.push(".runbook-draft");
    name.into()
}

#[async_trait]
impl Rollback for MakeUser {
    async fn rollback(&self, cx: &Context, before: &UserBefore) -> Result<()> {
        if !before.user && user(cx, &self.name).await?.is_some() {
            let remove = Command::new("userdel").env("LC_ALL", "C").arg("--").arg(&self.name);
            let gone = commands::ask(cx, &remove).await;
            gone.with_context(|| format!("remove the user `{}`", self.name))?;
        }
        if !before.group && self.has_group(cx).await? {
            commands::ask(cx, &Command::new("groupdel").env("LC_ALL", "C").arg("--").arg(&self.name)).await?;
        }
        match &self.home {
            Some(home) if self.make_home && !before.home => {
                cx.files().remove(home).await?;
                cx.files().remove(&draft_of(home)).await
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read() {
        let user = parse("marb:x:998:997:mARB, the service:/opt/marb2.0:/usr/sbin/nologin").expect("is read");
        assert_eq!((user.uid, user.gid, user.home.to_str()), (998, 997, Some("/opt/marb2.0")));
        assert_eq!(parse("marb:x:many:1::/:/bin/sh"), None);
        assert!(ensure_name("-r").is_err() && ensure_name("0").is_err() && ensure_name("www-data").is_ok());
    }
}

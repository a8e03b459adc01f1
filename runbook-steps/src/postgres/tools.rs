//! PostgreSQL's own programs: who they log in as.

use std::path::{Path, PathBuf};

use runbook::host::Attributes;
use runbook::{Command, Context, Result};

use super::{Database, Target};

/// A password, in a file of mode 0600 that PostgreSQL's programs read. Remove it when they are done; it lies in a
/// directory that is removed in any case.
#[derive(Debug)]
pub(crate) struct Pass {
    path: Option<PathBuf>,
    pub(crate) target: Target,
    os_user: Option<String>,
}

impl Pass {
    /// For this database, in a directory that nobody else can read.
    pub(crate) async fn write(cx: &Context, database: &Database, dir: &Path) -> Result<Self> {
        let target = database.target(cx).await?;
        let os_user = database.os_user().map(str::to_owned);
        let path = match &target.password {
            None => None,
            Some(password) => {
                let path = dir.join(format!("pgpass-{}", target.user));
                let line = format!("*:*:*:*:{}\n", password.replace('\\', "\\\\").replace(':', "\\:"));
                cx.files().write(&path, line.as_bytes(), &Attributes::mode(0o600)).await?;
                Some(path)
            }
        };
        Ok(Self { path, target, os_user })
    }

    pub(crate) async fn remove(&self, cx: &Context) -> Result<()> {
        match &self.path {
            Some(path) => cx.files().remove(path).await,
            None => Ok(()),
        }
    }

    /// Whether its programs run as the user who owns the files here.
    pub(crate) fn reads_our_files(&self) -> bool {
        self.os_user.is_none()
    }

    /// A program of PostgreSQL that asks this database.
    pub(crate) fn tool(&self, program: &str) -> Command {
        let Target { host, port, user, name, .. } = &self.target;
        let command = becoming(Command::new(program), self.os_user.as_deref());
        let command = command.env("PGHOST", host).env("PGPORT", port.to_string()).env("PGUSER", user);
        let command = command.env("PGDATABASE", name).env("PGAPPNAME", "runbook").env("LC_ALL", "C");
        let command = command.env("PGSSLMODE", self.target.tls.mode());
        let command = command.env("PGOPTIONS", "").env("PGCONNECT_TIMEOUT", "15");
        match &self.path {
            Some(path) => command.env("PGPASSFILE", path),
            None => command,
        }
    }
}

/// A program without a database, to ask its version.
pub(crate) fn tool(program: &str) -> Command {
    Command::new(program).env("LC_ALL", "C")
}

/// Turns into this user first.
pub(super) const SWITCH: &str = r#"user=$1; shift
uid=$(id -u -- "$user") || exit 67
[ "$uid" != "$(id -u)" ] || exec "$@"
[ "$(id -u)" = 0 ] || exec sudo -n --preserve-env=PGHOST,PGPORT,PGUSER,PGDATABASE,PGPASSFILE,PGSSLMODE,PGAPPNAME,LC_ALL -u "$user" -- "$@"
exec setpriv --reuid="$uid" --regid="$(id -g -- "$user")" --init-groups -- "$@""#;

/// The same command as another user of the host.
pub(super) fn becoming(command: Command, os_user: Option<&str>) -> Command {
    let Some(user) = os_user else { return command };
    let outer = Command::new("sh").args(["-c", SWITCH, "sh", user]).arg(command.program());
    outer.args(command.arguments()).dir("/")
}

//! Another user of a host.

use std::ffi::OsString;
use std::sync::Arc;

use async_trait::async_trait;

use super::elsewhere::{Elsewhere, Way, host_elsewhere};
use super::{Host, Local, Process};
use crate::{Command, Result};

/// Another user, who needs no password to become: root can be anyone, and others use `sudo -n`.
///
/// ```
/// use runbook_core::host::{Become, Host as _};
///
/// let deploy = Become::user("deploy").shared();
/// assert_eq!(deploy.name(), "deploy@localhost");
/// ```
#[derive(Debug, Clone)]
pub struct Become {
    way: Switch,
    place: Elsewhere,
}

#[derive(Debug, Clone)]
struct Switch {
    host: Arc<dyn Host>,
    user: String,
    name: String,
}

/// Becomes `$1` and runs the rest. Root needs no help but that of `setpriv` (util-linux): unlike `runuser` and `sudo`
/// it turns into the program, so that signals and exit codes are the program's own.
const SWITCH: &str = r#"user=$1; shift
uid=$(id -u -- "$user") || exit 67
[ "$uid" != "$(id -u)" ] || exec "$@"
[ "$(id -u)" = 0 ] || exec sudo -n -H -u "$user" -- "$@"
USER=$(id -un -- "$user") HOME=$(getent passwd "$user" | cut -d: -f6)
LOGNAME=$USER; export USER LOGNAME HOME
exec setpriv --reuid="$uid" --regid="$(id -g -- "$user")" --init-groups -- "$@""#;

impl Become {
    /// This user of this machine, by name.
    pub fn user(user: impl Into<String>) -> Self {
        let host: Arc<dyn Host> = Arc::new(Local::new());
        Self::by(host, user.into())
    }

    /// Of this host.
    pub fn on(self, host: &Arc<dyn Host>) -> Self {
        Self::by(host.clone(), self.way.user)
    }

    fn by(host: Arc<dyn Host>, user: String) -> Self {
        let way = Switch { name: format!("{user}@{}", host.name()), host, user };
        Self { place: Elsewhere::by(way.clone()), way }
    }
}

#[async_trait]
impl Way for Switch {
    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&self, words: &[OsString]) -> Result<Process> {
        let command = Command::new("sh").args(["-c", SWITCH, "sh"]).arg(&self.user).args(words);
        self.host.start(&command).await
    }
}

host_elsewhere!(Become);

//! Which nginx, and where its files are.

use std::path::{Path, PathBuf};

use super::{Balancer, Maintenance, NoErrors, Reload, Site, Test, UpstreamPort};

/// An nginx: that of Debian unless told otherwise. Its methods make steps and checks; the functions of this module are
/// those of the default one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nginx {
    pub(super) program: String,
    pub(super) root: PathBuf,
    pub(super) conf: Option<PathBuf>,
    pub(super) pid_file: PathBuf,
}

impl Default for Nginx {
    fn default() -> Self {
        Self { program: "nginx".to_owned(), root: "/etc/nginx".into(), conf: None, pid_file: "/run/nginx.pid".into() }
    }
}

impl Nginx {
    /// Debian's: `/etc/nginx` and `/run/nginx.pid`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Called by this name or path instead of `nginx`.
    pub fn program(mut self, program: impl Into<String>) -> Self {
        self.program = program.into();
        self
    }

    /// With its sites in `sites-available` and `sites-enabled` of this directory.
    pub fn root(mut self, root: impl AsRef<Path>) -> Self {
        root.as_ref().clone_into(&mut self.root);
        self
    }

    /// With this main file instead of the one it was built with.
    pub fn conf(mut self, conf: impl AsRef<Path>) -> Self {
        self.conf = Some(conf.as_ref().to_owned());
        self
    }

    /// With its process number in this file.
    pub fn pid_file(mut self, path: impl AsRef<Path>) -> Self {
        path.as_ref().clone_into(&mut self.pid_file);
        self
    }

    /// Installs and enables a site with this configuration.
    pub fn site(&self, name: impl Into<String>, config: impl Into<String>) -> Site {
        Site::new(self.clone(), name.into(), config.into())
    }

    /// Makes nginx load its configuration.
    pub fn reload(&self) -> Reload {
        Reload::new(self.clone())
    }

    /// Answers every request to a site with a maintenance page and status 503.
    pub fn maintenance(&self, site: impl Into<String>) -> Maintenance {
        Maintenance::new(self.clone(), site.into())
    }

    /// The upstream of this name: which servers get requests.
    pub fn upstream(&self, name: impl Into<String>) -> Balancer {
        Balancer::new(self.clone(), name.into())
    }

    /// Asks whether nginx accepts its configuration.
    pub fn test(&self) -> Test {
        Test::new(self.clone())
    }

    /// Asks whether everything a site passes on goes to this port.
    pub fn upstream_port(&self, site: impl Into<String>, port: u16) -> UpstreamPort {
        UpstreamPort::new(self.clone(), site.into(), port)
    }

    pub(super) fn available(&self, site: &str) -> PathBuf {
        self.root.join("sites-available").join(site)
    }

    pub(super) fn enabled(&self, site: &str) -> PathBuf {
        self.root.join("sites-enabled").join(site)
    }
}

/// Installs and enables a site with this configuration: writes it to `sites-available`, links it into `sites-enabled`,
/// and tests all of nginx with it. Reload afterwards.
pub fn site(name: impl Into<String>, config: impl Into<String>) -> Site {
    Nginx::new().site(name, config)
}

/// Makes nginx load its configuration, and proves by new workers that it did. Undone, it loads what was put back.
pub fn reload() -> Reload {
    Nginx::new().reload()
}

/// Answers every request to a site with a maintenance page and status 503: to be held,
/// `run.hold("Maintenance page", nginx::maintenance("app"), body)`.
pub fn maintenance(site: impl Into<String>) -> Maintenance {
    Nginx::new().maintenance(site)
}

/// The upstream of this name: which servers get requests.
pub fn upstream(name: impl Into<String>) -> Balancer {
    Nginx::new().upstream(name)
}

/// Asks whether nginx accepts its configuration.
pub fn test() -> Test {
    Nginx::new().test()
}

/// Asks whether everything a site passes on goes to this port, which should be the one the service listens on.
pub fn upstream_port(site: impl Into<String>, port: u16) -> UpstreamPort {
    Nginx::new().upstream_port(site, port)
}

/// Asks whether the last lines of an error log tell of no error.
pub fn no_errors(log: impl AsRef<Path>) -> NoErrors {
    NoErrors::new(log.as_ref())
}

//! One suite for a real machine and the simulated one: packages, users, processes and the firewall. What they say must be
//! the same, but for versions and numbers.

use runbook::Command;

use super::*;
use crate::conformance::{agree, is_same};

/// What was said.
pub(super) struct Told {
    cx: Context,
    lines: Vec<String>,
}

impl Told {
    fn say(&mut self, what: impl std::fmt::Display) {
        self.lines.push(what.to_string());
    }

    fn failed(&mut self, error: &Error) {
        self.say(format_args!("{:?}, {}", error.kind(), error.advice().unwrap_or("no hint")));
    }

    /// Takes a step twice, and back twice.
    async fn there_and_back<S: Rollback>(&mut self, step: &S, look: impl AsyncFn(&Context) -> String) {
        self.say(step.describe().line());
        self.say(look(&self.cx).await);
        let before = match step.survey(&self.cx).await {
            Ok(Survey::Change { before, .. }) => before,
            Ok(Survey::Already(_)) => return self.say("already"),
            Err(error) => return self.failed(&error),
        };
        for _ in 0..2 {
            match step.apply(&self.cx, &before).await {
                Ok(_) => self.say(look(&self.cx).await),
                Err(error) => self.failed(&error),
            }
        }
        let done = matches!(step.survey(&self.cx).await, Ok(Survey::Already(_)));
        self.say(format_args!("done {done}"));
        for _ in 0..2 {
            match step.rollback(&self.cx, &before).await {
                Ok(()) => self.say(look(&self.cx).await),
                Err(error) => self.failed(&error),
            }
        }
    }
}

/// Runs it against a machine whose archive has `tree`, and that has no user `rb-user`.
pub(super) async fn suite(cx: Context) -> Vec<String> {
    let mut told = Told { cx, lines: Vec::new() };
    let has = async |cx: &Context| match package(cx, "tree").await {
        Ok(package) => format!("tree {}", if package.is_some() { "is there" } else { "is not there" }),
        Err(error) => format!("{error:#}"),
    };
    told.there_and_back(&packages(["tree"]), has).await;
    told.there_and_back(&packages(["no-such-package-anywhere"]), has).await;
    told.there_and_back(&packages(["tree=0-none"]), has).await;

    let known = async |cx: &Context| match user(cx, "rb-user").await {
        Ok(user) => {
            let home = cx.files().stat(Path::new("/opt/rb-user")).await.expect("is looked at").is_some();
            let group = cx.output(&Command::new("getent").args(["group", "rb-user"])).await.expect("runs").success();
            let user = user.map(|user| (user.name, user.home, user.shell, user.uid < 1000));
            format!("{user:?}, home {home}, group {group}")
        }
        Err(error) => format!("{error:#}"),
    };
    let made = make_user("rb-user").system().with_home("/opt/rb-user").shell("/bin/bash");
    told.there_and_back(&made, known).await;
    told.there_and_back(&make_user("rb-user").home("/opt/rb-user").shell("/bin/sh"), known).await;

    let dropped = async |cx: &Context| match blocked(cx).await {
        Ok(all) => all.iter().map(|one| one.address.clone()).collect::<Vec<_>>().join(" "),
        Err(error) => format!("{error:#}"),
    };
    for address in ["203.0.113.7", "203.0.113.0/24", "2001:db8::/32"] {
        told.there_and_back(&block(address), dropped).await;
    }
    told.lines
}

/// What all of them say.
pub(super) const SAID: &str = include_str!("conformance.txt");

fn simulated() -> Fake {
    Fake::new().offers("tree", "2.1", [])
}

#[tokio::test]
async fn the_simulated_machine_says_what_the_real_one_said() {
    agree(&suite(cx(&simulated())).await, SAID);
    agree(&suite(cx(&simulated().firewall(Firewall::Iptables))).await, SAID);
}

#[tokio::test]
async fn a_simulated_machine_that_is_wrong_is_noticed() {
    let broken = [
        simulated().on(host()).replies("dpkg-query", runbook::command::Output::ok("tree installed 2.1\n")),
        simulated().on(host()).replies("useradd", runbook::command::Output::ok("")),
        simulated().on(host()).replies("userdel", runbook::command::Output::ok("")),
        simulated().on(host()).replies("apt-get", runbook::command::Output::ok("")),
        simulated().on(host()).replies("nft -f", runbook::command::Output::ok("")),
        simulated().on(host()).replies("nft delete", runbook::command::Output::ok("")),
    ];
    for (n, host) in broken.into_iter().enumerate() {
        let said = suite(Context::on(Arc::new(host))).await;
        assert!(!is_same(&said, SAID), "{n} is broken, and nobody noticed");
    }
}

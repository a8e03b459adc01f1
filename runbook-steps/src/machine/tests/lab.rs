//! The same on real machines.

use std::process::{Child, Command as Program, Stdio};

use async_trait::async_trait;
use runbook::Command;
use runbook::command::Input;
use runbook::host::{Container, Files, Host, Local, Process as Started};

use super::conformance::{SAID, suite};
use super::*;
use crate::conformance::agree;
use crate::taking::change;

fn lab() -> Context {
    let name = std::env::var("RUNBOOK_LAB_CONTAINER").expect("names the lab: eval \"$(tests/lab/up)\"");
    Context::on(Container::named(name).shared())
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn a_real_machine_says_what_it_said() {
    agree(&suite(lab()).await, SAID);
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn a_port_of_the_lab_has_a_unit() {
    let cx = lab();
    let owner = port_owner(&cx, 80).await.expect("is asked").expect("nginx listens");
    assert_eq!(owner.unit().map(crate::systemd::Unit::as_str), Some("nginx.service"), "{owner}");
    assert!(owner.process.as_ref().is_some_and(|process| process.command.contains("master")), "{owner}");
    assert!(port_belongs_to(80, "nginx").check(&cx).await.expect("is asked").passes());
    let redis = port_belongs_to(6379, "nginx").check(&cx).await.expect("is asked");
    assert!(
        matches!(&redis, Finding::Fail(evidence) if evidence.summary.contains("redis-server.service")),
        "{redis:?}"
    );
    let top = top_by_memory(&cx, 5).await.expect("are asked");
    assert!(top.iter().any(|process| process.unit.is_some()), "{top:?}");
}

#[tokio::test]
#[ignore = "needs the lab: tests/all runs it"]
async fn a_process_of_the_lab_ends() {
    let cx = lab();
    let begin = async |script: &str| {
        let detached = format!("setsid sh -c '{script}' </dev/null >/dev/null 2>&1 & echo $!");
        cx.run(&Command::new("sh").args(["-c", &detached])).await.expect("starts");
        let all = processes(&cx).await.expect("are asked");
        all.into_iter().find(|process| process.command.contains("rb-sleeper")).expect("runs").pid
    };
    let pid = begin(": rb-sleeper; sleep 100 & wait").await;
    assert_eq!(change(&cx, &end_process(pid).command("rb-sleeper")).await.1.expect("ends").signal, Signal::Term);
    let pid = begin("trap \"\" TERM; : rb-sleeper; while :; do sleep 1; done").await;
    let step = end_process(pid).patience(1.seconds());
    assert_eq!(change(&cx, &step).await.1.expect("ends").signal, Signal::Kill);
}

/// This machine with a network of its own, in which nothing is blocked yet.
#[derive(Debug)]
struct Apart {
    local: Local,
    keeper: Child,
    /// Programs that are not there.
    without: &'static str,
}

impl Apart {
    fn without(without: &'static str) -> Self {
        let mut keeper = Program::new("unshare");
        keeper.args(["--net", "sleep", "600"]).stdin(Stdio::null());
        Self { local: Local::new(), keeper: keeper.spawn().expect("unshare runs"), without }
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

#[async_trait]
impl Host for Apart {
    fn name(&self) -> &'static str {
        "apart"
    }

    async fn start(&self, command: &Command) -> Result<Started> {
        if command.program() == self.without {
            return Err(Error::new(format!("program `{}` not found", self.without)));
        }
        let there = Command::new("nsenter").arg(format!("--net=/proc/{}/ns/net", self.keeper.id()));
        let there = there.args(["env", "LC_ALL=C"]).arg(command.program()).args(command.arguments());
        self.local
            .start(&match command.standard_input() {
                Input::Bytes(bytes) => there.input(bytes.clone()),
                _ => there,
            })
            .await
    }

    fn files(&self) -> &dyn Files {
        self.local.files()
    }
}

/// Both firewalls, in a network of their own: it takes root, but not the lab.
#[tokio::test]
#[ignore = "needs root and a network of its own: tests/all runs it"]
async fn an_address_is_dropped_by_the_real_firewalls() {
    for (without, firewall) in [("iptables", Firewall::Nftables), ("nft", Firewall::Iptables)] {
        let cx = Context::on(Arc::new(Apart::without(without)));
        let list = async || match firewall {
            Firewall::Nftables => cx.run(&Command::new("nft").args(["list", "ruleset"])).await.expect("is listed"),
            Firewall::Iptables => cx.run(&Command::new("iptables-save")).await.expect("is listed"),
        };
        let rules = async || {
            let output = list().await;
            let lines = output.lossy().lines().filter(|line| line.contains("203.0.113")).count();
            (lines, output.lossy().contains("runbook"))
        };
        for address in ["203.0.113.7", "203.0.113.0/24", "2001:db8::7"] {
            let step = block(address);
            let (before, output) = change(&cx, &step).await;
            assert_eq!(output.expect("is dropped").firewall, firewall);
            let now = rules().await;
            step.apply(&cx, &before).await.expect("twice is once");
            assert_eq!(rules().await, now, "{address}");
            assert!(matches!(step.survey(&cx).await, Ok(Survey::Already(_))), "{address}");
            assert_eq!(blocked(&cx).await.expect("is asked")[0].address, address);
            for _ in 0..2 {
                step.rollback(&cx, &before).await.expect("is let in");
                assert_eq!(rules().await, (0, false), "{address}");
            }
        }
    }
}

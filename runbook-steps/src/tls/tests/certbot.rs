//! Obtaining and renewing, against a simulated certbot; and against the real one, in the lab.

use runbook::host::{Container, Host as _};
use runbook::testing::{Rig, SimHost, explore};
use runbook::{Command, Rollback as _, Run, Step, Survey};
use runbook_macros::procedure;

use super::*;
use crate::taking::change;

#[procedure]
async fn certify(run: &Run) -> Result<()> {
    let obtained = run.step("Certificate", obtain("api.example.org").also("www.example.org").nginx()).await?;
    run.check("It is good", certificate_file(&obtained.certificate).valid_for(60.days()).names("www.example.org"))
        .await?;
    run.check("It can be renewed", renew("api.example.org").dry_run()).await?;
    run.step("Again", obtain("api.example.org").nginx()).await?;
    run.step("Renew", renew("api.example.org")).await?;
    Ok(())
}

#[tokio::test]
async fn a_certificate_is_obtained_or_nothing_is_left_of_it() {
    let host = || SimHost::new("web-1").dir("/etc/letsencrypt/archive").dir("/etc/letsencrypt/live");
    let rig = move || Rig::new().host(&Fake::new().on(host().dir("/etc/letsencrypt/renewal")));
    explore::<certify>(rig, runbook::NoInput {}).await.is_sound();
}

fn on(fake: Fake, host: SimHost) -> Context {
    Context::on(Arc::new(fake.at(Timestamp::now()).on(host)))
}

#[tokio::test]
async fn one_that_ends_soon_or_is_another_makes_way_and_stays_after_an_undo() {
    let host = SimHost::new("web-1");
    let cx = on(Fake::new().good_for_days(10), host.clone());
    let step = obtain("a.example.org").webroot("/var/www/html").email("ops@example.org").renew_before(5.days());
    let first = change(&cx, &step).await.1.expect("is obtained");
    assert!(matches!(step.survey(&cx).await, Ok(Survey::Already(_))));

    let cx = on(Fake::new(), host);
    let (before, second) = change(&cx, &renew("a.example.org")).await;
    let second = second.expect("is renewed");
    assert!(second.not_after > first.not_after && second.sha256 != first.sha256, "{second:?}");
    assert!(matches!(renew("a.example.org").survey(&cx).await, Ok(Survey::Already(_))));
    renew("a.example.org").rollback(&cx, &before).await.expect("stays");

    let more = step.clone().also("b.example.org");
    let (before, third) = change(&cx, &more).await;
    assert_eq!(third.expect("is obtained").names, ["a.example.org", "b.example.org"]);
    more.rollback(&cx, &before).await.expect("stays");
    assert!(matches!(more.survey(&cx).await, Ok(Survey::Already(_))));
    let elsewhere = more.server("https://staging.example.org/directory");
    assert!(matches!(elsewhere.survey(&cx).await, Ok(Survey::Change { .. })));
}

#[tokio::test]
async fn what_certbot_says_is_explained() {
    let failing = |words: &str| on(Fake::new().refuses(words), SimHost::new("web-1"));
    let step = obtain("a.example.org").standalone();
    let error = change(&failing("Some challenges have failed."), &step).await.1.expect_err("fails");
    assert!(error.advice().is_some_and(|hint| hint.contains("port 80")) && !error.is_transient(), "{error:?}");
    let error = change(&failing("Another instance of Certbot is already running."), &step).await.1.expect_err("fails");
    assert!(error.is_transient(), "{error:?}");
    let bare = Context::on(Arc::new(SimHost::new("bare")));
    let error = change(&bare, &step).await.1.expect_err("fails");
    assert!(error.advice().is_some_and(|hint| hint.contains("machine::packages")), "{error:?}");
    for name in ["", "-d", "../x", "a b"] {
        assert!(obtain(name).survey(&bare).await.is_err(), "{name}");
    }
    let finding = renew("a.example.org").dry_run().check(&bare).await.expect("is asked");
    assert!(
        matches!(&finding, Finding::Fail(evidence) if evidence.summary.contains("keeps no certificate")),
        "{finding:?}"
    );
    assert!(renew("a.example.org").survey(&bare).await.is_err());
}

/// The authority is the stand-in of the lab: it says nothing about the rules of Let's Encrypt.
mod lab {
    use tokio::sync::{Mutex, MutexGuard};

    use super::*;

    /// certbot runs once at a time, and refuses to be started beside itself: a test has it to itself.
    async fn alone() -> MutexGuard<'static, ()> {
        static CERTBOT: Mutex<()> = Mutex::const_new(());
        CERTBOT.lock().await
    }

    fn lab() -> Context {
        let name = std::env::var("RUNBOOK_LAB_CONTAINER").expect("names the lab: eval \"$(tests/lab/up)\"");
        Context::on(Container::named(name).shared())
    }

    async fn days(cx: &Context, days: &str) {
        cx.run(&Command::new("tee").arg("/srv/lab/acme/days").input(days)).await.expect("is set");
    }

    /// What certbot keeps of a name.
    async fn left(cx: &Context, name: &str) -> String {
        let find = Command::new("find").args([
            "/etc/letsencrypt/live",
            "/etc/letsencrypt/archive",
            "/etc/letsencrypt/renewal",
        ]);
        let output = cx.run(&find.args(["-name", &format!("{name}*")]).expect([0, 1])).await.expect("is looked at");
        output.lossy().into_owned()
    }

    async fn there_and_back(step: Obtain) {
        let cx = lab();
        let directory = "http://127.0.0.1:14000/directory";
        let step = step.server(directory).email("ops@marb.test");
        days(&cx, "90\n").await;
        let (before, output) = change(&cx, &step).await;
        let output = output.expect("is obtained");
        assert!(output.names.contains(&"www.marb.test".to_owned()), "{output:?}");
        assert!(matches!(step.survey(&cx).await, Ok(Survey::Already(_))));
        assert_eq!(step.apply(&cx, &before).await.expect("twice is once"), output);
        let name = "www.marb.test";
        assert!(
            certificate_file(&output.certificate)
                .valid_for(60.days())
                .names(name)
                .check(&cx)
                .await
                .expect("is asked")
                .passes()
        );
        let finding = renew(name).dry_run().check(&cx).await.expect("is asked");
        assert!(finding.passes(), "{finding:?}");
        assert!(matches!(renew(name).survey(&cx).await, Ok(Survey::Already(_))));
        let (_, renewed) = change(&cx, &renew(name).before(1000.days())).await;
        let renewed = renewed.expect("is renewed");
        assert!(renewed.not_after > output.not_after && renewed.sha256 != output.sha256, "{renewed:?}");
        for _ in 0..2 {
            step.rollback(&cx, &before).await.expect("goes");
            assert_eq!(left(&cx, name).await, "");
        }
    }

    #[tokio::test]
    #[ignore = "needs the lab: tests/all runs it"]
    async fn a_certificate_comes_and_goes() {
        let _alone = alone().await;
        there_and_back(obtain("www.marb.test").nginx()).await;
        there_and_back(obtain("www.marb.test").webroot("/var/www/html")).await;
    }

    #[tokio::test]
    #[ignore = "needs the lab: tests/all runs it"]
    async fn a_name_that_is_not_ours_leaves_nothing() {
        let _alone = alone().await;
        let cx = lab();
        let step = obtain("elsewhere.marb.test").nginx().server("http://127.0.0.1:14000/directory");
        let (before, output) = change(&cx, &step).await;
        let error = output.expect_err("is not ours");
        assert!(error.advice().is_some_and(|hint| hint.contains("port 80")), "{error:?}");
        step.rollback(&cx, &before).await.expect("goes");
        assert_eq!(left(&cx, "elsewhere.marb.test").await, "");
    }
}

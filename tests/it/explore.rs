//! `explore` finds what is wrong with a step, by the name of the law it breaks, and leaves sound ones alone.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use runbook::__private::async_trait;
use runbook::command::Output;
use runbook::host::{Attributes, Files};
use runbook::prelude::*;
use runbook::testing::{Call, Law, Rig, SimHost, Tree, explore};
use runbook::{Left, LeftBecause, Procedure, Verdict};
use serde::{Deserialize, Serialize};

const VERSION: &str = "/srv/app/VERSION";
const OLD: &str = "/srv/app/VERSION.old";

/// A host with version 1 of an application, whose service runs the version it was started on.
fn web() -> SimHost {
    let restart = |call: &mut Call<'_>| match call.files().text(VERSION) {
        Ok(version) => {
            call.set_state(&unit(), &version);
            Output::ok("")
        }
        Err(error) => Output::failed(1, format!("{error:#}")),
    };
    let host = SimHost::new("web-1").file(VERSION, "1").file("/etc/motd", "welcome\n");
    host.with_state(&unit(), "1").program("systemctl restart", restart)
}

fn rig() -> Rig {
    Rig::new().host(&web())
}

fn unit() -> Resource {
    Resource::new("unit", "api")
}

async fn text(cx: &Context, path: &str) -> Result<Option<String>> {
    match cx.files().stat(Path::new(path)).await? {
        Some(_) => Ok(Some(String::from_utf8(cx.files().read(Path::new(path)).await?)?)),
        None => Ok(None),
    }
}

async fn write(files: &dyn Files, path: &str, content: &str) -> Result<()> {
    files.write(Path::new(path), content.as_bytes(), &Attributes::default()).await
}

async fn put_back(cx: &Context, path: &str, before: Option<&str>) -> Result<()> {
    match before {
        Some(content) => write(cx.files(), path, content).await,
        None => cx.files().remove(Path::new(path)).await,
    }
}

/// A step of a test: its description, and the four acts, those that differ from the sound one of writing a file.
macro_rules! planted {
    ($(#[$doc:meta])* $name:ident { $($act:tt)* }) => {
        $(#[$doc])*
        struct $name;
        planted!(@ $name, { type Before = Option<String>; type Output = String; }, {}, $($act)*);
    };
    (@ $name:ident, { $($step:tt)* }, { $($rollback:tt)* }, step { $($more:tt)* } rollback { $($back:tt)* }) => {
        #[async_trait]
        impl Step for $name { $($step)* $($more)* }
        #[async_trait]
        impl Rollback for $name { $($rollback)* $($back)* }
    };
}

/// Looks whether the file holds this.
async fn look(cx: &Context, path: &str, wanted: &str) -> Result<Survey<Option<String>, String>> {
    let before = text(cx, path).await?;
    if before.as_deref() == Some(wanted) {
        return Ok(Survey::Already(wanted.to_owned()));
    }
    Ok(Survey::change(before, Diff::note(format!("write {path}"))))
}

planted! {
    /// Sound: writes version 2, in one move.
    Deploy {
        step {
            fn describe(&self) -> Description {
                Description::new("test.deploy", VERSION).writes(Resource::path(VERSION))
            }
            async fn survey(&self, cx: &Context) -> Result<Survey<Option<String>, String>> {
                look(cx, VERSION, "2").await
            }
            async fn apply(&self, cx: &Context, _: &Option<String>) -> Result<String> {
                write(cx.files(), VERSION, "2").await?;
                Ok("2".into())
            }
        }
        rollback {
            async fn rollback(&self, cx: &Context, before: &Option<String>) -> Result<()> {
                put_back(cx, VERSION, before.as_deref()).await
            }
        }
    }
}

/// Restarts the service, in `rollback` or where it should: in `settle`.
struct Restart {
    settles: bool,
}

impl Restart {
    async fn restart(cx: &Context) -> Result<()> {
        cx.run(&Command::new("systemctl").args(["restart", "api"])).await.map(drop)
    }
}

#[async_trait]
impl Step for Restart {
    type Before = ();
    type Output = String;

    fn describe(&self) -> Description {
        Description::new("test.restart", "api").reads(Resource::path(VERSION)).writes(unit()).repeats()
    }

    async fn survey(&self, _: &Context) -> Result<Survey<(), String>> {
        Ok(Survey::change((), Diff::note("restart api")))
    }

    async fn apply(&self, cx: &Context, (): &()) -> Result<String> {
        Self::restart(cx).await?;
        Ok("running".into())
    }
}

#[async_trait]
impl Rollback for Restart {
    async fn rollback(&self, cx: &Context, (): &()) -> Result<()> {
        if self.settles { Ok(()) } else { Self::restart(cx).await }
    }

    async fn settle(&self, cx: &Context, (): &()) -> Result<()> {
        if self.settles { Self::restart(cx).await } else { Ok(()) }
    }
}

/// Sound: a release in a directory of its own, made in three operations.
struct Release(u32);

impl Release {
    fn dir(&self) -> String {
        format!("/srv/releases/{}", self.0)
    }
}

#[async_trait]
impl Step for Release {
    type Before = bool;
    type Output = String;

    fn describe(&self) -> Description {
        Description::new("test.release", self.dir()).writes(Resource::path(self.dir()))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<bool, String>> {
        let ready = text(cx, &format!("{}/READY", self.dir())).await?;
        let there = cx.files().stat(Path::new("/srv/releases")).await?.is_some();
        match ready {
            Some(ready) => Ok(Survey::Already(ready)),
            None => Ok(Survey::change(there, Diff::none().and_add(self.dir()))),
        }
    }

    async fn apply(&self, cx: &Context, _: &bool) -> Result<String> {
        cx.files().make_dir(Path::new(&self.dir())).await?;
        write(cx.files(), &format!("{}/app", self.dir()), "code").await?;
        write(cx.files(), &format!("{}/READY", self.dir()), "yes").await?;
        Ok("yes".into())
    }
}

#[async_trait]
impl Rollback for Release {
    async fn rollback(&self, cx: &Context, there: &bool) -> Result<()> {
        let all = if *there { self.dir() } else { "/srv/releases".into() };
        cx.files().remove(Path::new(&all)).await
    }
}

/// A deployment with all kinds of steps that keeps the laws.
#[procedure]
async fn sound(run: &Run) -> Result<()> {
    run.scope("Release", async |run| run.step("Unpack", Release(2)).await).await?;
    run.step("Write version", Deploy).await?;
    run.step("Restart", Restart { settles: true }).await?;
    Ok(())
}

#[tokio::test]
async fn a_sound_procedure_passes() {
    let report = explore::<sound>(rig, NoInput {}).await;
    let text = report.is_sound().to_string();
    assert!(report.runs() > 140, "{} runs are few", report.runs());
    for words in ["survey fails", "dies in undo", "Unpack", "Restart"] {
        assert!(text.contains(words), "`{words}` is missing in\n{text}");
    }
}

/// Steps side by side, one held for a while, and a point after which there is no way back.
#[procedure]
async fn branches(run: &Run) -> Result<()> {
    run.hold("Maintenance page", Note("/srv/maintenance"), async |run| {
        run.each("Releases", [2, 3], async |run, n| run.step("Unpack", Release(n)).key("unpack").await).await?;
        run.step("Write version", Deploy).await
    })
    .await?;
    run.irreversible("a mail cannot be unsent", "Send mail", Note("/var/mail")).await?;
    Ok(())
}

/// Sound: writes a note.
struct Note(&'static str);

#[async_trait]
impl Step for Note {
    type Before = Option<String>;
    type Output = String;

    fn describe(&self) -> Description {
        Description::new("test.note", self.0).writes(Resource::path(self.0))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Option<String>, String>> {
        look(cx, self.0, "noted").await
    }

    async fn apply(&self, cx: &Context, _: &Option<String>) -> Result<String> {
        write(cx.files(), self.0, "noted").await?;
        Ok("noted".into())
    }
}

#[async_trait]
impl Rollback for Note {
    async fn rollback(&self, cx: &Context, before: &Option<String>) -> Result<()> {
        put_back(cx, self.0, before.as_deref()).await
    }
}

#[tokio::test]
async fn branches_holds_and_irreversible_steps_are_explored_too() {
    let with_var = || Rig::new().host(&web().dir("/var"));
    explore::<branches>(with_var, NoInput {}).await.is_sound();
}

/// Explores a procedure of one planted step, and gives what `explore` found.
macro_rules! catches {
    ($test:ident: $step:expr, breaks $($law:ident),+) => {
        #[tokio::test]
        async fn $test() {
            #[procedure]
            async fn planted(run: &Run) -> Result<()> {
                run.step("Write version", Deploy).await?;
                run.step("Planted", $step).await?;
                Ok(())
            }
            let report = explore::<planted>(rig, NoInput {}).await;
            $(report.breaks(Law::$law, "Planted");)+
            let culprits: Vec<_> = report.breaches().iter().map(|breach| breach.step.as_deref()).collect();
            assert!(culprits.iter().all(|step| *step == Some("Planted")), "the sound step is blamed:\n{report}");
        }
    };
}

planted! {
    /// 1. Leaves a probe behind when it looks.
    Probing {
        step {
            fn describe(&self) -> Description {
                Description::new("test.probe", "/srv/a").writes(Resource::path("/srv/a"))
            }
            async fn survey(&self, cx: &Context) -> Result<Survey<Option<String>, String>> {
                write(cx.files(), "/tmp/probe", "can I write?").await?;
                look(cx, "/srv/a", "a").await
            }
            async fn apply(&self, cx: &Context, _: &Option<String>) -> Result<String> {
                write(cx.files(), "/srv/a", "a").await?;
                Ok("a".into())
            }
        }
        rollback {
            async fn rollback(&self, cx: &Context, before: &Option<String>) -> Result<()> {
                put_back(cx, "/srv/a", before.as_deref()).await
            }
        }
    }
}
catches!(a_survey_that_changes_something: Probing, breaks SurveyChangesNothing);

planted! {
    /// 2. Adds its line once more each time.
    Appending {
        step {
            fn describe(&self) -> Description {
                Description::new("test.append", "/etc/motd").writes(Resource::path("/etc/motd"))
            }
            async fn survey(&self, cx: &Context) -> Result<Survey<Option<String>, String>> {
                let before = text(cx, "/etc/motd").await?;
                if before.as_deref().is_some_and(|motd| motd.contains("version 2")) {
                    return Ok(Survey::Already("version 2".into()));
                }
                Ok(Survey::change(before, Diff::none().and_add("version 2")))
            }
            async fn apply(&self, cx: &Context, _: &Option<String>) -> Result<String> {
                let now = text(cx, "/etc/motd").await?.unwrap_or_default();
                write(cx.files(), "/etc/motd", &(now + "version 2\n")).await?;
                Ok("version 2".into())
            }
        }
        rollback {
            async fn rollback(&self, cx: &Context, before: &Option<String>) -> Result<()> {
                put_back(cx, "/etc/motd", before.as_deref()).await
            }
        }
    }
}
catches!(an_apply_that_is_not_idempotent: Appending, breaks ApplyTwice);

planted! {
    /// 3. Moves the old file aside, and its way back believes that it did.
    MovingBack {
        step {
            fn describe(&self) -> Description {
                let what = Description::new("test.move", "/etc/motd");
                what.writes(Resource::path("/etc/motd")).writes(Resource::path("/etc/motd.old"))
            }
            async fn survey(&self, cx: &Context) -> Result<Survey<Option<String>, String>> {
                look(cx, "/etc/motd", "new").await
            }
            async fn apply(&self, cx: &Context, before: &Option<String>) -> Result<String> {
                write(cx.files(), "/etc/motd.old", before.as_deref().unwrap_or_default()).await?;
                write(cx.files(), "/etc/motd", "new").await?;
                Ok("new".into())
            }
        }
        rollback {
            async fn rollback(&self, cx: &Context, _: &Option<String>) -> Result<()> {
                cx.files().rename(Path::new("/etc/motd.old"), Path::new("/etc/motd")).await
            }
        }
    }
}
catches!(a_rollback_that_assumes_apply_finished: MovingBack, breaks RollbackPutsBack, RollbackTwice);

planted! {
    /// 4. Takes the directory for the whole release.
    Believing {
        step {
            fn describe(&self) -> Description {
                Description::new("test.believe", "/srv/new").writes(Resource::path("/srv/new"))
            }
            async fn survey(&self, cx: &Context) -> Result<Survey<Option<String>, String>> {
                match cx.files().stat(Path::new("/srv/new")).await? {
                    Some(_) => Ok(Survey::Already("there".into())),
                    None => Ok(Survey::change(None, Diff::none().and_add("/srv/new"))),
                }
            }
            async fn apply(&self, cx: &Context, _: &Option<String>) -> Result<String> {
                cx.files().make_dir(Path::new("/srv/new")).await?;
                write(cx.files(), "/srv/new/app", "code").await?;
                Ok("there".into())
            }
        }
        rollback {
            async fn rollback(&self, cx: &Context, _: &Option<String>) -> Result<()> {
                cx.files().remove(Path::new("/srv/new")).await
            }
        }
    }
}
catches!(an_already_that_lies: Believing, breaks AlreadyIsTrue);

// 5. Restarts on the way back, while the old version is not yet there.
catches!(a_missing_settle: Restart { settles: false }, breaks Settles);

/// 6. Says that it worked, and nothing else.
struct Bare;

#[derive(Serialize, Deserialize)]
struct Worked {
    ok: bool,
    warnings: Vec<String>,
}

#[async_trait]
impl Step for Bare {
    type Before = Option<String>;
    type Output = Worked;

    fn describe(&self) -> Description {
        Description::new("test.bare", "/srv/a").writes(Resource::path("/srv/a"))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Option<String>, Worked>> {
        Ok(match look(cx, "/srv/a", "a").await? {
            Survey::Already(_) => Survey::Already(Worked { ok: true, warnings: Vec::new() }),
            Survey::Change { before, diff, .. } => Survey::change(before, diff),
        })
    }

    async fn apply(&self, cx: &Context, _: &Option<String>) -> Result<Worked> {
        write(cx.files(), "/srv/a", "a").await?;
        Ok(Worked { ok: true, warnings: Vec::new() })
    }
}

#[async_trait]
impl Rollback for Bare {
    async fn rollback(&self, cx: &Context, before: &Option<String>) -> Result<()> {
        put_back(cx, "/srv/a", before.as_deref()).await
    }
}
catches!(an_output_without_evidence: Bare, breaks Evidence);

planted! {
    /// 7. Writes beside what it names, and cleans up well.
    Sprawling {
        step {
            fn describe(&self) -> Description {
                Description::new("test.sprawl", "/srv/a").writes(Resource::path("/srv/a"))
            }
            async fn survey(&self, cx: &Context) -> Result<Survey<Option<String>, String>> {
                look(cx, "/srv/a", "a").await
            }
            async fn apply(&self, cx: &Context, _: &Option<String>) -> Result<String> {
                write(cx.files(), "/etc/a.conf", "on").await?;
                write(cx.files(), "/srv/a", "a").await?;
                Ok("a".into())
            }
        }
        rollback {
            async fn rollback(&self, cx: &Context, before: &Option<String>) -> Result<()> {
                cx.files().remove(Path::new("/etc/a.conf")).await?;
                put_back(cx, "/srv/a", before.as_deref()).await
            }
        }
    }
}
catches!(a_write_that_describe_does_not_name: Sprawling, breaks DeclaresWrites);

planted! {
    /// 8. Never sees that it is done.
    Restless {
        step {
            fn describe(&self) -> Description {
                Description::new("test.restless", "/srv/a").writes(Resource::path("/srv/a"))
            }
            async fn survey(&self, cx: &Context) -> Result<Survey<Option<String>, String>> {
                Ok(Survey::change(text(cx, "/srv/a").await?, Diff::note("write /srv/a")))
            }
            async fn apply(&self, cx: &Context, _: &Option<String>) -> Result<String> {
                write(cx.files(), "/srv/a", "a").await?;
                Ok("a".into())
            }
        }
        rollback {
            async fn rollback(&self, cx: &Context, before: &Option<String>) -> Result<()> {
                put_back(cx, "/srv/a", before.as_deref()).await
            }
        }
    }
}
catches!(a_survey_that_does_not_converge: Restless, breaks Converges);

/// 9. Keeps the content in memory only.
struct Forgetful;

#[derive(Serialize, Deserialize)]
struct Kept {
    path: String,
    #[serde(skip)]
    content: Option<String>,
}

#[async_trait]
impl Step for Forgetful {
    type Before = Kept;
    type Output = String;

    fn describe(&self) -> Description {
        Description::new("test.forget", "/etc/motd").writes(Resource::path("/etc/motd"))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Kept, String>> {
        Ok(match look(cx, "/etc/motd", "new").await? {
            Survey::Already(output) => Survey::Already(output),
            Survey::Change { before, diff, .. } => {
                Survey::change(Kept { path: "/etc/motd".into(), content: before }, diff)
            }
        })
    }

    async fn apply(&self, cx: &Context, _: &Kept) -> Result<String> {
        write(cx.files(), "/etc/motd", "new").await?;
        Ok("new".into())
    }
}

#[async_trait]
impl Rollback for Forgetful {
    async fn rollback(&self, cx: &Context, before: &Kept) -> Result<()> {
        put_back(cx, &before.path, before.content.as_deref()).await
    }
}
catches!(a_before_state_that_does_not_survive: Forgetful, breaks BeforeSurvives);

/// 10. Describes itself by what it has done.
struct Wavering(AtomicBool);

#[async_trait]
impl Step for Wavering {
    type Before = Option<String>;
    type Output = String;

    fn describe(&self) -> Description {
        let subject = if self.0.load(Ordering::Relaxed) { "the new motd" } else { "the old motd" };
        Description::new("test.waver", subject).writes(Resource::path("/etc/motd"))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Option<String>, String>> {
        look(cx, "/etc/motd", "new").await
    }

    async fn apply(&self, cx: &Context, _: &Option<String>) -> Result<String> {
        write(cx.files(), "/etc/motd", "new").await?;
        self.0.store(true, Ordering::Relaxed);
        Ok("new".into())
    }
}

#[async_trait]
impl Rollback for Wavering {
    async fn rollback(&self, cx: &Context, before: &Option<String>) -> Result<()> {
        put_back(cx, "/etc/motd", before.as_deref()).await
    }
}
catches!(a_description_that_depends_on_the_world: Wavering(AtomicBool::new(false)), breaks DescribesItself);

planted! {
    /// 11. Cannot begin where it was cut off: `mkdir` wants the directory not to be there.
    Stubborn {
        step {
            fn describe(&self) -> Description {
                Description::new("test.mkdir", "/srv/new").writes(Resource::path("/srv/new"))
            }
            async fn survey(&self, cx: &Context) -> Result<Survey<Option<String>, String>> {
                match text(cx, "/srv/new/app").await? {
                    Some(code) => Ok(Survey::Already(code)),
                    None => Ok(Survey::change(None, Diff::none().and_add("/srv/new"))),
                }
            }
            async fn apply(&self, cx: &Context, _: &Option<String>) -> Result<String> {
                if cx.files().stat(Path::new("/srv/new")).await?.is_some() {
                    // Takes what is there for somebody else's.
                    return Ok("code".into());
                }
                cx.files().make_dir(Path::new("/srv/new")).await?;
                write(cx.files(), "/srv/new/app", "code").await?;
                Ok("code".into())
            }
        }
        rollback {
            async fn rollback(&self, cx: &Context, _: &Option<String>) -> Result<()> {
                cx.files().remove(Path::new("/srv/new")).await
            }
        }
    }
}
catches!(an_apply_that_cannot_be_called_again: Stubborn, breaks ApplyAgain);

planted! {
    /// 12. Puts back less than it changed.
    Careless {
        step {
            fn describe(&self) -> Description {
                let what = Description::new("test.careless", "/etc/motd");
                what.writes(Resource::path("/etc/motd")).writes(Resource::path(OLD))
            }
            async fn survey(&self, cx: &Context) -> Result<Survey<Option<String>, String>> {
                look(cx, "/etc/motd", "new").await
            }
            async fn apply(&self, cx: &Context, before: &Option<String>) -> Result<String> {
                write(cx.files(), OLD, before.as_deref().unwrap_or_default()).await?;
                write(cx.files(), "/etc/motd", "new").await?;
                Ok("new".into())
            }
        }
        rollback {
            async fn rollback(&self, cx: &Context, before: &Option<String>) -> Result<()> {
                put_back(cx, "/etc/motd", before.as_deref()).await
            }
        }
    }
}
catches!(a_rollback_that_leaves_something: Careless, breaks RollbackPutsBack);

#[tokio::test(start_paused = true)]
async fn what_people_say_and_what_is_left_can_be_asserted() {
    #[procedure]
    async fn asks(run: &Run) -> Result<()> {
        run.step("Write version", Deploy).await?;
        run.confirm("Go on?").await?;
        run.step("Restart", Restart { settles: true }).await?;
        Ok(())
    }
    rig().answers("Go on", Verdict::Yes).run::<asks>(NoInput {}).await.succeeds().did(["Write version", "Restart"]);
    let waiting = rig().run::<asks>(NoInput {}).await.parks().says("Go on?");
    waiting.approved_by("olga").await.succeeds().says("olga");

    let broken = |tree: &mut Tree| tree.remove(VERSION);
    let host = web().replies("systemctl restart", Output::failed(1, "unit api not found"));
    let ran = Rig::new().host(&host).says_yes().run::<asks>(NoInput {}).await;
    let left = ran.leaves("Restart").says("unit api not found").ended().map(|ended| ended.left.clone());
    assert!(matches!(&left.as_deref(), Some([Left { why: LeftBecause::UndoFailed(_), .. }])), "{left:?}");
    assert_eq!(host.read(VERSION), "1");
    host.edit(broken);
    assert!(!host.exists(VERSION) && asks::OUTLINE.name == "asks");
}

#[tokio::test(start_paused = true)]
async fn an_interrupt_puts_everything_back() {
    let host = web();
    let ran = Rig::new().host(&host).interrupt_at("Write version").run::<sound>(NoInput {}).await;
    ran.is_interrupted().world_is_unchanged();
}

#[tokio::test]
async fn a_plan_changes_nothing() {
    let plan = rig().plan::<sound>(NoInput {}).await.expect("plans");
    assert_eq!(plan.steps[0].title, ["Release", "Unpack"]);
    assert!(plan.unreached.iter().any(|title| title == "Restart"), "{:?}", plan.unreached);
}

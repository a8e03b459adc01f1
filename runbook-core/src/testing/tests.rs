//! The kit tests itself on a procedure of two steps.

use std::pin::Pin;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::*;
use crate::host::Attributes;
use crate::*;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
struct Site {
    version: u32,
}

/// Writes a file, in one move.
struct Write(&'static str, String);

#[async_trait]
impl Step for Write {
    type Before = Option<Vec<u8>>;
    type Output = String;

    fn describe(&self) -> Description {
        Description::new("test.write", self.0).writes(Resource::path(self.0))
    }

    async fn survey(&self, cx: &Context) -> Result<Survey<Self::Before, String>> {
        let path = std::path::Path::new(self.0);
        let before = if cx.files().stat(path).await?.is_some() { Some(cx.files().read(path).await?) } else { None };
        if before.as_deref() == Some(self.1.as_bytes()) {
            return Ok(Survey::Already(self.1.clone()));
        }
        Ok(Survey::change(before, Diff::turn(self.0, "before", &self.1)))
    }

    async fn apply(&self, cx: &Context, _: &Self::Before) -> Result<String> {
        cx.files().write(self.0.as_ref(), self.1.as_bytes(), &Attributes::default()).await?;
        Ok(self.1.clone())
    }
}

#[async_trait]
impl Rollback for Write {
    async fn rollback(&self, cx: &Context, before: &Self::Before) -> Result<()> {
        match before {
            Some(content) => cx.files().write(self.0.as_ref(), content, &Attributes::default()).await,
            None => cx.files().remove(self.0.as_ref()).await,
        }
    }
}

/// Passes when the version in a file is below three.
struct Healthy;

#[async_trait]
impl Check for Healthy {
    fn describe(&self) -> Description {
        Description::new("test.healthy", "/srv/app")
    }

    async fn check(&self, cx: &Context) -> Result<Finding> {
        let version = cx.files().read("/srv/app/VERSION".as_ref()).await?;
        Ok(Finding::of(version < b"3".to_vec(), format!("version {}", String::from_utf8_lossy(&version))))
    }
}

struct Deploy;

impl Procedure for Deploy {
    type Input = Site;
    type Output = u32;
    const OUTLINE: &'static Outline = &Outline { name: "deploy", title: "Deploy", doc: "", items: &[], fingerprint: 1 };

    fn call<'a>(run: &'a Run, site: &'a Site) -> Pin<Box<dyn Future<Output = Result<u32>> + Send + 'a>> {
        Box::pin(async move {
            run.step("Write notes", Write("/srv/app/NOTES", format!("notes of {}", site.version))).await?;
            run.step("Write version", Write("/srv/app/VERSION", site.version.to_string())).await?;
            run.check("Health", Healthy.within(300.seconds())).await?;
            Ok(site.version)
        })
    }
}

fn web() -> SimHost {
    SimHost::new("web-1").file("/srv/app/VERSION", "1")
}

#[tokio::test(start_paused = true)]
async fn a_good_release_is_there_afterwards() {
    let host = web();
    let ran = Rig::new().host(&host).run::<Deploy>(Site { version: 2 }).await.succeeds();
    assert_eq!(ran.did(["Write notes", "Write version"]).output(), 2);
    assert_eq!(host.read("/srv/app/VERSION"), "2");
}

#[tokio::test(start_paused = true)]
async fn a_bad_release_puts_itself_back() {
    let ran = Rig::new().host(&web()).run::<Deploy>(Site { version: 3 }).await;
    let began = ran.events().first().expect("said something").at;
    let ended = ran.events().last().expect("said something").at;
    ran.rolls_back().says("version 3").undid(["Write version", "Write notes"]).world_is_unchanged();
    assert!(ended.duration_since(began).as_secs() >= 300, "five minutes went by, on the clock of the rig");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_killed_anywhere_resumes() {
    let whole = Rig::new().host(&web()).run::<Deploy>(Site { version: 2 }).await.succeeds();
    for count in 1..8 {
        let host = web();
        let rig = Rig::new().host(&host).crash_after(count);
        rig.run::<Deploy>(Site { version: 2 }).await.crashes().resumes().await.succeeds();
        assert_eq!(host.read("/srv/app/VERSION"), "2", "killed after {count}");
    }
    assert_eq!(whole.events().iter().filter(|event| matches!(event.what, event::What::StepEnded { .. })).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_expectation_tells_the_whole_story() {
    let ran = Rig::new().host(&web()).run::<Deploy>(Site { version: 3 }).await;
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ran.succeeds())).expect_err("panics");
    let text = panic.downcast_ref::<String>().expect("a text");
    for words in [
        "was to end `done`",
        "it ended `failed and rolled back`",
        "step `Write version` on web-1",
        "undo `Write notes`",
    ] {
        assert!(text.contains(words), "{words} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn a_sound_procedure_is_found_sound() {
    let report = explore::<Deploy>(|| Rig::new().host(&web()), Site { version: 2 }).await;
    println!("{report}");
    assert!(report.is_sound().runs() > 30);
    explore::<Deploy>(|| Rig::new().host(&web()), Site { version: 3 }).await.is_sound();
}

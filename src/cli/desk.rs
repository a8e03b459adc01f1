//! The people at the terminal.

use async_trait::async_trait;
use runbook_core::{Evidence, People, Question, QuestionKind, Reply, Verdict, whoami};
use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, mpsc};

use super::arguments::How;
use super::terminal::Screen;

/// Whoever sits at the terminal, if it is one, and what was said in advance on the command line.
pub(super) struct Desk {
    yes: bool,
    reason: Option<String>,
    /// Lines that are typed; `None` when nobody can type any.
    typed: Option<Typed>,
    screen: Screen,
}

/// One question at a time, however many branches want to ask.
type Typed = Arc<Mutex<Keyboard>>;

impl Desk {
    /// The desk of this call.
    pub(super) fn new(how: &How, screen: &Screen) -> Self {
        let attended = std::io::stdin().is_terminal() && screen.is_terminal();
        Self { yes: how.yes, reason: how.reason.clone(), typed: attended.then(Typed::default), screen: screen.clone() }
    }

    /// What was said in advance.
    fn in_advance(&self, question: &Question) -> Option<Reply> {
        match (&question.kind, &self.reason) {
            (QuestionKind::Confirm | QuestionKind::Tick, _) if self.yes => {
                Some(reply(Verdict::Yes, format!("{} with --yes", whoami())))
            }
            (QuestionKind::Override, Some(reason)) => Some(reply(Verdict::Yes, format!("{}: {reason}", whoami()))),
            _ => None,
        }
    }

    async fn at_the_terminal(&self, question: &Question) -> Option<Reply> {
        let mut keyboard = self.typed.as_ref()?.lock().await;
        self.screen.ask(&shown(question));
        // Takes the terminal back also when nobody waits for the answer any more.
        let _guard = Asked(&self.screen);
        keyboard.forget();
        loop {
            let line = keyboard.line().await?;
            match understood(&question.kind, line.trim()) {
                Understood::Reply(reply) => return Some(reply),
                Understood::Park => return None,
                Understood::Nothing => self.screen.ask(choices(&question.kind)),
            }
        }
    }
}

struct Asked<'a>(&'a Screen);

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.0.asked();
    }
}

#[async_trait]
impl People for Desk {
    async fn ask(&self, question: &Question) -> Option<Reply> {
        match self.in_advance(question) {
            Some(reply) => Some(reply),
            None => self.at_the_terminal(question).await,
        }
    }

    fn me(&self) -> String {
        whoami()
    }
}

fn reply(verdict: Verdict, summary: String) -> Reply {
    Reply { verdict, evidence: Evidence::new(summary) }
}

/// What a typed line means.
enum Understood {
    Reply(Reply),
    /// The run waits.
    Park,
    /// Ask again.
    Nothing,
}

fn understood(kind: &QuestionKind, line: &str) -> Understood {
    let me = whoami();
    let said = |verdict, words: &str| Understood::Reply(reply(verdict, format!("{me} said {words}")));
    if *kind == QuestionKind::Override {
        return match line {
            "" => said(Verdict::No, "no"),
            reason => Understood::Reply(reply(Verdict::Yes, format!("{me}: {reason}"))),
        };
    }
    match (kind, line.to_ascii_lowercase().as_str()) {
        (_, "p" | "pause") => Understood::Park,
        (QuestionKind::Failure, "r" | "retry") => said(Verdict::Retry, "retry"),
        (QuestionKind::Failure, "b" | "back" | "roll back") => said(Verdict::No, "roll back"),
        (QuestionKind::Failure, _) => Understood::Nothing,
        (_, "y" | "yes") => said(Verdict::Yes, "yes"),
        (_, "n" | "no") => said(Verdict::No, "no"),
        _ => Understood::Nothing,
    }
}

/// The question, with what can be typed.
fn shown(question: &Question) -> String {
    let mut text = format!("\n? {}\n", question.title);
    for line in &question.lines {
        let _ = writeln!(text, "  {line}");
    }
    if let QuestionKind::Approve(by) = &question.kind {
        let _ = writeln!(text, "  This wants the approval of {by}.");
    }
    text + choices(&question.kind)
}

fn choices(kind: &QuestionKind) -> &'static str {
    match kind {
        QuestionKind::Failure => "  [r] try again   [b] roll back   [p] pause: ",
        QuestionKind::Override => "  Type a reason to go on anyway, or nothing to stop here: ",
        QuestionKind::Tick => "  [y] done   [n] not done   [p] pause: ",
        QuestionKind::Approve(_) => "  [y] approve   [n] decline   [p] pause: ",
        _ => "  [y] yes   [n] no   [p] pause: ",
    }
}

/// Lines from the standard input. They are read by a thread of their own: a read from a terminal cannot be cancelled,
/// and must not keep the program from ending.
#[derive(Default)]
struct Keyboard(std::sync::Mutex<Option<mpsc::UnboundedReceiver<String>>>);

impl Keyboard {
    /// The next line; `None` at the end of the input.
    async fn line(&mut self) -> Option<String> {
        self.lines().recv().await
    }

    /// Forgets what was typed before there was a question.
    fn forget(&mut self) {
        while self.lines().try_recv().is_ok() {}
    }

    fn lines(&mut self) -> &mut mpsc::UnboundedReceiver<String> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(listen)
    }
}

fn listen() -> mpsc::UnboundedReceiver<String> {
    let (send, receive) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(std::result::Result::ok) {
            if send.send(line).is_err() {
                return;
            }
        }
    });
    receive
}

//! Windows: days and hours in which a change is allowed.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use super::Run;
use crate::engine::Condition;
use crate::event::What;
use crate::journal::{Answer, Memo, Part};
use crate::{Description, Error, Evidence, Key, Question, QuestionKind, Result, Verdict};

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Days and hours, in a time zone, in which a change is allowed: `Mon-Thu 10:00-16:00 Europe/Berlin`.
///
/// The days are names, ranges and lists (`Sat`, `Mon-Thu`, `Tue,Thu`) or `daily`; hours that end before they begin go
/// past midnight and belong to the day they begin on; the zone is UTC unless it is given. A window can be an input of
/// a procedure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Window {
    days: Vec<Weekday>,
    from: Time,
    to: Time,
    zone: TimeZone,
    text: String,
}

impl Window {
    /// The window of this text.
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(text).map_err(|why| {
            Error::new(format!("`{text}` is no window: {why}"))
                .hint("write it like `Mon-Thu 10:00-16:00 Europe/Berlin`")
        })
    }

    fn read(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, hours, zone) = match words[..] {
            [days, hours] => (days, hours, "UTC"),
            [days, hours, zone] => (days, hours, zone),
            _ => return Err("it wants days, hours and a time zone".into()),
        };
        let (from, to) = hours.split_once('-').ok_or_else(|| format!("`{hours}` are no hours"))?;
        Ok(Self {
            days: read_days(days)?,
            from: read_time(from)?,
            to: read_time(to)?,
            zone: TimeZone::get(zone).map_err(|error| error.to_string())?,
            text: text.to_owned(),
        })
    }

    /// Why this moment is inside, in words; or a refusal that says when it is.
    pub(crate) fn admits(&self, now: Timestamp) -> Result<String> {
        let local = now.to_zoned(self.zone.clone());
        let text = local.strftime("%a %H:%M %Z");
        if self.contains(&local) {
            return Ok(format!("{text} is inside {self}"));
        }
        let hint = "wait for it, or give a reason to go on anyway (`--override REASON`)";
        Err(Error::refused(format!("{text} is outside of the window {self}")).hint(hint))
    }

    fn contains(&self, local: &Zoned) -> bool {
        let (day, time) = (local.weekday(), local.time());
        if self.from <= self.to {
            return self.days.contains(&day) && self.from <= time && time < self.to;
        }
        let evening = self.days.contains(&day) && time >= self.from;
        let morning = self.days.contains(&day.previous()) && time < self.to;
        evening || morning
    }
}

fn read_days(text: &str) -> Result<Vec<Weekday>, String> {
    if text.eq_ignore_ascii_case("daily") {
        return Ok(DAYS.iter().map(|(_, day)| *day).collect());
    }
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (read_day(first)?, read_day(last)?);
        days.extend(first.cycle_forward().take(7).take_while(|day| *day != last));
        days.push(last);
    }
    Ok(days)
}

fn read_day(text: &str) -> Result<Weekday, String> {
    let lower = text.to_ascii_lowercase();
    let found = DAYS.iter().find(|(name, _)| lower.len() >= 3 && lower.starts_with(name));
    found.map(|(_, day)| *day).ok_or_else(|| format!("`{text}` is no day of the week"))
}

fn read_time(text: &str) -> Result<Time, String> {
    let (hour, minute) = text.split_once(':').unwrap_or((text, "0"));
    let (hour, minute) = (hour.parse::<i8>(), minute.parse::<i8>());
    match (hour, minute) {
        (Ok(hour), Ok(minute)) => Time::new(hour, minute, 0, 0).map_err(|error| error.to_string()),
        _ => Err(format!("`{text}` is no time of day")),
    }
}

/// Asks whether it is time, once; outside of the window someone may give a reason.
pub(super) async fn ask(run: &Run, window: &Window) -> Result<()> {
    let key = run.next_key()?;
    let title: Arc<str> = format!("window {window}").into();
    let now = run.engine.world.clock.now();
    if run.engine.is_explaining() {
        let what = Description::new("window", &*title).summary(&*title);
        run.engine.explain(&run.scope, &run.host_name, &title, true, what).await;
        return Ok(());
    }
    if let Some(mut draft) = run.engine.draft() {
        draft.add_window(&key, run.scope.titles(), &title, window.admits(now));
        return Ok(());
    }
    let answering = async {
        run.engine.admit(&run.scope).await?;
        match window.admits(now) {
            Ok(inside) => Ok(Memo::Answered(Answer { title: title.to_string(), yes: true, evidence: inside.into() })),
            Err(missed) => overridden(run, &key, &title, missed).await,
        }
    };
    match run.engine.once(&key, Part::Value, Box::pin(answering)).await? {
        Memo::Answered(answer) if answer.title == *title => {
            if !answer.evidence.summary.starts_with("overridden") {
                run.engine.again.remember(Condition::Window { key: key.clone(), window: window.clone() });
            }
            run.engine.say(What::Answered { key, title, evidence: answer.evidence });
            Ok(())
        }
        other => Err(crate::engine::mismatch(&key, &format!("{other:?}"), &title)),
    }
}

/// The window is missed. Before the first change that is a refusal; later it is for a person to decide.
async fn overridden(run: &Run, key: &Key, title: &Arc<str>, missed: Error) -> Result<Memo> {
    let question = Question { kind: QuestionKind::Override, title: missed.to_string(), lines: Vec::new() };
    match run.engine.put(&run.scope, &question).await? {
        Some(reply) if reply.verdict == Verdict::Yes => {
            let evidence = Evidence::new(format!("overridden: {}", reply.evidence.summary));
            let text = format!("{missed}; {}", evidence.summary);
            run.engine.say(What::Warned { key: key.clone(), text });
            Ok(Memo::Answered(Answer { title: title.to_string(), yes: true, evidence }))
        }
        _ if run.engine.has_changed() => Err(run.engine.park(key, missed).await),
        _ => Err(missed),
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| error.to_string())
    }
}

impl TryFrom<String> for Window {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Window> for String {
    fn from(window: Window) -> Self {
        window.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_knows_its_days_hours_and_zone() {
        let inside = |window: &str, at: &str| {
            let at: Timestamp = at.parse().expect("a time");
            Window::parse(window).expect("a window").admits(at).is_ok()
        };
        // 2026-01-06 is a Tuesday.
        for (window, at, expected) in [
            ("Mon-Thu 10:00-16:00", "2026-01-06T10:00:00Z", true),
            ("Mon-Thu 10:00-16:00", "2026-01-06T16:00:00Z", false),
            ("Mon-Thu 10:00-16:00", "2026-01-09T11:00:00Z", false),
            ("Mon-Thu 10:00-16:00 America/New_York", "2026-01-06T20:59:00Z", true),
            ("Sat 02:00-04:00", "2026-01-10T03:00:00Z", true),
            ("Tue 22:00-02:00", "2026-01-07T01:00:00Z", true),
            ("Tue 22:00-02:00", "2026-01-06T01:00:00Z", false),
            ("Fri-Mon 0-23:59", "2026-01-11T12:00:00Z", true),
            ("Tue,Thu 9-17", "2026-01-07T12:00:00Z", false),
            ("daily 2-4", "2026-01-07T02:30:00Z", true),
        ] {
            assert_eq!(inside(window, at), expected, "{at} in {window}");
        }
    }

    #[test]
    fn what_is_no_window_says_why() {
        for text in ["", "Mon", "Moon 1-2", "Mon 1", "Mon 25:00-26:00", "Mon 1-2 Nowhere/Town"] {
            let error = Window::parse(text).expect_err("no window");
            assert!(error.message().contains("is no window"), "{error:?}");
        }
    }
}

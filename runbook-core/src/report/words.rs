//! Small things every renderer says the same way: durations, counts, the fields of a value.

use std::time::Duration;

use serde_json::Value;

use crate::Stored;

/// A duration as people say it: `412 ms`, `3.2 s`, `4 min 12 s`, `1 h 02 min`.
pub fn took(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{}.{} s", seconds, duration.subsec_millis() / 100),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `1 step`, `2 steps`, `2 checks`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The scalar fields of a value, by dotted name, in the order they were written. A value that is itself a scalar has
/// an empty name.
pub fn fields(stored: &Stored) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect("", &stored.to_value(), &mut found);
    found
}

/// How deep fields of fields are read, and how many in all: a report is no dump.
const DEPTH: usize = 3;
const FIELDS: usize = 24;

fn collect(name: &str, value: &Value, found: &mut Vec<(String, String)>) {
    if found.len() >= FIELDS {
        return;
    }
    match value {
        Value::String(text) if text.is_empty() => {}
        Value::String(text) => found.push((name.to_owned(), one_line(text))),
        Value::Bool(_) | Value::Number(_) => found.push((name.to_owned(), value.to_string())),
        Value::Object(fields) if name.matches('.').count() < DEPTH => {
            for (field, value) in fields {
                let inner = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                collect(&inner, value, found);
            }
        }
        Value::Array(items) if items.iter().all(is_scalar) && !items.is_empty() => {
            let shown: Vec<_> = items.iter().take(5).map(scalar).collect();
            let more = if items.len() > 5 { format!(" and {} more", items.len() - 5) } else { String::new() };
            found.push((name.to_owned(), format!("{}{more}", shown.join(", "))));
        }
        Value::Null | Value::Object(_) | Value::Array(_) => {}
    }
}

fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_))
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), one_line)
}

/// `name = value, name = value`.
pub fn fields_line(stored: &Stored) -> String {
    let pair = |(name, value): (String, String)| if name.is_empty() { value } else { format!("{name} = {value}") };
    fields(stored).into_iter().map(pair).collect::<Vec<_>>().join(", ")
}

/// The first line of a text, cut where it gets too long to be read at a glance.
pub fn one_line(text: &str) -> String {
    const LONGEST: usize = 160;
    let line = text.lines().next().unwrap_or_default().trim_end();
    let cut = line.char_indices().nth(LONGEST).map(|(at, _)| at);
    let rest = text.lines().nth(1).is_some();
    match cut {
        Some(at) => format!("{}…", &line[..at]),
        None if rest => format!("{line} …"),
        None => line.to_owned(),
    }
}

/// The text without control characters, which could move the cursor or clear a terminal.
pub fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    let plain = |c: char| !c.is_control() || c == '\t';
    if text.chars().all(plain) {
        return text.into();
    }
    text.chars().map(|c| if plain(c) { c } else { '\u{fffd}' }).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let said: Vec<_> = [0, 412, 3_240, 59_999, 252_000, 3_725_000].map(Duration::from_millis).map(took).into();
        assert_eq!(said, ["0 ms", "412 ms", "3.2 s", "59.9 s", "4 min 12 s", "1 h 02 min"]);
    }

    #[test]
    fn fields_are_scalars_by_dotted_name() {
        let value = serde_json::json!({"revision": "v2", "db": {"name": "marb", "port": 5432}, "units": ["a", "b"], "none": null});
        let stored = Stored::of(&value).expect("stores");
        assert_eq!(fields_line(&stored), "db.name = marb, db.port = 5432, revision = v2, units = a, b");
        assert_eq!(fields_line(&Stored::of("v2").expect("stores")), "v2");
    }

    #[test]
    fn what_a_command_prints_cannot_move_the_cursor() {
        assert_eq!(printable("ok\u{1b}[2Jgone"), "ok\u{fffd}[2Jgone");
    }
}

//! Pieces that stand in several places of the page: errors, diffs, last lines.

use std::fmt::Write as _;

use super::text::{escaped, lines_of_prose, prose};
use crate::{Change, Error};

/// A word in front of a sentence, which is HTML already.
pub(super) fn labelled(out: &mut String, label: &str, html: &str) {
    let _ = writeln!(out, "<p><span class=\"label\">{label}</span> {html}</p>");
}

/// Preformatted lines, when there are any.
pub(super) fn block<T: AsRef<str>>(out: &mut String, class: &str, lines: impl IntoIterator<Item = T>) {
    let text: Vec<String> = lines.into_iter().map(|line| escaped(line.as_ref()).into_owned()).collect();
    if !text.is_empty() {
        let _ = writeln!(out, "<pre class=\"{class}\">{}</pre>", text.join("\n"));
    }
}

/// What a step was going to change.
pub(super) fn changes(out: &mut String, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    out.push_str("<ul class=\"diff\">\n");
    for change in changes {
        let _ = match change {
            Change::Add(line) => writeln!(out, "<li class=\"add\"><ins>{}</ins></li>", escaped(line)),
            Change::Remove(line) => writeln!(out, "<li class=\"remove\"><del>{}</del></li>", escaped(line)),
            Change::Note(line) => writeln!(out, "<li class=\"note\">{}</li>", prose(line)),
            Change::Turn { what, from, to } => writeln!(
                out,
                "<li class=\"turn\"><span class=\"what\">{}</span> <del>{}</del> → <ins>{}</ins></li>",
                escaped(what),
                escaped(from),
                escaped(to)
            ),
        };
    }
    out.push_str("</ul>\n");
}

/// An error with its causes, its last lines and what to do about it.
pub(super) fn failure(out: &mut String, error: &Error) {
    let _ = writeln!(out, "<div class=\"failure\">\n<p class=\"message\">{}</p>", lines_of_prose(error.message()));
    let causes: Vec<&str> = error.causes().collect();
    if !causes.is_empty() {
        out.push_str("<ol class=\"causes\">\n");
        for cause in causes {
            let _ = writeln!(out, "<li><span class=\"label\">because</span> {}</li>", lines_of_prose(cause));
        }
        out.push_str("</ol>\n");
    }
    block(out, "last", error.lines());
    if let Some(hint) = error.advice() {
        let _ = writeln!(out, "<p class=\"hint\"><span class=\"label\">Hint</span> {}</p>", lines_of_prose(hint));
    }
    out.push_str("</div>\n");
}

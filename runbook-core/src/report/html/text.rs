//! Text in a page, so that nothing in it is taken for markup.

use std::borrow::Cow;

use super::super::words::printable;

/// The text as HTML shows it unchanged, in content and in quoted attributes.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    let text = printable(text);
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe.into()
}

/// Words for people: what stands in backticks is code.
pub(super) fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return escaped(text).into_owned();
    }
    let each = parts.iter().enumerate().map(|(n, part)| match n % 2 {
        0 => escaped(part).into_owned(),
        _ => format!("<code>{}</code>", escaped(part)),
    });
    each.collect()
}

/// Several lines of words: each on its own.
pub(super) fn lines_of_prose(text: &str) -> String {
    text.lines().map(prose).collect::<Vec<_>>().join("<br>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_backticks_is_code() {
        assert_eq!(prose("`ls <x>` failed"), "<code>ls &lt;x&gt;</code> failed");
        assert_eq!(prose("a ` alone"), "a ` alone");
        assert_eq!(lines_of_prose("one\n`two`"), "one<br>\n<code>two</code>");
    }
}

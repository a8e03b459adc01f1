//! Tokens as text: for people as their author spaced them, for a fingerprint without any spacing of meaning.

use proc_macro2::{Delimiter, Group, LineColumn, Span, TokenStream, TokenTree};
use quote::ToTokens;

/// The source of these tokens on one line, spaced as its author did. Where a line was broken, it is joined as rustfmt
/// joins it.
pub(crate) fn text(tokens: impl ToTokens) -> String {
    let pieces = pieces(tokens);
    let mut text = String::new();
    for (n, piece) in pieces.iter().enumerate() {
        if n > 0 && apart(&pieces[n - 1], piece) {
            text.push(' ');
        }
        text.push_str(&piece.text);
    }
    text
}

/// The same tokens give the same print, however they are spaced.
pub(crate) fn print(tokens: impl ToTokens) -> String {
    let words: Vec<_> = pieces(tokens).into_iter().map(|piece| piece.text).collect();
    words.join(" ")
}

/// One token, or one side of a pair of delimiters.
struct Piece {
    text: String,
    start: LineColumn,
    end: LineColumn,
    /// Whether it is punctuation that the next piece belongs to, like the first colon of `::`.
    joint: bool,
}

impl Piece {
    fn new(text: String, span: Span) -> Self {
        Self { text, start: span.start(), end: span.end(), joint: false }
    }
}

fn pieces(tokens: impl ToTokens) -> Vec<Piece> {
    let mut pieces = Vec::new();
    flatten(tokens.into_token_stream(), &mut pieces);
    pieces
}

fn flatten(tokens: TokenStream, pieces: &mut Vec<Piece>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = delimiters(group.delimiter());
                let spans = group.delim_span();
                pieces.extend(open.map(|open| Piece::new(open.to_owned(), spans.open())));
                flatten(group.stream(), pieces);
                if let Some(close) = close {
                    drop_last_comma(&group, pieces);
                    pieces.push(Piece::new(close.to_owned(), spans.close()));
                }
            }
            TokenTree::Punct(punct) => {
                let joint = punct.spacing() == proc_macro2::Spacing::Joint;
                pieces.push(Piece { joint, ..Piece::new(punct.to_string(), punct.span()) });
            }
            other => pieces.push(Piece::new(other.to_string(), other.span())),
        }
    }
}

fn delimiters(delimiter: Delimiter) -> (Option<&'static str>, Option<&'static str>) {
    match delimiter {
        Delimiter::Parenthesis => (Some("("), Some(")")),
        Delimiter::Brace => (Some("{"), Some("}")),
        Delimiter::Bracket => (Some("["), Some("]")),
        Delimiter::None => (None, None),
    }
}

/// A last comma means nothing, but for the one of `(a,)`, which stands alone on its line.
fn drop_last_comma(group: &Group, pieces: &mut Vec<Piece>) {
    let Some(last) = pieces.last().filter(|last| last.text == ",") else { return };
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let alone = group.stream().into_iter().filter(is_comma).count() == 1;
    if !alone || last.end.line != group.span_close().start().line {
        pieces.pop();
    }
}

/// Whether there is a space between two pieces.
fn apart(left: &Piece, right: &Piece) -> bool {
    let placed = left.end != left.start && right.end != right.start;
    if placed && left.end.line == right.start.line && left.end.column <= right.start.column {
        return left.end.column < right.start.column;
    }
    let opens = |text| matches!(text, "(" | "[" | "." | "&" | "!");
    let closes = |text| matches!(text, ")" | "]" | "." | "," | ";" | "?");
    let calls = matches!(right.text.as_str(), "(" | "[" | "!" | ":" | "<" | ">");
    let path = matches!(left.text.as_str(), ":" | "<") && !left.joint;
    let broken = placed && left.end.line != right.start.line;
    !(opens(left.text.as_str()) || closes(right.text.as_str()) || !broken && (left.joint || calls || path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(source: &str) -> TokenStream {
        source.parse().expect("tokens")
    }

    #[test]
    fn a_line_stays_as_it_was_written() {
        for source in [
            "git::checkout(&marb.root, &marb.revision)",
            "a < b && c::<Vec<u8>>() > -1",
            "[1, 2].iter().map(|x| x * 2).collect::<Vec<_>>()",
            "Service { name: \"api\", port: 80 }",
            "(a,)",
        ] {
            assert_eq!(text(parsed(source)), source);
        }
    }

    #[test]
    fn broken_lines_are_joined() {
        let broken =
            "http::get(\n    &marb.health,\n    Some(1),\n)\n.json(\"/status\", \"healthy\")\n.within(60.seconds())";
        assert_eq!(
            text(parsed(broken)),
            "http::get(&marb.health, Some(1)).json(\"/status\", \"healthy\").within(60.seconds())"
        );
    }

    #[test]
    fn the_print_does_not_know_of_spacing() {
        assert_eq!(print(parsed("f(a,\n  b,)")), print(parsed("f( a, b )")));
        assert_ne!(print(parsed("f(a, b)")), print(parsed("f(b, a)")));
    }
}

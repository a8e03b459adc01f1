//! How a site is read.

use std::ops::Range;
use std::path::Path;

use runbook::{Error, Result};
use serde::{Deserialize, Serialize};

/// Where a site passes requests on to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// The host, as it is written.
    pub host: String,
    /// The port; that of the scheme where none is written, `None` for a socket in the file system.
    pub port: Option<u16>,
}

/// A word of a configuration, and where it stands.
struct Token {
    word: String,
    at: Range<usize>,
}

/// The words of a configuration, with `{`, `}` and `;` as words of their own and without comments.
pub(super) fn words(text: &str) -> Vec<String> {
    tokens(text).into_iter().map(|token| token.word).collect()
}

#[expect(clippy::match_same_arms, reason = "the order of the arms tells the cases apart")]
fn tokens(text: &str) -> Vec<Token> {
    let (mut tokens, mut word, mut quote) = (Vec::new(), String::new(), None);
    let (mut start, mut chars) = (0, text.char_indices().peekable());
    let mut end = |word: &mut String, at: Range<usize>| {
        if !word.is_empty() {
            tokens.push(Token { word: std::mem::take(word), at });
        }
    };
    while let Some((here, c)) = chars.next() {
        if word.is_empty() && quote.is_none() {
            start = here;
        }
        match (c, quote) {
            ('\\', _) => {
                word.push(c);
                word.extend(chars.next().map(|(_, c)| c));
            }
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.push(c),
            ('"' | '\'', None) if word.is_empty() => quote = Some(c),
            ('#', None) if word.is_empty() => while chars.next_if(|(_, c)| *c != '\n').is_some() {},
            // `${name}` is a variable.
            ('{', None) if word.ends_with('$') => word.push(c),
            ('}', None) if word.contains("${") => word.push(c),
            ('{' | '}' | ';', None) => {
                end(&mut word, start..here);
                end(&mut c.to_string(), here..here + 1);
            }
            (c, None) if c.is_whitespace() => end(&mut word, start..here),
            (c, None) => word.push(c),
        }
    }
    end(&mut word, start..text.len());
    tokens
}

/// The inside of an upstream: the text between its braces.
pub(super) fn upstream_block<'a>(text: &'a str, upstream: &str) -> Option<&'a str> {
    block_range(text, upstream).map(|range| &text[range])
}

/// The text with another inside of an upstream.
pub(super) fn with_upstream_block(text: &str, upstream: &str, block: &str) -> Option<String> {
    block_range(text, upstream).map(|range| [&text[..range.start], block, &text[range.end..]].concat())
}

fn block_range(text: &str, upstream: &str) -> Option<Range<usize>> {
    let tokens = tokens(text);
    let is_it = |three: &[Token]| three[0].word == "upstream" && three[1].word == upstream && three[2].word == "{";
    let open = tokens.windows(3).position(is_it)? + 2;
    // An upstream holds no blocks of its own.
    let close = tokens[open..].iter().find(|token| token.word == "}")?;
    Some(tokens[open].at.end..close.at.start)
}

/// The servers of an upstream, each as it is written: `api-1:8000 weight=2 down`.
pub(super) fn servers(block: &str) -> Vec<String> {
    server_ranges(block).into_iter().map(|(_, words)| words.join(" ")).collect()
}

/// The inside of an upstream with these servers in place of its own. The rest of it stays as it is.
pub(super) fn with_servers(block: &str, servers: &[String]) -> String {
    let old = server_ranges(block);
    let line = |server: &String| format!("server {server};");
    if old.is_empty() {
        let lines: Vec<String> = servers.iter().map(|server| format!("\n    {}", line(server))).collect();
        return lines.concat() + block;
    }
    let (mut text, mut end) = (String::new(), 0);
    for (n, (at, words)) in old.iter().enumerate() {
        let last = n + 1 == old.len();
        let mine = if last { servers.get(n..) } else { servers.get(n..=n) }.unwrap_or_default();
        match mine {
            // Its line goes with it.
            [] => text.push_str(block[end..at.start].trim_end()),
            // As it is written, when it is the same.
            [same] if *same == words.join(" ") => text.push_str(&block[end..at.end]),
            mine => {
                let indent =
                    block[end..at.start].rsplit_once('\n').map_or(" ".to_owned(), |(_, space)| format!("\n{space}"));
                text.push_str(&block[end..at.start]);
                text.push_str(&mine.iter().map(line).collect::<Vec<_>>().join(&indent));
            }
        }
        end = at.end;
    }
    text + &block[end..]
}

/// Where each `server …;` of an upstream stands, and its words but the first.
fn server_ranges(block: &str) -> Vec<(Range<usize>, Vec<String>)> {
    let (mut ranges, mut statement) = (Vec::new(), Vec::<Token>::new());
    for token in tokens(block) {
        if token.word != ";" {
            statement.push(token);
            continue;
        }
        let mut words = statement.drain(..);
        if let Some(first) = words.next()
            && first.word == "server"
        {
            ranges.push((first.at.start..token.at.end, words.map(|token| token.word).collect()));
        }
    }
    ranges
}

/// Where a site passes requests on to: its `proxy_pass`, `uwsgi_pass`, `grpc_pass` and the servers of its upstreams.
pub(super) fn upstreams(text: &str) -> Vec<Upstream> {
    let words = words(text);
    let groups: Vec<&str> = words.windows(2).filter(|pair| pair[0] == "upstream").map(|pair| &*pair[1]).collect();
    let directive = |pair: &[String]| match &*pair[0] {
        "proxy_pass" | "uwsgi_pass" | "grpc_pass" | "fastcgi_pass" => Some(pair[1].clone()),
        "server" if pair[1] != "{" => Some(pair[1].clone()),
        _ => None,
    };
    let found = words.windows(2).filter_map(directive).map(|address| upstream(&address));
    let mut all: Vec<Upstream> = Vec::new();
    for upstream in found.filter(|upstream| !groups.contains(&&*upstream.host)) {
        if !all.contains(&upstream) {
            all.push(upstream);
        }
    }
    all
}

fn upstream(address: &str) -> Upstream {
    let (scheme, rest) = address.split_once("://").unwrap_or(("http", address));
    if rest.starts_with("unix:") || address.starts_with("unix:") {
        return Upstream { host: rest.to_owned(), port: None };
    }
    let rest = rest.split('/').next().unwrap_or_default();
    let default = if matches!(scheme, "https" | "grpcs") { 443 } else { 80 };
    match rest.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?))) {
        Some((host, port)) => Upstream { host: host.to_owned(), port: Some(port) },
        None => Upstream { host: rest.to_owned(), port: Some(default) },
    }
}

/// The site with a page in place of everything, at the beginning of every server.
pub(super) fn with_page(text: &str, page: &str, path: &Path) -> Result<String> {
    if page.contains('$') || page.len() > 3000 {
        return Err(Error::new("a maintenance page has at most 3000 bytes and no `$`, because nginx reads it"));
    }
    let quoted = page.replace('\\', "\\\\").replace('"', "\\\"");
    let answer = format!(
        "\n    # Put here by a runbook, for the time of a maintenance.\n    default_type text/html;\n    \
         add_header Retry-After 120 always;\n    return 503 \"{quoted}\";\n"
    );
    let mut all = String::new();
    let mut servers = 0;
    for line in text.split_inclusive('\n') {
        let code = line.split('#').next().unwrap_or_default();
        let opens = code.trim_start().strip_prefix("server").is_some_and(|rest| rest.trim_start().starts_with('{'));
        match line.split_once('{') {
            Some((before, after)) if opens => {
                servers += 1;
                all.extend([before, "{", &*answer, after]);
            }
            _ => all.push_str(line),
        }
    }
    match servers {
        0 => Err(Error::new(format!("`{}` has no line `server {{`, so there is no place for a page", path.display()))),
        _ => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstreams_are_read_from_what_counts() {
        let text = "# proxy_pass http://1.2.3.4:1;\nupstream api { server 127.0.0.1:8000 weight=2; server unix:/run/a.sock; }\n\
            server { listen 80; server_name a.b; location / { proxy_pass http://api; }\n\
            location /f { proxy_pass \"http://flower:5555/x\"; } location /s { proxy_pass https://h${suffix}/; } }";
        let found: Vec<_> = upstreams(text).into_iter().map(|one| (one.host, one.port)).collect();
        let expected =
            [("127.0.0.1", Some(8000)), ("unix:/run/a.sock", None), ("flower", Some(5555)), ("h${suffix}", Some(443))];
        assert_eq!(found, expected.map(|(host, port)| (host.to_owned(), port)));
    }

    #[test]
    fn the_servers_of_an_upstream_are_changed_and_nothing_else() {
        let text = "http {\n  # upstream api { server no; }\n  upstream api {\n    least_conn;\n    server api-1:8000;  # first\n\
            \x20   server  api-2:8000 weight=2;\n    keepalive 8;\n  }\n  server { location / { proxy_pass http://api; } }\n}\n";
        let block = upstream_block(text, "api").expect("is there");
        assert_eq!(servers(block), ["api-1:8000", "api-2:8000 weight=2"]);
        let change = |servers: &[&str]| {
            let servers: Vec<String> = servers.iter().map(|&server| server.to_owned()).collect();
            with_upstream_block(text, "api", &with_servers(block, &servers)).expect("is there")
        };
        assert_eq!(change(&["api-1:8000", "api-2:8000 weight=2"]), text);
        assert_eq!(
            change(&["api-1:8000 down", "api-2:8000 weight=2"]),
            text.replace("api-1:8000;", "api-1:8000 down;")
        );
        let more = "server  api-2:8000 weight=2;";
        let added = change(&["api-1:8000", "api-2:8000", "api-3:8000"]);
        assert_eq!(added, text.replace(more, "server api-2:8000;\n    server api-3:8000;"));
        let fewer = change(&["api-1:8000"]);
        assert_eq!(fewer, text.replace(&format!("\n    {more}"), ""));
        assert_eq!(upstream_block(text, "web"), None);
        assert_eq!(servers(&with_servers(" zone a 1m; ", &["b:1".to_owned()])), ["b:1"]);
    }

    #[test]
    fn a_page_stands_in_every_server_and_nowhere_else() {
        let text = "upstream a {\n  server b:1;\n}\nserver {\n  listen 1;\n}\n# server {\n  server{ listen 2; }\n";
        let with = with_page(text, "say \"hi\"", Path::new("x")).expect("has servers");
        assert_eq!(with.matches("return 503 \"say \\\"hi\\\"\";").count(), 2, "{with}");
        assert!(with_page("upstream a { server b; }", "hi", Path::new("x")).is_err());
        assert!(with_page(text, "costs 5$", Path::new("x")).is_err());
    }
}

//! How a site is read.

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

/// The words of a configuration, with `{`, `}` and `;` as words of their own and without comments.
#[expect(clippy::match_same_arms, reason = "the order of the arms tells the cases apart")]
pub(super) fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut chars) = (Vec::new(), String::new(), None, text.chars().peekable());
    let mut end = |word: &mut String| {
        if !word.is_empty() {
            words.push(std::mem::take(word));
        }
    };
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) => {
                word.push(c);
                word.extend(chars.next());
            }
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.push(c),
            ('"' | '\'', None) if word.is_empty() => quote = Some(c),
            ('#', None) if word.is_empty() => while chars.next_if(|c| *c != '\n').is_some() {},
            // `${name}` is a variable.
            ('{', None) if word.ends_with('$') => word.push(c),
            ('}', None) if word.contains("${") => word.push(c),
            ('{' | '}' | ';', None) => {
                end(&mut word);
                end(&mut c.to_string());
            }
            (c, None) if c.is_whitespace() => end(&mut word),
            (c, None) => word.push(c),
        }
    }
    end(&mut word);
    words
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
    fn a_page_stands_in_every_server_and_nowhere_else() {
        let text = "upstream a {\n  server b:1;\n}\nserver {\n  listen 1;\n}\n# server {\n  server{ listen 2; }\n";
        let with = with_page(text, "say \"hi\"", Path::new("x")).expect("has servers");
        assert_eq!(with.matches("return 503 \"say \\\"hi\\\"\";").count(), 2, "{with}");
        assert!(with_page("upstream a { server b; }", "hi", Path::new("x")).is_err());
        assert!(with_page(text, "costs 5$", Path::new("x")).is_err());
    }
}

//! Small HTTP servers for tests, on the loopback interface.

use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::http::Response;

/// What a server was asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// Names in small letters.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// A server that answers with what this says; its URL. It is gone with the runtime of the test.
pub(crate) async fn serve(answer: impl Fn(&Heard) -> Response + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                while let Some(heard) = hear(&mut stream).await {
                    let response = answer(&heard);
                    tokio::time::sleep(response.took).await;
                    if stream.write_all(&wire(&response)).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

async fn hear(stream: &mut BufReader<TcpStream>) -> Option<Heard> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let mut heard = Heard { method: words.next()?, path: words.next()?, ..Heard::default() };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        heard.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = heard.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    heard.body = String::from_utf8_lossy(&body).into_owned();
    Some(heard)
}

fn wire(response: &Response) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {}\r\ncontent-length: {}\r\n", response.status_line(), response.body.len());
    for (name, value) in &response.headers {
        head = head + name + ": " + value + "\r\n";
    }
    [head.as_bytes(), b"\r\n", &response.body].concat()
}

//! The way to a server: from here, or through the host of the step.

use std::time::Duration;

use runbook::host::{Control, Process};
use runbook::{Command, Context, Error, Explain as _, Result};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use super::Target;

/// How long a server may take to let us in.
const PATIENCE: Duration = Duration::from_secs(15);

/// Bytes to and from a server.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open way to a server, and what has to live as long.
pub(super) struct Wire {
    pub(super) stream: Box<dyn Stream>,
    pub(super) bridge: Option<Bridge>,
}

/// A process on the host that passes bytes on.
pub(super) struct Bridge {
    pub(super) control: Box<dyn Control>,
    stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
}

impl Bridge {
    /// What it complained about.
    pub(super) async fn said(&mut self) -> String {
        let mut text = Vec::new();
        if let Some(stderr) = &mut self.stderr {
            let _ = timeout(Duration::from_secs(1), stderr.read_to_end(&mut text)).await;
        }
        String::from_utf8_lossy(&text).trim().to_owned()
    }
}

pub(super) async fn open(cx: &Context, target: &Target, os_user: Option<&str>) -> Result<Wire> {
    let way = async {
        if os_user.is_none() && cx.host().is_here() { direct(target).await } else { through(cx, target, os_user).await }
    };
    match timeout(PATIENCE, way).await {
        Ok(wire) => wire,
        Err(_) => Err(Error::transient(format!("`{target}` gave no answer within {PATIENCE:?}"))),
    }
}

async fn direct(target: &Target) -> Result<Wire> {
    let stream: std::io::Result<Box<dyn Stream>> = if target.is_socket() {
        UnixStream::connect(target.socket()).await.map(|stream| Box::new(stream) as _)
    } else {
        TcpStream::connect((target.host.as_str(), target.port)).await.map(|stream| {
            let _ = stream.set_nodelay(true);
            Box::new(stream) as _
        })
    };
    let stream = stream.map_err(|error| unreachable(target, &error.to_string()))?;
    Ok(Wire { stream, bridge: None })
}

/// Nobody listens: that may pass, when the server is starting.
pub(super) fn unreachable(target: &Target, why: &str) -> Error {
    Error::transient(format!("cannot reach `{target}`: {why}"))
        .hint("is PostgreSQL running, and does it listen there? `pg_lsclusters` tells")
}

/// Perl is part of every Debian; where it is not, Python is likely.
const PASS_ON: &str = r#"
if command -v perl >/dev/null; then exec perl -e "$1" -- "$3" "$4"; fi
if command -v python3 >/dev/null; then exec python3 -c "$2" "$3" "$4"; fi
echo "neither perl nor python3 is on this host" >&2; exit 127"#;

const PERL: &str = r#"
use IO::Socket::UNIX; use IO::Socket::IP; use IO::Select;
my ($to, $port) = @ARGV;
my $s = $port eq "" ? IO::Socket::UNIX->new(Peer => $to)
    : IO::Socket::IP->new(PeerHost => $to, PeerPort => $port, Type => SOCK_STREAM);
$s or die(($! || $@) . "\n");
sub pass { my ($from, $to) = @_; my $n = sysread($from, my $b, 65536) or return 0;
    my $at = 0; while ($at < $n) { my $w = syswrite($to, $b, $n - $at, $at) or exit 1; $at += $w } return 1 }
my $all = IO::Select->new(\*STDIN, $s);
while (1) { for my $ready ($all->can_read) {
    pass($ready, $ready == $s ? \*STDOUT : $s) or exit 0 } }
"#;

const PYTHON: &str = r"
import os, select, socket, sys
to, port = sys.argv[1:3]
try:
    if port: s = socket.create_connection((to, int(port)))
    else: s = socket.socket(socket.AF_UNIX); s.connect(to)
except OSError as error: sys.exit(str(error))
while True:
    for ready in select.select([0, s], [], [])[0]:
        if ready is s:
            data = s.recv(65536)
            if not data: sys.exit(0)
            while data: data = data[os.write(1, data):]
        else:
            data = os.read(0, 65536)
            if not data: sys.exit(0)
            s.sendall(data)
";

/// A process on the host connects, and passes on what we say.
async fn through(cx: &Context, target: &Target, os_user: Option<&str>) -> Result<Wire> {
    let (to, port) = if target.is_socket() {
        (target.socket(), String::new())
    } else {
        (target.host.clone(), target.port.to_string())
    };
    let command = Command::new("sh").args(["-c", PASS_ON, "sh", PERL, PYTHON]).arg(&to).arg(&port);
    let command = super::tools::becoming(command, os_user);
    let Process { stdin, stdout, stderr, control } =
        cx.host().start(&command).await.with_context(|| format!("reach `{target}` from {}", cx.host().name()))?;
    let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
        return Err(Error::new(format!("{} gives no streams of a process", cx.host().name())));
    };
    Ok(Wire { stream: Box::new(tokio::io::join(stdout, stdin)), bridge: Some(Bridge { control, stderr }) })
}

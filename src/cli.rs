//! The command line of a book.
//!
//! ```text
//! BOOK list [--json]                          procedures with their titles
//! BOOK outline PROC [inputs] [--format text|markdown|mermaid|json]
//! BOOK plan PROC [inputs] [--json]
//! BOOK run PROC [inputs] [--plan FILE] [--on-failure roll-back|pause|ask] [--override REASON] [--yes] [--quiet]
//!               [--journal DIR] [--events FILE] [--report FILE.md|FILE.html|FILE.json]
//! BOOK resume RUN [--retry | --roll-back]
//! BOOK runs [--json] [--verify]      BOOK show RUN [--format text|markdown|html|json]
//! BOOK approve RUN [--note TEXT] [--by NAME]
//! ```
//!
//! `RUN` is the name of a run, the beginning of one, or `last`. Journals lie in `--journal`, else `$RUNBOOK_JOURNAL`,
//! else `$XDG_STATE_HOME/runbook/BOOK`, else `~/.local/state/runbook/BOOK`.
//!
//! Exit codes, which do not change:
//!
//! | code | meaning |
//! |---|---|
//! | 0 | done |
//! | 2 | usage: an unknown procedure, a missing input |
//! | 3 | refused before any change: a lock, a window, a precondition, a plan that is no longer true |
//! | 4 | failed and rolled back |
//! | 5 | failed, and the rollback is incomplete |
//! | 6 | paused, or waiting for a person |
//! | 7 | interrupted and rolled back |

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use runbook_core::journal::Store;
use runbook_core::report::{Program, Summary};
use runbook_core::{Book, Host, Runner};

use self::arguments::{Arguments, Verb};
use self::stop::Stop;

mod arguments;
mod desk;
mod execute;
mod journals;
mod look;
mod signals;
mod stop;
mod terminal;

/// Everything went well.
const DONE: u8 = 0;

/// The command line of a book, as its `main` wants it.
///
/// ```no_run
/// # use runbook::Book;
/// #[tokio::main]
/// async fn main() -> std::process::ExitCode {
///     runbook::cli::main(Book::new("marb")).await
/// }
/// ```
pub async fn main(book: Book) -> ExitCode {
    Cli::new(book).main().await
}

/// The same with these arguments, the first being the name of the program; gives the exit code.
pub async fn run_with(book: Book, args: impl IntoIterator<Item = impl Into<OsString>>) -> u8 {
    Cli::new(book).run_with(args).await
}

/// The command line of a book whose runner needs more: a host of its own, ports for its steps, another store.
///
/// ```no_run
/// # use runbook::{Book, Local, cli::Cli};
/// # async fn start() -> std::process::ExitCode {
/// Cli::new(Book::new("marb")).with(|runner| runner.port("a client of one's own")).main().await
/// # }
/// ```
pub struct Cli {
    book: Book,
    store: Option<Arc<dyn Store>>,
    configure: Vec<Configure>,
}

type Configure = Box<dyn Fn(Runner) -> Runner + Send + Sync>;

impl Cli {
    /// The command line of this book.
    pub fn new(book: Book) -> Self {
        Self { book, store: None, configure: Vec::new() }
    }

    /// Acting on this host unless a procedure says otherwise.
    pub fn host(self, host: impl Host + Clone + 'static) -> Self {
        self.with(move |runner| runner.host(host.clone()))
    }

    /// Keeping journals here, unless `--journal` or `$RUNBOOK_JOURNAL` says otherwise.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// With a runner changed like this, before it does anything.
    pub fn with(mut self, configure: impl Fn(Runner) -> Runner + Send + Sync + 'static) -> Self {
        self.configure.push(Box::new(configure));
        self
    }

    /// Does what the arguments of the program say.
    pub async fn main(self) -> ExitCode {
        self.run_with(std::env::args_os()).await.into()
    }

    /// Does what these arguments say, the first being the name of the program; gives the exit code.
    pub async fn run_with(self, args: impl IntoIterator<Item = impl Into<OsString>>) -> u8 {
        let args: Vec<OsString> = args.into_iter().map(Into::into).collect();
        // Scripts and shell completions ask for the list often. It needs no command line parser.
        if let Some(json) = is_plain_list(&args) {
            return look::list(&self.book, json);
        }
        match self.obey(&args).await {
            Ok(code) => code,
            Err(stop) => stop.tell(),
        }
    }

    async fn obey(self, args: &[OsString]) -> Result<u8, Stop> {
        let Arguments { verb, journal, journal_typed } = arguments::parse(&self.book, args)?;
        let call = Call {
            program: Program {
                name: args.first().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
                options: journal
                    .as_ref()
                    .filter(|_| journal_typed)
                    .map(|place| format!(" --journal {}", quoted(place)))
                    .unwrap_or_default(),
            },
            journal,
            cli: self,
        };
        match verb {
            Verb::List { json } => Ok(look::list(&call.cli.book, json)),
            Verb::Outline { procedure, inputs, format } => look::outline(&call, &procedure, inputs, format).await,
            Verb::Plan { procedure, inputs, json } => look::plan(&call, &procedure, inputs, json).await,
            Verb::Runs { json, verify: false } => look::runs(&call, json).await,
            Verb::Runs { json, verify: true } => look::verify(&call, json).await,
            Verb::Show { run, format } => look::show(&call, &run, format).await,
            Verb::Run { procedure, inputs, plan, how } => execute::run(&call, &procedure, inputs, plan, how).await,
            Verb::Resume { run, back, how } => execute::resume(&call, &run, back, how).await,
            Verb::Approve { run, by, note, how } => execute::approve(&call, &run, by, &note, how).await,
        }
    }
}

impl std::fmt::Debug for Cli {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cli").field("book", &self.book.name()).finish_non_exhaustive()
    }
}

/// One call of the program.
struct Call {
    cli: Cli,
    program: Program,
    /// Where journals were said to lie.
    journal: Option<String>,
}

impl Call {
    fn runner(&self) -> Runner {
        let runner = Runner::new(self.cli.book.clone());
        self.cli.configure.iter().fold(runner, |runner, configure| configure(runner))
    }

    /// The run with the source of its procedure beside it, so that its log can say what was left out.
    fn with_outline(&self, mut summary: Summary) -> Summary {
        let procedure = summary.began.as_ref().map(|began| &*began.procedure);
        summary.outline = procedure.and_then(|name| Some(self.cli.book.find(name).ok()?.outline));
        summary
    }
}

/// `BOOK list` or `BOOK list --json`, and whether it is the latter.
fn is_plain_list(args: &[OsString]) -> Option<bool> {
    match args.get(1..)? {
        [list] if list == "list" => Some(false),
        [list, json] if list == "list" && json == "--json" => Some(true),
        _ => None,
    }
}

/// The word as it can be typed into a shell.
fn quoted(word: &str) -> String {
    runbook_core::Command::new(word).to_string()
}

/// Writes to the standard output. Whoever closed it does not want to hear more.
fn say(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes a value to the standard output as one JSON document.
fn say_json<T: serde::Serialize + ?Sized>(value: &T) -> Result<(), Stop> {
    say(&(serde_json::to_string_pretty(value).map_err(runbook_core::Error::from)? + "\n"));
    Ok(())
}

//! The macros of `runbook`: `#[procedure]`, `#[part]`, `#[step]`, `#[check]` and `cmd!`.
//!
//! Each is read in the order parse, model, expand. Parsing checks everything and gathers every complaint, so expanding
//! cannot fail; after a complaint the shape of the item is still emitted, so that its users are not blamed as well.

use proc_macro::TokenStream;

mod action;
mod check;
mod cmd;
mod docs;
mod options;
mod part;
mod problems;
mod procedure;
mod signature;
mod source;
mod step;

/// Makes an async function a procedure: named, documented, with typed input and output and a static outline.
///
/// The function takes the run and, when it wants one, an input; it stays an ordinary async function that other
/// procedures call. Beside it stands a type of the same name that implements `Procedure`, for `procedures![…]`.
///
/// Doc comments are for the people who read the runbook: those on the function, and those on its statements.
///
/// ```
/// use runbook::prelude::*;
/// # use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Debug, Serialize, Deserialize, clap::Args)]
/// struct Site {
///     root: String,
///     revision: String,
/// }
///
/// /// Standard update.
/// ///
/// /// Puts everything back by itself when the health check fails.
/// #[procedure(target = site.root)]
/// async fn update(run: &Run, site: &Site) -> Result<String> {
///     /// Takes about a minute.
///     let code = run.step("Pull the code", checkout(&site.root, &site.revision)).await?;
///     run.check("Health", is_up(8080).within(60.seconds())).await?;
///     Ok(code)
/// }
///
/// let book = Book::new("site").procedures(procedures![update]);
/// # #[step(rollback = put_back)]
/// # async fn checkout(_cx: &Context, _root: &str, revision: &str) -> Result<String> { Ok(revision.to_owned()) }
/// # async fn put_back(_cx: &Context, _root: &str, _revision: &str) -> Result<()> { Ok(()) }
/// # #[check]
/// # async fn is_up(_cx: &Context, _port: u16) -> Result<Finding> { Ok(Finding::pass("asked")) }
/// # assert_eq!(book.list()[0].outline.items.len(), 2);
/// ```
///
/// | option | meaning |
/// |---|---|
/// | `target = EXPR` | what it runs against, from its input: one run at a time for each book and target |
#[proc_macro_attribute]
pub fn procedure(options: TokenStream, item: TokenStream) -> TokenStream {
    procedure::expand(options.into(), &item.into()).into()
}

/// Makes an async function a part of procedures, which their outlines show in place of its name.
///
/// The function takes the run first, then whatever it wants, and stays what it is. Beside it stands a type of the same
/// name that implements `Part`, for `parts![…]`. Its doc comments, and those on its statements, are read like those of a
/// procedure.
///
/// ```
/// use runbook::prelude::*;
/// # #[step(rollback = put_back)]
/// # async fn restart_unit(_cx: &Context, unit: &str) -> Result<String> { Ok(unit.to_owned()) }
/// # async fn put_back(_cx: &Context, _unit: &str) -> Result<()> { Ok(()) }
///
/// /// The API first: the worker asks it.
/// #[part]
/// async fn restart(run: &Run, names: &[&str]) -> Result<()> {
///     for name in names {
///         run.step(format!("Restart {name}"), restart_unit(name)).await?;
///     }
///     Ok(())
/// }
///
/// #[procedure]
/// async fn update(run: &Run) -> Result<()> {
///     restart(run, &["api", "worker"]).await
/// }
///
/// let book = Book::new("site").procedures(procedures![update]).parts(parts![restart]);
/// # assert_eq!(book.part("restart").expect("a part").items.len(), 1);
/// ```
#[proc_macro_attribute]
pub fn part(options: TokenStream, item: TokenStream) -> TokenStream {
    part::expand(options.into(), &item.into()).into()
}

/// Makes an async function a step: a value that `run.step` takes.
///
/// The function gets the context and the arguments; at the call site the context is left out. The step keeps its
/// arguments, `&T` as its owned form, so they must be `Clone`.
///
/// ```
/// # use runbook::prelude::*;
/// /// Start the service.
/// #[step(rollback = stop_service)]
/// async fn start_service(cx: &Context, unit: &str, port: u16) -> Result<String> {
///     let started = cx.run(&cmd!("start-service {unit} --port {port}")).await?;
///     Ok(started.text()?.to_owned())
/// }
///
/// async fn stop_service(cx: &Context, unit: &str, _port: u16) -> Result<()> {
///     cx.run(&cmd!("stop-service {unit}")).await?;
///     Ok(())
/// }
///
/// #[procedure]
/// async fn deploy(run: &Run) -> Result<()> {
///     run.step("Start", start_service("web", 8080)).await?;
///     Ok(())
/// }
/// ```
///
/// With `survey`, the step looks before it changes anything, and remembers what it saw:
///
/// ```
/// # use runbook::prelude::*;
/// #[step(survey = version_now, rollback = put_back)]
/// async fn install(cx: &Context, version: &str, _before: &String) -> Result<String> {
///     cx.run(&cmd!("install {version}")).await?;
///     Ok(version.to_owned())
/// }
///
/// async fn version_now(cx: &Context, version: &str) -> Result<Survey<String, String>> {
///     let now = cx.run(&cmd!("installed")).await?.text()?.to_owned();
///     if now == version {
///         return Ok(Survey::Already(now));
///     }
///     let diff = Diff::turn("version", &now, version);
///     Ok(Survey::predict(now, diff, version.to_owned()))
/// }
///
/// async fn put_back(cx: &Context, _version: &str, before: &String) -> Result<()> {
///     cx.run(&cmd!("install {before}")).await?;
///     Ok(())
/// }
/// # let _ = install("2");
/// ```
///
/// Without it, the step acts at every run.
///
/// | option | meaning |
/// |---|---|
/// | `rollback = path` | the function that undoes it; without one only `run.irreversible` takes the step |
/// | `survey = path` | the function that looks, and answers with a `Survey<Before, Output>` |
/// | `settle = path` | called after a rollback of the steps before it, in the original order |
/// | `kind = "service.start"` | its kind, which stays the same between versions; else the name of the function |
/// | `subject = EXPR` | what it acts on; else its arguments that can be displayed |
/// | `summary = EXPR` | one line for people; else the first line of its doc comment |
/// | `command = EXPR`, `undo_command = EXPR` | what a person would type instead |
/// | `predict = EXPR` | the output a plan goes on with while the world cannot be looked at yet |
/// | `reads = [EXPR, …]`, `writes = [EXPR, …]` | the resources it looks at and changes |
///
/// The expressions see the arguments. A string literal is a format string: `summary = "start {unit} on {port}"`.
#[proc_macro_attribute]
pub fn step(options: TokenStream, item: TokenStream) -> TokenStream {
    step::expand(options.into(), &item.into()).into()
}

/// Makes an async function a check: a value that `run.check` takes.
///
/// ```
/// # use runbook::prelude::*;
/// #[check]
/// async fn site_is_up(cx: &Context, port: u16) -> Result<Finding> {
///     let answer = cx.output(&cmd!("curl --silent http://localhost:{port}/")).await?;
///     Ok(Finding::of(answer.success(), answer.lossy()))
/// }
///
/// #[procedure]
/// async fn look(run: &Run) -> Result<()> {
///     run.check("Site is up", site_is_up(8080).within(10.seconds())).await
/// }
/// ```
///
/// It takes the options `kind`, `subject`, `summary`, `command` and `reads` of `#[step]`.
#[proc_macro_attribute]
pub fn check(options: TokenStream, item: TokenStream) -> TokenStream {
    check::expand(options.into(), &item.into()).into()
}

/// Builds a `Command` from one line, without a shell.
///
/// ```
/// # use runbook::prelude::*;
/// let (root, revision, paths) = ("/srv/the site", "v1", ["src", "docs"]);
/// let log = cmd!("git -C {root} log --format='%an: %s' {revision}..HEAD -- {paths...}");
/// assert_eq!(log.to_string(), "git -C '/srv/the site' log '--format=%an: %s' v1..HEAD -- src docs");
/// ```
///
/// - The line is split at white space. `'…'` keeps what is inside as it is; `"…"` keeps it together.
/// - `{value}` is exactly one argument, or part of one, whatever is in it: text, a path, a number. It holds any expression.
/// - `{list...}` is as many arguments as the list has.
/// - `{{` and `}}` are braces.
/// - There are no pipes, redirections, variables or wildcards; written without quotes they are refused.
///
/// A `Secret` is never an argument: give it with `.secret_env("NAME", &secret)` or `.secret_input(&secret)`.
#[proc_macro]
pub fn cmd(line: TokenStream) -> TokenStream {
    cmd::expand(line.into()).into()
}

//! The macros of `runbook`: `#[procedure]`, `#[step]`, `#[check]` and `cmd!`.
//!
//! Each is read in the order parse, model, expand. Parsing checks everything and gathers every complaint, so expanding
//! cannot fail; after a complaint the shape of the item is still emitted, so that its users are not blamed as well.

use proc_macro::TokenStream;

mod action;
mod check;
mod cmd;
mod docs;
mod options;
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
/// ```ignore
/// /// Standard update.
/// ///
/// /// Puts everything back by itself when the health check fails.
/// #[procedure(target = site.root.display())]
/// async fn update(run: &Run, site: &Site) -> Result<Release> {
///     /// Takes about a minute.
///     let code = run.step("Pull the code", git::checkout(&site.root, &site.revision)).await?;
///     run.check("Health", http::get(&site.health).within(60.seconds())).await?;
///     Ok(code.release())
/// }
/// ```
///
/// | option | meaning |
/// |---|---|
/// | `target = EXPR` | what it runs against, from its input: one run at a time for each book and target |
#[proc_macro_attribute]
pub fn procedure(options: TokenStream, item: TokenStream) -> TokenStream {
    procedure::expand(options.into(), &item.into()).into()
}

/// Makes an async function a step: a value that `run.step` takes.
///
/// The function gets the context and the arguments; at the call site the context is left out. The step keeps its
/// arguments, `&T` as its owned form, so they must be `Clone`.
///
/// ```ignore
/// /// Start the service.
/// #[step(rollback = stop_service)]
/// async fn start_service(cx: &Context, unit: &str, port: u16) -> Result<Pid> { /* … */ }
///
/// async fn stop_service(cx: &Context, unit: &str, port: u16) -> Result<()> { /* … */ }
///
/// run.step("Start", start_service("web", 8080)).await?;
/// ```
///
/// With `survey`, the step looks before it changes anything, and remembers what it saw:
///
/// ```ignore
/// #[step(survey = version_now, rollback = put_back)]
/// async fn install(cx: &Context, version: &str, before: &Version) -> Result<Version> { /* … */ }
///
/// async fn version_now(cx: &Context, version: &str) -> Result<Survey<Version, Version>> { /* … */ }
/// async fn put_back(cx: &Context, version: &str, before: &Version) -> Result<()> { /* … */ }
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
/// ```ignore
/// #[check]
/// async fn site_is_up(cx: &Context, port: u16) -> Result<Finding> { /* … */ }
///
/// run.check("Site is up", site_is_up(8080).within(10.seconds())).await?;
/// ```
///
/// It takes the options `kind`, `subject`, `summary`, `command` and `reads` of `#[step]`.
#[proc_macro_attribute]
pub fn check(options: TokenStream, item: TokenStream) -> TokenStream {
    check::expand(options.into(), &item.into()).into()
}

/// Builds a `Command` from one line, without a shell.
///
/// ```ignore
/// let log = cmd!("git -C {root} log --format='%an: %s' {revision}..HEAD -- {paths...}");
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

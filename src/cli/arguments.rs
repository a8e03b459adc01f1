//! What the arguments of a call say.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, ValueEnum, value_parser};
use runbook_core::{Book, Definition, Error, OnFailure, Stored};

use super::stop::Stop;

/// What a call is to do, and where its journals are said to lie.
pub(super) struct Arguments {
    pub(super) verb: Verb,
    pub(super) journal: Option<String>,
    /// Whether that was typed, rather than found in the environment.
    pub(super) journal_typed: bool,
}

/// What a call is to do.
pub(super) enum Verb {
    List {
        json: bool,
    },
    /// The inputs are those to explain it with, the first ones first.
    Outline {
        procedure: String,
        inputs: Vec<Stored>,
        format: OutlineFormat,
    },
    Plan {
        procedure: String,
        inputs: Stored,
        json: bool,
    },
    Run {
        procedure: String,
        inputs: Option<Stored>,
        plan: Option<PathBuf>,
        how: How,
    },
    Resume {
        run: String,
        back: bool,
        how: How,
    },
    Runs {
        json: bool,
        verify: bool,
    },
    Show {
        run: String,
        format: ShowFormat,
    },
    Approve {
        run: String,
        by: Option<String>,
        note: String,
        how: How,
    },
}

/// How a run is executed.
pub(super) struct How {
    pub(super) on_failure: Option<OnFailure>,
    pub(super) yes: bool,
    pub(super) quiet: bool,
    pub(super) reason: Option<String>,
    pub(super) events: Option<PathBuf>,
    pub(super) report: Option<PathBuf>,
}

/// How an outline is written.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum OutlineFormat {
    Text,
    Markdown,
    Mermaid,
    Json,
}

/// How a run is shown.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ShowFormat {
    Text,
    Markdown,
    Html,
    Json,
}

/// Reads the arguments, the first being the name of the program.
pub(super) fn parse(book: &Book, args: &[OsString]) -> Result<Arguments, Stop> {
    free_names(book, args)?;
    let matches = tree(book, args).try_get_matches_from(args).map_err(|error| explained(book, error))?;
    let Some((verb, given)) = matches.subcommand() else { return Err(missing(book, args)) };
    let verb = match verb {
        "list" => Verb::List { json: given.get_flag("json") },
        "outline" => {
            let (definition, given) = called(book, given)?;
            Verb::Outline {
                procedure: definition.name().to_owned(),
                inputs: made_up::inputs(&definition, given),
                format: given.get_one(&own("format")).copied().unwrap_or(OutlineFormat::Text),
            }
        }
        "plan" => {
            let (definition, given) = called(book, given)?;
            Verb::Plan {
                procedure: definition.name().to_owned(),
                inputs: definition.parse(given).map_err(|error| error.format(&mut tree(book, args)))?,
                json: given.get_flag(&own("json")),
            }
        }
        "run" => run(book, args, given)?,
        "resume" => Verb::Resume { run: text(given, RUN), back: given.get_flag("roll-back"), how: how(given) },
        "runs" => Verb::Runs { json: given.get_flag("json"), verify: given.get_flag("verify") },
        "show" => Verb::Show { run: text(given, RUN), format: format(given, ShowFormat::Text) },
        _ => Verb::Approve {
            run: text(given, RUN),
            by: given.get_one::<String>("by").cloned(),
            note: given.get_one::<String>("note").cloned().unwrap_or_default(),
            how: how(given),
        },
    };
    let innermost = matches.subcommand().map_or(&matches, |(_, given)| given);
    let innermost = innermost.subcommand().map_or(innermost, |(_, given)| given);
    let journal = innermost.try_get_one::<String>(&own("journal")).ok().flatten().cloned();
    let journal_typed = journal.is_some() && innermost.value_source(&own("journal")) == Some(ValueSource::CommandLine);
    Ok(Arguments { verb, journal, journal_typed })
}

fn run(book: &Book, args: &[OsString], given: &ArgMatches) -> Result<Verb, Stop> {
    let (definition, given) = called(book, given)?;
    let plan = given.get_one::<PathBuf>(&own("plan")).cloned();
    let said = |id: &clap::Id| given.value_source(id.as_str()) == Some(ValueSource::CommandLine);
    let any_input =
        given.ids().any(|id| !id.as_str().starts_with(OWN) && given.try_get_raw(id.as_str()).is_ok() && said(id));
    // The inputs of a plan are in the plan.
    let inputs = match &plan {
        Some(_) if !any_input => None,
        _ => Some(definition.parse(given).map_err(|error| error.format(&mut tree(book, args)))?),
    };
    Ok(Verb::Run { procedure: definition.name().to_owned(), inputs, plan, how: how(given) })
}

mod made_up;

const PROC: &str = "PROC";
const RUN: &str = "RUN";

/// Before the names of our own options where they stand beside the inputs of a procedure, which may have any name.
const OWN: &str = "runbook:";

fn own(name: &str) -> String {
    format!("{OWN}{name}")
}

/// The procedure that a subcommand names, and its arguments.
fn called<'a>(book: &Book, given: &'a ArgMatches) -> Result<(Definition, &'a ArgMatches), Stop> {
    let (name, given) = given.subcommand().ok_or_else(|| unnamed(book))?;
    Ok((book.find(name).map_err(Stop::Usage)?.clone(), given))
}

fn text(given: &ArgMatches, name: &str) -> String {
    given.get_one::<String>(name).cloned().unwrap_or_default()
}

fn format<T: Clone + Send + Sync + 'static>(given: &ArgMatches, default: T) -> T {
    given.get_one::<T>("format").cloned().unwrap_or(default)
}

fn how(given: &ArgMatches) -> How {
    How {
        on_failure: given.get_one::<OnFailure>(&own("on-failure")).copied(),
        yes: given.get_flag(&own("yes")),
        quiet: given.get_flag(&own("quiet")),
        reason: given.get_one::<String>(&own("override")).cloned(),
        events: given.get_one::<PathBuf>(&own("events")).cloned(),
        report: given.get_one::<PathBuf>(&own("report")).cloned(),
    }
}

/// The whole command line.
fn tree(book: &Book, args: &[OsString]) -> Command {
    let name = book.name().to_owned();
    let mut root = Command::new(name)
        .disable_help_subcommand(true)
        .arg_required_else_help(true)
        .subcommand_required(true)
        .after_help(
            "Exit codes: 0 done, 2 usage, 3 refused before any change, 4 failed and rolled back,\n\
                     5 rollback incomplete, 6 paused or waiting, 7 interrupted and rolled back",
        );
    if !book.purpose().is_empty() {
        root = root.about(book.purpose().to_owned());
    }
    let json = || flag("json", "As one JSON document");
    let run = || Arg::new(RUN).required(true).help("The name of the run, the beginning of it, or `last`");
    root.subcommand(Command::new("list").about("Lists the procedures").arg(json()))
        .subcommand(procedures(
            book,
            args,
            Command::new("outline").about("Shows what a procedure does, without looking at anything").arg(
                option(&own("format"), "FORMAT", "How it is written")
                    .value_parser(value_parser!(OutlineFormat))
                    .global(true),
            ),
        ))
        .subcommand(procedures(
            book,
            args,
            Command::new("plan")
                .about("Looks what a procedure would change, and changes nothing")
                .arg(flag(&own("json"), "As one JSON document, which `run --plan` takes").long("json").global(true)),
        ))
        .subcommand(procedures(
            book,
            args,
            with_journal_anywhere(with_how(Command::new("run").about("Runs a procedure"))).arg(plan_option()),
        ))
        .subcommand(
            with_how(Command::new("resume").about("Takes a run up again"))
                .arg(run())
                .arg(flag("retry", "Try again what failed, and go on; this is what happens without any option"))
                .arg(flag("roll-back", "Put everything back").conflicts_with("retry")),
        )
        .subcommand(
            with_journal(Command::new("runs").about("Lists the runs"))
                .arg(json())
                .arg(flag("verify", "Replay them against the procedures of today, changing nothing")),
        )
        .subcommand(
            with_journal(Command::new("show").about("Shows what happened in a run"))
                .arg(run())
                .arg(option("format", "FORMAT", "How it is written").value_parser(value_parser!(ShowFormat))),
        )
        .subcommand(
            with_how(Command::new("approve").about("Answers what a run waits for with yes, and goes on with it"))
                .arg(run())
                .arg(option("by", "NAME", "Who says yes, when it is not you"))
                .arg(option("note", "TEXT", "What there is to say about it")),
        )
}

/// A subcommand with one subcommand for each procedure. Only those that are named on the command line get their
/// inputs: the others are there to be found.
fn procedures(book: &Book, args: &[OsString], command: Command) -> Command {
    let planned = args.iter().any(|arg| arg.to_str().is_some_and(|arg| arg == "--plan" || arg.starts_with("--plan=")));
    let outlined = command.get_name() == "outline";
    let command = command
        .subcommand_required(true)
        .disable_help_subcommand(true)
        .subcommand_value_name(PROC)
        .subcommand_help_heading("Procedures");
    let named = |definition: &Definition| args.iter().any(|arg| is_name(arg, definition.name()));
    book.list().iter().fold(command, |command, definition| {
        let mut procedure = Command::new(definition.name()).about(definition.outline.title);
        if definition.name().contains('_') {
            procedure = procedure.alias(definition.name().replace('_', "-"));
        }
        if named(definition) && (!outlined || made_up::takes_inputs(definition)) {
            procedure = definition.arguments(procedure).long_about(long_about(definition));
        }
        if outlined {
            procedure = made_up::required(procedure);
        }
        if planned {
            procedure = optional(procedure);
        }
        command.subcommand(procedure)
    })
}

/// The same with nothing required.
fn optional(procedure: Command) -> Command {
    let groups: Vec<_> = procedure.get_groups().map(|group| group.get_id().clone()).collect();
    let procedure = procedure.mut_args(|arg| arg.required(false));
    groups.into_iter().fold(procedure, |procedure, id| procedure.mut_group(id, |group| group.required(false)))
}

fn is_name(arg: &OsString, name: &str) -> bool {
    arg == name || arg.to_str().is_some_and(|arg| arg.replace('-', "_") == name)
}

fn long_about(definition: &Definition) -> String {
    let (title, doc) = (definition.outline.title, definition.outline.doc.trim());
    if doc.is_empty() { title.to_owned() } else { format!("{title}\n\n{doc}") }
}

fn flag(id: &str, help: &'static str) -> Arg {
    let name = id.strip_prefix(OWN).unwrap_or(id).to_owned();
    Arg::new(id.to_owned()).long(name).action(ArgAction::SetTrue).help(help)
}

fn option(id: &str, value: &'static str, help: &'static str) -> Arg {
    let name = id.strip_prefix(OWN).unwrap_or(id).to_owned();
    Arg::new(id.to_owned()).long(name).value_name(value).help(help)
}

fn plan_option() -> Arg {
    option(&own("plan"), "FILE", "Only if the world is still as this plan saw it; its inputs need not be repeated")
        .value_parser(value_parser!(PathBuf))
        .global(true)
}

fn journal_option() -> Arg {
    option(&own("journal"), "DIR", "Where journals lie [default: the state directory of the user]")
        .env("RUNBOOK_JOURNAL")
        .hide_env_values(true)
}

fn with_journal(command: Command) -> Command {
    command.arg(journal_option())
}

fn with_journal_anywhere(command: Command) -> Command {
    command.arg(journal_option().global(true))
}

/// The options of a run. They may stand before and after the procedure.
fn with_how(command: Command) -> Command {
    let paths = || value_parser!(PathBuf);
    let options = [
        option(&own("on-failure"), "WHAT", "What happens when something fails [default: roll-back]")
            .value_parser(value_parser!(OnFailure)),
        flag(&own("yes"), "Say yes to confirmations and checklists; approvals still need a person"),
        option(&own("override"), "REASON", "Go on outside of a window, for this reason, which is logged"),
        option(&own("events"), "FILE", "Append every event as a line of JSON; `-` is the standard output")
            .value_parser(paths()),
        option(&own("report"), "FILE", "Write a deployment log (.md, .json) or a page (.html) at the end")
            .value_parser(paths()),
        flag(&own("quiet"), "Say only how it ended"),
    ];
    let nested = command.get_name() == "run";
    let command = if nested { command } else { with_journal(command) };
    options.into_iter().fold(command, |command, option| command.arg(option.global(nested)))
}

/// Refuses a procedure whose inputs have the names of our own options.
fn free_names(book: &Book, args: &[OsString]) -> Result<(), Stop> {
    let own: Vec<String> = with_journal_anywhere(with_how(Command::new("run")))
        .arg(plan_option())
        .get_arguments()
        .filter_map(|arg| arg.get_long().map(str::to_owned))
        .chain(["json".to_owned(), "help".to_owned()])
        .collect();
    for definition in book.list().iter().filter(|known| args.iter().any(|arg| is_name(arg, known.name()))) {
        let inputs = definition.arguments(Command::new(definition.name()));
        let taken = inputs.get_arguments().filter_map(Arg::get_long).find(|long| own.iter().any(|own| own == long));
        if let Some(taken) = taken {
            let text = format!(
                "the input `--{taken}` of procedure `{}` has the name of an option of `run`",
                definition.name()
            );
            return Err(Stop::Usage(Error::new(text).hint("give it another one: #[arg(long = \"…\")]")));
        }
    }
    Ok(())
}

/// An unknown or missing procedure, said in our words; everything else as clap says it.
fn explained(book: &Book, error: clap::Error) -> Stop {
    let wants_procedure = error.get(ContextKind::Usage).is_some_and(|usage| usage.to_string().contains(PROC));
    match (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::MissingSubcommand, _) if wants_procedure => unnamed(book),
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(name))) if wants_procedure => {
            let similar = match error.get(ContextKind::SuggestedSubcommand) {
                Some(ContextValue::Strings(names)) => names.first().cloned(),
                Some(ContextValue::String(name)) => Some(name.clone()),
                _ => None,
            };
            unknown_procedure(book, name, similar.as_deref())
        }
        _ => Stop::Clap(error),
    }
}

fn unnamed(book: &Book) -> Stop {
    Stop::Usage(Error::new("no procedure was named").hint(format!("book `{}` has {}", book.name(), known(book))))
}

fn known(book: &Book) -> String {
    let known: Vec<_> = book.list().iter().map(|known| format!("`{}`", known.name())).collect();
    known.join(", ")
}

fn unknown_procedure(book: &Book, name: &str, similar: Option<&str>) -> Stop {
    // It may be the other spelling of a name.
    let similar = similar.and_then(|similar| book.list().iter().find(|known| is_name(&similar.into(), known.name())));
    let hint = match similar.map(Definition::name) {
        Some(similar) => format!("did you mean `{similar}`? `list` shows all there are"),
        None => format!("it has {}", known(book)),
    };
    Stop::Usage(Error::new(format!("book `{}` has no procedure `{name}`", book.name())).hint(hint))
}

fn missing(book: &Book, args: &[OsString]) -> Stop {
    Stop::Clap(tree(book, args).error(ErrorKind::MissingSubcommand, "nothing was asked for"))
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;

    use runbook_core::{NoInput, Outline, Procedure, Result, Run};
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Clone, Debug, Serialize, Deserialize, clap::Args)]
    struct Site {
        /// What to deploy.
        revision: String,
        #[arg(long, default_value_t = 8080)]
        port: u16,
    }

    #[derive(Clone, Debug, Serialize, Deserialize, clap::Args)]
    struct Clash {
        #[arg(long)]
        report: bool,
    }

    macro_rules! procedure {
        ($name:ident, $input:ty) => {
            #[allow(non_camel_case_types)]
            struct $name;

            impl Procedure for $name {
                type Input = $input;
                type Output = ();
                const OUTLINE: &'static Outline =
                    &Outline { name: stringify!($name), title: "Title", doc: "", items: &[], fingerprint: 0 };

                fn call<'a>(_: &'a Run, _: &'a $input) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>> {
                    Box::pin(async { Ok(()) })
                }
            }
        };
    }

    #[derive(Clone, Debug, Serialize, Deserialize, clap::Args)]
    struct Picky {
        number: u16,
        #[arg(long, required = true)]
        place: runbook_core::host::Place,
        #[arg(long, value_parser = ["markdown", "text"])]
        kind: String,
        #[arg(long)]
        all: bool,
        #[arg(long)]
        also: Option<String>,
    }

    #[derive(Clone, Debug, Serialize, Deserialize, clap::Args)]
    struct Unlikely {
        #[arg(value_parser = |text: &str| (text == "abracadabra").then(|| text.to_owned()).ok_or("no"))]
        word: String,
    }

    #[derive(Clone, Debug, Serialize, Deserialize, clap::Args)]
    struct Formatted {
        #[arg(long)]
        format: bool,
    }

    procedure!(picky, Picky);
    procedure!(unlikely, Unlikely);
    procedure!(formatted, Formatted);
    procedure!(standard_update, Site);
    procedure!(check_health, NoInput);
    procedure!(clash, Clash);

    fn parse_line(line: &str) -> Result<Arguments, Stop> {
        let book = Book::new("marb").procedures(runbook_core::procedures![
            standard_update,
            check_health,
            clash,
            picky,
            unlikely,
            formatted
        ]);
        let args: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
        parse(&book, &args)
    }

    fn inputs(line: &str) -> String {
        match parse_line(line).map(|arguments| arguments.verb) {
            Ok(Verb::Run { inputs: Some(inputs), .. } | Verb::Plan { inputs, .. }) => inputs.json().to_owned(),
            Ok(Verb::Outline { inputs, .. }) => inputs.iter().map(Stored::json).collect::<Vec<_>>().join(" "),
            Ok(_) => "no inputs".to_owned(),
            Err(stop) => words(stop),
        }
    }

    fn words(stop: Stop) -> String {
        match stop {
            Stop::Clap(error) => error.to_string(),
            Stop::Usage(error) | Stop::Refused(error) => format!("{error:?}"),
        }
    }

    fn refusal(line: &str) -> String {
        parse_line(line).map_or_else(words, |_| panic!("`{line}` was understood"))
    }

    #[test]
    fn inputs_are_the_arguments_of_the_procedure() {
        assert_eq!(inputs("marb run standard_update v2 --port 80"), r#"{"revision":"v2","port":80}"#);
        assert_eq!(inputs("marb run standard-update v2"), r#"{"revision":"v2","port":8080}"#);
        assert_eq!(inputs("marb plan standard_update v2 --json"), r#"{"revision":"v2","port":8080}"#);
        assert_eq!(inputs("marb run check_health"), "{}");
    }

    #[test]
    fn options_of_a_run_may_stand_before_and_after_the_procedure() {
        for line in [
            "marb run --on-failure pause --yes --journal /j standard_update v2",
            "marb run standard_update v2 --on-failure pause --yes --journal /j",
            "marb run standard_update --journal=/j --yes v2 --on-failure=pause",
        ] {
            let arguments = parse_line(line).unwrap_or_else(|stop| panic!("{line}: {}", words(stop)));
            assert_eq!((arguments.journal.as_deref(), arguments.journal_typed), (Some("/j"), true), "{line}");
            let Verb::Run { how, .. } = arguments.verb else { panic!("{line} is no run") };
            assert!(how.yes && how.on_failure == Some(OnFailure::Pause), "{line}");
        }
    }

    #[test]
    fn a_plan_brings_its_inputs() {
        assert_eq!(inputs("marb run standard_update --plan p.json"), "no inputs");
        assert_eq!(inputs("marb run standard_update v2 --plan p.json"), r#"{"revision":"v2","port":8080}"#);
        assert!(inputs("marb run standard_update --port 1 --plan p.json").contains("revision"));
    }

    #[test]
    fn an_outline_needs_no_inputs() {
        assert_eq!(
            inputs("marb outline standard-update --format json"),
            r#"{"revision":"<REVISION>","port":8080} {"revision":"<REVISION>","port":8080}"#
        );
        assert_eq!(inputs("marb outline standard_update v2 --port 80"), r#"{"revision":"v2","port":80}"#);
        assert_eq!(
            inputs("marb outline picky"),
            r#"{"number":1,"place":"local","kind":"markdown","all":false,"also":null} {"number":1,"place":"local","kind":"markdown","all":true,"also":"<ALSO>"}"#
        );
        assert_eq!(inputs("marb outline unlikely"), "");
        assert_eq!(inputs("marb outline formatted"), "");
        assert!(refusal("marb outline standard_update v2 --port x").contains("invalid value 'x'"));
    }

    #[test]
    fn mistakes_are_explained() {
        for (line, expected) in [
            (
                "marb run standard_updat v2",
                "book `marb` has no procedure `standard_updat`\n  hint: did you mean `standard_update`?",
            ),
            ("marb plan nonsense", "it has `standard_update`, `check_health`, `clash`, "),
            (
                "marb run",
                "no procedure was named\n  hint: book `marb` has `standard_update`, `check_health`, `clash`, ",
            ),
            ("marb outline standard_updat", "did you mean `standard_update`?"),
            ("marb run standard_update", "required arguments were not provided:\n  <REVISION>"),
            ("marb run standard_update v2 --port x", "invalid value 'x' for '--port <PORT>'"),
            ("marb run standard_update v2 --on-failure panic", "[possible values: roll-back, pause, ask]"),
            ("marb outlin", "a similar subcommand exists: 'outline'"),
            ("marb resume r1 --retry --roll-back", "cannot be used with"),
            ("marb run clash", "the input `--report` of procedure `clash` has the name of an option of `run`"),
        ] {
            let said = refusal(line);
            assert!(said.contains(expected), "`{line}` says {said}");
        }
    }

    #[test]
    fn the_tree_is_sound() {
        let book = Book::new("marb").about("Runs marb").procedures(runbook_core::procedures![standard_update]);
        tree(&book, &["marb".into(), "standard_update".into()]).debug_assert();
    }
}

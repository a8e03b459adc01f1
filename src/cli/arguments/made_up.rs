//! Made-up inputs: a procedure is explained with whatever its arguments take.

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command, Id};
use runbook_core::{Definition, Stored};

use super::{OWN, optional};

/// What an argument may take, when it takes no text of one's own.
const VALUES: [&str; 8] =
    ["1", "1.0.0", "local", "/", "http://localhost/", "127.0.0.1", "2026-01-01T00:00:00Z", "daily 00:00-23:59"];

/// Whether the inputs of this procedure may stand beside our own options.
pub(super) fn takes_inputs(definition: &Definition) -> bool {
    let inputs = definition.arguments(Command::new(definition.name()));
    inputs.get_arguments().all(|arg| arg.get_long() != Some("format"))
}

/// What a procedure is explained with: the inputs that were given, or the defaults; then everything that may be asked
/// for, when nothing was given. None where its arguments take nothing that we know of.
pub(super) fn inputs(definition: &Definition, given: &ArgMatches) -> Vec<Stored> {
    if !takes_inputs(definition) {
        return Vec::new();
    }
    let typed = |id: &Id| {
        !id.as_str().starts_with(OWN)
            && given.try_get_raw(id.as_str()).is_ok()
            && given.value_source(id.as_str()) == Some(ValueSource::CommandLine)
    };
    let more = (!given.ids().any(typed)).then(|| everything(definition));
    definition.parse(given).ok().into_iter().chain(more.flatten()).collect()
}

/// The inputs with every flag set and every option given.
fn everything(definition: &Definition) -> Option<Stored> {
    let command = required(definition.arguments(Command::new(definition.name())));
    let wanted =
        |arg: &&clap::Arg| arg.get_default_values().is_empty() || matches!(arg.get_action(), ArgAction::SetTrue);
    let wanted: Vec<Id> = command.get_arguments().filter(wanted).map(|arg| arg.get_id().clone()).collect();
    let command = wanted.iter().fold(command, with_value);
    definition.parse(&command.try_get_matches_from([definition.name()]).ok()?).ok()
}

/// A procedure whose required arguments need not be given.
pub(super) fn required(procedure: Command) -> Command {
    let required = procedure.get_arguments().filter(|arg| arg.is_required_set());
    let required: Vec<Id> = required.map(|arg| arg.get_id().clone()).collect();
    required.iter().fold(optional(procedure), with_value)
}

/// The same with a default for one argument, when it takes any that we know of.
fn with_value(command: Command, id: &Id) -> Command {
    let Some(arg) = command.get_arguments().find(|arg| arg.get_id() == id) else { return command };
    let name = arg.get_value_names().and_then(|names| names.first()).map_or(id.as_str(), |name| name.as_str());
    let shown = format!("<{}>", name.to_uppercase());
    let values: Vec<String> = match arg.get_action() {
        ArgAction::SetTrue => vec!["true".to_owned()],
        ArgAction::Set | ArgAction::Append => {
            let possible = arg.get_possible_values().into_iter().map(|value| value.get_name().to_owned());
            possible.chain([shown]).chain(VALUES.map(str::to_owned)).collect()
        }
        _ => return command,
    };
    let with = |value: String| command.clone().mut_arg(id, |arg| arg.default_value(value));
    let takes = |command: &Command| command.clone().try_get_matches_from([command.get_name()]).is_ok();
    values.into_iter().map(with).find(takes).unwrap_or_else(|| command.clone())
}

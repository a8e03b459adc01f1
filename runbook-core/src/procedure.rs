//! Procedures and books: what a program can do.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Error, Outline, Record, Result, Run, Stored};

/// What a procedure takes: a value that the journal can keep and, with the feature `cli`, that clap can read from
/// the command line.
#[cfg(feature = "cli")]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the input of a procedure",
    label = "lacks some of what an input needs",
    note = "derive what it needs: `#[derive(Clone, Debug, Serialize, Deserialize, clap::Args)]`"
)]
pub trait Input: Record + Clone {
    // `clap::Args` is no supertrait, as the compiler would then complain of it alone and not say what to derive.

    /// Adds its arguments to a command line.
    fn add_to_command_line(command: clap::Command) -> clap::Command;
    /// Reads it from a command line.
    fn from_command_line(matches: &clap::ArgMatches) -> Result<Self, clap::Error>;
}

#[cfg(feature = "cli")]
#[diagnostic::do_not_recommend]
impl<T: Record + Clone + clap::Args> Input for T {
    fn add_to_command_line(command: clap::Command) -> clap::Command {
        T::augment_args(command)
    }

    fn from_command_line(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        T::from_arg_matches(matches)
    }
}

/// What a procedure takes: a value that the journal can keep and, with the feature `cli`, that clap can read from
/// the command line.
#[cfg(not(feature = "cli"))]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the input of a procedure",
    label = "lacks some of what an input needs",
    note = "derive what it needs: `#[derive(Clone, Debug, Serialize, Deserialize)]`"
)]
pub trait Input: Record + Clone {}

#[cfg(not(feature = "cli"))]
#[diagnostic::do_not_recommend]
impl<T: Record + Clone> Input for T {}

/// The input of a procedure that takes none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::Args))]
pub struct NoInput {}

/// A procedure, as `#[procedure]` defines one beside the function it stands on.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a procedure",
    label = "not a procedure",
    note = "name an async function with `#[procedure]`"
)]
pub trait Procedure: 'static {
    /// What it takes.
    type Input: Input;
    /// What it returns.
    type Output: Record;
    /// Its static outline.
    const OUTLINE: &'static Outline;

    /// The function itself.
    fn call<'a>(
        run: &'a Run,
        input: &'a Self::Input,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Output>> + Send + 'a>>;

    /// What it runs against, for the lock: one run at a time for each book and target.
    fn target(input: &Self::Input) -> Option<String> {
        let _ = input;
        None
    }
}

/// A part of procedures: an async function that is given the run, as `#[part]` describes it beside the function.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a part",
    label = "not a part",
    note = "name an async function with `#[part]`"
)]
pub trait Part: 'static {
    /// Its static outline.
    const OUTLINE: &'static Outline;
}

/// The future of an erased procedure.
pub(crate) type Body<'a> = Pin<Box<dyn Future<Output = Result<Stored>> + Send + 'a>>;

/// A procedure with its types erased, as a [`Book`] holds it. `procedures![deploy, update]` makes a list of them.
#[derive(Clone)]
pub struct Definition {
    /// Its static outline.
    pub outline: &'static Outline,
    call: fn(Run, Stored) -> Body<'static>,
    target: fn(&Stored) -> Result<Option<String>>,
    accept: fn(&Stored) -> Result<()>,
    #[cfg(feature = "cli")]
    arguments: fn(clap::Command) -> clap::Command,
    #[cfg(feature = "cli")]
    parse: fn(&clap::ArgMatches) -> Result<Stored, clap::Error>,
}

impl Definition {
    /// The definition of a procedure.
    pub fn of<P: Procedure>() -> Self {
        Self {
            outline: P::OUTLINE,
            call: |run, inputs| {
                Box::pin(async move {
                    let input: P::Input = inputs.load()?;
                    Stored::of(&P::call(&run, &input).await?)
                })
            },
            target: |inputs| Ok(P::target(&inputs.load()?)),
            accept: |inputs| inputs.load::<P::Input>().map(drop),
            #[cfg(feature = "cli")]
            arguments: P::Input::add_to_command_line,
            #[cfg(feature = "cli")]
            parse: |matches| {
                let input = P::Input::from_command_line(matches)?;
                Stored::of(&input).map_err(|error| clap::Error::raw(clap::error::ErrorKind::Io, format!("{error:#}\n")))
            },
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.outline.name
    }

    /// Adds its inputs to a command line.
    #[cfg(feature = "cli")]
    pub fn arguments(&self, command: clap::Command) -> clap::Command {
        (self.arguments)(command)
    }

    /// Reads its inputs from a command line.
    #[cfg(feature = "cli")]
    pub fn parse(&self, matches: &clap::ArgMatches) -> Result<Stored, clap::Error> {
        (self.parse)(matches)
    }

    /// Whether these are inputs of this procedure.
    pub fn accepts(&self, inputs: &Stored) -> Result<()> {
        (self.accept)(inputs)
    }

    pub(crate) fn call(&self, run: Run, inputs: Stored) -> Body<'static> {
        (self.call)(run, inputs)
    }

    pub(crate) fn target(&self, inputs: &Stored) -> Result<Option<String>> {
        (self.target)(inputs)
    }
}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "procedure `{}`", self.name())
    }
}

/// The procedures of one program.
#[derive(Debug, Clone)]
pub struct Book {
    name: Arc<str>,
    about: Arc<str>,
    target: Arc<str>,
    procedures: Vec<Definition>,
    parts: Vec<&'static Outline>,
}

impl Book {
    /// A book without procedures.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            about: "".into(),
            target: "default".into(),
            procedures: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// With a line on what it is for.
    pub fn about(mut self, about: impl Into<Arc<str>>) -> Self {
        self.about = about.into();
        self
    }

    /// Running against this, unless a procedure says otherwise: one run at a time for each book and target.
    pub fn target(mut self, target: impl Into<Arc<str>>) -> Self {
        self.target = target.into();
        self
    }

    /// With these procedures, as `procedures![…]` lists them.
    pub fn procedures(mut self, procedures: impl IntoIterator<Item = Definition>) -> Self {
        self.procedures.extend(procedures);
        self
    }

    /// With these parts of procedures, as `parts![…]` lists them: outlines show what is in them.
    pub fn parts(mut self, parts: impl IntoIterator<Item = &'static Outline>) -> Self {
        self.parts.extend(parts);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for.
    pub fn purpose(&self) -> &str {
        &self.about
    }

    /// Its procedures, in the order they were given.
    pub fn list(&self) -> &[Definition] {
        &self.procedures
    }

    /// The procedure of this name; an unknown one is an error that lists those there are.
    pub fn find(&self, name: &str) -> Result<&Definition> {
        self.procedures.iter().find(|definition| definition.name() == name).ok_or_else(|| {
            let known: Vec<_> = self.procedures.iter().map(|known| format!("`{}`", known.name())).collect();
            Error::new(format!("book `{}` has no procedure `{name}`", self.name))
                .hint(format!("it has {}", known.join(", ")))
        })
    }

    /// The outline of the procedure or the part of this name; `None` when there is none, or more than one.
    pub fn part(&self, name: &str) -> Option<&'static Outline> {
        let procedures = self.procedures.iter().map(|definition| definition.outline);
        let mut named = procedures.chain(self.parts.iter().copied()).filter(|outline| outline.name == name);
        let first = named.next()?;
        named.all(|other| std::ptr::eq(other, first)).then_some(first)
    }

    /// What these inputs of this procedure run against.
    pub fn target_of(&self, definition: &Definition, inputs: &Stored) -> Result<String> {
        Ok(definition.target(inputs)?.unwrap_or_else(|| self.target.to_string()))
    }
}

/// Lists procedures for a [`Book`]: `procedures![deploy, update, roll_back]`.
///
/// Where the compiler expects a type and finds a function, the function lacks its `#[procedure]`.
#[macro_export]
macro_rules! procedures {
    ($($procedure:path),* $(,)?) => {
        [$({
            type Known = $procedure;
            $crate::Definition::of::<Known>()
        }),*]
    };
}

/// Lists parts for a [`Book`]: `parts![restart, fetch]`.
///
/// Where the compiler expects a type and finds a function, the function lacks its `#[part]`.
#[macro_export]
macro_rules! parts {
    ($($part:path),* $(,)?) => {
        [$({
            type Known = $part;
            <Known as $crate::Part>::OUTLINE
        }),*]
    };
}

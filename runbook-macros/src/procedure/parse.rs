//! What `#[procedure]` stands on, and every way in which it may be wrong.

use proc_macro2::TokenStream;
use syn::{Error, Expr, Ident, ItemFn, Pat, PatType, Result, Type};

use super::outline::Outline;
use crate::docs;
use crate::options::Options;
use crate::problems::Problems;
use crate::signature::{self, Role};

const ROLE: Role = Role("a procedure");

/// A procedure.
pub(super) struct Procedure {
    /// The function, without the doc comments of its statements.
    pub(super) function: ItemFn,
    /// The name of its run.
    pub(super) run: Ident,
    /// What it takes, if anything.
    pub(super) input: Option<Input>,
    /// What it returns.
    pub(super) output: Type,
    /// What it runs against.
    pub(super) target: Option<Expr>,
    /// What its source says.
    pub(super) outline: Outline,
}

/// The input of a procedure.
pub(super) struct Input {
    /// The pattern it is bound to.
    pub(super) pat: Pat,
    /// Its type, without the reference.
    pub(super) ty: Type,
}

impl Procedure {
    pub(super) fn parse(options: TokenStream, function: &ItemFn) -> Result<Self> {
        let mut problems = Problems::default();
        let mut options = Options::parse(options, "procedure", &["target"], &mut problems);
        ROLE.check(function, &mut problems);
        let output = ROLE.returns(&function.sig, "Result<()>", &mut problems);
        let arguments: Vec<_> = signature::typed(&function.sig).collect();
        let run = ROLE.run(function, arguments.first().copied(), &mut problems);
        let input = input(arguments.get(1..).unwrap_or_default(), &mut problems);
        problems.end()?;

        let missing = || Error::new_spanned(&function.sig, "cannot be a procedure");
        let run = run.ok_or_else(missing)?;
        let outline = Outline::of(function, &run);
        let mut function = function.clone();
        docs::strip(&mut function.block);
        Ok(Self { function, run, input, output: output.ok_or_else(missing)?, target: options.expr("target"), outline })
    }
}

/// The second argument, which borrows the input, and the last.
fn input(arguments: &[&PatType], problems: &mut Problems) -> Option<Input> {
    let (first, more) = arguments.split_first()?;
    for argument in more {
        let message = "a procedure takes one input: put everything it wants into one struct that derives \
                       `Clone, Serialize, Deserialize, clap::Args`";
        problems.at(argument, message);
    }
    if let Type::ImplTrait(_) = &*first.ty {
        return None;
    }
    let Some(reference) = signature::shared_reference(&first.ty) else {
        let ty = crate::source::text(signature::referred(&first.ty));
        problems.at(&first.ty, format!("a procedure borrows its input: write `&{ty}`"));
        return None;
    };
    Some(Input { pat: (*first.pat).clone(), ty: (*reference.elem).clone() })
}

//! The options of an attribute: `rollback = stop, reads = [unit]`.

use proc_macro2::TokenStream;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprPath, Ident, LitStr, Result, Token};

use crate::problems::Problems;

/// The options given to an attribute, each known and given once.
pub(crate) struct Options(Vec<Given>);

struct Given {
    name: Ident,
    value: Expr,
}

impl Parse for Given {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name: Ident = input.parse()?;
        if !input.peek(Token![=]) {
            return Err(Error::new(name.span(), format!("`{name}` wants a value: write `{name} = …`")));
        }
        input.parse::<Token![=]>()?;
        Ok(Self { name, value: input.parse()? })
    }
}

impl Options {
    /// Reads the options of the attribute `#[of(…)]`, which takes these.
    pub(crate) fn parse(tokens: TokenStream, of: &str, allowed: &[&str], problems: &mut Problems) -> Self {
        let given = Punctuated::<Given, Token![,]>::parse_terminated.parse2(tokens);
        let mut known = Vec::<Given>::new();
        for given in problems.note(given).unwrap_or_default() {
            let name = &given.name;
            if !allowed.iter().any(|allowed| name == allowed) {
                problems.at(name, format!("`#[{of}]` has no option `{name}`; it takes {}", listed(allowed)));
            } else if known.iter().any(|known| known.name == *name) {
                problems.at(name, format!("`{name}` is given twice"));
            } else {
                known.push(given);
            }
        }
        Self(known)
    }

    /// Whether this option was given.
    pub(crate) fn name(&self, name: &str) -> Option<&Ident> {
        self.0.iter().map(|given| &given.name).find(|given| *given == name)
    }

    /// The value of an option.
    pub(crate) fn expr(&mut self, name: &str) -> Option<Expr> {
        let at = self.0.iter().position(|given| given.name == name)?;
        Some(self.0.remove(at).value)
    }

    /// The value of an option that names a function.
    pub(crate) fn path(&mut self, name: &str, problems: &mut Problems) -> Option<ExprPath> {
        match self.expr(name)? {
            Expr::Path(path) => Some(path),
            other => {
                problems.at(other, format!("`{name}` is the name of an async function: `{name} = my_{name}`"));
                None
            }
        }
    }

    /// The value of an option that is a string literal.
    pub(crate) fn text(&mut self, name: &str, problems: &mut Problems) -> Option<LitStr> {
        match self.expr(name)? {
            Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text),
            other => {
                problems.at(other, format!("`{name}` is a string literal: `{name} = \"…\"`"));
                None
            }
        }
    }

    /// The values of an option that is a list.
    pub(crate) fn list(&mut self, name: &str, problems: &mut Problems) -> Vec<Expr> {
        match self.expr(name) {
            Some(Expr::Array(list)) => list.elems.into_iter().collect(),
            Some(other) => {
                problems.at(other, format!("`{name}` is a list: `{name} = [Resource::path(dir)]`"));
                Vec::new()
            }
            None => Vec::new(),
        }
    }
}

/// Names for people: "`a`, `b` and `c`".
fn listed(names: &[&str]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "none".to_owned(),
    }
}

//! The description of an action, from its options, its doc comment and its arguments.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt as _;
use syn::{Expr, ExprLit, Lit, LitStr};

use super::Action;
use crate::docs;
use crate::options::Options;
use crate::problems::Problems;

/// What an action says of itself.
pub(crate) struct Describe {
    kind: Option<LitStr>,
    subject: Option<Expr>,
    summary: Option<Expr>,
    command: Option<Expr>,
    undo_command: Option<Expr>,
    reads: Vec<Expr>,
    writes: Vec<Expr>,
    repeats: bool,
}

impl Describe {
    /// Takes its options out of those that were given.
    pub(crate) fn parse(options: &mut Options, problems: &mut Problems) -> Self {
        Self {
            kind: options.text("kind", problems),
            subject: options.expr("subject"),
            summary: options.expr("summary"),
            command: options.expr("command"),
            undo_command: options.expr("undo_command"),
            reads: options.list("reads", problems),
            writes: options.list("writes", problems),
            repeats: false,
        }
    }

    /// It acts at every run.
    pub(crate) fn repeats(self, repeats: bool) -> Self {
        Self { repeats, ..self }
    }

    /// The method `describe`.
    pub(crate) fn expand(&self, action: &Action) -> TokenStream {
        let name = action.name().unraw().to_string();
        let kind = self.kind.as_ref().map_or(name, LitStr::value);
        let (subject, summary) = (self.subject(action), self.summary(action));
        let command = self.command.as_ref().map(said).map(|text| quote!(.command(#text)));
        let undo_command = self.undo_command.as_ref().map(said).map(|text| quote!(.undo_command(#text)));
        let (reads, writes) = (&self.reads, &self.writes);
        let repeats = self.repeats.then(|| quote!(.repeats()));
        let bind = action.bind();
        quote! {
            #[allow(unused_variables)]
            fn describe(&self) -> ::runbook::Description {
                #bind
                let __subject: ::std::string::String = #subject;
                ::runbook::Description::new(#kind, ::std::clone::Clone::clone(&__subject))
                    .summary(#summary)
                    #command
                    #undo_command
                    #(.reads(#reads))*
                    #(.writes(#writes))*
                    #repeats
            }
        }
    }

    fn subject(&self, action: &Action) -> TokenStream {
        if let Some(subject) = &self.subject {
            return said(subject);
        }
        let names = action.arguments.iter().map(|argument| &argument.name);
        quote! {{
            #[allow(unused_imports)]
            use ::runbook::__private::{ShowDisplay as _, ShowNothing as _, ShowPath as _};
            ::runbook::__private::subject([#((&&&::runbook::__private::Shown(&#names)).shown()),*])
        }}
    }

    /// The summary given, else the first line of the doc comment, else name and subject.
    fn summary(&self, action: &Action) -> TokenStream {
        let text = docs::text(&action.function.attrs);
        let (title, _) = docs::title_and_rest(&text);
        match &self.summary {
            Some(summary) => said(summary),
            None if title.is_empty() => {
                let words = docs::words(&action.name().unraw().to_string());
                quote!(::runbook::__private::summary(#words, &__subject))
            }
            None => quote!(#title),
        }
    }
}

/// A text for people: a literal is a format string, anything else is displayed.
fn said(expr: &Expr) -> TokenStream {
    match expr {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => quote!(::std::format!(#text)),
        other => quote!(::std::string::ToString::to_string(&(#other))),
    }
}

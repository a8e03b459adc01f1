//! The code of a command.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};

use super::parse::{Part, Word};

/// `Command::new("git").arg("checkout").arg(word().value(&revision).done())`
pub(super) fn command(words: &[Word], span: Span) -> TokenStream {
    let mut words = words.iter();
    let program = words.next().map(|word| argument(word, span));
    let arguments = words.map(|word| match word {
        Word::One(_) => {
            let argument = argument(word, span);
            quote!(.arg(#argument))
        }
        Word::Many(list) => quote_spanned!(span=> .args(#list)),
    });
    quote!(::runbook::Command::new(#program)#(#arguments)*)
}

/// One argument: text as it is, anything with a value put together.
fn argument(word: &Word, span: Span) -> TokenStream {
    let parts = match word {
        Word::One(parts) => parts.as_slice(),
        Word::Many(_) => &[],
    };
    match parts {
        [] => quote!(""),
        [Part::Text(text)] => quote!(#text),
        parts => {
            let parts = parts.iter().map(|part| match part {
                Part::Text(text) => quote!(.text(#text)),
                Part::Value(value) => quote_spanned!(span=> .value(&(#value))),
            });
            quote!(::runbook::__private::word()#(#parts)*.done())
        }
    }
}

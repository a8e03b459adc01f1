//! `cmd!`

use proc_macro2::TokenStream;
use syn::LitStr;

mod expand;
mod parse;

/// Turns a line into a command.
pub(crate) fn expand(line: TokenStream) -> TokenStream {
    let Ok(literal) = syn::parse2::<LitStr>(line.clone()) else {
        return not_a_line(line);
    };
    match parse::words(&literal) {
        Ok(words) => expand::command(&words, literal.span()),
        Err(error) => {
            let complaint = error.into_compile_error();
            // Still a command, so that what is built on it is not blamed.
            quote::quote!({ #complaint ::runbook::Command::new("") })
        }
    }
}

fn not_a_line(line: TokenStream) -> TokenStream {
    let message = "`cmd!` takes one string literal: `cmd!(\"git checkout {revision}\")`";
    let error = if line.is_empty() {
        syn::Error::new(proc_macro2::Span::call_site(), message)
    } else {
        syn::Error::new_spanned(line, message)
    };
    let complaint = error.into_compile_error();
    quote::quote!({ #complaint ::runbook::Command::new("") })
}

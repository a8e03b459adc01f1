//! An action: an async function that becomes a value, which steps and checks have in common.
//!
//! The function `async fn start(cx: &Context, unit: &str, port: u16) -> Result<Pid>` gives a type of the same name that
//! keeps `unit` and `port`, and a constructor `fn start(unit: &str, port: u16) -> start` in place of the function.

mod describe;
mod expand;
mod parse;

pub(crate) use self::describe::Describe;
pub(crate) use self::expand::shape;
pub(crate) use self::parse::{Action, Argument};

use proc_macro2::{Span, TokenStream};
use quote::quote;

/// The complaint about something else than a function. Where it is a function with a mistake in its syntax, the
/// compiler's own complaint is the better one.
pub(crate) fn not_a_function(item: &TokenStream, role: &str, returns: &str) -> TokenStream {
    let is_function = item.clone().into_iter().any(|token| token.to_string() == "fn");
    let complaint = (!is_function).then(|| {
        let example = format!("`async fn my_{role}(cx: &Context) -> {returns}`");
        syn::Error::new(Span::call_site(), format!("`#[{role}]` stands on an async function: {example}"))
            .into_compile_error()
    });
    quote!(#complaint #item)
}

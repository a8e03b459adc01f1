//! `#[procedure]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemFn;

mod expand;
mod outline;
mod parse;

/// Turns an async function into a procedure.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let Ok(function) = syn::parse2::<ItemFn>(item.clone()) else {
        return not_a_function(&item);
    };
    match parse::Procedure::parse(options, &function) {
        Ok(procedure) => expand::procedure(&procedure),
        Err(error) => {
            let complaint = error.into_compile_error();
            let shape = expand::shape(function);
            quote!(#complaint #shape)
        }
    }
}

/// Where the item is a function with a mistake in its syntax, the compiler's own complaint is the better one.
fn not_a_function(item: &TokenStream) -> TokenStream {
    let is_function = item.clone().into_iter().any(|token| token.to_string() == "fn");
    let complaint = (!is_function).then(|| {
        let message = "`#[procedure]` stands on an async function: `async fn deploy(run: &Run) -> Result<()>`";
        syn::Error::new(proc_macro2::Span::call_site(), message).into_compile_error()
    });
    quote!(#complaint #item)
}

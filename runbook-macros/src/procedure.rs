//! `#[procedure]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemFn;

use crate::signature;

mod expand;
mod outline;
mod parse;

pub(crate) use self::expand::{cfgs, outline as outline_of, type_of};
pub(crate) use self::outline::Outline;

/// Turns an async function into a procedure.
pub(crate) fn expand(options: TokenStream, item: &TokenStream) -> TokenStream {
    let Ok(function) = syn::parse2::<ItemFn>(item.clone()) else {
        return signature::not_a_function(item, "procedure", "(run: &Run) -> Result<()>");
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

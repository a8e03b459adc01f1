//! `#[part]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ItemFn, Result};

use crate::docs;
use crate::options::Options;
use crate::problems::Problems;
use crate::procedure::{Outline, cfgs, outline_of, type_of};
use crate::signature::{self, Role};

const ROLE: Role = Role("a part");

/// Leaves an async function as it is, and puts a type of the same name with its outline beside it.
pub(crate) fn expand(options: TokenStream, item: &TokenStream) -> TokenStream {
    let Ok(mut function) = syn::parse2::<ItemFn>(item.clone()) else {
        return signature::not_a_function(item, "part", "(run: &Run) -> Result<()>");
    };
    let (complaint, outline) = match read(options, &function) {
        Ok(outline) => (None, outline_of(&outline)),
        Err(error) => (Some(error.into_compile_error()), empty(&function)),
    };
    docs::strip(&mut function.block);
    let part = function.sig.receiver().is_none().then(|| implementation(&function, &outline));
    quote!(#complaint #function #part)
}

fn read(options: TokenStream, function: &ItemFn) -> Result<Outline> {
    let mut problems = Problems::default();
    Options::parse(options, "part", &[], &mut problems);
    ROLE.check_function(function, &mut problems);
    let run = ROLE.run(function, signature::typed(&function.sig).next(), &mut problems);
    problems.end()?;
    let run = run.ok_or_else(|| Error::new_spanned(&function.sig, "cannot be a part"))?;
    Ok(Outline::of(function, &run))
}

fn implementation(function: &ItemFn, outline: &TokenStream) -> TokenStream {
    let ItemFn { attrs, vis, sig, .. } = function;
    let name = &sig.ident;
    let (ty, cfgs) = (type_of(attrs, vis, name), cfgs(attrs));
    quote! {
        #ty
        #(#cfgs)*
        impl ::runbook::Part for #name {
            const OUTLINE: &'static ::runbook::Outline = &#outline;
        }
    }
}

/// The outline of a part with a mistake, so that `parts![…]` is not blamed as well.
fn empty(function: &ItemFn) -> TokenStream {
    let name = function.sig.ident.to_string();
    quote!(::runbook::Outline { name: #name, title: "", doc: "", items: &[], fingerprint: 0 })
}

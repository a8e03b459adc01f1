//! `#[check]`

use proc_macro2::TokenStream;
use quote::quote;
use syn::{ItemFn, Result};

use crate::action::{self, Action, Describe};
use crate::options::Options;
use crate::problems::Problems;
use crate::signature::{self, Role};

const OPTIONS: &[&str] = &["kind", "subject", "summary", "command", "reads"];
const RETURNS: &str = "Result<Finding>";

/// Turns an async function into a check.
pub(crate) fn expand(options: TokenStream, item: &TokenStream) -> TokenStream {
    let Ok(function) = syn::parse2::<ItemFn>(item.clone()) else {
        return signature::not_a_function(item, "check", "(cx: &Context) -> Result<Finding>");
    };
    match parse(options, &function) {
        Ok((action, describe)) => check(&action, &describe),
        Err(error) => {
            let complaint = error.into_compile_error();
            let shape = action::shape(&function, |_| shape(&function));
            quote!(#complaint #shape)
        }
    }
}

fn parse(options: TokenStream, function: &ItemFn) -> Result<(Action, Describe)> {
    let mut problems = Problems::default();
    let mut options = Options::parse(options, "check", OPTIONS, &mut problems);
    let action = Action::parse(function, Role("a check"), RETURNS, &mut problems);
    if let Some(action) = &action {
        if !signature::is_named(&action.output, "Finding") {
            problems.at(&action.output, format!("a check answers with a finding: return `{RETURNS}`"));
        }
        if let Some(before) = &action.before {
            problems.at(before, "a check changes nothing, so there is no `before`: leave it out");
        }
    }
    let describe = Describe::parse(&mut options, &mut problems);
    problems.end()?;
    let action = action.ok_or_else(|| syn::Error::new_spanned(&function.sig, "cannot be a check"))?;
    Ok((action, describe))
}

fn check(action: &Action, describe: &Describe) -> TokenStream {
    let value = action.value("a check asks nothing until a run takes it: `run.check(\"…\", …).await?`");
    let (name, function) = (action.name(), action.function());
    let (describe, given, call) = (describe.expand(action), action.given(), action.call());
    let implementations = action.implementations(&quote! {
        #function
        #given
        #[::runbook::__private::async_trait]
        impl ::runbook::Check for #name {
            #describe
            async fn check(&self, __cx: &::runbook::Context) -> ::runbook::Result<::runbook::Finding> {
                #call
            }
        }
    });
    quote!(#value #implementations)
}

/// The trait of a check with a mistake, so that the runs that ask it are not blamed.
fn shape(function: &ItemFn) -> TokenStream {
    let name = &function.sig.ident;
    quote! {
        #[::runbook::__private::async_trait]
        impl ::runbook::Check for #name {
            fn describe(&self) -> ::runbook::Description {
                match *self {}
            }
            async fn check(&self, _: &::runbook::Context) -> ::runbook::Result<::runbook::Finding> {
                match *self {}
            }
        }
    }
}

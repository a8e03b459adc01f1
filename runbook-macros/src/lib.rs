//! The macros of `runbook`.

use proc_macro::TokenStream;

/// A procedure.
#[proc_macro_attribute]
pub fn procedure(_attributes: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// A step.
#[proc_macro_attribute]
pub fn step(_attributes: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// A check.
#[proc_macro_attribute]
pub fn check(_attributes: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// A command.
#[proc_macro]
pub fn cmd(item: TokenStream) -> TokenStream {
    item
}

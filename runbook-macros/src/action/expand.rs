//! The type and the constructor of an action.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{ExprPath, ItemFn, Type};

use super::{Action, Argument};
use crate::signature;

impl Action {
    /// The type that keeps the arguments, and the constructor in place of the function.
    ///
    /// ```text
    /// pub struct start { unit: <str as ToOwned>::Owned, port: u16 }
    /// pub fn start(unit: &str, port: u16) -> start { start { unit: unit.to_owned(), port } }
    /// ```
    pub(crate) fn value(&self, must_use: &str) -> TokenStream {
        let ItemFn { attrs, vis, sig, .. } = &self.function;
        let (name, params) = (&sig.ident, &sig.generics.params);
        let docs = attrs.iter().filter(|attribute| is_one_of(attribute, &["doc", "cfg", "deprecated"]));
        let cfgs = attrs.iter().filter(|attribute| is_one_of(attribute, &["cfg"]));
        let names = self.arguments.iter().map(|argument| &argument.name);
        let types = self.arguments.iter().map(Argument::kept_type);
        let parameters = self.arguments.iter().map(Argument::parameter);
        let keep = self.arguments.iter().map(Argument::keep);
        quote! {
            #(#cfgs)*
            #[doc(hidden)]
            #[allow(non_camel_case_types, unreachable_pub)]
            #[must_use = #must_use]
            #vis struct #name { #(#names: #types),* }

            #(#docs)*
            #[allow(clippy::needless_pass_by_value)]
            #vis fn #name<#params>(#(#parameters),*) -> #name {
                #name { #(#keep),* }
            }
        }
    }

    /// The implementations that belong to the type, out of everyone's way.
    pub(crate) fn implementations(&self, implementations: &TokenStream) -> TokenStream {
        let cfgs = self.function.attrs.iter().filter(|attribute| is_one_of(attribute, &["cfg"]));
        quote! {
            #(#cfgs)*
            const _: () = { #implementations };
        }
    }

    /// The function itself, under a name that is in nobody's way.
    pub(crate) fn function(&self) -> TokenStream {
        let mut function = self.function.clone();
        function.attrs.retain(|attribute| !is_one_of(attribute, &["doc", "cfg", "deprecated", "must_use"]));
        function.vis = syn::Visibility::Inherited;
        function.sig.ident = syn::Ident::new("__action", proc_macro2::Span::mixed_site());
        quote! {
            #[allow(clippy::unused_async)]
            #function
        }
    }

    /// A method that gives all arguments back, in the one place where they are cloned.
    pub(crate) fn given(&self) -> TokenStream {
        let name = self.name();
        let types = self.arguments.iter().map(Argument::given_type);
        let give = self.arguments.iter().map(Argument::give);
        quote! {
            impl #name {
                #[allow(clippy::unused_self, clippy::unused_unit)]
                fn __given(&self) -> (#(#types,)*) {
                    (#(#give,)*)
                }
            }
        }
    }

    /// Binds the arguments to their names.
    pub(crate) fn bind(&self) -> TokenStream {
        let names = self.arguments.iter().map(|argument| &argument.name);
        quote!(let (#(#names,)*) = self.__given();)
    }

    /// A call of the function.
    pub(crate) fn call(&self) -> TokenStream {
        let (bind, names) = (self.bind(), self.arguments.iter().map(|argument| &argument.name));
        let before = self.before.as_ref().map(|_| quote!(__before));
        quote!(#bind __action(__cx, #(#names,)* #before).await)
    }

    /// A call of one of the functions beside it, spanned to where its name stands.
    pub(crate) fn call_beside(&self, path: &ExprPath, with_before: bool) -> TokenStream {
        let bind = self.bind();
        // Located at the path, so that a function that takes other arguments is reported there.
        let names = self.arguments.iter().map(|Argument { name, .. }| {
            let mut name = name.clone();
            name.set_span(path.span().resolved_at(name.span()));
            name
        });
        let before = with_before.then(|| quote!(__before));
        let call = quote_spanned!(path.span()=> #path(__cx, #(#names,)* #before).await);
        quote!(#bind #call)
    }
}

fn is_one_of(attribute: &syn::Attribute, names: &[&str]) -> bool {
    names.iter().any(|name| attribute.path().is_ident(name))
}

/// What is left of an action with a mistake: a constructor of the same name, whose value implements these.
pub(crate) fn shape(function: &ItemFn, implementations: impl FnOnce(&Type) -> TokenStream) -> TokenStream {
    let ItemFn { vis, sig, .. } = function;
    let (name, params) = (&sig.ident, &sig.generics);
    let is_plumbing = |ty: &Type| signature::is_named(signature::referred(ty), "Context");
    let arguments: Vec<_> = signature::typed(sig)
        .filter(|argument| {
            !is_plumbing(&argument.ty) && signature::name_of(&argument.pat).is_none_or(|name| name != "before")
        })
        .collect();
    let output = match &sig.output {
        syn::ReturnType::Type(_, ty) => crate::signature::value_of_result(ty),
        syn::ReturnType::Default => None,
    };
    let implementations = implementations(&output.unwrap_or_else(|| syn::parse_quote!(())));
    quote! {
        #[doc(hidden)]
        #[allow(non_camel_case_types, unreachable_pub, dead_code)]
        #vis enum #name {}

        #[allow(unused_variables, clippy::needless_pass_by_value)]
        #vis fn #name #params (#(#arguments),*) -> #name {
            ::std::unreachable!()
        }
        const _: () = { #implementations };
    }
}

//! The code of a procedure.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Attribute, FnArg, Generics, ItemFn, Pat, ReturnType, Type, Visibility};

use super::outline::{Item, Outline};
use super::parse::{Input, Procedure};
use crate::docs;

/// The function, which enters a scope of the run around its body, and the type of the same name.
///
/// ```text
/// async fn update(run: &Run, site: &Site) -> Result<Release> {
///     async fn __body(run: &Run, site: &Site) -> Result<Release> { … }
///     let __run = ::runbook::__private::enter::<update>(run, site).await?;
///     let __result = __body(&__run, site).await;
///     ::runbook::__private::leave(&__run, __result).await
/// }
/// enum update {}
/// impl ::runbook::Procedure for update { … }
/// ```
pub(super) fn procedure(procedure: &Procedure) -> TokenStream {
    let ItemFn { attrs, vis, sig, block, .. } = &procedure.function;
    let (name, run, output) = (&sig.ident, &procedure.run, &procedure.output);
    let Generics { params, .. } = &sig.generics;
    let (input_name, input_type) = match &procedure.input {
        Some(input) => (Some(input.name()), input.ty.clone()),
        None => (None, syn::parse_quote!(::runbook::NoInput)),
    };
    let outer = outer_arguments(procedure, input_name.as_ref());
    let inner = &sig.inputs;
    let returns = &sig.output;
    let given = input_name.as_ref().map_or_else(|| quote!(&::runbook::NoInput {}), |name| quote!(#name));
    let implementation = implementation(procedure, &input_type);
    let ty = type_of(attrs, vis, name);
    let call_input = &input_name;

    quote! {
        #(#attrs)*
        #vis async fn #name<#params>(#outer) #returns {
            #[allow(clippy::unused_async)]
            async fn __body<#params>(#inner) #returns #block
            let __run = ::runbook::__private::enter::<#name>(#run, #given).await?;
            let __result: ::runbook::Result<#output> = __body(&__run, #call_input).await;
            ::runbook::__private::leave(&__run, __result).await
        }
        #ty
        #implementation
    }
}

impl Input {
    /// Its name outside of the body, where no pattern takes it apart.
    fn name(&self) -> Ident {
        match &self.pat {
            Pat::Ident(pat) if pat.subpat.is_none() => pat.ident.clone(),
            _ => Ident::new("input", Span::mixed_site()),
        }
    }
}

/// The arguments under plain names.
fn outer_arguments(procedure: &Procedure, input: Option<&Ident>) -> TokenStream {
    let names = [Some(&procedure.run), input].into_iter().flatten();
    let types = procedure.function.sig.inputs.iter().filter_map(|argument| match argument {
        FnArg::Typed(argument) => Some(&argument.ty),
        FnArg::Receiver(_) => None,
    });
    quote!(#(#names: #types),*)
}

/// The type of the same name. It has no values, and leaves the name of the function alone.
pub(crate) fn type_of(attrs: &[Attribute], vis: &Visibility, name: &Ident) -> TokenStream {
    let cfgs = cfgs(attrs);
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code, unreachable_pub)]
        #vis enum #name {}
    }
}

/// The conditions under which the function is there at all.
pub(crate) fn cfgs(attrs: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"))
}

fn implementation(procedure: &Procedure, input: &Type) -> TokenStream {
    let name = &procedure.function.sig.ident;
    let cfgs = cfgs(&procedure.function.attrs);
    let (output, outline) = (&procedure.output, outline(&procedure.outline));
    let target = target(procedure);
    let call = if procedure.input.is_some() { quote!(#name(run, input)) } else { quote!(#name(run)) };
    // Spanned to the name, so that a future that cannot be sent is reported there.
    let call = quote_spanned!(name.span()=> ::std::boxed::Box::pin(#call));
    quote! {
        #(#cfgs)*
        impl ::runbook::Procedure for #name {
            type Input = #input;
            type Output = #output;
            const OUTLINE: &'static ::runbook::Outline = &#outline;

            #[allow(unused_variables)]
            fn call<'a>(
                run: &'a ::runbook::Run,
                input: &'a Self::Input,
            ) -> ::runbook::__private::BoxFuture<'a, ::runbook::Result<Self::Output>> {
                #call
            }

            #target
        }
    }
}

fn target(procedure: &Procedure) -> Option<TokenStream> {
    let target = procedure.target.as_ref()?;
    let bind = procedure.input.as_ref().map(|Input { pat, .. }| quote!(let #pat = __input;));
    Some(quote! {
        #[allow(unused_variables)]
        fn target(__input: &Self::Input) -> ::std::option::Option<::std::string::String> {
            #bind
            ::std::option::Option::Some(::std::string::ToString::to_string(&(#target)))
        }
    })
}

/// The outline as a value.
pub(crate) fn outline(outline: &Outline) -> TokenStream {
    let Outline { name, title, doc, items, fingerprint } = outline;
    let items = items.iter().map(item);
    quote! {
        ::runbook::Outline { name: #name, title: #title, doc: #doc, items: &[#(#items),*], fingerprint: #fingerprint }
    }
}

fn item(Item { kind, title, doc, code, items, .. }: &Item) -> TokenStream {
    let kind = format_ident!("{kind}");
    let items = items.iter().map(item);
    quote! {
        ::runbook::Item {
            kind: ::runbook::ItemKind::#kind,
            title: #title,
            doc: #doc,
            code: #code,
            items: &[#(#items),*],
        }
    }
}

/// What is left of a procedure with a mistake: the function, and a type that may stand in `procedures![…]`.
pub(super) fn shape(mut function: ItemFn) -> TokenStream {
    docs::strip(&mut function.block);
    function.sig.asyncness.get_or_insert_with(Default::default);
    if function.sig.receiver().is_some() {
        return quote!(#function);
    }
    if function.sig.output == ReturnType::Default {
        // Its body is written for a result, whose type nobody knows.
        function.block = syn::parse_quote!({ ::std::unreachable!() });
    }
    let name = &function.sig.ident;
    let cfgs = cfgs(&function.attrs);
    let ty = type_of(&function.attrs, &function.vis, name);
    let text = name.to_string();
    quote! {
        #[allow(unused_variables, dead_code)]
        #function
        #ty
        #(#cfgs)*
        impl ::runbook::Procedure for #name {
            type Input = ::runbook::NoInput;
            type Output = ();
            const OUTLINE: &'static ::runbook::Outline =
                &::runbook::Outline { name: #text, title: "", doc: "", items: &[], fingerprint: 0 };

            fn call<'a>(
                _: &'a ::runbook::Run,
                _: &'a Self::Input,
            ) -> ::runbook::__private::BoxFuture<'a, ::runbook::Result<Self::Output>> {
                ::std::unreachable!()
            }
        }
    }
}

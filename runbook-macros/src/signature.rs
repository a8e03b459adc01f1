//! What procedures, steps and checks want of the function they stand on.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::visit::Visit;
use syn::{
    Error, FnArg, GenericArgument, GenericParam, ItemFn, Pat, PatType, PathArguments, ReturnType, Safety, Signature,
    Type, TypeImplTrait, TypeReference,
};

use crate::problems::Problems;

/// What the function is to become, with its article: "a procedure".
#[derive(Clone, Copy)]
pub(crate) struct Role(pub(crate) &'static str);

impl Role {
    /// Complains about everything that no such function may be.
    pub(crate) fn check(self, function: &ItemFn, problems: &mut Problems) {
        self.check_function(function, problems);
        self.check_generics(&function.sig, problems);
    }

    /// The same, but for type parameters.
    pub(crate) fn check_function(self, function: &ItemFn, problems: &mut Problems) {
        let Self(role) = self;
        let sig = &function.sig;
        if sig.asyncness.is_none() {
            problems.at(sig.fn_token, format!("{role} is an async function: write `async fn {}`", sig.ident));
        }
        if let Some(word) = sig.constness {
            problems.at(word, format!("{role} cannot be const"));
        }
        if let Safety::Unsafe(word) = sig.safety {
            problems.at(word, format!("{role} cannot be unsafe: put the unsafe block into it"));
        }
        if let Some(abi) = &sig.abi {
            problems.at(abi, format!("{role} is a Rust function: leave out `extern`"));
        }
        if let Some(receiver) = sig.receiver() {
            problems
                .at(receiver, format!("{role} is a free function: take the value as an argument instead of `self`"));
        }
    }

    /// The name of the first argument, which is to be a run.
    pub(crate) fn run(
        self,
        function: &ItemFn,
        argument: Option<&PatType>,
        problems: &mut Problems,
    ) -> Option<syn::Ident> {
        let Self(role) = self;
        let Some(argument) = argument else {
            if function.sig.receiver().is_none() {
                let span = function.sig.paren_token.span.join();
                problems.add(Error::new(span, format!("{role} works through a run: take it first, `(run: &Run)`")));
            }
            return None;
        };
        if !is_reference_to(&argument.ty, "Run") {
            let message = if is_named(referred(&argument.ty), "Run") {
                format!("{role} borrows its run: write `&Run`")
            } else {
                format!("{role} works through a run: take it first, `run: &Run`")
            };
            problems.at(&argument.ty, message);
            return None;
        }
        let name = name_of(&argument.pat);
        if name.is_none() {
            problems.at(&argument.pat, "a run needs a name: write `run: &Run`");
        }
        name.cloned()
    }

    fn check_generics(self, sig: &Signature, problems: &mut Problems) {
        let Self(role) = self;
        for parameter in &sig.generics.params {
            match parameter {
                GenericParam::Lifetime(_) => {}
                GenericParam::Type(parameter) => {
                    let message =
                        format!("{role} has no type parameters: name the type in place of `{}`", parameter.ident);
                    problems.at(parameter, message);
                }
                GenericParam::Const(parameter) => {
                    problems.at(
                        parameter,
                        format!("{role} has no const parameters: take `{}` as an argument", parameter.ident),
                    );
                }
            }
        }
        for argument in typed(sig) {
            if let Some(ty) = impl_trait(&argument.ty) {
                problems.at(ty, format!("{role} has no type parameters: name the type in place of `impl …`"));
            }
        }
    }

    /// The type in the `Result` the function returns.
    pub(crate) fn returns(self, sig: &Signature, instead: &str, problems: &mut Problems) -> Option<Type> {
        let Self(role) = self;
        match &sig.output {
            ReturnType::Default => {
                let message = format!("{role} returns a result: write `-> {instead}` behind the arguments");
                problems.add(Error::new(sig.paren_token.span.close(), message));
                None
            }
            ReturnType::Type(_, ty) => {
                let value = value_of_result(ty);
                if value.is_none() {
                    problems.at(ty, format!("{role} returns a result: write `{instead}`"));
                }
                value
            }
        }
    }
}

/// The `impl Trait` in this type.
fn impl_trait(ty: &Type) -> Option<&TypeImplTrait> {
    struct Find<'ast>(Option<&'ast TypeImplTrait>);
    impl<'ast> Visit<'ast> for Find<'ast> {
        fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
            self.0.get_or_insert(ty);
        }
    }
    let mut find = Find(None);
    find.visit_type(ty);
    find.0
}

/// The arguments but `self`.
pub(crate) fn typed(sig: &Signature) -> impl Iterator<Item = &PatType> {
    sig.inputs.iter().filter_map(|argument| match argument {
        FnArg::Typed(argument) => Some(argument),
        FnArg::Receiver(_) => None,
    })
}

/// `T` of `Result<T>`, under whatever path.
pub(crate) fn value_of_result(ty: &Type) -> Option<Type> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Result")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(value) => Some(value.clone()),
        _ => None,
    }
}

/// Whether this is a type of this name, under whatever path.
pub(crate) fn is_named(ty: &Type, name: &str) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == name))
}

/// Whether this is `&Name`.
pub(crate) fn is_reference_to(ty: &Type, name: &str) -> bool {
    shared_reference(ty).is_some_and(|reference| is_named(&reference.elem, name))
}

/// The type as a `&T` that is not `&mut T`.
pub(crate) fn shared_reference(ty: &Type) -> Option<&TypeReference> {
    match ty {
        Type::Reference(reference) if reference.mutability.is_none() => Some(reference),
        _ => None,
    }
}

/// The type without its reference.
pub(crate) fn referred(ty: &Type) -> &Type {
    match ty {
        Type::Reference(reference) => &reference.elem,
        other => other,
    }
}

/// The name a pattern gives to the whole value.
pub(crate) fn name_of(pat: &Pat) -> Option<&syn::Ident> {
    match pat {
        Pat::Ident(name) if name.subpat.is_none() => Some(&name.ident),
        _ => None,
    }
}

/// The complaint about something else than a function. Where it is a function with a mistake in its syntax, the
/// compiler's own complaint is the better one.
pub(crate) fn not_a_function(item: &TokenStream, role: &str, signature: &str) -> TokenStream {
    let is_function = item.clone().into_iter().any(|token| token.to_string() == "fn");
    let complaint = (!is_function).then(|| {
        let message = format!("`#[{role}]` stands on an async function: `async fn my_{role}{signature}`");
        Error::new(Span::call_site(), message).into_compile_error()
    });
    quote!(#complaint #item)
}

//! The function of an action, and every way in which it may be wrong.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Error, Ident, ItemFn, Lifetime, PatType, Type, TypeReference};

use crate::problems::Problems;
use crate::signature::{self, Role};

/// An async function that becomes a value.
pub(crate) struct Action {
    /// The function.
    pub(crate) function: ItemFn,
    /// What it keeps: its arguments but the context and `before`.
    pub(crate) arguments: Vec<Argument>,
    /// The type of its last argument `before: &T`.
    pub(crate) before: Option<Type>,
    /// What it returns.
    pub(crate) output: Type,
}

/// An argument that the action keeps.
pub(crate) struct Argument {
    pub(crate) name: Ident,
    /// The type in the signature.
    pub(crate) ty: Type,
}

impl Action {
    /// Reads the function. `instead` is what it should return, when it returns no result.
    pub(crate) fn parse(function: &ItemFn, role: Role, instead: &str, problems: &mut Problems) -> Option<Self> {
        role.check(function, problems);
        let output = role.returns(&function.sig, instead, problems);
        let typed: Vec<_> = signature::typed(&function.sig).collect();
        check_context(function, role, typed.first().copied(), problems);
        let mut rest = typed.get(1..).unwrap_or_default();
        let mut before = None;
        if let Some((last, others)) = rest.split_last()
            && signature::name_of(&last.pat).is_some_and(|name| name == "before" || name == "_before")
        {
            before = before_type(last, problems);
            rest = others;
        }
        let arguments = rest.iter().filter_map(|argument| Argument::parse(argument, role, problems)).collect();
        Some(Self { function: function.clone(), arguments, before, output: output? })
    }

    /// The name of the function, and of the type.
    pub(crate) fn name(&self) -> &Ident {
        &self.function.sig.ident
    }
}

/// The first argument is the context.
fn check_context(function: &ItemFn, Role(role): Role, argument: Option<&PatType>, problems: &mut Problems) {
    let message = format!("{role} works through a context: take it first, `cx: &Context`");
    match argument {
        Some(argument) if signature::is_reference_to(&argument.ty, "Context") => {}
        Some(argument) if signature::is_named(signature::referred(&argument.ty), "Context") => {
            problems.at(&argument.ty, format!("{role} borrows its context: write `&Context`"));
        }
        Some(argument) => problems.at(argument, message),
        None if function.sig.receiver().is_some() => {}
        None => problems.add(Error::new(function.sig.paren_token.span.join(), message)),
    }
}

fn before_type(argument: &PatType, problems: &mut Problems) -> Option<Type> {
    let reference = signature::shared_reference(&argument.ty);
    if reference.is_none() {
        let ty = crate::source::text(signature::referred(&argument.ty));
        problems.at(&argument.ty, format!("what the survey remembered is borrowed: write `before: &{ty}`"));
    }
    reference.map(|reference| (*reference.elem).clone())
}

impl Argument {
    fn parse(argument: &PatType, Role(role): Role, problems: &mut Problems) -> Option<Self> {
        let name = signature::name_of(&argument.pat).cloned();
        if name.is_none() {
            problems.at(&argument.pat, format!("{role} keeps its arguments by name: give this one a name"));
        }
        if let Type::Reference(TypeReference { mutability: Some(_), elem, .. }) = &*argument.ty {
            let ty = crate::source::text(elem);
            problems.at(&argument.ty, format!("{role} keeps its arguments: write `&{ty}` or `{ty}`"));
        } else if let Type::TraitObject(ty) = signature::referred(&argument.ty) {
            let text = crate::source::text(ty);
            problems.at(&argument.ty, format!("{role} keeps its arguments: write `std::sync::Arc<{text}>`"));
        } else if let Some(borrow) = borrow_inside(signature::referred(&argument.ty)) {
            let message =
                format!("{role} keeps its arguments, and cannot keep a borrow inside of one: write the owned type");
            problems.add(Error::new(borrow, message));
        }
        Some(Self { name: name?, ty: (*argument.ty).clone() })
    }

    /// The type of the field that keeps it: the owned form of what is borrowed.
    pub(super) fn kept_type(&self) -> TokenStream {
        let ty = signature::referred(&self.ty);
        if self.is_unsized() { quote!(<#ty as ::std::borrow::ToOwned>::Owned) } else { quote!(#ty) }
    }

    /// The expression that keeps it.
    pub(super) fn keep(&self) -> TokenStream {
        let name = &self.name;
        let span = signature::referred(&self.ty).span();
        if self.is_unsized() {
            quote!(#name: ::std::borrow::ToOwned::to_owned(#name))
        } else if self.is_borrowed() {
            // Spanned to the type, which is what has to be changed when it cannot be cloned.
            let cloned = quote_spanned!(span=> ::std::clone::Clone::clone(#name));
            quote!(#name: #cloned)
        } else {
            quote!(#name)
        }
    }

    /// The expression that gives it to the function again.
    pub(super) fn give(&self) -> TokenStream {
        let (name, ty) = (&self.name, signature::referred(&self.ty));
        let span = ty.span();
        if self.is_unsized() {
            quote!(::std::borrow::Borrow::<#ty>::borrow(&self.#name))
        } else if self.is_borrowed() {
            quote!(&self.#name)
        } else {
            quote_spanned!(span=> ::std::clone::Clone::clone(&self.#name))
        }
    }

    /// The type it is given in.
    pub(super) fn given_type(&self) -> TokenStream {
        let ty = signature::referred(&self.ty);
        if self.is_borrowed() { quote!(&#ty) } else { quote!(#ty) }
    }

    /// The argument as the constructor takes it.
    pub(super) fn parameter(&self) -> TokenStream {
        let Self { name, ty } = self;
        quote!(#name: #ty)
    }

    fn is_borrowed(&self) -> bool {
        matches!(self.ty, Type::Reference(_))
    }

    /// Whether it borrows one of the types that are owned as another: `&str`, `&Path`, `&[T]`.
    fn is_unsized(&self) -> bool {
        let ty = signature::referred(&self.ty);
        let known = ["str", "Path", "OsStr", "CStr"].iter().any(|name| signature::is_named(ty, name));
        self.is_borrowed() && (known || matches!(ty, Type::Slice(_)))
    }
}

/// Where this type borrows something that does not live for ever.
fn borrow_inside(ty: &Type) -> Option<proc_macro2::Span> {
    struct Find(Option<proc_macro2::Span>);
    impl<'ast> Visit<'ast> for Find {
        fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
            if reference.lifetime.as_ref().is_none_or(|lifetime| lifetime.ident != "static") {
                self.0.get_or_insert(reference.and_token.span());
            }
            visit::visit_type_reference(self, reference);
        }
        fn visit_lifetime(&mut self, lifetime: &'ast Lifetime) {
            if lifetime.ident != "static" {
                self.0.get_or_insert(lifetime.span());
            }
        }
    }
    let mut find = Find(None);
    find.visit_type(ty);
    find.0
}

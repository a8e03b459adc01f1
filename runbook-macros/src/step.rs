//! `#[step]`

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, ExprPath, ItemFn, Result, Type};

use crate::action::{self, Action, Describe};
use crate::options::Options;
use crate::problems::Problems;
use crate::signature::{self, Role};

const OPTIONS: &[&str] = &[
    "rollback",
    "survey",
    "settle",
    "kind",
    "subject",
    "summary",
    "command",
    "undo_command",
    "reads",
    "writes",
    "predict",
];

/// Turns an async function into a step.
pub(crate) fn expand(options: TokenStream, item: &TokenStream) -> TokenStream {
    let Ok(function) = syn::parse2::<ItemFn>(item.clone()) else {
        return signature::not_a_function(item, "step", "(cx: &Context) -> Result<()>");
    };
    match Step::parse(options, &function) {
        Ok(step) => step.expand(),
        Err(error) => {
            let complaint = error.into_compile_error();
            let shape = action::shape(&function, |output| shape(&function, output));
            quote!(#complaint #shape)
        }
    }
}

/// A step, made of functions.
struct Step {
    action: Action,
    describe: Describe,
    survey: Option<ExprPath>,
    rollback: Option<ExprPath>,
    settle: Option<ExprPath>,
    predict: Option<Expr>,
}

impl Step {
    fn parse(options: TokenStream, function: &ItemFn) -> Result<Self> {
        let mut problems = Problems::default();
        let mut options = Options::parse(options, "step", OPTIONS, &mut problems);
        let action = Action::parse(function, Role("a step"), "Result<()>", &mut problems);
        if let (Some(name), None) = (options.name("settle"), options.name("rollback")) {
            problems.at(name, "a step that cannot be rolled back has nothing to settle: add `rollback = …`");
        }
        if let (Some(Action { before: Some(ty), .. }), None) = (&action, options.name("survey")) {
            let ty_text = crate::source::text(ty);
            let message = format!(
                "nothing remembers `before`: add `survey = look` to `#[step(…)]`, with an `async fn look` of the same \
                 arguments that returns `Result<Survey<{ty_text}, …>>`"
            );
            problems.at(ty, message);
        }
        let survey = options.path("survey", &mut problems);
        let rollback = options.path("rollback", &mut problems);
        let settle = options.path("settle", &mut problems);
        let predict = options.expr("predict");
        let describe = Describe::parse(&mut options, &mut problems).repeats(survey.is_none());
        problems.end()?;
        let action = action.ok_or_else(|| syn::Error::new_spanned(&function.sig, "cannot be a step"))?;
        Ok(Self { action, describe, survey, rollback, settle, predict })
    }

    fn expand(&self) -> TokenStream {
        let value = self.action.value("a step does nothing until a run takes it: `run.step(\"…\", …).await?`");
        let function = self.action.function();
        let (given, forward, back) = (self.action.given(), self.forward(), self.back());
        let implementations = self.action.implementations(&quote!(#function #given #forward #back));
        quote!(#value #implementations)
    }

    /// `impl Step`
    fn forward(&self) -> TokenStream {
        let (name, output) = (self.action.name(), &self.action.output);
        let before = self.before();
        let describe = self.describe.expand(&self.action);
        let survey = self.survey();
        let apply = self.action.call();
        let predict = self.predict();
        quote! {
            #[::runbook::__private::async_trait]
            impl ::runbook::Step for #name {
                type Before = #before;
                type Output = #output;

                #describe

                #[allow(unused_variables)]
                async fn survey(
                    &self,
                    __cx: &::runbook::Context,
                ) -> ::runbook::Result<::runbook::Survey<Self::Before, Self::Output>> {
                    #survey
                }

                #[allow(unused_variables)]
                async fn apply(
                    &self,
                    __cx: &::runbook::Context,
                    __before: &Self::Before,
                ) -> ::runbook::Result<Self::Output> {
                    #apply
                }

                #predict
            }
        }
    }

    /// The output a plan goes on with.
    fn predict(&self) -> Option<TokenStream> {
        let (predict, bind) = (self.predict.as_ref()?, self.action.bind());
        Some(quote! {
            #[allow(unused_variables)]
            fn predict(&self) -> ::std::option::Option<Self::Output> {
                #bind
                ::std::option::Option::Some(#predict)
            }
        })
    }

    fn survey(&self) -> TokenStream {
        let Some(path) = &self.survey else {
            return quote!(::std::result::Result::Ok(::runbook::__private::acts_always(self)));
        };
        let look = self.action.call_beside(path, false);
        let fits = quote_spanned!(path.span()=> ::runbook::__private::seen::<Self, _>(seen));
        quote!(let seen = { #look }; #fits)
    }

    /// `impl Rollback`, when there is a way back.
    fn back(&self) -> Option<TokenStream> {
        let name = self.action.name();
        let rollback = self.back_method("rollback", self.rollback.as_ref()?);
        let settle = self.settle.as_ref().map(|path| self.back_method("settle", path));
        Some(quote! {
            #[::runbook::__private::async_trait]
            impl ::runbook::Rollback for #name {
                #rollback
                #settle
            }
        })
    }

    fn back_method(&self, method: &str, path: &ExprPath) -> TokenStream {
        let method = quote::format_ident!("{method}");
        let call = self.action.call_beside(path, self.action.before.is_some());
        quote! {
            #[allow(unused_variables)]
            async fn #method(&self, __cx: &::runbook::Context, __before: &Self::Before) -> ::runbook::Result<()> {
                #call
            }
        }
    }

    fn before(&self) -> TokenStream {
        self.action.before.as_ref().map_or_else(|| quote!(()), |before| quote!(#before))
    }
}

/// The traits of a step with a mistake, so that the runs that take it are not blamed.
fn shape(function: &ItemFn, output: &Type) -> TokenStream {
    let name = &function.sig.ident;
    quote! {
        #[::runbook::__private::async_trait]
        impl ::runbook::Step for #name {
            type Before = ();
            type Output = #output;
            fn describe(&self) -> ::runbook::Description {
                match *self {}
            }
            async fn survey(
                &self,
                _: &::runbook::Context,
            ) -> ::runbook::Result<::runbook::Survey<Self::Before, Self::Output>> {
                match *self {}
            }
            async fn apply(&self, _: &::runbook::Context, _: &Self::Before) -> ::runbook::Result<Self::Output> {
                match *self {}
            }
        }
        #[::runbook::__private::async_trait]
        impl ::runbook::Rollback for #name {
            async fn rollback(&self, _: &::runbook::Context, _: &Self::Before) -> ::runbook::Result<()> {
                match *self {}
            }
        }
    }
}

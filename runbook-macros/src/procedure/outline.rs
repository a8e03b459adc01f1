//! The outline of a procedure, read from its source: what matters to its reader, in order.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Arm, Block, Expr, ExprAwait, ExprCall, ExprClosure, ExprForLoop, ExprIf, ExprLoop, ExprMatch, ExprMethodCall,
    ExprWhile, Ident, Item as SynItem, ItemFn, Lit, Local, Macro, Pat, Stmt, Token,
};

use crate::{docs, signature, source};

mod builder;
mod fingerprint;

/// What the source of a procedure, or of a part of one, says.
pub(crate) struct Outline {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) doc: String,
    pub(super) items: Vec<Item>,
    pub(super) fingerprint: u64,
}

type Arguments = Punctuated<Expr, Token![,]>;

/// One statement that matters to the reader.
#[derive(Default)]
pub(super) struct Item {
    /// The name of its `ItemKind`.
    pub(super) kind: &'static str,
    pub(super) title: String,
    pub(super) doc: String,
    pub(super) code: String,
    /// What the fingerprint sees of it: its code, or the head of an `if` or a `for`.
    print: String,
    pub(super) items: Vec<Item>,
}

impl Outline {
    /// The outline of a function whose run has this name.
    pub(crate) fn of(function: &ItemFn, run: &Ident) -> Self {
        let name = function.sig.ident.unraw().to_string();
        let text = docs::text(&function.attrs);
        let (title, doc) = docs::title_and_rest(&text);
        let title = if title.is_empty() { docs::words(&name) } else { title.to_owned() };
        let mut reader = Reader { runs: vec![View::of(run)], items: Vec::new() };
        reader.visit_block(&function.block);
        let fingerprint = fingerprint::of(&reader.items);
        Self { name, title, doc: doc.to_owned(), items: reader.items, fingerprint }
    }
}

/// A method of the run, and which of its arguments say what.
struct Method {
    name: &'static str,
    kind: &'static str,
    title: usize,
    code: Option<usize>,
    why: Option<usize>,
}

const fn method(name: &'static str, kind: &'static str, title: usize, code: Option<usize>) -> Method {
    Method { name, kind, title, code, why: None }
}

/// The methods of the run that matter to the reader.
const METHODS: &[Method] = &[
    method("step", "Step", 0, Some(1)),
    Method { why: Some(0), ..method("irreversible", "Irreversible", 1, Some(2)) },
    method("point_of_no_return", "PointOfNoReturn", 0, None),
    method("check", "Check", 0, Some(1)),
    method("require", "Require", 0, Some(1)),
    method("observe", "Observe", 0, Some(1)),
    method("probe", "Probe", 0, Some(1)),
    method("each", "Each", 0, Some(1)),
    method("both", "Both", 0, None),
    method("scope", "Scope", 0, None),
    method("hold", "Hold", 0, Some(1)),
    method("guard", "Guard", 0, Some(0)),
    method("confirm", "Confirm", 0, None),
    method("checklist", "Checklist", 0, Some(1)),
    method("approve", "Approve", 0, None),
    method("window", "Window", 0, None),
];

/// The methods of the run that give the run again: elsewhere, or as someone else.
const VIEWS: &[&str] = &["on", "at", "as_user", "clone"];

/// The methods of the run that are nothing a reader of the outline does.
const QUIET: &[&str] = &["look", "remember", "now", "say"];

/// Walks over the source, gathering items.
struct Reader {
    /// The names that are runs here.
    runs: Vec<View>,
    items: Vec<Item>,
}

/// A name of the run.
#[derive(Clone)]
struct View {
    name: Ident,
    /// The call that gave it: `marb.server(run)`. When it is awaited after all, it was no run but that call.
    call: Option<Expr>,
}

impl View {
    fn of(name: &Ident) -> Self {
        Self { name: name.clone(), call: None }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_block(&mut self, block: &'ast Block) {
        let known = self.runs.len();
        visit::visit_block(self, block);
        self.runs.truncate(known);
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let before = self.items.len();
        visit::visit_stmt(self, statement);
        // The last one is the outermost. An `else` belongs to its `if`.
        if let Some(item) = self.items[before..].iter_mut().rfind(|item| item.kind != "Else") {
            item.add_doc(docs::of_statement(statement));
        }
    }

    /// A function in a function is a procedure of its own, or none.
    fn visit_item(&mut self, _item: &'ast SynItem) {}

    fn visit_local(&mut self, local: &'ast Local) {
        let Some(init) = &local.init else { return };
        let known = self.runs.len();
        self.bind(&local.pat, &init.expr);
        // The names are there after the statement, not in its `else`.
        let bound = self.runs.split_off(known);
        if let Some((_, otherwise)) = &init.diverge {
            let items = self.inside(|reader| reader.visit_expr(otherwise));
            self.items.extend(Item::head("Else", "", items).unless_empty());
        }
        self.runs.extend(bound);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let known = METHODS.iter().find(|method| call.method == method.name && call.args.len() > method.title);
        let of_run = known.is_some() || VIEWS.iter().chain(QUIET).any(|name| call.method == name);
        let view = of_run && self.is_view_call(&call.receiver);
        if view {
            self.visit_inside(&call.receiver);
        } else {
            self.visit_expr(&call.receiver);
        }
        if let Some(method) = known.filter(|_| view || self.is_run(&call.receiver)) {
            return self.run_method(method, call);
        }
        if call.method == "look" && (view || self.is_run(&call.receiver)) {
            return self.items.extend(call.args.first().map(look));
        }
        let Some(body) = self.given_run(&call.args) else { return };
        let mut call = call.clone();
        leave_out_bodies(&mut call.args, &body);
        let item = builder::item(&call).unwrap_or_else(|| {
            let title = source::text(&call.receiver) + "." + &call.method.to_string();
            Item::new("Call", title, &call)
        });
        self.items.push(item.around(body));
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        if !is_function(&call.func) {
            return call.args.iter().for_each(|argument| self.visit_argument(argument));
        }
        let Some(body) = self.given_run(&call.args) else { return };
        let mut call = call.clone();
        leave_out_bodies(&mut call.args, &body);
        self.items.push(Item::new("Call", source::text(&call.func), &call).around(body));
    }

    fn visit_expr_await(&mut self, awaited: &'ast ExprAwait) {
        match self.call_behind(&awaited.base) {
            Some(call) => self.visit_apart([&call]),
            None => visit::visit_expr_await(self, awaited),
        }
    }

    fn visit_expr_if(&mut self, branch: &'ast ExprIf) {
        self.visit_expr(&branch.cond);
        let then = self.inside(|reader| reader.visit_block(&branch.then_branch));
        let mut branches = vec![Item::head("If", &branch.cond, then)];
        let mut rest = branch.else_branch.as_ref();
        while let Some((_, otherwise)) = rest {
            let (head, items) = match &**otherwise {
                Expr::If(next) => {
                    let items = self.inside(|reader| {
                        reader.visit_expr(&next.cond);
                        reader.visit_block(&next.then_branch);
                    });
                    rest = next.else_branch.as_ref();
                    (next.cond.to_token_stream(), items)
                }
                last => {
                    rest = None;
                    (TokenStream::new(), self.inside(|reader| reader.visit_expr(last)))
                }
            };
            branches.push(Item::head("Else", head, items));
        }
        if let Some(last) = branches.iter().rposition(|branch| !branch.items.is_empty()) {
            branches.truncate(last + 1);
            self.items.extend(branches);
        }
    }

    fn visit_expr_match(&mut self, choice: &'ast ExprMatch) {
        self.visit_expr(&choice.expr);
        let arms = self.inside(|reader| choice.arms.iter().for_each(|arm| reader.visit_arm(arm)));
        self.items.extend(Item::head("Match", &choice.expr, arms).unless_empty());
    }

    fn visit_arm(&mut self, arm: &'ast Arm) {
        let items = self.inside(|reader| visit::visit_arm(reader, arm));
        let mut item = Item::head("Arm", &arm.pat, items);
        item.add_doc(docs::text(&arm.attrs));
        self.items.extend(item.unless_empty());
    }

    fn visit_expr_for_loop(&mut self, repeat: &'ast ExprForLoop) {
        self.visit_expr(&repeat.expr);
        let (pat, expr) = (&repeat.pat, &repeat.expr);
        let (for_token, in_token) = (&repeat.for_token, &repeat.in_token);
        self.repeat(quote::quote!(#for_token #pat #in_token #expr), &repeat.body);
    }

    fn visit_expr_while(&mut self, repeat: &'ast ExprWhile) {
        let (while_token, cond) = (&repeat.while_token, &repeat.cond);
        let head = quote::quote!(#while_token #cond);
        // The condition is asked every time, so what is in it is inside.
        let items = self.inside(|reader| {
            reader.visit_expr(cond);
            reader.visit_block(&repeat.body);
        });
        self.items.extend(Item::head("Loop", head, items).unless_empty());
    }

    fn visit_expr_loop(&mut self, repeat: &'ast ExprLoop) {
        self.repeat(repeat.loop_token.to_token_stream(), &repeat.body);
    }

    fn visit_expr_closure(&mut self, closure: &'ast ExprClosure) {
        let typed =
            matches!(closure.inputs.first(), Some(Pat::Type(pat)) if signature::is_reference_to(&pat.ty, "Run"));
        self.closure(closure, typed);
    }

    /// Macros like `ensure!` and `join!` take expressions; what does not parse as such is no business of the reader.
    fn visit_macro(&mut self, call: &'ast Macro) {
        let Ok(arguments) = call.parse_body_with(Arguments::parse_terminated) else { return };
        let joins = call.path.segments.last().is_some_and(|last| last.ident == "join" || last.ident == "try_join");
        let behind = |argument: &Expr| self.call_behind(argument).filter(|_| joins);
        let arguments: Vec<_> = arguments.iter().map(|one| behind(one).unwrap_or_else(|| one.clone())).collect();
        self.visit_apart(&arguments);
    }
}

impl Reader {
    /// Visits code that does not live as long as the source; the visitor keeps nothing of it.
    fn visit_apart<'a>(&mut self, code: impl IntoIterator<Item = &'a Expr>) {
        let mut reader = Reader { runs: self.runs.clone(), items: Vec::new() };
        code.into_iter().for_each(|expr| reader.visit_expr(expr));
        self.items.append(&mut reader.items);
    }

    /// Visits a value and the pattern it is bound to. What is a run has its name from here on.
    fn bind(&mut self, pat: &Pat, value: &Expr) {
        let pat = untyped(pat);
        if let (Pat::Tuple(names), Expr::Tuple(values)) = (pat, bare(value))
            && names.elems.len() == values.elems.len()
        {
            return names.elems.iter().zip(&values.elems).for_each(|(name, value)| self.bind(name, value));
        }
        let name = signature::name_of(pat);
        match name {
            Some(name) if self.is_view_call(value) => {
                self.visit_inside(value);
                self.runs.push(View { name: name.clone(), call: Some(untried(value).clone()) });
            }
            Some(name) if self.is_run(value) => {
                self.visit_expr(value);
                self.runs.push(View::of(name));
            }
            _ => self.visit_expr(value),
        }
    }

    /// Visits what is in a call, which is itself nothing to the reader.
    fn visit_inside(&mut self, call: &Expr) {
        match untried(call) {
            Expr::MethodCall(call) => {
                self.visit_expr(&call.receiver);
                call.args.iter().for_each(|argument| self.visit_argument(argument));
            }
            Expr::Call(call) => call.args.iter().for_each(|argument| self.visit_argument(argument)),
            other => self.visit_expr(other),
        }
    }

    fn visit_argument(&mut self, argument: &Expr) {
        if matches!(argument, Expr::Reference(_)) && self.is_view_call(argument) {
            self.visit_inside(argument);
        } else {
            self.visit_expr(argument);
        }
    }

    /// Visits the arguments of a call. When it is given the run: what is in the bodies it is given as well.
    fn given_run(&mut self, arguments: &Arguments) -> Option<Vec<Item>> {
        let given = arguments.iter().any(|argument| self.is_given_run(argument));
        let mut body = Vec::new();
        for argument in arguments {
            match bare(argument) {
                Expr::Closure(closure) if given => {
                    // It would be given the run it works with: `async |run| …`.
                    let takes_run = closure.asyncness.is_some();
                    body.append(&mut self.inside(|reader| reader.closure(closure, takes_run)));
                }
                _ => self.visit_argument(argument),
            }
        }
        given.then_some(body)
    }

    /// The call that this name was bound to, when it was taken for a run.
    fn call_behind(&self, name: &Expr) -> Option<Expr> {
        let Expr::Path(path) = bare(name) else { return None };
        let name = path.path.get_ident()?;
        self.runs.iter().rfind(|view| view.name == *name)?.call.clone()
    }

    /// What is found in there, apart from what was found so far.
    fn inside(&mut self, visit: impl FnOnce(&mut Self)) -> Vec<Item> {
        let outside = std::mem::take(&mut self.items);
        visit(self);
        std::mem::replace(&mut self.items, outside)
    }

    /// A call of one of the methods of the run.
    fn run_method(&mut self, method: &Method, call: &ExprMethodCall) {
        let mut items = Vec::new();
        let mut side = ["one side", "the other side"].into_iter();
        for argument in &call.args {
            let Expr::Closure(body) = bare(argument) else {
                // What is in an argument happens before the call.
                self.visit_expr(argument);
                continue;
            };
            let mut inner = self.inside(|reader| reader.closure(body, true));
            match side.next().filter(|_| method.kind == "Both") {
                Some(side) => items.push(Item {
                    doc: docs::text(&body.attrs),
                    title: side.to_owned(),
                    ..Item::head("Branch", "", inner)
                }),
                None => items.append(&mut inner),
            }
        }
        let argument = |at: usize| call.args.get(at);
        let title = argument(method.title).map(|title| title_of(title, method.kind)).unwrap_or_default();
        let mut item = match method.code.and_then(argument) {
            Some(code) => Item::new(method.kind, title, code),
            None => Item { kind: method.kind, title, ..Item::default() },
        };
        item.items = items;
        if let Some(why) = method.why.and_then(argument) {
            item.add_doc(title_of(why, method.kind));
        }
        self.items.push(item);
    }

    /// The body of a closure, whose first parameter may be a run.
    fn closure(&mut self, closure: &ExprClosure, takes_run: bool) {
        let known = self.runs.len();
        let first = closure.inputs.first().filter(|_| takes_run);
        self.runs.extend(first.and_then(|pat| signature::name_of(untyped(pat))).map(View::of));
        self.visit_expr(&closure.body);
        self.runs.truncate(known);
    }

    fn repeat(&mut self, head: TokenStream, body: &Block) {
        let items = self.inside(|reader| reader.visit_block(body));
        self.items.extend(Item::head("Loop", head, items).unless_empty());
    }

    /// Whether this is the run, perhaps on another host: `run`, `&run`, `run.on(&host)`.
    fn is_run(&self, expr: &Expr) -> bool {
        match bare(expr) {
            Expr::Path(path) => {
                path.path.get_ident().is_some_and(|name| self.runs.iter().any(|view| view.name == *name))
            }
            Expr::MethodCall(call) => {
                VIEWS.iter().any(|name| call.method == name)
                    && (self.is_run(&call.receiver) || self.is_view_call(&call.receiver))
            }
            _ => false,
        }
    }

    /// Whether this argument hands on the run: itself, or a reference to a view of it.
    fn is_given_run(&self, argument: &Expr) -> bool {
        self.is_run(argument) || matches!(argument, Expr::Reference(_)) && self.is_view_call(argument)
    }

    /// Whether this is a call that is given the run and not awaited: `marb.server(run)`. Where a value is wanted, that is
    /// another view of the run, unless it is given a body to run.
    fn is_view_call(&self, expr: &Expr) -> bool {
        match untried(expr) {
            Expr::Call(ExprCall { args, .. }) | Expr::MethodCall(ExprMethodCall { args, .. }) if has_body(args) => {
                false
            }
            Expr::Call(call) => is_function(&call.func) && call.args.iter().any(|argument| self.is_given_run(argument)),
            Expr::MethodCall(call) => {
                !self.is_run(&call.receiver) && call.args.iter().any(|argument| self.is_given_run(argument))
            }
            _ => false,
        }
    }
}

impl Item {
    fn new(kind: &'static str, title: String, code: impl ToTokens) -> Self {
        let code = code.into_token_stream();
        Self { kind, title, code: source::text(&code), print: source::print(&code), ..Self::default() }
    }

    /// An item whose title is the head of a piece of code, like the condition of an `if`.
    fn head(kind: &'static str, head: impl ToTokens, items: Vec<Self>) -> Self {
        let head = head.into_token_stream();
        Self { kind, title: source::text(&head), print: source::print(&head), items, ..Self::default() }
    }

    /// This call, when it is given a body with these items.
    fn around(mut self, body: Vec<Self>) -> Self {
        if !body.is_empty() {
            self.kind = "Around";
            self.items = body;
        }
        self
    }

    fn unless_empty(self) -> Option<Self> {
        (!self.items.is_empty()).then_some(self)
    }

    fn add_doc(&mut self, doc: String) {
        match (self.doc.is_empty(), doc.is_empty()) {
            (_, true) => {}
            (true, false) => self.doc = doc,
            (false, false) => self.doc = format!("{}\n\n{doc}", self.doc),
        }
    }
}

/// The title as people read it: the text of a literal or of a `format!`, else its source.
fn title_of(expr: &Expr, kind: &str) -> String {
    match bare(expr) {
        Expr::Array(list) if kind == "Guard" => list.elems.iter().map(trigger_title).collect::<Vec<_>>().join(", "),
        trigger if kind == "Guard" => trigger_title(trigger),
        other => literal(other).unwrap_or_else(|| source::text(other)),
    }
}

/// A trigger is named by the first text in it.
fn trigger_title(trigger: &Expr) -> String {
    struct First(Option<String>);
    impl<'ast> Visit<'ast> for First {
        fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
            self.0.get_or_insert_with(|| text.value());
        }
    }
    let mut first = First(None);
    first.visit_expr(trigger);
    first.0.unwrap_or_else(|| source::text(trigger))
}

/// The text of a literal, `format!("…", …)`, `"…".into()` or `String::from("…")`.
fn literal(expr: &Expr) -> Option<String> {
    match bare(expr) {
        Expr::Lit(literal) => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        Expr::Macro(call) if call.mac.path.is_ident("format") => {
            let first = call.mac.tokens.clone().into_iter().next()?;
            syn::parse2::<syn::LitStr>(first.into()).ok().map(|text| text.value())
        }
        Expr::MethodCall(call) if call.args.is_empty() => literal(&call.receiver),
        Expr::Call(call) if call.args.len() == 1 => literal(call.args.first()?),
        _ => None,
    }
}

/// The expression without parentheses and references around it.
fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(inner) => bare(&inner.expr),
        Expr::Group(inner) => bare(&inner.expr),
        Expr::Reference(inner) => bare(&inner.expr),
        other => other,
    }
}

/// The expression without what is around it, and without its `?`.
fn untried(expr: &Expr) -> &Expr {
    match bare(expr) {
        Expr::Try(inner) => untried(&inner.expr),
        other => other,
    }
}

/// The pattern without its type.
fn untyped(pat: &Pat) -> &Pat {
    match pat {
        Pat::Type(typed) => &typed.pat,
        other => other,
    }
}

/// The fact that is looked at, as the source writes it.
fn look(fact: &Expr) -> Item {
    let fact = match bare(fact) {
        Expr::Closure(closure) => &closure.body,
        other => other,
    };
    let fact = match fact {
        Expr::Await(awaited) => &awaited.base,
        other => other,
    };
    Item::new("Look", source::text(fact), fact)
}

/// Whether a call is given something to run.
fn has_body(arguments: &Arguments) -> bool {
    arguments.iter().any(|argument| matches!(bare(argument), Expr::Closure(closure) if closure.asyncness.is_some()))
}

/// A call without the bodies it is given, when they are told as items of their own.
fn leave_out_bodies(arguments: &mut Arguments, body: &[Item]) {
    let closures = arguments.iter_mut().filter(|argument| matches!(bare(argument), Expr::Closure(_)));
    for closure in closures.filter(|_| !body.is_empty()) {
        *closure = syn::parse_quote!(_);
    }
}

/// Whether this names a function, not a constructor like `Some`.
fn is_function(expr: &Expr) -> bool {
    let Expr::Path(path) = bare(expr) else { return false };
    path.path.segments.last().is_some_and(|last| last.ident.to_string().starts_with(|c: char| !c.is_uppercase()))
}

#[cfg(test)]
mod tests;

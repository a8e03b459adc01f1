//! The outline of a procedure, read from its source: what matters to its reader, in order.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt as _;
use syn::punctuated::Punctuated;
use syn::visit::{self, Visit};
use syn::{
    Arm, Block, Expr, ExprCall, ExprClosure, ExprForLoop, ExprIf, ExprLoop, ExprMatch, ExprMethodCall, ExprWhile,
    Ident, Item as SynItem, ItemFn, Lit, Local, Macro, Pat, Stmt, Token,
};

use crate::{docs, signature, source};

mod fingerprint;

/// What the source of a procedure says.
pub(super) struct Outline {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) doc: String,
    pub(super) items: Vec<Item>,
    pub(super) fingerprint: u64,
}

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
    pub(super) fn of(function: &ItemFn, run: &Ident) -> Self {
        let name = function.sig.ident.unraw().to_string();
        let text = docs::text(&function.attrs);
        let (title, doc) = docs::title_and_rest(&text);
        let title = if title.is_empty() { docs::words(&name) } else { title.to_owned() };
        let mut reader = Reader { runs: vec![run.clone()], items: Vec::new() };
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

/// Walks over the source, gathering items.
struct Reader {
    /// The names that are runs here.
    runs: Vec<Ident>,
    items: Vec<Item>,
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
        self.visit_expr(&init.expr);
        if let Some((_, otherwise)) = &init.diverge {
            let items = self.inside(|reader| reader.visit_expr(otherwise));
            self.items.extend(Item::head("Else", "", items).unless_empty());
        }
        if let (true, Some(name)) = (self.is_run(&init.expr), signature::name_of(untyped(&local.pat))) {
            self.runs.push(name.clone());
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        self.visit_expr(&call.receiver);
        let known = METHODS.iter().find(|method| call.method == method.name && call.args.len() > method.title);
        if let Some(method) = known.filter(|_| self.is_run(&call.receiver)) {
            return self.run_method(method, call);
        }
        call.args.iter().for_each(|argument| self.visit_expr(argument));
        if call.args.iter().any(|argument| self.is_run(argument)) {
            let title = source::text(&call.receiver) + "." + &call.method.to_string();
            self.items.push(Item::new("Call", title, call));
        }
    }

    fn visit_expr_call(&mut self, call: &'ast ExprCall) {
        call.args.iter().for_each(|argument| self.visit_expr(argument));
        if is_function(&call.func) && call.args.iter().any(|argument| self.is_run(argument)) {
            self.items.push(Item::new("Call", source::text(&call.func), call));
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
        let Ok(arguments) = call.parse_body_with(Punctuated::<Expr, Token![,]>::parse_terminated) else { return };
        // The arguments live only here, and the visitor keeps nothing of them.
        let mut reader = Reader { runs: self.runs.clone(), items: Vec::new() };
        arguments.iter().for_each(|argument| reader.visit_expr(argument));
        self.items.append(&mut reader.items);
    }
}

impl Reader {
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
        self.runs.extend(first.and_then(|pat| signature::name_of(untyped(pat))).cloned());
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
            Expr::Path(path) => path.path.get_ident().is_some_and(|name| self.runs.contains(name)),
            Expr::MethodCall(call) => (call.method == "on" || call.method == "clone") && self.is_run(&call.receiver),
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

/// The pattern without its type.
fn untyped(pat: &Pat) -> &Pat {
    match pat {
        Pat::Type(typed) => &typed.pat,
        other => other,
    }
}

/// Whether this names a function, not a constructor like `Some`.
fn is_function(expr: &Expr) -> bool {
    let Expr::Path(path) = bare(expr) else { return false };
    path.path.segments.last().is_some_and(|last| last.ident.to_string().starts_with(|c: char| !c.is_uppercase()))
}

#[cfg(test)]
mod tests;

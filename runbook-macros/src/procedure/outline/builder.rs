//! Questions that are gathered before they are asked: `probes::of("API").probe("Runs", runs()).ask(run)`.

use syn::punctuated::Punctuated;
use syn::{Expr, ExprCall, ExprMethodCall, Token};

use super::{Item, bare, is_function, literal, title_of};
use crate::source;

/// The call of such a builder, with an item for each of its questions. `None` for any other call.
pub(super) fn item(call: &ExprMethodCall) -> Option<Item> {
    let mut links = Vec::new();
    let mut base = bare(&call.receiver);
    while let Expr::MethodCall(link) = base {
        links.push(link);
        base = bare(&link.receiver);
    }
    let made = made_of(base);
    let first = made.and_then(|made| pair(&made.args)).map(question);
    let asked = links.iter().rev().filter(|link| link.method == "probe" || link.method == "suspect");
    let rest = asked.filter_map(|link| pair(&link.args)).map(question);
    let items: Vec<_> = first.into_iter().chain(rest).collect();
    let title = made.and_then(|made| literal(made.args.first()?));
    if items.is_empty() && title.is_none() {
        return None;
    }
    let title = title.unwrap_or_else(|| source::text(base));
    Some(Item { items, ..Item::new("Call", title, call) })
}

/// The beginning of a builder: `diagnosis::of("…", …)`.
fn made_of(base: &Expr) -> Option<&ExprCall> {
    let Expr::Call(call) = base else { return None };
    let Expr::Path(path) = bare(&call.func) else { return None };
    let named = path.path.segments.last().is_some_and(|last| last.ident == "of");
    (named && is_function(&call.func)).then_some(call)
}

fn question((title, code): (&Expr, &Expr)) -> Item {
    // The code is in the print of the whole call already.
    Item { print: String::new(), ..Item::new("Probe", title_of(title, "Probe"), code) }
}

/// The first two arguments.
fn pair(arguments: &Punctuated<Expr, Token![,]>) -> Option<(&Expr, &Expr)> {
    Some((arguments.first()?, arguments.get(1)?))
}

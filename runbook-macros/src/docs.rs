//! Doc comments: those of functions, and those of statements, which only the outline keeps.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{ParseStream, Parser as _};
use syn::visit_mut::{self, VisitMut};
use syn::{Arm, Attribute, Block, Expr, ExprClosure, Lit, Meta, Stmt};

/// The text of doc comments.
pub(crate) fn text(attributes: &[Attribute]) -> String {
    let lines: Vec<_> = attributes.iter().filter_map(line).collect();
    let indent = lines.iter().filter(|line| !line.trim().is_empty()).map(|line| indent(line)).min().unwrap_or(0);
    let lines: Vec<_> = lines.iter().map(|line| line.get(indent..).unwrap_or("").trim_end()).collect();
    lines.join("\n").trim().to_owned()
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn line(attribute: &Attribute) -> Option<String> {
    let Meta::NameValue(pair) = &attribute.meta else { return None };
    match &pair.value {
        Expr::Lit(literal) if pair.path.is_ident("doc") => match &literal.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// The first line as a title, without its full stop, and the rest.
pub(crate) fn title_and_rest(text: &str) -> (&str, &str) {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let first = first.trim();
    (first.strip_suffix('.').filter(|title| !title.ends_with('.')).unwrap_or(first), rest.trim())
}

/// The name of a function as words: `quick_rollback` is "Quick rollback".
pub(crate) fn words(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut chars = words.trim().chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The doc comment of a statement.
pub(crate) fn of_statement(statement: &Stmt) -> String {
    match statement {
        Stmt::Local(local) => text(&local.attrs),
        Stmt::Expr(expr, _) => text(&first(expr)),
        Stmt::Macro(statement) => text(&statement.attrs),
        Stmt::Item(_) => String::new(),
    }
}

/// Takes the doc comments off statements, match arms and closures, where the compiler does not want them.
pub(crate) fn strip(block: &mut Block) {
    Strip.visit_block_mut(block);
}

struct Strip;

impl VisitMut for Strip {
    fn visit_stmt_mut(&mut self, statement: &mut Stmt) {
        match statement {
            Stmt::Local(local) => without_docs(&mut local.attrs),
            Stmt::Expr(expr, _) => {
                if let Some(attributes) = first_mut(expr) {
                    without_docs(attributes);
                }
            }
            Stmt::Macro(statement) => without_docs(&mut statement.attrs),
            // A function in a function keeps its own.
            Stmt::Item(_) => return,
        }
        visit_mut::visit_stmt_mut(self, statement);
    }

    fn visit_arm_mut(&mut self, arm: &mut Arm) {
        without_docs(&mut arm.attrs);
        visit_mut::visit_arm_mut(self, arm);
    }

    fn visit_expr_closure_mut(&mut self, closure: &mut ExprClosure) {
        without_docs(&mut closure.attrs);
        visit_mut::visit_expr_closure_mut(self, closure);
    }
}

fn without_docs(attributes: &mut Vec<Attribute>) {
    attributes.retain(|attribute| !attribute.path().is_ident("doc"));
}

/// The attributes in front of an expression; `syn` hangs those of a statement on its first operand.
fn first(expr: &Expr) -> Vec<Attribute> {
    let leading = |input: ParseStream<'_>| {
        let attributes = Attribute::parse_outer(input)?;
        input.parse::<TokenStream>()?;
        Ok(attributes)
    };
    leading.parse2(expr.to_token_stream()).unwrap_or_default()
}

/// The same, to be changed.
fn first_mut(expr: &mut Expr) -> Option<&mut Vec<Attribute>> {
    macro_rules! attributes {
        ($($kind:ident)*) => {
            match expr {
                Expr::Assign(pair) => first_mut(&mut pair.left),
                Expr::Binary(pair) => first_mut(&mut pair.left),
                Expr::Cast(cast) => first_mut(&mut cast.expr),
                $(Expr::$kind(expr) => Some(&mut expr.attrs),)*
                _ => None,
            }
        };
    }
    attributes!(Array Async Await Block Break Call Closure Const Continue Field ForLoop Group If Index Let Lit Loop Macro
        Match MethodCall Paren Path Range Reference Repeat Return Struct Try TryBlock Tuple Unary Unsafe While Yield)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_title() {
        assert_eq!(title_and_rest("Update.\n\nTakes long.\nReally."), ("Update", "Takes long.\nReally."));
        assert_eq!(title_and_rest("And so on..."), ("And so on...", ""));
        assert_eq!(words("quick_rollback"), "Quick rollback");
    }

    #[test]
    fn comments_on_statements_are_read_and_stripped() {
        let mut block: Block = syn::parse_quote!({
            /// One.
            let a = 1;
            /// Two.
            ///
            ///   indented
            b = f(|| {
                /// Inner.
                g();
            });
            /// Three.
            h(a)
        });
        let docs: Vec<_> = block.stmts.iter().map(of_statement).collect();
        assert_eq!(docs, ["One.", "Two.\n\n  indented", "Three."]);
        strip(&mut block);
        assert!(!quote::quote!(#block).to_string().contains("doc"));
    }
}

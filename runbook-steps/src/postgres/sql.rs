//! Words of SQL, quoted in one place.

use runbook::{Error, Result};

/// A name: `"claims"`.
pub(super) fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text: `'it''s'`. With an `E` where a backslash is in it, so that it means the same under every setting.
pub(super) fn text(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!(" E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// A table, in `public` unless its schema is named: `"audit"."log"`.
pub(super) fn table(named: &str) -> String {
    let (schema, table) = named.split_once('.').unwrap_or(("public", named));
    format!("{}.{}", name(schema), name(table))
}

/// A column as `TABLE.COLUMN` or `SCHEMA.TABLE.COLUMN`: the table, and the column.
pub(super) fn column(named: &str) -> Result<(&str, &str)> {
    named.rsplit_once('.').ok_or_else(|| Error::new(format!("`{named}` is no column like `claims.id`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted() {
        assert_eq!(name("a\"b"), "\"a\"\"b\"");
        assert_eq!(text("it's"), "'it''s'");
        assert_eq!(text("a\\'b"), " E'a\\\\''b'");
        assert_eq!(table("claims"), "\"public\".\"claims\"");
        assert_eq!(table("audit.log"), "\"audit\".\"log\"");
        assert_eq!(column("audit.log.id").expect("a column"), ("audit.log", "id"));
    }
}

//! The arguments of a part are those of any function.

use runbook::prelude::*;

/// As many as there are.
#[part]
async fn confirm_all<T: std::fmt::Display>(run: &Run, titles: &[T], more: impl Into<String>) -> Result<usize> {
    for title in titles {
        /// One at a time.
        run.confirm(format!("{title}?")).await?;
    }
    run.confirm(more.into()).await?;
    Ok(titles.len())
}

#[procedure]
async fn ask(run: &Run) -> Result<()> {
    confirm_all(run, &["one"], "two").await.map(drop)
}

#[test]
fn a_part_takes_any_arguments() {
    let book = Book::new("site").procedures(procedures![ask]).parts(parts![confirm_all]);
    let part = book.part("confirm_all").expect("it is known");
    assert_eq!((part.title, part.items.len()), ("As many as there are", 2));
}

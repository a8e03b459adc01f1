use runbook::prelude::*;

async fn restart(run: &Run) -> Result<()> {
    run.confirm("Restart?").await
}

#[procedure]
async fn update(run: &Run) -> Result<()> {
    restart(run).await
}

fn main() {
    let _ = Book::new("site").parts(parts![restart, update]);
}

use std::rc::Rc;

use runbook::prelude::*;

#[procedure]
async fn deploy(run: &Run) -> Result<()> {
    let name = Rc::new("site");
    run.confirm("Deploy?").await?;
    run.confirm(*name).await
}

fn main() {}

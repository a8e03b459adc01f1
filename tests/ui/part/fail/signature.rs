use runbook::prelude::*;

#[part]
fn not_async(run: &Run) -> Result<()> {
    let _ = run;
    Ok(())
}

#[part]
async fn no_run(site: &str) -> Result<()> {
    println!("{site}");
    Ok(())
}

#[part]
async fn nothing() {}

#[part]
async fn by_value(run: Run) -> Result<()> {
    run.confirm("Deploy?").await
}

#[part(target = site)]
async fn options(run: &Run, site: &str) -> Result<()> {
    run.confirm(site).await
}

struct Site;

impl Site {
    #[part]
    async fn deploy(&self, run: &Run) -> Result<()> {
        run.confirm("Deploy?").await
    }
}

fn main() {
    let _ = parts![not_async, no_run, nothing, by_value, options];
}

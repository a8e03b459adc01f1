use runbook::prelude::*;

#[step]
async fn send_mail(_cx: &Context, to: &str) -> Result<()> {
    println!("{to}");
    Ok(())
}

#[procedure]
async fn deploy(run: &Run) -> Result<()> {
    run.step("Tell everyone", send_mail("all@example.org")).await
}

fn main() {}

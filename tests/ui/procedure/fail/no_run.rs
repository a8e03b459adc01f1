use runbook::prelude::*;

#[procedure]
async fn nothing() -> Result<()> {
    Ok(())
}

#[procedure]
async fn input_only(site: &String) -> Result<()> {
    println!("{site}");
    Ok(())
}

fn main() {
    let _ = procedures![nothing, input_only];
}

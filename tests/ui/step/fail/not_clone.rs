use runbook::prelude::*;

struct Service;

#[step]
async fn start(_cx: &Context, _service: Service) -> Result<()> {
    Ok(())
}

#[step]
async fn stop(_cx: &Context, _service: &Service) -> Result<()> {
    Ok(())
}

fn main() {}

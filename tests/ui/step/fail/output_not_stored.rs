use runbook::prelude::*;

struct Pid;

#[step]
async fn start(_cx: &Context) -> Result<Pid> {
    Ok(Pid)
}

fn main() {}

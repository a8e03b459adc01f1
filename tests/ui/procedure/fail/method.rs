use runbook::prelude::*;

struct Site;

impl Site {
    #[procedure]
    async fn deploy(&self, run: &Run) -> Result<()> {
        run.confirm("Deploy?").await
    }
}

fn main() {}

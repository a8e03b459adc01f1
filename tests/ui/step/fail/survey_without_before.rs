use runbook::prelude::*;

#[step(survey = look, rollback = put_back)]
async fn install(_cx: &Context) -> Result<u32> {
    Ok(2)
}

async fn look(_cx: &Context) -> Result<Survey<String, u32>> {
    Ok(Survey::Already(2))
}

async fn put_back(_cx: &Context) -> Result<()> {
    Ok(())
}

fn main() {}

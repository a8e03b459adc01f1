//! Owners by name and number.

use runbook_core::host::Stat;
use runbook_core::{Command, Context, Explain as _, Result};

/// Whether `user`, `user:group` or `:group` is the owner already. Names are looked up on the host.
pub(crate) async fn is(cx: &Context, owner: &str, stat: &Stat) -> Result<bool> {
    let (user, group) = owner.split_once(':').unwrap_or((owner, ""));
    let user = number(cx, "passwd", user).await?;
    let group = number(cx, "group", group).await?;
    Ok(user.is_none_or(|uid| uid == stat.uid) && group.is_none_or(|gid| gid == stat.gid))
}

/// The number of a user or a group; `None` for an empty name, which is any.
async fn number(cx: &Context, database: &str, name: &str) -> Result<Option<u32>> {
    if name.is_empty() {
        return Ok(None);
    }
    if let Ok(number) = name.parse() {
        return Ok(Some(number));
    }
    // Format of both databases: name:password:number:…
    let found = cx.run(&Command::new("getent").args([database, name])).await;
    let found = found.with_context(|| format!("find `{name}` in the {database} database of the host"))?;
    let number = found.text()?.split(':').nth(2).and_then(|number| number.parse().ok());
    number.map(Some).with_context(|| format!("the {database} database has no number for `{name}`"))
}

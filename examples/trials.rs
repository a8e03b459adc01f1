//! Hard things to hand to a program and to hear from it: secrets, output without end, output that is no text. The tests of
//! secrets and of bad input run this program: `cargo run --example trials -- list`.

#![allow(clippy::unused_async, clippy::ref_option, reason = "the shape that `#[step]` wants")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use runbook::host::Attributes;
use runbook::prelude::*;
use serde::{Deserialize, Serialize};

/// Where a program is given its secrets.
#[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
struct Account {
    /// A directory to work in.
    dir: PathBuf,
    /// The password, as `env:NAME` or `file:PATH`.
    #[arg(long)]
    password: Secret,
    /// A key of several lines.
    #[arg(long)]
    key: Secret,
    /// Whether the login is refused.
    #[arg(long)]
    refused: bool,
}

/// A shell script: what it does is of no interest, only what it is given and prints.
fn script(text: &str) -> Command {
    Command::new("sh").args(["-c", text])
}

async fn nothing_to_undo(_cx: &Context, _secret: &Secret) -> Result<()> {
    Ok(())
}

/// Print a secret from the environment
#[step(rollback = nothing_to_undo, subject = "the environment")]
async fn by_environment(cx: &Context, secret: &Secret) -> Result<String> {
    let printing = r#"
        sleep 0.2
        echo "the password is $PASSWORD."
        echo "not for the log: $PASSWORD" >&2
        # In two writes, the second a moment later.
        first=${PASSWORD%?????????}
        printf %s "$first"; sleep 0.2; printf '%s\n' "${PASSWORD#"$first"}"
        printf %s "$first" >&2; sleep 0.2; printf '%s\n' "${PASSWORD#"$first"}" >&2
        printf %s "$PASSWORD" | base64
        sleep 0.2
    "#;
    let output = cx.run(&script(printing).secret_env("PASSWORD", secret)).await?;
    Ok(output.lossy().into_owned())
}

/// Print a secret from the input
#[step(rollback = nothing_to_undo, subject = "the input")]
async fn by_input(cx: &Context, secret: &Secret) -> Result<String> {
    let output = cx.run(&script("cat; sleep 0.2").secret_input(secret)).await?;
    Ok(output.lossy().into_owned())
}

/// Print a secret from a file
#[step(rollback = remove, subject = path.display())]
async fn by_file(cx: &Context, path: &Path, secret: &Secret) -> Result<String> {
    cx.secret_file(path, secret).await?;
    let output = cx.run(&Command::new("stat").args(["-c", "mode %a"]).arg(path)).await?;
    let shown = cx.run(&Command::new("cat").arg(path)).await?;
    Ok(format!("{}{}", output.lossy(), shown.lossy()))
}

async fn remove(cx: &Context, path: &Path, _secret: &Secret) -> Result<()> {
    cx.files().remove(path).await
}

/// Say a secret in every way a step can
#[step(survey = seen, rollback = unsay, subject = "aloud")]
async fn aloud(cx: &Context, secret: &Secret, before: &Option<String>) -> Result<String> {
    let value = secret.expose()?;
    cx.say(format!("said: {value}"));
    cx.warn(format!("warned of: {value}"));
    Ok(format!("given back: {value}, before: {before:?}"))
}

async fn seen(_cx: &Context, secret: &Secret) -> Result<Survey<Option<String>, String>> {
    let value = secret.expose()?;
    Ok(Survey::change(Some(value.clone()), Diff::turn("password", "none", value)))
}

async fn unsay(cx: &Context, _secret: &Secret, before: &Option<String>) -> Result<()> {
    cx.say(format!("it was {before:?}"));
    Ok(())
}

/// Be refused
#[step(rollback = nothing_to_undo, subject = "the login")]
async fn refused(cx: &Context, secret: &Secret) -> Result<()> {
    let refusing = r#"echo "who is $PASSWORD?"; echo "no login with $PASSWORD" >&2; exit 3"#;
    let refused = cx.run(&script(refusing).secret_env("PASSWORD", secret)).await.map(drop);
    refused.with_context(|| format!("log in with {:?}", secret.expose()))
}

/// Hand secrets to programs, which print them
#[procedure(target = account.dir.display())]
async fn hand_over(run: &Run, account: &Account) -> Result<Vec<String>> {
    let mut said = Vec::new();
    for (name, secret) in [("password", &account.password), ("key", &account.key)] {
        said.push(run.step(format!("Give the {name} by environment"), by_environment(secret)).await?);
        said.push(run.step(format!("Give the {name} by input"), by_input(secret)).await?);
        said.push(run.step(format!("Give the {name} by file"), by_file(&account.dir.join(name), secret)).await?);
        said.push(run.step(format!("Say the {name}"), aloud(secret)).await?);
        let remembered = run.remember(async || secret.expose()).await?;
        run.say(format!("remembered: {remembered}"));
    }
    if account.refused {
        run.step("Log in", refused(&account.password)).await?;
    }
    Ok(said)
}

/// Something a program prints.
#[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
struct Printed {
    /// A directory to work in.
    dir: PathBuf,
    /// What a shell is told.
    #[arg(long)]
    script: String,
}

/// What was heard of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Heard {
    kept: usize,
    omitted: u64,
    text: Option<String>,
}

/// Run a script
#[step(rollback = unheard)]
async fn hear(cx: &Context, text: &str) -> Result<Heard> {
    let output = cx.run(&script(text)).await?;
    let text = output.text().ok().filter(|text| text.len() < 100).map(str::to_owned);
    Ok(Heard { kept: output.stdout.len(), omitted: output.omitted, text })
}

async fn unheard(_cx: &Context, _text: &str) -> Result<()> {
    Ok(())
}

/// Listen to a program
#[procedure(target = printed.dir.display())]
async fn listen(run: &Run, printed: &Printed) -> Result<Heard> {
    run.step("Listen", hear(&printed.script)).await
}

/// Read what a program prints as text
#[step(rollback = unheard)]
async fn read(cx: &Context, text: &str) -> Result<String> {
    let command = script(text);
    let output = cx.run(&command).await?;
    Ok(output.text().with_context(|| format!("read what `{command}` prints"))?.to_owned())
}

/// Read what a program prints
#[procedure(target = printed.dir.display())]
async fn understand(run: &Run, printed: &Printed) -> Result<String> {
    run.step("Read", read(&printed.script)).await
}

/// Many small files.
#[derive(Debug, Clone, Serialize, Deserialize, clap::Args)]
struct Many {
    /// The directory they are written in.
    dir: PathBuf,
    /// How many.
    #[arg(long, default_value_t = 20)]
    files: u32,
}

/// Write a number
#[step(rollback = unwrite, subject = path.display())]
async fn number(cx: &Context, path: &Path, number: u32) -> Result<u32> {
    cx.files().write(path, number.to_string().as_bytes(), &Attributes::default()).await?;
    Ok(number)
}

async fn unwrite(cx: &Context, path: &Path, _number: u32) -> Result<()> {
    cx.files().remove(path).await
}

/// Write many files
#[procedure(target = many.dir.display())]
async fn write_many(run: &Run, many: &Many) -> Result<u32> {
    for n in 0..many.files {
        run.step(format!("Write {n}"), number(&many.dir.join(n.to_string()), n)).await?;
    }
    Ok(many.files)
}

#[tokio::main]
async fn main() -> ExitCode {
    let book = Book::new("trials")
        .about("Hard things to hand to programs and to hear from them")
        .procedures(procedures![hand_over, listen, understand, write_many]);
    runbook::cli::main(book).await
}

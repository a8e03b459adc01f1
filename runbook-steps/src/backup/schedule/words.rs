//! The words of a command, as systemd, cron and people write them.

use std::path::Path;

use runbook_core::{Command, Error, Result};

/// An error unless both systemd and cron take it as the name of a job. cron skips files with a dot in their names.
pub(super) fn require_name(name: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if name.is_empty() || name.len() > 200 || name.starts_with('-') || !name.chars().all(fits) {
        return Err(Error::refused(format!("`{name}` is not the name of a job"))
            .hint("letters, digits, `-` and `_`: cron reads no others"));
    }
    Ok(())
}

/// An error unless it can be the name of a user.
pub(super) fn require_user(user: &str) -> Result<()> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if user.is_empty() || user.starts_with('-') || !user.chars().all(fits) {
        return Err(Error::refused(format!("`{user}` is not the name of a user")));
    }
    Ok(())
}

/// An error unless it can be run without a search path, and lies on one line.
pub(super) fn require_program(words: &[String]) -> Result<()> {
    let Some(program) = words.first() else {
        return Err(Error::refused("the job runs nothing").hint("`.runs([program, …])`"));
    };
    if !Path::new(program).is_absolute() || program.contains('$') {
        let error = Error::refused(format!("`{program}` is not the whole path of a program"));
        return Err(error.hint("systemd and cron look for programs in other places than a shell does"));
    }
    match words.iter().find(|word| word.chars().any(char::is_control)) {
        Some(word) => Err(Error::refused(format!("`{}` cannot stand in one line", word.escape_debug()))),
        None => Ok(()),
    }
}

/// As `ExecStart=` wants them: no specifier, no variable. Source: systemd.service(5), "Command lines".
pub(super) fn for_systemd(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=,@".contains(c);
    let word = |word: &String| {
        if !word.is_empty() && word.chars().all(plain) {
            return word.clone();
        }
        let escaped = word.replace('\\', r"\\").replace('"', r#"\""#).replace('%', "%%").replace('$', "$$");
        format!("\"{escaped}\"")
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// As a shell wants them.
pub(super) fn for_shell(words: &[String]) -> String {
    let (program, args) = words.split_first().map_or(("", words), |(program, args)| (program.as_str(), args));
    Command::new(program).args(args).to_string()
}

/// As cron wants them: for a shell, and without the `%` at which cron ends a command. Source: crontab(5). What becomes of
/// two backslashes depends on the cron.
pub(super) fn for_cron(words: &[String]) -> Result<String> {
    match words.iter().find(|word| word.contains('\\')) {
        Some(word) => Err(Error::refused(format!("crons do not agree on what the backslash in `{word}` means"))),
        None => Ok(for_shell(words).replace('%', r"\%")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn each_reader_gets_the_words_that_were_meant() {
        let odd = words(&["/bin/x", "a b", "50%", "$HOME", "\"q\"\\", "it's", "", ";"]);
        assert_eq!(for_systemd(&odd), r#"/bin/x "a b" "50%%" "$$HOME" "\"q\"\\" "it's" "" ";""#);
        assert!(for_cron(&odd).is_err(), "a backslash");
        let odd: Vec<String> = odd.iter().map(|word| word.replace('\\', "")).collect();
        let line = for_cron(&odd).expect("is fine");
        assert!(line.contains(r"50\%") && !line.contains("50%"), "{line}");
        let said = std::process::Command::new("sh")
            .args(["-c", &line.replace(r"\%", "%").replacen("/bin/x", r"printf '<%s>'", 1)])
            .output()
            .expect("a shell");
        assert_eq!(String::from_utf8_lossy(&said.stdout), r#"<a b><50%><$HOME><"q"><it's><><;>"#);
    }

    #[test]
    fn what_cannot_be_scheduled_is_refused_by_name() {
        assert!(require_name("marb-backup").is_ok());
        for name in ["", "a.b", "a b", "-a", "../a"] {
            assert!(require_name(name).is_err(), "{name}");
        }
        for user in ["", "a b", "-x", "a\nb"] {
            assert!(require_user(user).is_err(), "{user}");
        }
        for line in [&[][..], &["marb"], &["/bin/marb", "a\nb"], &["/bin/$X"]] {
            assert!(require_program(&words(line)).is_err(), "{line:?}");
        }
        assert!(require_program(&words(&["/usr/local/bin/marb", "run", "back_up"])).is_ok());
    }
}

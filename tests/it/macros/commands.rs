use std::path::Path;

use runbook::prelude::*;

#[test]
fn a_value_is_one_argument_whatever_is_in_it() {
    let (message, dir) = ("two words; rm -rf $HOME 'x", Path::new("/srv/a b"));
    let command = cmd!("git -C {dir} commit -m {message} --author={message} -n{1 + 1}");
    let want = ["-C", "/srv/a b", "commit", "-m", message, &format!("--author={message}"), "-n2"];
    assert_eq!(command.program(), "git");
    assert_eq!(command.arguments(), want);
}

#[test]
fn a_list_is_as_many_arguments_as_it_has() {
    let files = vec!["a".to_owned(), "b c".to_owned()];
    let none: Option<&str> = None;
    assert_eq!(cmd!("ls {&files...} {none...} {[1, 2]...} --").arguments(), ["a", "b c", "1", "2", "--"]);
    assert_eq!(cmd!("ls {files.iter().rev()...}").arguments(), ["b c", "a"]);
}

#[test]
fn quotes_keep_words_together() {
    let name = "x y";
    let command = cmd!(r#"sh -c 'echo "$1" {name}' "hello {name}" '' {{}}"#);
    assert_eq!(command.arguments(), ["-c", "echo \"$1\" {name}", "hello x y", "", "{}"]);
    assert_eq!(cmd!("{name} run").program(), "x y");
}

#[test]
fn a_secret_goes_by_the_environment() {
    let password = Secret::env("PASSWORD");
    let command = cmd!("psql -l").secret_env("PGPASSWORD", &password);
    assert_eq!(command.to_string(), "PGPASSWORD=[env:PASSWORD] psql -l");
}

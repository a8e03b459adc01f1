use runbook::prelude::*;

fn main() {
    let _ = cmd!("pg_dump marb | gzip");
    let _ = cmd!("cd /srv && ls");
    let _ = cmd!("echo hello > /srv/hello");
    let _ = cmd!("rm *.log");
    let _ = cmd!("echo $HOME");
}

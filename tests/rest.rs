//! The last word of `cargo test`: what it did not cover, and how to run that.

fn main() {
    println!(
        "\nNot covered here: hosts over SSH and in containers, systemd and the server of the lab, and 200 kills of the quickstart. `tests/all` runs everything.\n"
    );
}

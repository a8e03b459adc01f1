//! What the compiler says to a mistake: one small program for each, with the words it should see. The compiler is pinned
//! in `rust-toolchain.toml`. `TRYBUILD=overwrite cargo test --test it ui::` writes the words anew; read them.
//!
//! What is no mistake is in modules here: among the programs, it would make the compiler generate code for all of them.

mod any_arguments;
mod lints;
mod nested_in_a_function;

#[test]
fn every_mistake_says_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/ui/*/fail/*.rs");
}

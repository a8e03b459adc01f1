//! What the compiler says to a mistake: one small program for each, with the words it should see. The compiler is pinned
//! in `rust-toolchain.toml`. `TRYBUILD=overwrite cargo test --test it ui::` writes the words anew; read them.

#[test]
fn every_mistake_says_what_to_write() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*/fail/*.rs");
    cases.pass("tests/ui/*/pass/*.rs");
}

//! The committed fuzz corpus, replayed: what once was interesting stays tested without a fuzzer.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the body is all test, but the fuzz target includes it, too"
)]

// As the body knows it.
extern crate evervip_bfd as bfd;

#[path = "../../../fuzz/bodies/bfd_core.rs"]
mod body;

#[test]
fn corpus() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/bfd_core");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect(folder) {
        let path = entry.expect(folder).path();
        let data = std::fs::read(&path).expect("a readable file");
        // The name appears only when the test fails.
        println!("{}", path.display());
        body::run(&data);
        // What is cut short must be refused or read, never trusted.
        for length in 0..data.len().min(64) {
            body::run(&data[..length]);
        }
        files += 1;
    }
    assert!(files >= 20, "{files} files in {folder}");
}

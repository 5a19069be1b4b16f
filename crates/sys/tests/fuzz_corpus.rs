//! The committed fuzz corpus, replayed: what once was interesting stays tested without a fuzzer.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the body is all test, but the fuzz target includes it, too"
)]

// As the fuzz target knows it.
extern crate evervip_sys as sys;

#[path = "../../../fuzz/bodies/ipvs_reply.rs"]
mod body;

#[test]
fn ipvs_replies() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/ipvs_reply");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect(folder) {
        let path = entry.expect(folder).path();
        let data = std::fs::read(&path).expect("a readable file");
        // The name appears only when the test fails.
        println!("{}", path.display());
        // Cut anywhere, or with a byte changed, it must be refused or read, never trusted.
        for length in 0..=data.len() {
            body::run(&data[..length]);
        }
        let mut changed = data.clone();
        for place in 0..data.len() {
            for value in [0, 1, 0x7f, 0xff] {
                changed[place] = value;
                body::run(&changed);
            }
            changed[place] = data[place];
        }
        files += 1;
    }
    assert!(files >= 8, "{files} files in {folder}");
}

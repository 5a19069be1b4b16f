//! The committed fuzz corpus, replayed: what once was interesting stays tested without a fuzzer.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the bodies are all test, but the fuzz targets include them, too"
)]

// As the bodies know it.
extern crate evervip_lvs as lvs;

#[path = "../../../fuzz/bodies/dns_answer.rs"]
mod dns_answer;
#[path = "../../../fuzz/bodies/http_answer.rs"]
mod http_answer;
#[path = "../../../fuzz/bodies/smtp_answer.rs"]
mod smtp_answer;

/// Replays at least `least` files, and what is left of them when they are cut short.
fn replay(name: &str, least: usize, run: fn(&[u8])) {
    let folder = format!("{}/../../fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).expect(&folder) {
        let path = entry.expect(&folder).path();
        let data = std::fs::read(&path).expect("a readable file");
        // The name appears only when the test fails.
        println!("{}", path.display());
        run(&data);
        for length in 0..data.len().min(64) {
            run(&data[..length]);
        }
        files += 1;
    }
    assert!(files >= least, "{files} files in {folder}");
}

#[test]
fn http_answer() {
    replay("http_answer", 6, http_answer::run);
}

#[test]
fn smtp_answer() {
    replay("smtp_answer", 9, smtp_answer::run);
}

#[test]
fn dns_answer() {
    replay("dns_answer", 9, dns_answer::run);
}

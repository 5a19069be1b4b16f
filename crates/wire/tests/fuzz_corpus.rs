//! The committed fuzz corpus, replayed: what once was interesting stays tested without a fuzzer.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the bodies are all test, but the fuzz targets include them, too"
)]

#[path = "../../../fuzz/bodies/bfd_packet.rs"]
mod bfd_packet;
#[path = "../../../fuzz/bodies/vrrp_advert.rs"]
mod vrrp_advert;

/// Runs every file of a corpus that has at least `enough` of them.
fn replay(name: &str, enough: usize, run: fn(&[u8])) {
    let folder = format!("{}/../../fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).expect(&folder) {
        let path = entry.expect(&folder).path();
        let data = std::fs::read(&path).expect("a readable file");
        // The name appears only when the test fails.
        println!("{}", path.display());
        run(&data);
        // What is cut short must be refused or read, never trusted.
        for length in 0..data.len().min(64) {
            run(&data[..length]);
        }
        files += 1;
    }
    assert!(files >= enough, "{files} files in {folder}");
}

#[test]
fn adverts() {
    replay("vrrp_advert", 24, vrrp_advert::run);
}

#[test]
fn control_packets_of_bfd() {
    replay("bfd_packet", 38, bfd_packet::run);
}

//! The committed fuzz corpus, replayed: what once was interesting stays tested without a fuzzer.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "the bodies are all test, but the fuzz targets include them, too"
)]

// As the bodies know it.
extern crate evervip_config as config;

#[path = "../../../fuzz/bodies/config_files.rs"]
mod files;
#[path = "../../../fuzz/bodies/config_layout.rs"]
mod layout;
#[path = "../../../fuzz/bodies/config_load.rs"]
mod whole;

#[test]
fn corpus() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/config_load");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect(folder) {
        let path = entry.expect(folder).path();
        let data = std::fs::read(&path).expect("a readable file");
        // The name appears only when the test fails.
        println!("{}", path.display());
        whole::run(&data);
        layout::run(&data);
        // What is cut short is another file, and any of its lines may be missing.
        for length in (0..data.len()).step_by(17) {
            whole::run(&data[..length]);
        }
        let lines: Vec<&[u8]> = data.split_inclusive(|byte| *byte == b'\n').collect();
        for missing in 0..lines.len() {
            let rest = [&lines[..missing], &lines[missing + 1..]].concat().concat();
            whole::run(&rest);
            layout::run(&rest);
        }
        files += 1;
    }
    assert!(files >= 7, "{files} files in {folder}");
}

//! The fuzz target around `bodies/http_answer.rs`.

#![no_main]

#[path = "../bodies/http_answer.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));

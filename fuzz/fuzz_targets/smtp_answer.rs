//! The fuzz target around `bodies/smtp_answer.rs`.

#![no_main]

#[path = "../bodies/smtp_answer.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));

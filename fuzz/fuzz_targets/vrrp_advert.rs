//! The fuzz target around `bodies/vrrp_advert.rs`.

#![no_main]

#[path = "../bodies/vrrp_advert.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));

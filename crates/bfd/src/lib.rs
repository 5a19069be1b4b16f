//! Bidirectional Forwarding Detection: RFC 5880, RFC 5881 (one hop) and RFC 5883 (several hops).
//!
//! So far the crate holds what the protocol will be told: the [`settings`].

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod settings;

pub use settings::Settings;

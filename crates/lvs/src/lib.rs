//! Load balancing by the kernel's IPVS, and the health of the servers behind it.
//!
//! So far the crate holds what it will be told: the [`settings`].

#![forbid(unsafe_code)]

pub mod dialogue;
pub mod settings;

pub use settings::Settings;

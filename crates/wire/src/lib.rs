//! Bytes to structs and back: VRRP and its two kinds of proof, BFD, IPv4, ARP, Neighbour Discovery and their checksums.
//!
//! A parser never panics and says why it refused. After it no length is left to check. Whether a well-formed
//! packet is *welcome* (version, authentication, addresses) is for the protocol core to judge; nothing here knows
//! a configuration.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod ah;
pub mod arp;
pub mod bfd;
pub mod checksum;
pub mod ethernet;
pub mod ipv4;
pub mod ipv6;
pub mod ndisc;
pub mod trailer;
pub mod vrrp;

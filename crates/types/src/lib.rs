//! The words every other crate shares: numbers with a unit, a range or an identity.
//!
//! Nothing here does anything. A value of one of these types cannot be wrong: the constructors check,
//! the fields are private, and the unit is in the name. `no_std`, so that the protocol cores that build
//! on it have no clock, socket or file within reach.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod address;
pub mod bfd;
mod interface;
pub mod ipvs;
pub mod marks;
mod protocol;
mod random;
mod time;

pub use address::{Family, MacAddress, Prefix, PrefixError};
pub use interface::{IfIndex, IfName, IfNameError};
pub use protocol::{Claim, OutOfRange, Priority, Version, Vrid, Weight};
pub use random::Random;
pub use time::{Centiseconds, Instant};

//! The kernel's table of interfaces and addresses: read, changed and watched over netlink (RFC 3549).
//!
//! [`RouteSocket`] asks and changes, and waits for each answer; [`Monitor`] hears what anybody changes,
//! and never waits. The codec in [`message`] is written by hand: it is small, tolerates what it does not
//! know, and cannot panic on what a newer kernel may say.

mod address;
mod dump;
mod link;
mod manage;
pub mod message;
mod monitor;
mod numbers;
mod refusal;
mod route_socket;
mod socket;
mod stacked;

// What the packet filter, netlink of another family, is told and answers by.
pub(crate) use numbers::{ACK, ERROR, REQUEST};
pub(crate) use refusal::answer as read_answer;
pub(crate) use socket::{Socket, is_from_kernel};

pub use address::{Address, AddressChange, AddressError, Changed, KernelAddress};
pub use link::Link;
pub use monitor::{Drained, Event, Monitor};
pub use refusal::{Reason, Refusal};
pub use route_socket::RouteSocket;
pub use stacked::{IpvlanReach, LinkKind};

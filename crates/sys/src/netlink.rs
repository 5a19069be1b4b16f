//! The kernel's interfaces, addresses, routes and rules: read, changed and watched over netlink (RFC 3549).
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
mod routes;
mod rules;
mod socket;
mod stacked;

// What the packet filter and IPVS, netlink of other families, are told and answer by.
pub(crate) use numbers::{ACK, DONE, DUMP, DUMP_INTERRUPTED, ERROR, REQUEST};
pub(crate) use refusal::{answer as read_answer, end_of_list};
pub(crate) use socket::{Socket, is_from_kernel};

pub use address::{Address, AddressChange, AddressError, KernelAddress};
pub use link::Link;
pub use monitor::{Drained, Event, Monitor, RoutingEvent};
pub use refusal::{Reason, Refusal};
pub use route_socket::{Change, ChangeError, Changed, RouteSocket};
pub use routes::{
    Encap, Insert, KernelNextHop, KernelRoute, Route, RouteChange, RouteError, TunnelHeader, Way,
};
pub use rules::{KernelRule, RuleChange, RuleError};
pub use stacked::{IpvlanReach, LinkKind};

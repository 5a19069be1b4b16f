//! The operating system, behind nouns of ours.
//!
//! Every system call of the program is made here, and so is every `unsafe` block: the other crates forbid
//! it. An errno does not leave this crate: what fails comes back as an error that says what was being
//! done, to what, and why it did not work.
//!
//! Two halves. The network: [`netlink`] reads and changes interfaces and addresses, [`nftables`] filters, [`ipvs`] balances, [`advert_socket`]
//! sends and receives VRRP advertisements, [`bfd_socket`] the control packets of BFD, [`link_socket`] sends gratuitous ARP and neighbour
//! advertisements as finished frames. The process: the [`event_loop`] and what it waits for
//! ([`timer`], [`signals`], [`channel`]), children, files and identity; and the kernel's settings of interfaces ([`sysctl`]).
//!
//! Nothing here decides anything: the cores do, and their hosts carry the decisions to this crate.

pub mod advert_socket;
pub mod bfd_socket;
pub mod capture;
pub mod channel;
pub mod check_socket;
pub mod clock;
pub mod console;
pub mod error;
pub mod event_loop;
pub mod fifo;
pub mod file_watch;
pub mod heartbeat;
pub mod igmp;
pub mod ipvs;
pub mod link_socket;
pub mod linkbeat;
pub mod namespace;
pub mod netlink;
pub mod nftables;
pub mod pid_file;
pub mod ping_groups;
pub mod process;
pub mod process_events;
pub mod process_list;
pub mod random;
pub mod regex;
pub mod signals;
pub mod sysctl;
pub mod syslog;
pub mod timer;
pub mod users;

mod arrival;
mod batch;
mod filter;
mod mapping;
mod option;

#[cfg(test)]
mod test_directory;

pub use error::{Error, Outlet, SendError};

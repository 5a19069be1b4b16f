//! Hosts, cables and programs on one machine: what `evervip demo` and the interoperability tests run on.
//!
//! A [`Host`] has interfaces, addresses, routes and mounts of its own; a [`Segment`] is the switch that
//! hosts are plugged into. Everything is made with the kernel's namespaces, by root or by an ordinary user,
//! without any external program, and is gone when the program is, however it ends.
//!
//! ```no_run
//! use std::process::Command;
//! use std::time::Duration;
//!
//! use evervip_lab::{HostOptions, Lab};
//!
//! fn main() -> anyhow::Result<()> {
//!     let lab = Lab::new("example")?; // before any thread is started
//!     let lan = lab.segment()?;
//!     let a = lab.host("a", HostOptions::default())?;
//!     a.connect(&lan, "eth0")?;
//!     a.add_address("eth0", "198.18.0.1/24")?;
//!     let capture = a.capture("eth0")?;
//!     let mut router = a.spawn(Command::new("keepalived").arg("-n"))?;
//!     capture.wait_for("an advert", Duration::from_secs(10), |frame| frame.bytes.len() > 14)?;
//!     router.crash()
//! }
//! ```

#![forbid(unsafe_code)]

pub mod backend;
mod capture;
mod directory;
mod frr;
mod host;
mod link;
pub mod packages;
mod process;
pub mod scenario;
mod segment;
mod tshark;
pub mod uml;
mod wait;
mod worker;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};

use directory::Directory;

pub use capture::{Capture, Frame};
pub use frr::Frr;
pub use host::{Host, HostOptions};
pub use process::{Process, crash, descendants};
pub use scenario::Skipped;
pub use segment::Segment;
pub use sys::capture::Direction;
pub use sys::process::{ExitStatus, Pid};
pub use tshark::tshark;
pub use wait::{pause, wait_until};

/// Whether this process may become any user: it is root, and not only of a user namespace with one user in it.
///
/// # Errors
/// When /proc cannot be read.
pub fn is_real_root() -> Result<bool> {
    let map = std::fs::read_to_string("/proc/self/uid_map").context("cannot read /proc")?;
    let words: Vec<&str> = map.split_whitespace().collect();
    Ok(words == ["0", "0", "4294967295"])
}

/// The machine room: makes hosts and segments, and holds the files they leave behind.
#[derive(Debug)]
pub struct Lab {
    name: String,
    directory: Arc<Directory>,
}

impl Lab {
    /// Prepares this process to make hosts. To be called before it starts any thread: an ordinary user becomes
    /// root of a user namespace of its own here.
    ///
    /// # Errors
    /// When this machine does not let ordinary users make namespaces, or there are threads already.
    pub fn new(name: &str) -> Result<Self> {
        let directory = Arc::new(Directory::create(name)?);
        if sys::users::current_ids()?.effective_uid() != 0 {
            sys::namespace::enter_private_user_namespace().context(
                "an ordinary user needs user namespaces for the lab, entered before any thread is started",
            )?;
        }
        Ok(Self {
            name: name.to_owned(),
            directory,
        })
    }

    /// The name that it was given: that of the scenario.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A switch: forwards every frame, multicast included, to all its ports, and says nothing itself.
    ///
    /// # Errors
    /// When the kernel has no bridges or no namespaces.
    pub fn segment(&self) -> Result<Segment> {
        Segment::start()
    }

    /// A host with nothing but a loopback interface.
    ///
    /// # Errors
    /// When the kernel has no namespaces, or the name is taken.
    pub fn host(&self, name: &str, options: HostOptions) -> Result<Host> {
        Host::start(name, options, &self.directory)
    }

    /// A directory that all hosts see, removed with the lab.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

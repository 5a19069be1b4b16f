//! Whether the kernel reports memberships of groups in 224.0.0.0/24 (`net/ipv4/igmp_link_local_mcast_reports`), which
//! routers do not forward, and which some switches take badly.

use std::fs;

use crate::Error;

const FILE: &str = "/proc/sys/net/ipv4/igmp_link_local_mcast_reports";

/// The reports are off. What was before is known, and is put back by [`end`](Self::end) only.
#[derive(Debug)]
#[must_use = "the reports stay off until end() is called"]
pub struct NoLocalReports {
    before: String,
}

impl NoLocalReports {
    /// Switches the reports off, in the network namespace of this thread.
    ///
    /// # Errors
    /// When the kernel has no such switch, or we may not change it.
    pub fn begin() -> Result<Self, Error> {
        let before = fs::read_to_string(FILE).map_err(Error::object("read", &FILE))?;
        if before.trim() != "0" {
            fs::write(FILE, "0").map_err(Error::object("write", &FILE))?;
        }
        Ok(Self { before })
    }

    /// Puts back what was before.
    ///
    /// # Errors
    /// When we may not change it any more.
    pub fn end(self) -> Result<(), Error> {
        if self.before.trim() == "0" {
            return Ok(());
        }
        fs::write(FILE, &self.before).map_err(Error::object("write", &FILE))
    }
}

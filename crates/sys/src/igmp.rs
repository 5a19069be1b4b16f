//! Whether the kernel reports memberships of groups in 224.0.0.0/24 (`net/ipv4/igmp_link_local_mcast_reports`), which
//! routers do not forward, and which some switches take badly.

use std::fs;
use std::io;

use crate::Error;
use crate::sysctl::Overrides;

const NAME: &str = "net/ipv4/igmp_link_local_mcast_reports";
const FILE: &str = "/proc/sys/net/ipv4/igmp_link_local_mcast_reports";

/// The reports are off. What was before is known, and is put back by [`end`](Self::end) only.
#[derive(Debug)]
#[must_use = "the reports stay off until end() is called"]
pub struct NoLocalReports {
    before: i64,
}

impl NoLocalReports {
    /// Switches the reports off, in the network namespace of this thread. `overrides` knows what a predecessor found, and
    /// hears what is to be put back by a successor.
    ///
    /// # Errors
    /// When the kernel has no such switch, or we may not change it.
    pub fn begin(overrides: &mut Overrides) -> Result<Self, Error> {
        let text = fs::read_to_string(FILE).map_err(Error::object("read", &FILE))?;
        let now = text.trim().parse::<i64>().map_err(|_not_a_number| {
            Error::object("read", &FILE)(io::Error::from(io::ErrorKind::InvalidData))
        })?;
        if now != 0 {
            fs::write(FILE, "0").map_err(Error::object("write", &FILE))?;
        }
        let before = overrides.begin_elsewhere(NAME, now);
        Ok(Self { before })
    }

    /// Puts back what was before.
    ///
    /// # Errors
    /// When we may not change it any more.
    pub fn end(self, overrides: &mut Overrides) -> Result<(), Error> {
        overrides.end_elsewhere(NAME);
        if self.before == 0 {
            return Ok(());
        }
        fs::write(FILE, self.before.to_string()).map_err(Error::object("write", &FILE))
    }
}

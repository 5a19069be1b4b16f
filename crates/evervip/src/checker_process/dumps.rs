//! The dump file of the checker process. SIGUSR1 asks for it; statistics and JSON are of virtual routers only (keepalived).

use std::path::Path;

use anyhow::Result;
use config::Settings;
use lvs::Lvs;
use observe::{CheckContext, WallClock};
use types::Instant;

use crate::child::dump_file;

/// Writes it into a directory.
pub(super) fn write(directory: &Path, now: Instant, core: &Lvs, settings: &Settings) -> Result<()> {
    let wall = sys::clock::wall();
    let host_name = crate::machine::host_name();
    let context = CheckContext {
        clock: WallClock {
            now,
            unix_nanos: i128::from(wall.seconds()) * 1_000_000_000 + i128::from(wall.nanos()),
        },
        settings,
        host_name: &host_name,
        calendar: |seconds| sys::clock::WallTime::new(seconds, 0).ctime(),
    };
    let text = observe::check_data(core, &context);
    dump_file::replace(directory, "keepalived_check.data", text.as_bytes())
}

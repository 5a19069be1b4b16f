//! The dump file of the checker process. SIGUSR1 asks for it; statistics and JSON are of virtual routers only (keepalived).

use std::path::Path;

use anyhow::Result;
use config::Settings;
use lvs::Lvs;
use observe::CheckContext;
use types::Instant;

use crate::child::dump_file;

/// Writes it into a directory.
pub(super) fn write(directory: &Path, now: Instant, core: &Lvs, settings: &Settings) -> Result<()> {
    let host_name = crate::machine::host_name();
    let context = CheckContext {
        clock: dump_file::clock(now),
        settings,
        host_name: &host_name,
        calendar: dump_file::calendar,
    };
    let text = observe::check_data(core, &context);
    dump_file::replace(directory, "keepalived_check.data", text.as_bytes())
}

//! The dump file of the BFD process. SIGUSR1 asks for it.

use std::path::Path;

use anyhow::Result;
use bfd::Bfd;
use config::Settings;
use observe::BfdContext;
use types::Instant;

use super::sockets::{Receivers, Senders};
use crate::child::dump_file;

/// Writes it into a directory.
pub(super) fn write(
    directory: &Path,
    now: Instant,
    core: &Bfd,
    settings: &Settings,
    (receivers, senders): (&Receivers, &Senders),
) -> Result<()> {
    let host_name = crate::machine::host_name();
    let context = BfdContext {
        clock: dump_file::clock(now),
        settings,
        host_name: &host_name,
        calendar: dump_file::calendar,
        receivers: &receivers.descriptors(),
        senders: &senders.descriptors(),
    };
    let text = observe::bfd_data(core, &context);
    dump_file::replace(directory, "keepalived_bfd.data", text.as_bytes())
}

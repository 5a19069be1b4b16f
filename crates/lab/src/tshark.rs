//! tshark as the judge of what was on the wire.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::packages;

/// What Wireshark's dissectors say of the frames in a file of [`Capture::write_pcap`](crate::Capture::write_pcap):
/// one row for each frame for which `filter` (a display filter) holds, with the values of `fields`; empty
/// where a frame has no such field, all of them where it has several, with commas between.
///
/// # Errors
/// When tshark is not installed, or does not understand filter or fields.
pub fn tshark(file: &Path, filter: &str, fields: &[&str]) -> Result<Vec<Vec<String>>> {
    let mut command = Command::new(packages::require("tshark")?);
    // Without anybody's preferences, which an ordinary user who is root here might not be allowed to read.
    command
        .env("HOME", file.parent().context("a file in a directory")?)
        .env_remove("XDG_CONFIG_HOME");
    // Off by default, because many network cards fill checksums in after the capture; the cables of a lab do not.
    command.args(["-o", "ip.check_checksum:TRUE"]);
    command
        .arg("-n")
        .arg("-r")
        .arg(file)
        .args(["-Y", filter, "-T", "fields"]);
    for field in fields {
        command.args(["-e", field]);
    }
    let output = command.output().context("cannot start tshark")?;
    if !output.status.success() {
        bail!(
            "tshark: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .lines()
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect())
}

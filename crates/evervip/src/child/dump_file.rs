//! Writing dump files, so that no reader sees half of one and no planted link is followed.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use observe::WallClock;
use types::Instant;

/// Only the owner may read: a dump tells much about a network.
const MODE: u32 = 0o600;

/// What time it is, for a dump.
pub(crate) fn clock(now: Instant) -> WallClock {
    let wall = sys::clock::wall();
    WallClock {
        now,
        unix_nanos: i128::from(wall.seconds()) * 1_000_000_000 + i128::from(wall.nanos()),
    }
}

/// How dumps write a point in time, in seconds since 1970.
pub(crate) fn calendar(seconds: i64) -> String {
    sys::clock::WallTime::new(seconds, 0).ctime()
}

/// A new file under another name, renamed when it is whole and closed after that: a reader that waits for the rename and
/// one that waits for the closing of the final name are both served.
pub(crate) fn replace(directory: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let temporary = directory.join(format!(".{name}.{}", std::process::id()));
    // What a crash left, or somebody planted, is removed and not written to: `create_new` follows no link.
    match fs::remove_file(&temporary) {
        Ok(()) => {}
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {}
        Err(problem) => {
            return Err(problem).with_context(|| format!("removing {}", temporary.display()));
        }
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(&temporary)
        .with_context(|| format!("creating {}", temporary.display()))?;
    file.write_all(bytes)
        .with_context(|| format!("writing {}", temporary.display()))?;
    let target = directory.join(name);
    fs::rename(&temporary, &target).with_context(|| format!("renaming to {}", target.display()))?;
    drop(file);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_link_is_replaced_not_followed() {
        let directory = std::env::temp_dir().join(format!("evervip-dump-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let victim = directory.join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, directory.join("keepalived.data")).unwrap();
        std::os::unix::fs::symlink(
            &victim,
            directory.join(format!(".keepalived.data.{}", std::process::id())),
        )
        .unwrap();
        replace(&directory, "keepalived.data", b"dump").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        let written = directory.join("keepalived.data");
        assert_eq!(fs::read_to_string(&written).unwrap(), "dump");
        let metadata = fs::symlink_metadata(&written).unwrap();
        assert!(metadata.is_file());
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777,
            MODE
        );
        assert_eq!(
            fs::read_dir(&directory).unwrap().count(),
            2,
            "nothing is left over"
        );
        fs::remove_dir_all(&directory).unwrap();
    }
}

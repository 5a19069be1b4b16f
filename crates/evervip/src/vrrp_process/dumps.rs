//! Writing dump files, so that no reader sees half of one and no planted link is followed.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use config::Settings;
use config::settings::{Notify, NotifyDeleted};
use observe::{Context, NotifyScript, NotifyWhen, WallClock};
use types::Instant;
use vrrp::Vrrp;

use crate::messages::Dump;

/// Only the owner may read: a dump tells much about a network.
const MODE: u32 = 0o600;

/// Writes the file that was asked for into a directory.
pub(super) fn write(
    directory: &Path,
    dump: Dump,
    now: Instant,
    core: &Vrrp,
    settings: &Settings,
) -> Result<()> {
    let wall = sys::clock::wall();
    let commands: BTreeMap<String, String> = settings
        .commands
        .iter()
        .map(|(name, command)| (name.clone(), quoted(&command.argv)))
        .collect();
    let host_name = settings
        .global
        .router_id
        .clone()
        .unwrap_or_else(crate::machine::host_name);
    let notify = settings
        .instance_notify
        .iter()
        .map(|(name, notify)| (name.clone(), notify_scripts(notify)))
        .collect();
    let notify_deleted = settings
        .instance_notify
        .iter()
        .filter(|(_, notify)| notify.deleted != NotifyDeleted::AsFault)
        .map(|(name, _)| name.clone())
        .collect();
    let context = Context {
        notify: &notify,
        notify_deleted: &notify_deleted,
        clock: WallClock {
            now,
            unix_nanos: i128::from(wall.seconds()) * 1_000_000_000 + i128::from(wall.nanos()),
        },
        router_id: &host_name,
        json_version: settings.global.json_version,
        commands: &commands,
        calendar: |seconds| sys::clock::WallTime::new(seconds, 0).ctime(),
    };
    let (name, text) = match dump {
        Dump::Data => ("keepalived.data", observe::data(core, &context)),
        Dump::Stats | Dump::StatsAndClear => ("keepalived.stats", observe::stats(core)),
        // keepalived writes nothing when there is no instance.
        Dump::Json if core.instances().next().is_none() => return Ok(()),
        Dump::Json => ("keepalived.json", observe::json(core, &context)?),
    };
    replace(directory, name, text.as_bytes())
}

/// In the order of keepalived's dumps.
fn notify_scripts(notify: &Notify) -> Vec<NotifyScript> {
    let deleted = match &notify.deleted {
        NotifyDeleted::AsFault => &None,
        NotifyDeleted::AsDeleted(script) => script,
    };
    [
        (NotifyWhen::Backup, &notify.backup),
        (NotifyWhen::Master, &notify.master),
        (NotifyWhen::Fault, &notify.fault),
        (NotifyWhen::Stop, &notify.stop),
        (NotifyWhen::Deleted, deleted),
        (NotifyWhen::Any, &notify.any),
        (NotifyWhen::MasterRxLowerPri, &notify.master_rx_lower_pri),
    ]
    .into_iter()
    .filter_map(|(when, command)| {
        let command = command.as_ref()?;
        Some(NotifyScript {
            when,
            command: quoted(&command.argv),
            uid: command.user.uid,
            gid: command.user.gid,
        })
    })
    .collect()
}

/// Each word in single quotes, as keepalived's dumps have it.
fn quoted(argv: &[String]) -> String {
    argv.iter()
        .map(|word| format!("'{word}'"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A new file under another name, renamed when it is whole and closed after that: a reader that waits for the rename and
/// one that waits for the closing of the final name are both served.
fn replace(directory: &Path, name: &str, bytes: &[u8]) -> Result<()> {
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

//! The dump files of the VRRP process.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use config::Settings;
use config::settings::{Notify, NotifyDeleted};
use observe::{Context, NotifyScript, NotifyWhen};
use types::Instant;
use vrrp::Vrrp;

use crate::child::dump_file;
use crate::messages::Dump;

/// Writes the file that was asked for into a directory.
pub(super) fn write(
    directory: &Path,
    dump: Dump,
    now: Instant,
    core: &Vrrp,
    settings: &Settings,
) -> Result<()> {
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
        clock: dump_file::clock(now),
        router_id: &host_name,
        json_version: settings.global.json_version,
        commands: &commands,
        calendar: dump_file::calendar,
    };
    let (name, text) = match dump {
        Dump::Data => ("keepalived.data", observe::data(core, &context)),
        Dump::Stats | Dump::StatsAndClear => ("keepalived.stats", observe::stats(core)),
        // keepalived writes nothing when there is no instance.
        Dump::Json if core.instances().next().is_none() => return Ok(()),
        Dump::Json => ("keepalived.json", observe::json(core, &context)?),
    };
    dump_file::replace(directory, name, text.as_bytes())
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

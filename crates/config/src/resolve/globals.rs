//! What of `global_defs` depends on something else.

use lvs::settings::global::SyncDaemon;

use crate::diagnostics::{Class, Diagnostic, Reporter};
use crate::draft::{Draft, FifoDraft, TimedDraft};
use crate::settings::global::{Fifo, TimedCommand, VmacNames};
use crate::settings::{Global, Settings};

use super::scripts::Judge;

/// What the names of generated devices begin with.
pub(super) fn vmac_names(draft: &Draft) -> VmacNames {
    let globals = &draft.globals;
    let mut names = VmacNames::default();
    if let Some(prefix) = &globals.vmac_prefix {
        names.instances.clone_from(prefix);
    }
    let addresses = globals.vmac_addr_prefix.as_ref();
    names
        .addresses
        .clone_from(addresses.unwrap_or(&names.instances));
    names
}

/// The settings of the processes.
pub(super) fn resolve(draft: &Draft, judge: &mut Judge<'_>, report: &mut Reporter) -> Global {
    let mut global = draft.global.clone();
    let globals = &draft.globals;

    // keepalived: pid files of daemons in several namespaces must not meet.
    global.use_pid_dir |= global.namespaces.network.is_some();

    global.vmac_names = vmac_names(draft);

    global.snmp.real_server_interval = globals
        .snmp_rs_interval
        .unwrap_or(global.snmp.virtual_server_interval);

    global.scripts.use_symlink_paths = draft.use_symlink_paths;
    let mut timed = |purpose, draft: &TimedDraft| {
        let command = judge.runnable(purpose, draft.command.as_ref()?, report)?;
        Some(TimedCommand {
            command,
            timeout: draft.timeout,
        })
    };
    global.scripts.startup = timed("startup script", &globals.startup);
    global.scripts.shutdown = timed("shutdown script", &globals.shutdown);

    // keepalived looks at a reader's script in the process that would start it, if there is such a process.
    let vrrp = !draft.instances.is_empty();
    let lvs = globals.has_servers;
    let mut fifo = |draft: &FifoDraft, runs: bool| fifo(draft, runs, judge, report);
    global.fifos.all = fifo(&globals.notify_fifo, vrrp || lvs);
    global.fifos.vrrp = fifo(&globals.vrrp_notify_fifo, vrrp);
    global.fifos.lvs = fifo(&globals.lvs_notify_fifo, lvs);
    global
}

/// A reader is started by the process that writes; there is none when all its servers were left out.
pub(super) fn without_idle_readers(settings: &mut Settings, instances: bool) {
    if !settings.lvs.virtual_servers.is_empty() {
        return;
    }
    let fifos = &mut settings.global.fifos;
    let all = fifos.all.as_mut().filter(|_| !instances);
    for fifo in all.into_iter().chain(&mut fifos.lvs) {
        fifo.reader = None;
    }
}

/// A FIFO, and what reads it. A script without a FIFO is judged, for it is there, but never runs.
fn fifo(
    draft: &FifoDraft,
    runs: bool,
    judge: &mut Judge<'_>,
    report: &mut Reporter,
) -> Option<Fifo> {
    let mut reader = draft
        .reader
        .as_ref()
        .filter(|_| runs)
        .and_then(|script| judge.runnable("FIFO script", script, report));
    let Some(path) = draft.path.clone() else {
        if let Some(script) = &draft.reader {
            let message = "this script never runs: the FIFO that it would read is not configured";
            report.at(script.span, Diagnostic::warning(Class::Uncounted, message));
        }
        return None;
    };
    if let Some(reader) = &mut reader {
        reader.argv.push(path.clone());
    }
    Some(Fifo {
        path,
        owner: draft.owner.clone(),
        reader,
    })
}

/// The synchronisation daemon, with the id that its instance gives it.
pub(super) fn sync_daemon(draft: &Draft, report: &mut Reporter) -> Option<SyncDaemon> {
    let given = draft.globals.sync_daemon.as_ref()?;
    let mut settings = given.value.settings.clone();
    settings.id = given.value.id.unwrap_or_default();
    let Some(name) = &settings.instance else {
        return Some(settings);
    };
    let Some(instance) = draft
        .instances
        .iter()
        .find(|instance| instance.name == *name)
    else {
        let names = draft
            .instances
            .iter()
            .map(|instance| instance.name.as_str());
        let help = crate::suggest::nearest(name, names);
        let message = format!("lvs_sync_daemon is ignored: there is no instance '{name}'");
        let diagnostic = Diagnostic::error(Class::Uncounted, message)
            .maybe_help(help.map(|near| format!("did you mean '{near}'?")));
        report.at(given.span, diagnostic);
        return None;
    };
    if given.value.id.is_none()
        && let Some(vrid) = &instance.vrid
    {
        settings.id = vrid.value.get();
    }
    Some(settings)
}

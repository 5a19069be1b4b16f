//! The kernel's sync daemon that follows an instance (`lvs_sync_daemon ... inst`, `lvs_sync_daemon_interface`): while the
//! instance is master the kernel tells others of its connections, else it takes over what others tell.
//!
//! VRRP does not depend on it: what fails is said once and tried again now and then.

use std::time::Duration;

use config::Settings;
use config::settings::global::IpvsNamespace;
use log::{error, info};
use lvs::settings::global::SyncDaemon;
use sys::ipvs::{Ipvs, SyncRole};
use types::Instant;
use vrrp::Vrrp;

use crate::ipvs::sync_daemons::{self, Wanted};
use crate::ipvs::{self, Module};

/// Until it is tried again: the interface may have come, somebody may have loaded the module.
const RETRY: Duration = Duration::from_secs(5);

/// The daemon and the instance that it follows.
#[derive(Default)]
pub(super) struct FollowingDaemon {
    settings: Option<SyncDaemon>,
    namespace: IpvsNamespace,
    ipvs: Option<Ipvs>,
    /// Settings have counted before: virtual routers run, and their adverts are due.
    settled: bool,
    /// What the kernel was last told; `None`: that is not known.
    told: Option<Wanted>,
    /// Something may run because of us.
    involved: bool,
    /// The core's count of transitions when it was last looked at.
    read_at: Option<u64>,
    retry_at: Option<Instant>,
    complaint: Option<String>,
}

/// Whom the daemon follows. The option of an instance is an old form of the global one, which wins.
fn configured(settings: &Settings, vrrp: &vrrp::Settings) -> Option<SyncDaemon> {
    if let Some(daemon) = &settings.lvs.global.sync_daemon {
        // Without an instance it is the checker process's.
        return daemon.instance.is_some().then(|| daemon.clone());
    }
    vrrp.instances.iter().find_map(|instance| {
        Some(SyncDaemon {
            interface: instance.lvs_sync_daemon_interface?,
            instance: Some(instance.name.to_string()),
            id: instance.vrid.get(),
            maxlen: None,
            port: None,
            ttl: None,
            group: None,
        })
    })
}

impl FollowingDaemon {
    /// First settings or new ones. The daemon moves with the next [`follow`](Self::follow).
    pub(super) fn settings_change(&mut self, settings: &Settings, vrrp: &vrrp::Settings) {
        let settled = self.settled;
        // The same as long as the daemon runs.
        self.namespace = settings.global.namespaces.ipvs.clone();
        self.settings = configured(settings, vrrp);
        self.read_at = None;
        self.retry_at = None;
        self.complaint = None;
        self.settled = true;
        if self.settings.is_some() && self.ipvs.is_none() {
            // Before the first settings count there is time to wait for a module, and never again.
            self.involved = true;
            let module = if settled { Module::Begin } else { Module::Load };
            if let Err(problem) = self.open(module) {
                self.complain(problem);
            }
        }
    }

    /// Has the daemon follow its instance. Costs nothing while no instance changes its state.
    pub(super) fn follow(&mut self, now: Instant, core: &Vrrp) {
        let moved = self.read_at != Some(core.transitions());
        let due = self.retry_at.is_some_and(|at| at <= now);
        if !self.involved || !(moved || due) {
            return;
        }
        self.read_at = Some(core.transitions());
        let wanted = self.wanted(core);
        if self.told.as_ref() == Some(&wanted) {
            return;
        }
        self.retry_at = match self.tell(&wanted) {
            Ok(()) => {
                if self.complaint.take().is_some() {
                    info!("lvs_sync_daemon: it works now");
                }
                self.involved = self.settings.is_some();
                if !self.involved {
                    self.ipvs = None;
                }
                self.told = Some(wanted);
                None
            }
            Err(problem) => {
                self.told = None;
                self.complain(problem);
                Some(now + RETRY)
            }
        };
    }

    /// When it wants to be asked again, whatever happens.
    pub(super) const fn next_wake(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Nothing runs on our behalf any more.
    pub(super) fn end(&mut self) {
        if self.involved
            && self.ipvs.is_some()
            && let Err(problem) = self.tell(&Wanted::new())
        {
            error!("lvs_sync_daemon: {problem}");
        }
        *self = Self {
            settled: self.settled,
            ..Self::default()
        };
    }

    fn wanted(&self, core: &Vrrp) -> Wanted {
        let Some(settings) = &self.settings else {
            return Wanted::new();
        };
        let followed = core
            .masters()
            .find(|(name, _)| settings.instance.as_deref() == Some(*name));
        let role = match followed {
            Some((_, true)) => SyncRole::Master,
            Some((_, false)) | None => SyncRole::Backup,
        };
        sync_daemons::wanted(settings, [role])
    }

    fn tell(&mut self, wanted: &Wanted) -> Result<(), String> {
        self.open(Module::Leave)?;
        let Some(ipvs) = &mut self.ipvs else {
            return Ok(());
        };
        sync_daemons::turn(ipvs, wanted).map_err(|problem| {
            // A conversation that failed is begun anew.
            if matches!(problem, sync_daemons::Problem::Conversation(_)) {
                self.ipvs = None;
            }
            problem.to_string()
        })
    }

    fn open(&mut self, module: Module) -> Result<(), String> {
        if self.ipvs.is_none() {
            let ipvs = ipvs::open(&self.namespace, module);
            self.ipvs = Some(ipvs.map_err(|problem| format!("{problem:#}"))?);
        }
        Ok(())
    }

    /// Says what is wrong, unless that is what was wrong before.
    fn complain(&mut self, problem: String) {
        // The first complaint may say more than those of later attempts.
        let known = |before: &String| before.starts_with(&problem);
        if self.complaint.as_ref().is_some_and(known) {
            return;
        }
        error!("lvs_sync_daemon: {problem}; connections are not shared, VRRP goes on");
        self.complaint = Some(problem);
    }
}

//! Settings as children get them, and as the parent keeps them for the next child: to each its part.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use config::Settings;
use config::settings::Global;
use lvs::settings::checkers::CheckerKind;

use crate::messages::Role;

/// A configuration in its compact form: 60 KiB for a thousand instances, of which the value takes more than a megabyte.
pub(super) struct Packed {
    /// What the parent itself goes by.
    pub(super) global: Global,
    has_instances: bool,
    has_virtual_servers: bool,
    has_sessions: bool,
    vrrp: Vec<u8>,
    checkers: Vec<u8>,
    bfd: Vec<u8>,
}

impl Packed {
    /// `checkers_may_run`: they are not switched off.
    pub(super) fn new(mut settings: Settings, checkers_may_run: bool) -> Result<Self> {
        let has_instances = !settings.vrrp.instances.is_empty();
        let has_virtual_servers = !settings.lvs.virtual_servers.is_empty();
        let has_sessions = !settings.bfd.sessions.is_empty();
        let global = settings.global.clone();
        let pack = |settings: &Settings| {
            postcard::to_allocvec(settings).context("settings for the children")
        };

        let bfd = pack(&Settings {
            global: global.clone(),
            bfd: std::mem::take(&mut settings.bfd),
            ..Settings::default()
        })?;
        let lvs = std::mem::take(&mut settings.lvs);
        let lvs_commands = std::mem::take(&mut settings.lvs_commands);
        settings.lvs.global = lvs.global.clone();
        // One program reads what both processes write; keepalived: that of the checkers, if there are two.
        if has_virtual_servers
            && checkers_may_run
            && let Some(fifo) = &mut settings.global.fifos.all
        {
            fifo.reader = None;
        }
        let vrrp = pack(&settings)?;

        let mut files = std::mem::take(&mut settings.vrrp.track_files);
        let checked = checked_files(&lvs);
        files.retain(|file| checked.contains(file.name.as_str()));
        let checkers = pack(&Settings {
            global: global.clone(),
            vrrp: vrrp::Settings {
                track_files: files,
                ..vrrp::Settings::default()
            },
            lvs,
            lvs_commands,
            ..Settings::default()
        })?;
        Ok(Self {
            global,
            has_instances,
            has_virtual_servers,
            has_sessions,
            vrrp,
            checkers,
            bfd,
        })
    }

    /// Whether there is anything for a child to do.
    pub(super) const fn has_work_for(&self, role: Role) -> bool {
        match role {
            Role::Vrrp => self.has_instances,
            Role::Checkers => self.has_virtual_servers,
            Role::Bfd => self.has_sessions,
        }
    }

    /// A child's part: [`Settings`], encoded.
    pub(super) fn part(&self, role: Role) -> &[u8] {
        match role {
            Role::Vrrp => &self.vrrp,
            Role::Checkers => &self.checkers,
            Role::Bfd => &self.bfd,
        }
    }
}

/// The track files that a FILE_CHECK looks at.
fn checked_files(lvs: &lvs::Settings) -> BTreeSet<&str> {
    lvs.virtual_servers
        .iter()
        .flat_map(|service| &service.real_servers)
        .flat_map(|server| &server.checkers)
        .filter_map(|checker| match &checker.kind {
            CheckerKind::File(file) => Some(file.track_file.as_str()),
            CheckerKind::Tcp(_)
            | CheckerKind::Ping(_)
            | CheckerKind::Udp(_)
            | CheckerKind::Http(_)
            | CheckerKind::Smtp(_)
            | CheckerKind::Dns(_)
            | CheckerKind::Misc(_)
            | CheckerKind::Bfd(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settings of the text below. `name` is for its file.
    fn settings(name: &str) -> Settings {
        let text = TEXT;
        let file = format!("evervip-packed-{name}-{}", std::process::id());
        let file = std::env::temp_dir().join(file);
        std::fs::write(&file, text).unwrap();
        let machine = crate::machine::ThisMachine::default();
        let options = config::LoadOptions::default();
        let loaded = config::load(&file.to_string_lossy(), &machine, &options);
        std::fs::remove_file(&file).unwrap();
        assert!(loaded.settings.is_some(), "{:?}", loaded.diagnostics);
        loaded.settings.unwrap()
    }

    const TEXT: &str = "global_defs {\n dynamic_interfaces\n script_user root\n notify_fifo /run/all\n notify_fifo_script /bin/cat\n \
         vrrp_notify_fifo /run/vrrp\n lvs_notify_fifo /run/lvs\n}\n\
         track_file used {\n file /tmp/used\n}\ntrack_file unused {\n file /tmp/unused\n}\n\
         vrrp_instance VI {\n interface eth7\n virtual_router_id 1\n priority 100\n virtual_ipaddress {\n 198.18.0.9\n }\n}\n\
         virtual_server 198.18.0.9 80 {\n protocol TCP\n lb_algo rr\n lb_kind NAT\n quorum_up /bin/true\n \
         real_server 198.18.1.1 80 {\n FILE_CHECK {\n track_file used\n }\n }\n}\n";

    fn part(packed: &Packed, role: Role) -> Settings {
        postcard::from_bytes(packed.part(role)).unwrap()
    }

    #[test]
    fn each_child_gets_its_part() {
        let settings = settings("parts");
        let packed = Packed::new(settings.clone(), true).unwrap();
        assert!(packed.has_work_for(Role::Vrrp) && packed.has_work_for(Role::Checkers));
        let (vrrp, checkers) = (part(&packed, Role::Vrrp), part(&packed, Role::Checkers));
        assert_eq!(vrrp.vrrp, settings.vrrp);
        assert!(vrrp.lvs.virtual_servers.is_empty() && vrrp.lvs_commands.is_empty());
        assert_eq!(checkers.lvs, settings.lvs);
        assert_eq!(checkers.lvs_commands, settings.lvs_commands);
        assert!(checkers.vrrp.instances.is_empty());
        let files: Vec<&str> = checkers
            .vrrp
            .track_files
            .iter()
            .map(|file| file.name.as_str())
            .collect();
        assert_eq!(files, ["used"]);
        assert_eq!(packed.global, settings.global);
    }

    #[test]
    fn one_of_them_starts_the_common_reader() {
        let settings = settings("reader");
        let readers = |packed: &Packed| {
            [Role::Vrrp, Role::Checkers].map(|role| {
                part(packed, role)
                    .global
                    .fifos
                    .all
                    .unwrap()
                    .reader
                    .is_some()
            })
        };
        let both = Packed::new(settings.clone(), true).unwrap();
        assert_eq!(readers(&both), [false, true]);
        let vrrp_only = Packed::new(settings.clone(), false).unwrap();
        assert_eq!(readers(&vrrp_only), [true, true]);
        let mut without = settings;
        without.lvs = lvs::Settings::default();
        let without = Packed::new(without, true).unwrap();
        assert!(!without.has_work_for(Role::Checkers));
        assert_eq!(readers(&without), [true, true]);
    }
}

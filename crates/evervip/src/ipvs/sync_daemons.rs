//! Which of the kernel's two sync daemons run (`lvs_sync_daemon`): what should and what does are values, and what is done is
//! their difference. Daemons that run as they should are left alone, whoever started them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use lvs::settings::global as settings;
use sys::ipvs::{Ipvs, Reason, Refusal, SyncDaemon, SyncRole};

/// The kernel's choice of group, port and time to live, where it is left to it. It tells what it chose.
const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 81));
const PORT: u16 = 8848;
const TTL: u8 = 1;
/// A backup is ready for datagrams of this length at least, whatever it is told.
const SHORTEST_OF_BACKUP: u16 = 1024;

/// The daemons that should run.
pub(crate) type Wanted = BTreeMap<SyncRole, SyncDaemon>;

/// The daemons of these roles, as settings describe them.
pub(crate) fn wanted(
    settings: &settings::SyncDaemon,
    roles: impl IntoIterator<Item = SyncRole>,
) -> Wanted {
    let daemon = |role| SyncDaemon {
        role,
        interface: settings.interface,
        id: settings.id,
        longest: settings.maxlen,
        group: settings.group,
        port: settings.port,
        ttl: settings.ttl,
    };
    roles.into_iter().map(|role| (role, daemon(role))).collect()
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Stop(SyncRole, u8),
    Start(SyncDaemon),
}

/// Whether a daemon that runs is the one that should.
fn is_as(running: &SyncDaemon, wanted: &SyncDaemon) -> bool {
    let longest = wanted.longest.map(|longest| match wanted.role {
        SyncRole::Master => longest,
        SyncRole::Backup => longest.max(SHORTEST_OF_BACKUP),
    });
    // Kernels before 4.3 do not tell of these, and have none but the defaults.
    let group = running.group.unwrap_or(GROUP) == wanted.group.unwrap_or(GROUP);
    let port = running.port.unwrap_or(PORT) == wanted.port.unwrap_or(PORT);
    let ttl = running.ttl.unwrap_or(TTL) == wanted.ttl.unwrap_or(TTL);
    running.interface == wanted.interface
        && running.id == wanted.id
        && (longest.is_none() || running.longest == longest)
        && group
        && port
        && ttl
}

/// What makes the daemons that should run of those that do: first some stop, then some start.
fn steps(running: &[SyncDaemon], wanted: &Wanted) -> Vec<Step> {
    let is_right = |daemon: &SyncDaemon| {
        let wanted = wanted.get(&daemon.role);
        wanted.is_some_and(|wanted| is_as(daemon, wanted))
    };
    let (right, wrong): (Vec<&SyncDaemon>, Vec<&SyncDaemon>) =
        running.iter().partition(|daemon| is_right(daemon));
    let mut steps: Vec<Step> = wrong
        .into_iter()
        .map(|daemon| Step::Stop(daemon.role, daemon.id))
        .collect();
    let missing = wanted
        .values()
        .filter(|wanted| !right.iter().any(|daemon| daemon.role == wanted.role));
    steps.extend(missing.cloned().map(Step::Start));
    steps
}

/// Why the daemons are not as they should be.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The conversation with the kernel failed.
    Conversation(sys::Error),
    /// The kernel does not do it.
    Refused(SyncDaemon, Refusal),
    /// It does not stop one.
    Stays(SyncRole, Refusal),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conversation(problem) => problem.fmt(f),
            Self::Stays(role, refusal) => {
                write!(f, "the {} daemon does not stop: {refusal}", word(*role))
            }
            Self::Refused(daemon, refusal) => {
                let (role, interface) = (word(daemon.role), daemon.interface);
                write!(
                    f,
                    "the {role} daemon does not start on {interface}: {refusal}"
                )?;
                if refusal.reason() == Reason::NoInterface {
                    f.write_str("; is the interface there?")?;
                }
                Ok(())
            }
        }
    }
}

const fn word(role: SyncRole) -> &'static str {
    match role {
        SyncRole::Master => "master",
        SyncRole::Backup => "backup",
    }
}

/// Has those daemons run that should, and no others. What fails does not keep it from the rest.
///
/// # Errors
/// The first thing that failed.
pub(crate) fn turn(ipvs: &mut Ipvs, wanted: &Wanted) -> Result<(), Problem> {
    let running = ipvs.daemons().map_err(Problem::Conversation)?;
    let mut outcome = Ok(());
    for step in steps(&running, wanted) {
        let done = match step {
            Step::Stop(role, id) => {
                let stopped = ipvs.stop_daemon(role, id).map_err(Problem::Conversation)?;
                match stopped {
                    Err(refusal) if !refusal.is_done_already() => {
                        Err(Problem::Stays(role, refusal))
                    }
                    Err(_) | Ok(()) => {
                        log::debug!("lvs_sync_daemon: the {} daemon has stopped", word(role));
                        Ok(())
                    }
                }
            }
            Step::Start(daemon) => {
                let started = ipvs.start_daemon(&daemon).map_err(Problem::Conversation)?;
                if started.is_ok() {
                    let (role, interface) = (word(daemon.role), daemon.interface);
                    log::info!("lvs_sync_daemon: the {role} daemon runs on {interface}");
                }
                started.map_err(|refusal| Problem::Refused(daemon, refusal))
            }
        };
        outcome = outcome.and(done);
    }
    outcome
}

#[cfg(test)]
mod tests {
    use types::IfName;

    use super::*;

    fn settings() -> settings::SyncDaemon {
        settings::SyncDaemon {
            interface: IfName::new("eth0").unwrap(),
            instance: None,
            id: 7,
            maxlen: None,
            port: None,
            ttl: None,
            group: None,
        }
    }

    /// As the kernel tells of a daemon that was left to itself.
    fn running(role: SyncRole) -> SyncDaemon {
        SyncDaemon {
            role,
            interface: IfName::new("eth0").unwrap(),
            id: 7,
            longest: Some(1472),
            group: Some("224.0.0.81".parse().unwrap()),
            port: Some(8848),
            ttl: Some(1),
        }
    }

    #[test]
    fn only_what_differs_is_touched() {
        use SyncRole::{Backup, Master};
        let both = wanted(&settings(), [Backup, Master]);
        let (master, backup) = (both[&Master].clone(), both[&Backup].clone());
        let only = |role| wanted(&settings(), [role]);
        for (now, wanted, expected) in [
            (vec![], &Wanted::new(), vec![]),
            (vec![], &only(Backup), vec![Step::Start(backup.clone())]),
            (vec![running(Backup)], &only(Backup), vec![]),
            (
                vec![running(Backup)],
                &only(Master),
                vec![Step::Stop(Backup, 7), Step::Start(master.clone())],
            ),
            (
                vec![running(Master)],
                &both,
                vec![Step::Start(backup.clone())],
            ),
            (
                vec![running(Master), running(Backup)],
                &Wanted::new(),
                vec![Step::Stop(Master, 7), Step::Stop(Backup, 7)],
            ),
        ] {
            assert_eq!(steps(&now, wanted), expected);
        }
    }

    #[test]
    fn each_option_counts_and_defaults_are_the_kernel_s() {
        let start = settings();
        let changes: [(&str, settings::SyncDaemon); 7] = [
            (
                "id",
                settings::SyncDaemon {
                    id: 8,
                    ..start.clone()
                },
            ),
            (
                "interface",
                settings::SyncDaemon {
                    interface: IfName::new("eth1").unwrap(),
                    ..start.clone()
                },
            ),
            (
                "maxlen",
                settings::SyncDaemon {
                    maxlen: Some(1400),
                    ..start.clone()
                },
            ),
            (
                "port",
                settings::SyncDaemon {
                    port: Some(1),
                    ..start.clone()
                },
            ),
            (
                "ttl",
                settings::SyncDaemon {
                    ttl: Some(2),
                    ..start.clone()
                },
            ),
            (
                "group",
                settings::SyncDaemon {
                    group: Some("ff02::99".parse().unwrap()),
                    ..start.clone()
                },
            ),
            (
                "another group",
                settings::SyncDaemon {
                    group: Some("224.0.0.82".parse().unwrap()),
                    ..start.clone()
                },
            ),
        ];
        for role in [SyncRole::Master, SyncRole::Backup] {
            for (what, changed) in &changes {
                let wanted = wanted(changed, [role]);
                let restart = [Step::Stop(role, 7), Step::Start(wanted[&role].clone())];
                assert_eq!(steps(&[running(role)], &wanted), restart, "{what}");
            }
            let spelled_out = settings::SyncDaemon {
                maxlen: Some(1472),
                port: Some(8848),
                ttl: Some(1),
                group: Some("224.0.0.81".parse().unwrap()),
                ..start.clone()
            };
            assert_eq!(steps(&[running(role)], &wanted(&spelled_out, [role])), []);
        }
        // An old kernel tells nothing, a backup's length is never short.
        let old = SyncDaemon {
            longest: None,
            group: None,
            port: None,
            ttl: None,
            ..running(SyncRole::Master)
        };
        assert_eq!(steps(&[old], &wanted(&start, [SyncRole::Master])), []);
        let short = settings::SyncDaemon {
            maxlen: Some(100),
            ..start
        };
        let ready = SyncDaemon {
            longest: Some(1024),
            ..running(SyncRole::Backup)
        };
        assert_eq!(steps(&[ready], &wanted(&short, [SyncRole::Backup])), []);
    }
}

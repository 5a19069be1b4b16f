//! The kernel's IPVS, as far as there is one. A kernel without it is no reason to end: servers are checked, scripts run, and
//! as soon as there is one it gets everything at once.

use std::collections::BTreeMap;
use std::time::Duration;

use config::settings::global::IpvsNamespace;
use log::{debug, error, info, warn};
use lvs::{Held, RefusalKind};
use sys::ipvs::{Ipvs, Reason, Refusal};
use types::Instant;
use types::ipvs::{Command, DestinationKey, ServiceKey};

use crate::ipvs::{self, Module};

/// How often to look whether there is an IPVS by now.
const AGAIN: Duration = Duration::from_secs(10);
/// A conversation with the kernel failed: the reason may be gone soon.
const SOON: Duration = Duration::from_secs(1);
/// Lines about refused commands in one go. A scheduler that the kernel lacks may be that of thousands of services.
const MOST_LINES: usize = 20;
/// Refusals that are remembered; what goes beyond them is said again.
const MOST_REFUSALS: usize = 10_000;

/// What IPVS holds.
pub(super) type Listing = Vec<(ServiceKey, Held)>;

/// What came of looking for IPVS.
pub(super) enum Look {
    /// Nobody looked: it is known, or it is not time yet.
    Nothing,
    /// There is none, or no way to it.
    Absent,
    /// It is there, and holds this.
    Found(Listing),
}

/// The kernel's IPVS.
#[derive(Default)]
pub(super) struct Balancer {
    namespace: IpvsNamespace,
    ipvs: Option<Ipvs>,
    look_at: Option<Instant>,
    /// It was said that there is none.
    said: bool,
    /// The last refusal of each subject that was logged: what is tried again and again is said once, until it succeeds or
    /// the settings are others.
    refusals: BTreeMap<Subject, String>,
    /// Why the last conversation failed, until one does not.
    lost: Option<String>,
}

impl Balancer {
    /// Settings with virtual servers are about to count: looks for IPVS, if that has not been found yet. The namespace is the
    /// same as long as the daemon runs.
    pub(super) fn begin(&mut self, now: Instant, namespace: &IpvsNamespace) -> Look {
        self.refusals.clear();
        if self.ipvs.is_some() {
            return Look::Nothing;
        }
        self.namespace = namespace.clone();
        self.look(now, true)
    }

    /// Nothing is balanced any more.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) const fn next_wake(&self) -> Option<Instant> {
        self.look_at
    }

    /// Looks again, if it is time.
    pub(super) fn tick(&mut self, now: Instant) -> Look {
        if self.look_at.is_none_or(|at| at > now) {
            return Look::Nothing;
        }
        self.look(now, false)
    }

    fn look(&mut self, now: Instant, load: bool) -> Look {
        self.look_at = None;
        let module = if load { Module::Load } else { Module::Leave };
        match ipvs::open(&self.namespace, module) {
            Ok(ipvs) => {
                self.ipvs = Some(ipvs);
                let Some(listing) = self.list(now) else {
                    return Look::Absent;
                };
                if std::mem::take(&mut self.said) {
                    info!("IPVS is there now: it gets all virtual servers");
                }
                return Look::Found(listing);
            }
            Err(problem) => self.complain(format!("{problem:#}")),
        }
        self.look_at = Some(now + AGAIN);
        Look::Absent
    }

    fn complain(&mut self, problem: String) {
        if !std::mem::replace(&mut self.said, true) {
            error!(
                "{problem}. No connection is balanced; servers are checked all the same, and ip_vs is looked for every {} s",
                AGAIN.as_secs()
            );
        }
    }

    /// Makes changes; what was refused goes to `refused`. While there is no IPVS nothing happens.
    pub(super) fn apply(
        &mut self,
        now: Instant,
        commands: Vec<Command>,
        mut refused: impl FnMut(Command, RefusalKind),
    ) {
        let Some(ipvs) = &mut self.ipvs else {
            return;
        };
        debug!("{} changes of IPVS", commands.len());
        let results = match ipvs.apply(&commands) {
            Ok(results) => results,
            Err(problem) => {
                self.lose(now, &problem);
                // All is read anew, except whether this was done.
                if commands.contains(&Command::Flush) {
                    refused(Command::Flush, RefusalKind::Other);
                }
                return;
            }
        };
        self.lost = None;
        let (mut count, mut again): (usize, usize) = (0, 0);
        for (command, result) in commands.into_iter().zip(results) {
            let subject = subject(&command);
            let Err(refusal) = result else {
                self.refusals.remove(&subject);
                continue;
            };
            let text = refusal.to_string();
            if self.refusals.get(&subject) == Some(&text) {
                again += 1;
                if again <= MOST_LINES {
                    debug!("refused again: {text}");
                }
            } else {
                count += 1;
                if count <= MOST_LINES {
                    warn!("{text}");
                }
                if self.refusals.len() < MOST_REFUSALS {
                    self.refusals.insert(subject, text);
                }
            }
            // To empty the table some other time, with connections in it, is not what was asked for: it was said, and that is all.
            if command != Command::Flush {
                refused(command, kind(&refusal));
            }
        }
        if count > MOST_LINES {
            warn!("IPVS refused {} more commands", count - MOST_LINES);
        }
    }

    /// What services hold; `None`: nobody can tell now.
    pub(super) fn read(
        &mut self,
        now: Instant,
        keys: Vec<ServiceKey>,
    ) -> Option<Vec<(ServiceKey, Option<Held>)>> {
        let ipvs = self.ipvs.as_mut()?;
        let read = || -> Result<_, sys::Error> {
            keys.into_iter()
                .map(|key| {
                    let Some(options) = ipvs.service(&key)? else {
                        return Ok((key, None));
                    };
                    Ok((key, Some(Held::new(options, ipvs.destinations(&key)?))))
                })
                .collect()
        };
        let held = read().map_err(|problem| self.lose(now, &problem)).ok()?;
        self.lost = None;
        Some(held)
    }

    /// All that it holds.
    fn list(&mut self, now: Instant) -> Option<Listing> {
        let ipvs = self.ipvs.as_mut()?;
        let mut list = || -> Result<_, sys::Error> {
            let services = ipvs.services()?.into_iter();
            services
                .map(|(key, options)| Ok((key, Held::new(options, ipvs.destinations(&key)?))))
                .collect()
        };
        list().map_err(|problem| self.lose(now, &problem)).ok()
    }

    /// Nobody knows what it holds.
    fn lose(&mut self, now: Instant, problem: &sys::Error) {
        let problem = problem.to_string();
        let again = if self.lost.as_ref() == Some(&problem) {
            debug!("{problem}: reading all of IPVS again");
            AGAIN
        } else {
            error!("{problem}: reading all of IPVS again");
            SOON
        };
        self.lost = Some(problem);
        self.ipvs = None;
        self.look_at = Some(now + again);
    }
}

/// What a command concerns; nothing in particular if it empties the table.
type Subject = (Option<ServiceKey>, Option<DestinationKey>);

const fn subject(command: &Command) -> Subject {
    match command {
        Command::AddService(service, _)
        | Command::EditService(service, _)
        | Command::RemoveService(service) => (Some(*service), None),
        Command::AddDestination(service, destination, _)
        | Command::EditDestination(service, destination, _)
        | Command::RemoveDestination(service, destination) => (Some(*service), Some(*destination)),
        Command::Flush => (None, None),
    }
}

fn kind(refusal: &Refusal) -> RefusalKind {
    match refusal.reason() {
        Reason::Exists => RefusalKind::Exists,
        Reason::NoService => RefusalKind::Missing,
        // Of a service that is to be made it is the scheduler.
        Reason::Missing
            if !matches!(
                refusal.operation(),
                sys::ipvs::Operation::AddService | sys::ipvs::Operation::EditService
            ) =>
        {
            RefusalKind::Missing
        }
        Reason::Missing
        | Reason::Permission
        | Reason::Invalid
        | Reason::Unsupported
        | Reason::NoInterface
        | Reason::Exhausted
        | Reason::Other
        | _ => RefusalKind::Other,
    }
}

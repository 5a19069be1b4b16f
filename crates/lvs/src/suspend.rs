//! `ha_suspend`: no checks while the address of a virtual server is on no interface of ours (keepalived).
//!
//! Only the checks pause: servers keep the state that they had. Of a group any of its addresses will do.

use std::collections::BTreeMap;
use std::net::IpAddr;

use types::Instant;

use crate::action::{Action, Activation, Level, Line, LineText};
use crate::check::Phase;
use crate::lvs::Lvs;
use crate::settings::{GroupEntry, Service, Settings, VirtualServer};

impl Lvs {
    /// All addresses of this machine, each as often as there are interfaces that have it.
    pub fn handle_addresses(&mut self, now: Instant, addresses: impl IntoIterator<Item = IpAddr>) {
        let mut local = BTreeMap::new();
        for address in addresses {
            *local.entry(address).or_insert(0) += 1;
        }
        self.local = local;
        self.suspend_or_resume(now);
        self.finish();
    }

    /// An interface got an address, or lost it.
    pub fn handle_address(&mut self, now: Instant, address: IpAddr, there: bool) {
        let count = self.local.entry(address).or_insert(0);
        if there {
            *count += 1;
        } else {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.local.remove(&address);
            }
        }
        // A take-over brings thousands, one by one: only those that go by this one are looked at.
        self.suspend_or_resume_of(now, |settings, service| goes_by(settings, service, address));
        self.finish();
    }

    /// Whether anybody has to tell of addresses at all.
    pub fn wants_addresses(&self) -> bool {
        self.settings
            .virtual_servers
            .iter()
            .any(|service| service.ha_suspend)
    }

    /// Whether the checks of a virtual server are to pause.
    pub(crate) fn is_to_pause(&self, service: &VirtualServer) -> bool {
        if !service.ha_suspend {
            return false;
        }
        let here = match &service.service {
            Service::Address { address, .. } => self.local.contains_key(address),
            Service::Mark { .. } => true,
            Service::Group { group, .. } => self.settings.group(*group).is_none_or(|group| {
                group.entries.iter().any(|entry| match entry {
                    GroupEntry::Addresses { first, last, .. } => {
                        self.local.range(first..=last).next().is_some()
                    }
                    GroupEntry::Mark { .. } => true,
                })
            }),
        };
        !here
    }

    pub(crate) fn suspend_or_resume(&mut self, now: Instant) {
        self.suspend_or_resume_of(now, |_, _| true);
    }

    fn suspend_or_resume_of(
        &mut self,
        now: Instant,
        concerned: impl Fn(&Settings, &VirtualServer) -> bool,
    ) {
        for service in 0..self.services.len() {
            let Some(settings) = self.settings.virtual_servers.get(service) else {
                continue;
            };
            if !concerned(&self.settings, settings) {
                continue;
            }
            let pause = self.is_to_pause(settings);
            let Some(state) = self.services.get_mut(service) else {
                continue;
            };
            if std::mem::replace(&mut state.suspended, pause) != pause {
                self.pause_checks(now, service, pause);
            }
        }
    }

    /// The checks of a virtual server pause, or go on.
    fn pause_checks(&mut self, now: Instant, service: usize, pause: bool) {
        let Some(state) = self.services.get(service) else {
            return;
        };
        let servers = state.servers.iter();
        let ids: Vec<_> = servers
            .flat_map(|server| server.checks.iter().copied())
            .collect();
        for id in ids {
            if self
                .checks
                .get(id)
                .is_none_or(|check| check.phase == Phase::Told)
            {
                continue;
            }
            if pause {
                self.abandon(id);
            }
            if let Some(check) = self.checks.get_mut(id) {
                check.phase = if pause {
                    Phase::Suspended
                } else {
                    Phase::Waiting
                };
            }
            if !pause {
                // Whether the server is well is the question of the moment: nobody has looked for long.
                self.plan(id, now);
            }
            let activation = if pause {
                Activation::Suspended
            } else {
                Activation::Activated
            };
            let text = LineText::Activation(id, activation);
            self.actions.push_back(Action::Log(Line {
                level: Level::Info,
                text,
            }));
        }
    }
}

/// Whether it may be up to this address if the checks of a virtual server are made.
fn goes_by(settings: &Settings, service: &VirtualServer, address: IpAddr) -> bool {
    service.ha_suspend
        && match &service.service {
            Service::Address { address: own, .. } => *own == address,
            Service::Mark { .. } => false,
            Service::Group { group, .. } => settings.group(*group).is_some_and(|group| {
                group.entries.iter().any(|entry| match entry {
                    GroupEntry::Addresses { first, last, .. } => {
                        (*first..=*last).contains(&address)
                    }
                    GroupEntry::Mark { .. } => false,
                })
            }),
        }
}

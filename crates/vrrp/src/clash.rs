//! Two instances that nobody on the link could tell apart: multicast, on one interface, with one VRID, family and group.
//!
//! `config` refuses that where it can be seen in the file. With `dynamic_interfaces allow_if_changes` interfaces may turn out
//! to be one and the same later on, a macvlan and what it is built upon, or stop being it; so it is a fault that comes and
//! goes. Of those that clash the last in the file runs, as in keepalived.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;

use types::Instant;

use crate::action::Event;
use crate::vrrp::Vrrp;

/// Who clashes with a later one.
#[derive(Debug, Default)]
pub(crate) struct Clashes {
    /// Only `allow_if_changes` makes it possible: otherwise nobody is looked at.
    possible: bool,
    /// By its number, with the number of the one that runs instead.
    of: BTreeMap<usize, usize>,
}

impl Clashes {
    pub(crate) const fn new(possible: bool) -> Self {
        Self {
            possible,
            of: BTreeMap::new(),
        }
    }

    pub(crate) fn concerns(&self, id: usize) -> bool {
        self.of.contains_key(&id)
    }
}

impl Vrrp {
    /// Finds out anew, after interfaces or settings have changed. Whoever begins or stops to clash is to be reassessed.
    pub(crate) fn find_clashes(&mut self) -> BTreeSet<usize> {
        if !self.clashes.possible {
            return BTreeSet::new();
        }
        let mut last = BTreeMap::new();
        let mut found = BTreeMap::new();
        for instance in self.instances.iter().rev() {
            let settings = &instance.settings;
            let interface = settings.interface.as_ref();
            let Some(interface) = interface.and_then(|name| self.shared.interfaces.by_name(name))
            else {
                continue;
            };
            if settings.unicast.is_some() {
                continue;
            }
            let (physical, _) = self.shared.interfaces.physical(interface);
            let key = (
                physical,
                settings.family,
                settings.vrid,
                settings.mcast_dst_ip,
            );
            let runs = *last.entry(key).or_insert(instance.id);
            if runs != instance.id {
                found.insert(instance.id, runs);
            }
        }
        let changed: BTreeSet<usize> = found
            .keys()
            .chain(self.clashes.of.keys())
            .copied()
            .filter(|id| found.contains_key(id) != self.clashes.of.contains_key(id))
            .collect();
        for id in &changed {
            if let (Some(instance), Some(other)) = (
                self.instances.get(*id),
                found.get(id).and_then(|other| self.instances.get(*other)),
            ) {
                let event = Event::DuplicateVrid {
                    other: Arc::clone(&other.name),
                    vrid: instance.settings.vrid,
                    family: instance.settings.family,
                };
                self.shared.report(&instance.name, event);
            }
        }
        self.clashes.of = found;
        changed
    }

    /// The same, with what follows from it.
    pub(crate) fn settle_clashes(&mut self, now: Instant) {
        for id in self.find_clashes() {
            self.reassess(id, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;
    use alloc::vec::Vec;

    use crate::settings::InstanceSettings;
    use crate::settings::global::GlobalSettings;
    use crate::testbench::{Bench, eth, instance, virtual_address};
    use crate::{Settings, StateName};

    fn settings(instances: Vec<InstanceSettings>) -> Settings {
        Settings {
            global: GlobalSettings {
                allow_if_changes: true,
                ..GlobalSettings::default()
            },
            instances,
            ..Settings::default()
        }
    }

    fn on_eth0(name: &str, last: u8) -> InstanceSettings {
        let address = alloc::format!("198.18.0.{last}");
        InstanceSettings {
            virtual_ipaddress: vec![virtual_address(&address, eth(0))].into(),
            ..instance(name)
        }
    }

    fn states(bench: &Bench) -> Vec<StateName> {
        bench.vrrp.instances().map(|view| view.state).collect()
    }

    /// The last one runs; who clashed takes its place when it is gone.
    #[test]
    fn the_last_of_them_runs() {
        let all = vec![on_eth0("A", 100), on_eth0("B", 101), on_eth0("C", 102)];
        let (mut bench, said) = Bench::with(settings(all));
        let about: Vec<&String> = said.iter().filter(|line| line.contains("VRID")).collect();
        assert_eq!(
            about,
            [
                "log (A) - warning, VRID 51 for IPv4 is currently duplicated on C",
                "log (B) - warning, VRID 51 for IPv4 is currently duplicated on C"
            ]
        );
        bench.run(4_000);
        assert_eq!(
            states(&bench),
            [StateName::Fault, StateName::Fault, StateName::Master]
        );
        // And it is the one that hears.
        bench.advert_for(2, "198.18.0.9", 200, |_| ());
        assert_eq!(bench.state(2), StateName::Backup);
        bench.settings(settings(vec![on_eth0("A", 100), on_eth0("B", 101)]));
        assert_eq!(states(&bench), [StateName::Fault, StateName::Backup]);
        // Another group, family, VRID or interface is another router.
        let mut other = on_eth0("B", 101);
        other.vrid = types::Vrid::new(52).unwrap();
        bench.settings(settings(vec![on_eth0("A", 100), other]));
        assert_eq!(states(&bench), [StateName::Backup, StateName::Backup]);
    }

    /// An interface that comes brings the clash with it, and takes it along.
    #[test]
    fn interfaces_come_and_go() {
        let (mut bench, _) = Bench::with(settings(vec![on_eth0("A", 100), {
            let mut later = on_eth0("B", 101);
            later.interface = Some(eth(7));
            later
        }]));
        bench.run(4_000);
        assert_eq!(states(&bench), [StateName::Master, StateName::Fault]);
        // Somebody renames eth0: A's interface is gone, B's is there.
        let renamed = |name| crate::Interface {
            name: eth(name),
            ..Bench::interface(0, true)
        };
        bench.vrrp.handle_interface(bench.now, renamed(7));
        bench.drain();
        assert_eq!(states(&bench), [StateName::Fault, StateName::Backup]);
    }

    /// An interface turns out to be a macvlan upon another one: it is the same wire, and announcements share its limit.
    #[test]
    fn a_macvlan_counts_for_what_it_is_built_upon() {
        let later = InstanceSettings {
            interface: Some(eth(1)),
            ..on_eth0("B", 101)
        };
        let (mut bench, _) = Bench::with(settings(vec![on_eth0("A", 100), later]));
        assert_eq!(states(&bench), [StateName::Backup, StateName::Backup]);
        let macvlan = crate::Interface {
            kind: crate::InterfaceKind::Macvlan { private: false },
            base: Some(Bench::interface(0, true).index),
            ..Bench::interface(1, true)
        };
        let interfaces = &bench.vrrp.shared.interfaces;
        let physical = interfaces.physical(interfaces.by_name(&eth(1)).unwrap());
        assert_eq!(physical.1, &eth(1));
        bench.vrrp.handle_interface(bench.now, macvlan);
        bench.drain();
        assert_eq!(states(&bench), [StateName::Fault, StateName::Backup]);
        let interfaces = &bench.vrrp.shared.interfaces;
        let physical = interfaces.physical(interfaces.by_name(&eth(1)).unwrap());
        assert_eq!(physical, (Bench::interface(0, true).index, &eth(0)));
        bench
            .vrrp
            .handle_interface(bench.now, Bench::interface(1, true));
        bench.drain();
        assert_eq!(states(&bench), [StateName::Backup, StateName::Backup]);
    }

    /// Without `allow_if_changes` nobody looks: `config` has refused what cannot be.
    #[test]
    fn it_costs_nothing_where_it_cannot_be() {
        let (bench, _) = Bench::with(Settings {
            global: GlobalSettings::default(),
            ..settings(vec![on_eth0("A", 100), on_eth0("B", 101)])
        });
        assert_eq!(states(&bench), [StateName::Backup, StateName::Backup]);
    }
}

//! The packet filter: what the core wants blocked, and what the kernel's tables hold.
//!
//! A table is made when settings come that need it, empty: a take-over only adds elements. It is made in place of whatever
//! bears its name, and so the left-overs of a dead predecessor go; those that the first settings do not need are removed.
//! What cannot be changed any more, because somebody flushed the tables, is made anew; whether that happened is looked at now
//! and then, too, for nobody is told. What fails is tried again after a while, or when something else changes; one message
//! says so, and everything else goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use config::settings::global;
use log::{debug, error, info, warn};
use sys::nftables::{Change, Element, Firewall, InterfaceKey, Table};
use types::{Family, IfIndex, IfName, Instant};
use vrrp::settings::DeviceKind;
use vrrp::{Blocked, DeviceView, Vrrp};

use crate::child::looks::{Looks, Word};

/// keepalived's name for the tables.
const TABLE: &str = "keepalived";

/// How long after a failed change the next attempt comes; each further one takes twice as long.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest time between attempts: there may be no nftables at all.
const LAST_RETRY: Duration = Duration::from_secs(64);

/// What it means that addresses cannot be blocked.
const TAKE_PACKETS: &str = "the virtual addresses of no_accept take packets";
/// What it means that macvlans cannot be filtered.
const TELL_TWICE: &str =
    "macvlans report what the interfaces below them report, too, which may mislead switches";
/// What it means that a table cannot be removed.
const STAY_BLOCKED: &str = "what it blocks stays blocked";

#[derive(Default)]
pub(super) struct PacketFilter {
    netlink: Option<Firewall>,
    /// The tables that the settings need.
    wanted: BTreeMap<Family, Table>,
    /// What the core wants blocked.
    blocked: BTreeSet<Blocked>,
    /// What may have changed in it since it was last carried out.
    touched: BTreeSet<Blocked>,
    /// Settings changed, or the numbers of interfaces that elements name: everything is compared.
    compare_all: bool,
    /// What the kernel has of ours.
    made: BTreeMap<Family, Made>,
    /// Tables that are to go, if they are there.
    left_over: BTreeSet<(Family, String)>,
    /// Settings have come: what a dead predecessor may have left is known.
    begun: bool,
    /// Something changed that no attempt was made for yet.
    fresh: bool,
    /// The last attempt failed: when the next one is due, and how long that was waited for.
    retry: Option<(Instant, Duration)>,
    /// It was said that the filter does not work.
    complained: bool,
    /// When the tables are looked at.
    looks: Looks,
}

struct Made {
    table: Table,
    elements: BTreeSet<Element>,
    /// An attempt to make it anew failed: what it has is not certain.
    uncertain: bool,
}

/// Filtering begins before an address comes, and ends after it has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    BeforeAddresses,
    AfterAddresses,
}

impl PacketFilter {
    /// New settings: which tables there must be. Carried out with the next drain.
    pub(super) fn settings_change(&mut self, settings: &vrrp::Settings, filter: &global::Firewall) {
        self.wanted = tables(settings, filter);
        if !std::mem::replace(&mut self.begun, true) {
            for family in [Family::V4, Family::V6] {
                if !self.wanted.contains_key(&family) {
                    let names = [TABLE.to_owned()]
                        .into_iter()
                        .chain(filter.nftables.clone());
                    self.left_over.extend(names.map(|name| (family, name)));
                }
            }
        }
        self.compare_all = true;
        self.fresh = true;
        // The next attempt may fail for another reason.
        self.complained = false;
    }

    pub(super) fn block(&mut self, blocked: Blocked) {
        self.blocked.insert(blocked.clone());
        self.touched.insert(blocked);
        self.fresh = true;
    }

    pub(super) fn unblock(&mut self, blocked: Blocked) {
        self.blocked.remove(&blocked);
        self.touched.insert(blocked);
        self.fresh = true;
    }

    /// Interfaces have come or gone: one that is named by its number may have another one now.
    pub(super) fn links_changed(&mut self) {
        if self
            .wanted
            .values()
            .any(|table| table.by_index || table.macvlans)
        {
            self.compare_all = true;
            self.fresh = true;
        }
    }

    /// Whether nothing has changed since the last attempt.
    pub(super) const fn is_done(&self) -> bool {
        !self.fresh
    }

    /// When what failed is to be tried again, or what did not is to be looked at.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let retry = self.retry.map(|(at, _)| at);
        retry.into_iter().chain(self.looks.next_wake()).min()
    }

    /// Looks whether the tables are as they were made, if it is time. True: they are not, and the next drain makes them anew.
    pub(super) fn look(&mut self, now: Instant) -> bool {
        let Some(netlink) = &mut self.netlink else {
            return false;
        };
        if !self.looks.begin(now) {
            return false;
        }
        let mut wrong = BTreeSet::new();
        let mut broken = None;
        for made in self.made.values_mut().filter(|made| !made.uncertain) {
            match netlink.holds(&made.table, &made.elements) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(problem) => broken = Some(problem),
            }
            made.uncertain = true;
            wrong.insert(made.table.name.as_str());
        }
        if wrong.is_empty() {
            self.looks.was_right();
            return false;
        }
        let names = wrong.into_iter().collect::<Vec<_>>().join(", ");
        match (self.looks.was_wrong(now), &broken) {
            (Word::Changed, None) => {
                warn!(
                    "nftables: what was in the tables {names} was changed by somebody else: they are made anew"
                );
            }
            (Word::ChangedAgain(every), None) => warn!(
                "nftables: what was in the tables {names} was changed again: they are made anew, and looked at every {} min \
                 from now on; find out who changes them",
                every.as_secs() / 60
            ),
            (Word::Enough, _) => debug!("nftables: the tables {names} are made anew"),
            (_, Some(problem)) => warn!("{problem}: making the tables {names} anew"),
        }
        if broken.is_some() {
            // A conversation that failed is begun anew.
            self.netlink = None;
        }
        self.fresh = true;
        true
    }

    fn is_due(&self, now: Instant) -> bool {
        self.fresh || self.retry.is_some_and(|(at, _)| at <= now)
    }

    /// Blocks what is to be blocked: to be called before addresses are put on interfaces.
    pub(super) fn before_addresses(&mut self, now: Instant, core: &Vrrp) {
        if self.is_due(now) {
            // What failed is tried once more when the addresses are there.
            self.carry_out(core, Moment::BeforeAddresses);
        }
    }

    /// Unblocks the rest, and removes tables that are not needed any more: when addresses have been taken off.
    pub(super) fn after_addresses(&mut self, now: Instant, core: &Vrrp) {
        if !self.is_due(now) {
            return;
        }
        let again = !std::mem::take(&mut self.fresh);
        let mut worked = self.carry_out(core, Moment::AfterAddresses);
        let (wanted, left_over) = (&self.wanted, &mut self.left_over);
        self.made.retain(|family, made| {
            let stays = wanted.contains_key(family);
            if !stays {
                left_over.insert((*family, made.table.name.clone()));
            }
            stays
        });
        worked &= self.remove_left_over();
        self.looks.there_are(now, !self.made.is_empty());
        if worked {
            self.touched.clear();
            self.compare_all = false;
            if self.retry.take().is_some() {
                info!("The packet filter is as it should be again");
                self.complained = false;
            }
        } else {
            let wait = match self.retry {
                Some((_, waited)) if again => waited.saturating_mul(2).min(LAST_RETRY),
                _ => FIRST_RETRY,
            };
            self.retry = Some((now + wait, wait));
        }
    }

    /// Removes the tables that are to go. Whether none is left.
    fn remove_left_over(&mut self) -> bool {
        for (family, name) in std::mem::take(&mut self.left_over) {
            let removed = open(&mut self.netlink).and_then(|netlink| netlink.remove(family, &name));
            let Err(problem) = removed else {
                continue;
            };
            if problem.is_unsupported() {
                debug!("{problem}: there is no nf_tables, and so no table");
            } else if problem.is_permission() {
                warn!("{problem}: it is somebody else's");
            } else {
                self.complain(&problem, STAY_BLOCKED);
                self.left_over.insert((family, name));
            }
        }
        self.left_over.is_empty()
    }

    /// Removes our tables: nothing of ours is left to filter.
    pub(super) fn end(&mut self) {
        let made = std::mem::take(&mut self.made);
        self.left_over.extend(
            made.into_iter()
                .map(|(family, made)| (family, made.table.name)),
        );
        // The next failure is the last, and is told.
        self.complained &= self.left_over.is_empty();
        self.remove_left_over();
    }

    /// Whether every table has what it should have at this moment.
    fn carry_out(&mut self, core: &Vrrp, moment: Moment) -> bool {
        let numbers_count = self.wanted.values().any(|table| table.by_index);
        let names: BTreeMap<&IfName, IfIndex> = core
            .interfaces()
            .filter(|_| numbers_count)
            .map(|interface| (&interface.name, interface.index))
            .collect();
        let wanted: Vec<Table> = self.wanted.values().cloned().collect();
        let mut worked = true;
        for table in wanted {
            let Err(problem) = self.converge(&table, &names, core, moment) else {
                continue;
            };
            // A table that was made once can be made again.
            let possible = self
                .made
                .get(&table.family)
                .is_some_and(|made| made.table == table);
            if table.macvlans && table.blocks && !possible {
                worked &= self.do_without_macvlans(table, &problem, &names, core, moment);
            } else {
                worked = false;
                let so = if table.blocks {
                    TAKE_PACKETS
                } else {
                    TELL_TWICE
                };
                self.complain(&problem, so);
            }
        }
        worked
    }

    /// A kernel may lack what the rules for macvlans are made of, and have all that blocks addresses. Whether it has.
    fn do_without_macvlans(
        &mut self,
        mut table: Table,
        problem: &sys::Error,
        names: &BTreeMap<&IfName, IfIndex>,
        core: &Vrrp,
        moment: Moment,
    ) -> bool {
        table.macvlans = false;
        if self.converge(&table, names, core, moment).is_err() {
            self.complain(problem, TAKE_PACKETS);
            return false;
        }
        self.complain(problem, TELL_TWICE);
        // Until other settings come: each attempt would make the table anew.
        self.wanted.insert(table.family, table);
        true
    }

    fn complain(&mut self, problem: &sys::Error, so: &str) {
        if !std::mem::replace(&mut self.complained, true) {
            error!("{problem}: {so} (is nf_tables in the kernel, and may we use it?)");
        }
    }

    /// Brings one table up to date.
    fn converge(
        &mut self,
        table: &Table,
        names: &BTreeMap<&IfName, IfIndex>,
        core: &Vrrp,
        moment: Moment,
    ) -> Result<(), sys::Error> {
        let wanted = |blocked: &Blocked| element(blocked, table, names);
        let made = self
            .made
            .get_mut(&table.family)
            .filter(|made| made.table == *table && !made.uncertain);
        let changes = match made {
            None => {
                let elements = self.blocked.iter().filter_map(wanted);
                let elements = elements.chain(devices(core, table)).collect();
                return self.make(table, elements);
            }
            Some(made) if self.compare_all => {
                let all = self.blocked.iter().filter_map(wanted);
                let all: BTreeSet<Element> = all.chain(devices(core, table)).collect();
                changes(made, &all, &made.elements, moment)
            }
            Some(made) => {
                let of_touched = |on: bool| -> BTreeSet<Element> {
                    self.touched
                        .iter()
                        .filter(|blocked| self.blocked.contains(blocked) == on)
                        .filter_map(wanted)
                        .collect()
                };
                changes(made, &of_touched(true), &of_touched(false), moment)
            }
        };
        if changes.is_empty() {
            return Ok(());
        }
        let netlink = open(&mut self.netlink)?;
        match netlink.change(table.family, &table.name, &changes) {
            Ok(()) => {
                if let Some(made) = self.made.get_mut(&table.family) {
                    for change in changes {
                        match change {
                            Change::Add(element) => made.elements.insert(element),
                            Change::Remove(element) => made.elements.remove(&element),
                        };
                    }
                }
                Ok(())
            }
            Err(problem) => {
                warn!("{problem}: making the table anew");
                let elements = self.blocked.iter().filter_map(wanted);
                let elements = elements.chain(devices(core, table)).collect();
                self.make(table, elements)
            }
        }
    }

    /// Makes a table in place of the one there is.
    fn make(&mut self, table: &Table, elements: BTreeSet<Element>) -> Result<(), sys::Error> {
        if let Some(before) = self.made.get_mut(&table.family) {
            before.uncertain = true;
        }
        let netlink = open(&mut self.netlink)?;
        netlink.replace(table, &elements)?;
        let made = Made {
            table: table.clone(),
            elements,
            uncertain: false,
        };
        self.left_over.remove(&(table.family, table.name.clone()));
        if let Some(before) = self.made.insert(table.family, made)
            && before.table.name != table.name
        {
            self.left_over.insert((table.family, before.table.name));
        }
        Ok(())
    }
}

/// The socket, which hosts without a filter do without.
fn open(netlink: &mut Option<Firewall>) -> Result<&mut Firewall, sys::Error> {
    match netlink {
        Some(open) => Ok(open),
        None => Ok(netlink.insert(Firewall::new()?)),
    }
}

/// What there is to do at this moment: elements that are wanted and not there, or elements that are there, and of those
/// that may go, not wanted.
fn changes(
    made: &Made,
    wanted: &BTreeSet<Element>,
    may_go: &BTreeSet<Element>,
    moment: Moment,
) -> Vec<Change> {
    match moment {
        Moment::BeforeAddresses => wanted
            .difference(&made.elements)
            .cloned()
            .map(Change::Add)
            .collect(),
        Moment::AfterAddresses => may_go
            .difference(wanted)
            .filter(|element| made.elements.contains(element))
            .cloned()
            .map(Change::Remove)
            .collect(),
    }
}

/// What blocks an address in a table; `None`: it is of the other family, or its interface is not there and so is not it.
fn element(
    blocked: &Blocked,
    table: &Table,
    names: &BTreeMap<&IfName, IfIndex>,
) -> Option<Element> {
    if Family::of(blocked.address) != table.family {
        return None;
    }
    match (blocked.address, &blocked.interface) {
        (IpAddr::V6(address), Some(interface)) => {
            let key = if table.by_index {
                InterfaceKey::Index(*names.get(interface)?)
            } else {
                InterfaceKey::Name(*interface)
            };
            Some(Element::LinkLocal(address, key))
        }
        (address, _) => Some(Element::Address(address)),
    }
}

/// What a table must know of macvlans.
fn devices(core: &Vrrp, table: &Table) -> BTreeSet<Element> {
    let mut elements = BTreeSet::new();
    if !table.macvlans {
        return elements;
    }
    let indices: BTreeMap<IfName, IfIndex> = core
        .interfaces()
        .map(|interface| (interface.name, interface.index))
        .collect();
    for DeviceView {
        interface,
        device,
        address,
    } in core.devices()
    {
        let concerned = match table.family {
            Family::V4 => device.family == Family::V4,
            Family::V6 => device.carries_v6,
        };
        let parent = indices.get(&device.base).copied();
        let (DeviceKind::Macvlan { .. }, true, Some(parent)) = (device.kind, concerned, parent)
        else {
            continue;
        };
        elements.insert(Element::Macvlan {
            device: interface,
            parent,
        });
        if table.family == Family::V6 {
            elements.insert(Element::NoSolicitation(interface));
            if let Some(IpAddr::V6(address)) = address.map(|prefix| prefix.address()) {
                elements.insert(Element::ParentLinkLocal(address, device.name));
            }
        }
    }
    elements
}

/// The tables that settings need: none, unless some instance holds addresses without accepting for them, or has a macvlan.
fn tables(settings: &vrrp::Settings, filter: &global::Firewall) -> BTreeMap<Family, Table> {
    let blocked: BTreeSet<Family> = settings
        .instances
        .iter()
        .filter(|instance| instance.blocks())
        .flat_map(|instance| instance.addresses())
        .map(|address| address.prefix.family())
        .collect();
    // keepalived: nftables goes before iptables, of which one chain alone is that for what arrives.
    let outgoing = match (&filter.nftables, &filter.iptables) {
        (None, Some(chains)) => chains.output.is_some(),
        (Some(_), _) | (None, None) => true,
    };
    let macvlans: BTreeSet<Family> = settings
        .devices()
        .filter(|device| matches!(device.kind, DeviceKind::Macvlan { .. }))
        .flat_map(|device| {
            let v6 = device.carries_v6.then_some(Family::V6);
            [Some(device.family), v6].into_iter().flatten()
        })
        .collect();
    blocked
        .union(&macvlans)
        .copied()
        .map(|family| {
            let table = Table {
                family,
                name: filter.nftables.clone().unwrap_or_else(|| TABLE.to_owned()),
                priority: filter.nftables_priority,
                counters: filter.nftables_counters,
                by_index: filter.nftables_ifindex,
                blocks: blocked.contains(&family),
                outgoing: outgoing && blocked.contains(&family),
                macvlans: macvlans.contains(&family),
            };
            (family, table)
        })
        .collect()
}

//! What must be true of one node at all times. What must be true of all of them in the end is in `agreement.rs`.
//!
//! A [`Watch`] sees every action of a host as it is carried out, and the core after each drain.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use types::{Claim, Family, IfIndex, Instant, MacAddress, Prefix, Priority};
use vrrp::settings::{InstanceSettings, OldChecksum, VirtualAddress};
use vrrp::{
    Announced, Announcement, Blocked, InstanceView, Release, Settings, StateName, Subject, Vrrp,
};
use wire::vrrp::{ADVERTISEMENT, Advert, Coverage};

use crate::kernel::{Kernel, Nic};
use crate::routing;

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule, in words.
    pub rule: &'static str,
    /// How it was broken.
    pub detail: String,
}

impl Violation {
    /// A rule that was broken.
    #[must_use]
    pub const fn new(rule: &'static str, detail: String) -> Self {
        Self { rule, detail }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is broken: {}", self.rule, self.detail)
    }
}

/// A master holds every address.
pub const MASTER_HOLDS_ALL: &str = "a master holds all of its addresses";
/// Nobody else holds any.
pub const OTHERS_HOLD_NONE: &str = "who is not master holds none of its addresses";
/// No advert is late.
pub const KEEPS_THE_BEAT: &str = "a running master's next advert leaves within advert_int";
/// Priority 0 is only sent by a master that leaves.
pub const GOODBYE_MEANS_LEAVING: &str = "only a master that leaves says goodbye";
/// Only masters advertise.
pub const MASTERS_ADVERTISE: &str = "only a master advertises";
/// Announcements alternate.
pub const NEVER_SAID_TWICE: &str = "no state is announced twice in a row";
/// Adverts are what the settings say, and well-formed.
pub const ADVERTS_ARE_RIGHT: &str = "an advert says what is configured, with a right checksum";
/// Announced addresses are held.
pub const ANNOUNCES_WHAT_IT_HOLDS: &str = "only addresses that are held are announced";
/// `vrrp_garp_interval`.
pub const ANNOUNCEMENTS_KEEP_DISTANCE: &str = "announcements keep their distance";
/// The core knows what the kernel has.
pub const KERNEL_IS_KNOWN: &str = "nothing is added twice or removed when it is not there";
/// Who takes part listens.
pub const LISTENS: &str = "who takes part is a member of the group";
/// Adverts to single routers go to all of them.
pub const EVERY_PEER: &str = "each advert goes to every peer, or to the group";
/// What must take no packets is filtered, and nothing else.
pub const BLOCKS_WHAT_IT_MUST: &str =
    "what a master holds without accepting for it is blocked, before it is there";
/// Members of a group are in one state.
pub const GROUPS_ARE_ONE: &str =
    "the members of a group are in one state, and that is what it has announced";
/// Scripts do not overlap.
pub const ONE_RUN_AT_A_TIME: &str = "a script does not run twice at a time";

/// What is remembered of an instance.
#[derive(Debug)]
struct Seen {
    state: StateName,
    advert_at: Option<Instant>,
    interval: Duration,
    priority: Priority,
}

/// What the oracles remember of one process.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// It has not yet read everything that the kernel has told it: what it knows is old.
    pub behind: bool,
    /// Notices were lost, and it reads a snapshot: what it does on the way is done in the dark.
    pub reading: bool,
    /// It was stopped: what it should have sent in that time leaves now.
    pub late: bool,
    /// It has been given settings.
    configured: bool,
    /// It was told to stop.
    pub stopping: Option<Release>,
    /// How many state changes the process has announced or made.
    pub changes: u64,
    /// How many adverts it has sent for each VRID.
    pub adverts: BTreeMap<u8, u64>,
    instances: BTreeMap<String, Seen>,
    announced: BTreeMap<Subject, &'static str>,
    /// The groups that it was told of, with their members.
    groups: Vec<(String, Vec<String>)>,
    /// Addresses that nobody on the link has heard of since they were added.
    unannounced: BTreeSet<Prefix>,
    /// Addresses that were added or removed after one input.
    touched: Vec<Prefix>,
    goodbyes: Vec<String>,
    /// Whom the adverts after one input went to, but for goodbyes.
    sent_to: BTreeMap<String, Vec<IpAddr>>,
    announced_at: BTreeMap<(IfIndex, Family), Instant>,
    running_scripts: BTreeSet<String>,
}

impl Watch {
    /// New settings: a group that is no longer there may one day begin anew.
    pub(crate) fn settings_given(&mut self, settings: &Settings) {
        self.configured = true;
        self.groups = settings
            .sync_groups
            .iter()
            .map(|group| (group.name.clone(), group.members.clone()))
            .collect();
        self.announced.retain(|subject, _| match subject {
            Subject::Instance(_) => true,
            Subject::Group(name) => settings
                .sync_groups
                .iter()
                .any(|group| *group.name == **name),
        });
    }

    /// Instances go on under other names.
    pub(crate) fn renamed<'a>(&mut self, names: impl Iterator<Item = (&'a str, &'a str)>) {
        // All at once: two may have changed places.
        let mut taken = Vec::new();
        for (old, new) in names {
            let announced = self.announced.remove(&Subject::Instance(old.into()));
            taken.push((new, self.instances.remove(old), announced));
        }
        for (new, seen, announced) in taken {
            if let Some(seen) = seen {
                self.instances.insert(new.to_owned(), seen);
            }
            if let Some(announced) = announced {
                let subject = Subject::Instance(new.into());
                self.announced.insert(subject, announced);
            }
        }
    }

    /// An input has been handed over.
    pub(crate) fn begin_drain(&mut self) {
        self.goodbyes.clear();
        self.sent_to.clear();
        self.touched.clear();
    }

    /// Whether an address has not been announced since it was added.
    #[must_use]
    pub(crate) fn is_unannounced(&self, prefix: Prefix) -> bool {
        self.unannounced.contains(&prefix)
    }

    /// Whether an address was added or removed after the last input.
    #[must_use]
    pub(crate) fn was_touched(&self, prefix: Prefix) -> bool {
        self.touched.contains(&prefix)
    }

    /// Whether an instance sent any advert after the last input.
    #[must_use]
    pub(crate) fn has_advertised(&self, name: &str) -> bool {
        self.sent_to.contains_key(name) || self.goodbyes.iter().any(|said| said == name)
    }

    /// An advert leaves.
    pub(crate) fn advert(
        &mut self,
        now: Instant,
        vrrp: &Vrrp,
        nic: Option<&Nic>,
        between: (IpAddr, IpAddr),
        message: &[u8],
    ) -> Result<(), Violation> {
        let wrong = |what: String| Err(Violation::new(ADVERTS_ARE_RIGHT, what));
        let family = Family::of(between.0);
        let (message, _signature) = Advert::split_trailer(family, message);
        let advert = match Advert::parse(family, message) {
            Ok(advert) => advert,
            Err(error) => return wrong(error.to_string()),
        };
        if advert.packet_type != ADVERTISEMENT {
            return wrong(format!("packet type {}", advert.packet_type));
        }
        let Some(nic) = nic else {
            // The interface went together with the instance's reason to stay.
            return if advert.claim == Claim::Leaving || self.behind || self.reading {
                Ok(())
            } else {
                wrong(String::from("its interface does not exist"))
            };
        };
        let sends_from_own = nic
            .addresses()
            .any(|prefix| prefix.address() == between.0 && nic.can_send_from(prefix));
        if !sends_from_own && !self.behind && !self.reading && advert.claim != Claim::Leaving {
            return wrong(format!("its source {} is not on the interface", between.0));
        }
        let view = vrrp.instances().find(|view| {
            view.settings.vrid.get() == advert.vrid
                && view.settings.family == family
                && view.settings.is_on(&nic.name)
        });
        let Some(view) = view else {
            // A reload removed the instance.
            return if advert.claim == Claim::Leaving {
                Ok(())
            } else {
                Err(Violation::new(
                    MASTERS_ADVERTISE,
                    format!("nobody has VRID {} any more", advert.vrid),
                ))
            };
        };
        if advert.claim == Claim::Leaving && self.is_last_word_of_another(vrrp, &view) {
            return Ok(());
        }
        if !checksum_is_right(&advert, between, view.settings) {
            return wrong(format!("checksum of {message:?}"));
        }
        self.instance_advertises(now, &view, &advert, between.1)
    }

    /// A reload put a router of another name in the place of a master: that one says goodbye.
    fn is_last_word_of_another(&self, vrrp: &Vrrp, view: &InstanceView<'_>) -> bool {
        let is_known = |name: &str| self.instances.contains_key(name);
        let is_there = |name: &str| vrrp.instances().any(|one| one.settings.name == name);
        let mut masters = self
            .instances
            .iter()
            .filter(|(_, seen)| seen.state == StateName::Master);
        !is_known(&view.settings.name) && masters.any(|(name, _)| !is_there(name))
    }

    fn instance_advertises(
        &mut self,
        now: Instant,
        view: &InstanceView<'_>,
        advert: &Advert<'_>,
        destination: IpAddr,
    ) -> Result<(), Violation> {
        let wrong = |what: String| Err(Violation::new(ADVERTS_ARE_RIGHT, what));
        let settings = view.settings;
        let name = settings.name.as_str();
        if advert.claim != Claim::Leaving {
            let sent_to = self.sent_to.entry(name.to_owned()).or_default();
            sent_to.push(destination);
        }
        // One advert, however many peers it goes to.
        if destinations(settings).next() == Some(destination) {
            *self.adverts.entry(advert.vrid).or_default() += 1;
        }
        let before = self.instances.get_mut(name);
        let was_master = before
            .as_ref()
            .is_some_and(|seen| seen.state == StateName::Master);
        let Claim::At(priority) = advert.claim else {
            if !was_master {
                return Err(Violation::new(
                    GOODBYE_MEANS_LEAVING,
                    format!("{name} was not master"),
                ));
            }
            self.goodbyes.push(name.to_owned());
            return Ok(());
        };
        if advert.version != settings.version.number() || advert.advert_int != settings.advert_int {
            return wrong(format!(
                "{name}: version {} interval {}",
                advert.version, advert.advert_int
            ));
        }
        // One time-out serves all that is due in turn: the advert may leave just before a script's time-out counts.
        let before_input = before.as_ref().map(|seen| seen.priority);
        if priority != view.effective_priority && Some(priority) != before_input {
            return wrong(format!(
                "{name}: priority {priority}, not {}",
                view.effective_priority
            ));
        }
        let listed = settings
            .virtual_ipaddress
            .iter()
            .map(|address| address.prefix.address());
        if !advert.addresses.iter().eq(listed) {
            return wrong(format!("{name}: other addresses"));
        }
        if view.state != StateName::Master && !was_master {
            return Err(Violation::new(
                MASTERS_ADVERTISE,
                format!("{name} is {}", view.state.word()),
            ));
        }
        if let Some(seen) = before {
            if let (true, false, Some(last)) = (was_master, self.late, seen.advert_at) {
                check_beat(name, last, now, seen.interval)?;
            }
            seen.advert_at = Some(now);
        } else {
            self.instances.insert(
                name.to_owned(),
                Seen {
                    state: StateName::Init,
                    advert_at: Some(now),
                    interval: settings.advert_int.as_duration(),
                    priority,
                },
            );
        }
        Ok(())
    }

    /// The host added an address; `fresh`: it was not there.
    pub(crate) fn address_added(&mut self, prefix: Prefix, fresh: bool) -> Result<(), Violation> {
        self.touched.push(prefix);
        self.unannounced.insert(prefix);
        self.kernel_known(fresh, || format!("{prefix} added, but it was there"))
    }

    /// The host removed an address; `there`: it was there.
    pub(crate) fn address_removed(&mut self, prefix: Prefix, there: bool) -> Result<(), Violation> {
        self.touched.push(prefix);
        self.unannounced.remove(&prefix);
        self.kernel_known(there, || format!("{prefix} removed, but it was not there"))
    }

    /// The host joined a group; `fresh`: it was no member.
    pub(crate) fn address_blocked(&self, blocked: &Blocked, fresh: bool) -> Result<(), Violation> {
        self.kernel_known(fresh, || format!("{blocked:?} is blocked already"))
    }

    pub(crate) fn address_unblocked(
        &self,
        blocked: &Blocked,
        there: bool,
    ) -> Result<(), Violation> {
        self.kernel_known(there, || format!("{blocked:?} is not blocked"))
    }

    pub(crate) fn group_joined(&self, group: IpAddr, fresh: bool) -> Result<(), Violation> {
        self.kernel_known(fresh, || format!("{group} joined, but it was a member"))
    }

    /// The host left a group; `there`: it was a member, or the interface is gone.
    pub(crate) fn group_left(&self, group: IpAddr, there: bool) -> Result<(), Violation> {
        self.kernel_known(there, || format!("{group} left, but it was no member"))
    }

    /// In this world notices take no time, so only a process that was stopped may be mistaken.
    fn kernel_known(&self, ok: bool, what: impl FnOnce() -> String) -> Result<(), Violation> {
        if ok || self.behind || self.reading {
            Ok(())
        } else {
            Err(Violation::new(KERNEL_IS_KNOWN, what()))
        }
    }

    /// A gratuitous ARP or neighbour advertisement leaves.
    pub(crate) fn address_announced(
        &mut self,
        now: Instant,
        settings: &Settings,
        nic: Option<&Nic>,
        mac: MacAddress,
        address: IpAddr,
    ) -> Result<(), Violation> {
        self.unannounced.remove(&Prefix::host(address));
        if self.behind || self.reading {
            return Ok(());
        }
        // The source of adverts to peers is announced, too: once, and at once.
        let own = nic.is_some_and(|nic| {
            nic.mac() == mac
                && !nic.has(Prefix::host(address))
                && nic.addresses().any(|prefix| prefix.address() == address)
        });
        if own {
            return Ok(());
        }
        let held = nic.is_some_and(|nic| nic.has(Prefix::host(address)) && nic.mac() == mac);
        let Some(nic) = nic.filter(|_| held) else {
            return Err(Violation::new(
                ANNOUNCES_WHAT_IT_HOLDS,
                format!("{address} at {mac}"),
            ));
        };
        let family = Family::of(address);
        let distance = match family {
            Family::V4 => settings.garp_interval,
            Family::V6 => settings.gna_interval,
        };
        let last = self.announced_at.insert((nic.index, family), now);
        if let Some(last) = last
            && now.since(last) < distance
        {
            return Err(Violation::new(
                ANNOUNCEMENTS_KEEP_DISTANCE,
                format!(
                    "{address} {:?} after another, {distance:?} wanted",
                    now.since(last)
                ),
            ));
        }
        Ok(())
    }

    /// A script was started.
    pub(crate) fn script_started(&mut self, script: &str) -> Result<(), Violation> {
        if self.running_scripts.insert(script.to_owned()) {
            Ok(())
        } else {
            Err(Violation::new(ONE_RUN_AT_A_TIME, script.to_owned()))
        }
    }

    /// A script ended.
    pub(crate) fn script_ended(&mut self, script: &str) {
        self.running_scripts.remove(script);
    }

    /// Something is announced.
    pub(crate) fn announcement(&mut self, announcement: &Announcement) -> Result<(), Violation> {
        let word = match announcement.what {
            Announced::MasterRxLowerPri | Announced::MasterPriority | Announced::BackupPriority => {
                return Ok(());
            }
            Announced::Master
            | Announced::Backup { .. }
            | Announced::Fault
            | Announced::Stop
            | Announced::Deleted => announcement.what.word(),
        };
        if announcement.what == Announced::Deleted {
            self.announced.remove(&announcement.subject);
            // Another router may have its name from now on: what this one has said does not bind it.
            if let Subject::Instance(name) = &announcement.subject {
                self.goodbyes.retain(|said| **said != **name);
                self.instances.remove(&**name);
            }
            return Ok(());
        }
        let before = self.announced.insert(announcement.subject.clone(), word);
        if before == Some(word) {
            return Err(Violation::new(
                NEVER_SAID_TWICE,
                format!("{:?} {word}", announcement.subject),
            ));
        }
        Ok(())
    }

    /// Every action for an input has been carried out.
    pub(crate) fn after_drain(
        &mut self,
        now: Instant,
        vrrp: &Vrrp,
        kernel: &Kernel,
    ) -> Result<(), Violation> {
        self.reading = false;
        let mut held = 0;
        let checks_addresses =
            self.configured && !self.behind && self.stopping != Some(Release::Nothing);
        for view in vrrp.instances() {
            let name = view.settings.name.as_str();
            if view.state == StateName::Master && self.goodbyes.iter().any(|said| said == name) {
                return Err(Violation::new(
                    GOODBYE_MEANS_LEAVING,
                    format!("{name} is still master"),
                ));
            }
            if let Some(sent_to) = self.sent_to.get(name) {
                check_destinations(&view, sent_to)?;
            }
            if checks_addresses {
                held += check_addresses(&view, kernel)?;
                check_membership(&view, kernel)?;
            }
            self.remember(now, &view)?;
        }
        if self.instances.len() > vrrp.instances().count() {
            self.instances.retain(|name, _| {
                vrrp.instances()
                    .any(|view| view.settings.name.as_str() == name)
            });
        }
        if self.configured && self.stopping != Some(Release::Nothing) {
            check_blocked(vrrp, kernel)?;
        }
        for (group, members) in &self.groups {
            self.check_group(vrrp, group, members)?;
        }
        if checks_addresses {
            routing::check(vrrp, kernel)?;
        }
        let strays = virtual_addresses(kernel).count().abs_diff(held);
        if strays > 0 && checks_addresses {
            let all: Vec<Prefix> = virtual_addresses(kernel).collect();
            return Err(Violation::new(
                OTHERS_HOLD_NONE,
                format!("the masters have {held} addresses, the kernel has {all:?}"),
            ));
        }
        Ok(())
    }

    /// Who waits for its first script has not been heard of, and has no part in this.
    fn check_group(&self, vrrp: &Vrrp, group: &str, members: &[String]) -> Result<(), Violation> {
        let announced = |subject: Subject| self.announced.get(&subject).copied();
        let mut common = None;
        let mut anybody_heard_of = false;
        for name in members {
            let view = vrrp.instances().find(|view| view.settings.name == *name);
            let Some(state) = view.map(|view| view.state) else {
                continue;
            };
            let heard_of = announced(Subject::Instance(name.as_str().into())).is_some();
            if matches!(state, StateName::Init | StateName::Fault) && !heard_of {
                continue;
            }
            anybody_heard_of |= heard_of;
            if *common.get_or_insert(state) != state {
                return Err(Violation::new(
                    GROUPS_ARE_ONE,
                    format!("{group}: {name} is {}", state.word()),
                ));
            }
        }
        let said = announced(Subject::Group(group.into()));
        match (common, said) {
            (Some(state), Some(said)) if anybody_heard_of && state.word() != said => {
                let detail = format!("{group} has said {said}, its members are {}", state.word());
                Err(Violation::new(GROUPS_ARE_ONE, detail))
            }
            _ => Ok(()),
        }
    }

    fn remember(&mut self, now: Instant, view: &InstanceView<'_>) -> Result<(), Violation> {
        let name = view.settings.name.as_str();
        let interval = view.settings.advert_int.as_duration();
        let Some(seen) = self.instances.get_mut(name) else {
            self.instances.insert(
                name.to_owned(),
                Seen {
                    state: view.state,
                    advert_at: None,
                    interval,
                    priority: view.effective_priority,
                },
            );
            self.changes += 1;
            return Ok(());
        };
        if seen.state != view.state {
            seen.state = view.state;
            self.changes += 1;
        }
        seen.interval = interval;
        seen.priority = view.effective_priority;
        if view.state != StateName::Master {
            seen.advert_at = None;
            return Ok(());
        }
        let Some(last) = seen.advert_at else {
            return Err(Violation::new(
                KEEPS_THE_BEAT,
                format!("{name} is master and has said nothing"),
            ));
        };
        if self.behind {
            return Ok(());
        }
        check_beat(name, last, now, interval)
    }
}

/// Who leaves because of a reload still computes as it did before.
fn checksum_is_right(
    advert: &Advert<'_>,
    between: (IpAddr, IpAddr),
    settings: &InstanceSettings,
) -> bool {
    let as_v2 = settings.v3_checksum_as_v2;
    let unicast = settings.unicast.as_deref();
    let old = unicast.is_some_and(|unicast| unicast.old_checksum == OldChecksum::Always);
    let leaving = advert.claim == Claim::Leaving;
    let covers = |coverage, destination| advert.checksum_covers(coverage, between.0, destination);
    let (all, bare) = (Coverage::PseudoHeader, Coverage::Message);
    ((leaving || as_v2) && covers(bare, between.1))
        || ((leaving || (old && !as_v2)) && covers(all, settings.mcast_dst_ip))
        || ((leaving || !(old || as_v2)) && covers(all, between.1))
}

fn check_beat(
    name: &str,
    last: Instant,
    now: Instant,
    interval: Duration,
) -> Result<(), Violation> {
    if now.since(last) <= interval {
        return Ok(());
    }
    Err(Violation::new(
        KEEPS_THE_BEAT,
        format!(
            "{name}: {:?} after the last, not {interval:?}",
            now.since(last)
        ),
    ))
}

/// How many addresses the instance holds; all or none, as its state demands. An interface that does not exist has none,
/// one that is down may have.
fn check_addresses(view: &InstanceView<'_>, kernel: &Kernel) -> Result<usize, Violation> {
    let mut held = 0;
    for address in view.settings.addresses() {
        let Some(nic) = kernel.by_name(&address.interface) else {
            continue;
        };
        let has = nic.has(Vrrp::kernel_prefix(address));
        let rule = match (view.state == StateName::Master, has) {
            // What is taken from an interface that is down is put back when it comes up.
            (true, false) if !nic.usable() => continue,
            (true, false) => MASTER_HOLDS_ALL,
            (false, true) => OTHERS_HOLD_NONE,
            (true, true) => {
                held += 1;
                continue;
            }
            (false, false) => continue,
        };
        return Err(Violation::new(
            rule,
            format!(
                "{} is {}, {}",
                view.settings.name,
                view.state.word(),
                address.prefix
            ),
        ));
    }
    Ok(held)
}

/// The filter is what the masters need, no more and no less.
fn check_blocked(vrrp: &Vrrp, kernel: &Kernel) -> Result<(), Violation> {
    let wanted: BTreeSet<Blocked> = vrrp
        .instances()
        .filter(|view| view.state == StateName::Master && view.settings.blocks())
        .flat_map(|view| {
            view.settings
                .addresses()
                .map(|address| Blocked::of(address))
        })
        .collect();
    if wanted == *kernel.blocked() {
        return Ok(());
    }
    let blocked = kernel.blocked();
    Err(Violation::new(
        BLOCKS_WHAT_IT_MUST,
        format!("{blocked:?}, not {wanted:?}"),
    ))
}

/// An address that only instances hold which do not accept for it is blocked when it comes.
pub(crate) fn check_blocked_before(
    settings: &Settings,
    kernel: &Kernel,
    address: &VirtualAddress,
) -> Result<(), Violation> {
    let mut holders = settings
        .instances
        .iter()
        .filter(|instance| instance.addresses().any(|held| **held == *address))
        .peekable();
    let must = holders.peek().is_some() && holders.all(InstanceSettings::blocks);
    if !must || kernel.blocked().contains(&Blocked::of(address)) {
        return Ok(());
    }
    Err(Violation::new(
        BLOCKS_WHAT_IT_MUST,
        format!("{} comes unblocked", address.prefix),
    ))
}

/// Whom an instance is to send its adverts to.
fn destinations(settings: &InstanceSettings) -> impl Iterator<Item = IpAddr> + '_ {
    let unicast = settings.unicast.as_deref();
    let group = unicast.is_none().then_some(settings.mcast_dst_ip);
    let peers = unicast.map(|unicast| unicast.peers.as_slice());
    let peers = peers.unwrap_or_default().iter().map(|peer| peer.address);
    group.into_iter().chain(peers)
}

/// One or more whole rounds, in order.
fn check_destinations(view: &InstanceView<'_>, sent_to: &[IpAddr]) -> Result<(), Violation> {
    let all: Vec<IpAddr> = destinations(view.settings).collect();
    if sent_to.chunks(all.len().max(1)).all(|round| round == all) {
        return Ok(());
    }
    Err(Violation::new(
        EVERY_PEER,
        format!("{}: {sent_to:?}, not {all:?}", view.settings.name),
    ))
}

fn check_membership(view: &InstanceView<'_>, kernel: &Kernel) -> Result<(), Violation> {
    let takes_part = matches!(view.state, StateName::Master | StateName::Backup)
        && view.settings.unicast.is_none();
    let deaf = view
        .settings
        .interface
        .as_ref()
        .and_then(|name| kernel.by_name(name))
        .is_some_and(|nic| !nic.is_member(view.settings.mcast_dst_ip));
    if takes_part && deaf {
        return Err(Violation::new(LISTENS, view.settings.name.clone()));
    }
    Ok(())
}

/// All virtual addresses that a kernel has: they are host prefixes, a node's own addresses are not.
pub(crate) fn virtual_addresses(kernel: &Kernel) -> impl Iterator<Item = Prefix> + '_ {
    kernel
        .nics()
        .flat_map(Nic::addresses)
        .filter(|prefix| prefix.length() == prefix.family().host_prefix_length())
}

//! What must be true of all nodes together once the faults have ended: they agree, soon, on the right one, for good.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use types::{Centiseconds, Priority};
use vrrp::settings::{InstanceSettings, Preempt};
use vrrp::{Settings, StateName};

use crate::node::{Manner, Node};
use crate::oracles::Violation;
use crate::scenario::{longest_master_down, own_address};
use crate::tracked;

/// Exactly one master.
pub const ONE_MASTER: &str = "of the nodes that are up exactly one is master";
/// Who is not up is in FAULT, who is up is not.
pub const FAULTS_ARE_FAULTS: &str = "FAULT is the state of those that something is wrong with";
/// Every address is on one node.
pub const ONE_HOLDER: &str = "every address is on the master's node and on no other";
/// The link knows where every address is.
pub const ALL_ARE_ANNOUNCED: &str =
    "every address that is held has been announced since it was added";
/// The best one wins.
pub const BEST_WINS: &str = "nobody who would preempt is better than the master";
/// Agreement lasts.
pub const STAYS_SO: &str = "nobody changes its state once all agree";
/// The master advertises at its interval.
pub const EVERY_INTERVAL: &str = "the master sends one advert every advert_int";

/// How long the nodes may take to agree, and how long they are watched afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// From the end of the last fault to agreement.
    pub agree: Duration,
    /// From agreement to the end of the world.
    pub stay: Duration,
}

impl Patience {
    /// Computed from what is configured.
    #[must_use]
    pub(crate) fn of(nodes: &[Node]) -> Self {
        let instances = || nodes.iter().flat_map(|node| &node.settings.instances);
        let longest = instances()
            .map(|instance| instance.advert_int)
            .max()
            .unwrap_or(Centiseconds::new(100));
        let down = instances()
            .map(|instance| longest_master_down(instance, longest))
            .max()
            .unwrap_or_default();
        // A delay begins with the first advert of a lesser master; that of another node may begin when it is over.
        let preempt: Duration = nodes.iter().map(longest_preempt_delay).sum();
        let scripts = nodes.iter().map(script_settling).max().unwrap_or_default();
        let starts = nodes
            .iter()
            .map(|node| node.settings.global.startup_delay)
            .max()
            .unwrap_or_default();
        let facts = nodes
            .iter()
            .map(|node| tracked::settling(&node.settings))
            .max()
            .unwrap_or_default();
        Self {
            // In turn: a late start, the links, a wrong master's silence, a preemption, a group's slowest member, two owners who find
            // out about each other, and somebody who hears of it last; each within one master-down interval.
            agree: starts + down * 6 + preempt + scripts + facts + Duration::from_millis(100),
            stay: down * 10,
        }
    }
}

fn longest_preempt_delay(node: &Node) -> Duration {
    node.settings
        .instances
        .iter()
        .map(|instance| match instance.preempt {
            Preempt::After(delay) => delay,
            Preempt::Immediately | Preempt::Never => Duration::ZERO,
        })
        .max()
        .unwrap_or_default()
}

/// Until a script's result counts: a run that hangs is ended by force (4 s), then `rise` or `fall` runs.
fn script_settling(node: &Node) -> Duration {
    node.settings
        .scripts
        .iter()
        .map(|script| {
            let longest = script.interval.max(script.timeout.unwrap_or_default());
            longest * (script.rise.max(script.fall) + 3) + Duration::from_secs(5)
        })
        .max()
        .unwrap_or_default()
}

/// Whether nothing is wrong with an instance, as the world knows it: the core is not asked.
fn stands(node: &Node, instance: &InstanceSettings) -> bool {
    let interface = instance.interface.as_ref();
    let Some(nic) = interface.and_then(|name| node.kernel.by_name(name)) else {
        return false;
    };
    let link = nic.usable() || instance.dont_track_primary;
    let source = nic.can_send_from(own_address(node.id, nic.lan, instance.family));
    let interfaces = instance.track_interface.iter().all(|tracked| {
        tracked.weight.get() != 0
            || node
                .kernel
                .by_name(&tracked.interface)
                .is_some_and(crate::kernel::Nic::usable)
    });
    let scripts = instance.track_script.iter().all(|tracked| {
        tracked.weight.get() != 0 || script_is_good(node, tracked) != tracked.reverse
    });
    let facts = node.facts.allow(&node.settings, instance);
    link && source && interfaces && scripts && facts
}

fn script_is_good(node: &Node, tracked: &vrrp::settings::TrackScript) -> bool {
    node.manners.get(&tracked.script) == Some(&Manner::Exits(0))
}

fn is_up(node: &Node, instance: &InstanceSettings) -> bool {
    if !node.is_running() {
        return false;
    }
    let group = group_of(&node.settings, &instance.name);
    node.settings
        .instances
        .iter()
        .filter(|member| member.name == instance.name || group.contains(&member.name.as_str()))
        .all(|member| stands(node, member))
}

fn group_of<'a>(settings: &'a Settings, name: &str) -> Vec<&'a str> {
    settings
        .sync_groups
        .iter()
        .filter(|group| group.members.iter().any(|member| member == name))
        .flat_map(|group| group.members.iter().map(String::as_str))
        .collect()
}

/// The priority that the instance should have in the election.
fn priority(node: &Node, instance: &InstanceSettings) -> Priority {
    if instance.is_owner() {
        return Priority::OWNER;
    }
    let applies = |weight: i16, good: bool| {
        if (weight > 0) == good {
            i32::from(weight)
        } else {
            0
        }
    };
    let scripts: i32 = instance
        .track_script
        .iter()
        .map(|tracked| {
            let amount = applies(tracked.weight.get(), script_is_good(node, tracked));
            if tracked.reverse { -amount } else { amount }
        })
        .sum();
    let interfaces: i32 = instance
        .track_interface
        .iter()
        .map(|tracked| {
            let up = node
                .kernel
                .by_name(&tracked.interface)
                .is_some_and(crate::kernel::Nic::usable);
            applies(tracked.weight.get(), up)
        })
        .sum();
    let facts = node.facts.adjustment(&node.settings, instance);
    let total = i64::from(instance.priority.get()) + i64::from(scripts + interfaces) + facts;
    let total = total.clamp(1, 254);
    u8::try_from(total)
        .ok()
        .and_then(|total| Priority::new(total).ok())
        .unwrap_or(Priority::MIN)
}

/// One node's part in one virtual router.
struct Candidate<'a> {
    node: &'a Node,
    instance: &'a InstanceSettings,
    state: StateName,
    up: bool,
}

fn candidates(nodes: &[Node]) -> BTreeMap<u8, Vec<Candidate<'_>>> {
    let mut all: BTreeMap<u8, Vec<Candidate<'_>>> = BTreeMap::new();
    for node in nodes {
        for view in node.vrrp.iter().flat_map(vrrp::Vrrp::instances) {
            all.entry(view.settings.vrid.get())
                .or_default()
                .push(Candidate {
                    node,
                    instance: view.settings,
                    state: view.state,
                    up: is_up(node, view.settings),
                });
        }
    }
    all
}

/// Checks that everybody agrees.
pub(crate) fn check(nodes: &[Node]) -> Result<(), Violation> {
    let all = candidates(nodes);
    for (vrid, candidates) in &all {
        let who = || {
            let states: Vec<String> = candidates
                .iter()
                .map(|candidate| {
                    format!(
                        "n{} {}{}",
                        candidate.node.id,
                        candidate.state.word(),
                        if candidate.up { "" } else { " (not up)" }
                    )
                })
                .collect();
            format!("VRID {vrid}: {}", states.join(", "))
        };
        if candidates.iter().any(|candidate| {
            candidate.up != matches!(candidate.state, StateName::Backup | StateName::Master)
        }) {
            return Err(Violation::new(FAULTS_ARE_FAULTS, who()));
        }
        let masters: Vec<&Candidate<'_>> = candidates
            .iter()
            .filter(|candidate| candidate.state == StateName::Master)
            .collect();
        let anybody = candidates.iter().any(|candidate| candidate.up);
        let master = match masters.as_slice() {
            [] if !anybody => continue,
            [master] => master,
            _ => return Err(Violation::new(ONE_MASTER, who())),
        };
        check_holders(nodes, master)?;
        check_best(master, candidates, &all)
            .map_err(|better| Violation::new(BEST_WINS, format!("{}; {better}", who())))?;
    }
    Ok(())
}

fn check_holders(nodes: &[Node], master: &Candidate<'_>) -> Result<(), Violation> {
    for address in master.instance.addresses() {
        // An interface that does not exist can hold nothing.
        if master.node.kernel.by_name(&address.interface).is_none() {
            continue;
        }
        let prefix = vrrp::Vrrp::kernel_prefix(address);
        if master.node.watch.is_unannounced(prefix) {
            let detail = format!("n{} has said nothing of {prefix}", master.node.id);
            return Err(Violation::new(ALL_ARE_ANNOUNCED, detail));
        }
        let holders: Vec<usize> = nodes
            .iter()
            .filter(|node| node.holds(vrrp::Vrrp::kernel_prefix(address)))
            .map(|node| node.id)
            .collect();
        if holders != [master.node.id] {
            return Err(Violation::new(
                ONE_HOLDER,
                format!(
                    "{} is on {holders:?}, the master is n{}",
                    address.prefix, master.node.id
                ),
            ));
        }
    }
    Ok(())
}

/// A backup accepts an equal priority whatever the address (RFC 9568 6.4.2), so among equals any one may be master: the
/// address only decides between two masters. Who does not preempt lets anybody be. An owner may have lowered itself to
/// 254 because of another owner; then that one is master with 255, and of two owners either may be. Where not all nodes have the
/// same groups, a member may wait for another one that has a better master already.
fn check_best(
    master: &Candidate<'_>,
    candidates: &[Candidate<'_>],
    all: &BTreeMap<u8, Vec<Candidate<'_>>>,
) -> Result<(), String> {
    let ours = priority(master.node, master.instance);
    let better = candidates.iter().find(|other| {
        other.up
            && other.instance.preempt != Preempt::Never
            && priority(other.node, other.instance) > ours
            && !waits_for_its_group(other, all)
    });
    match better {
        Some(better) => Err(format!(
            "n{} has {} and n{} has {ours}",
            better.node.id,
            priority(better.node, better.instance),
            master.node.id
        )),
        None => Ok(()),
    }
}

/// Whether another member of its group leaves a master in office.
fn waits_for_its_group(candidate: &Candidate<'_>, all: &BTreeMap<u8, Vec<Candidate<'_>>>) -> bool {
    let node = candidate.node;
    let group = group_of(&node.settings, &candidate.instance.name);
    let mut members = node.settings.instances.iter().filter(|member| {
        member.name != candidate.instance.name && group.contains(&member.name.as_str())
    });
    members.any(|member| {
        let mut others = all.get(&member.vrid.get()).into_iter().flatten();
        others.any(|other| {
            other.node.id != node.id
                && other.state == StateName::Master
                && (member.preempt == Preempt::Never
                    || priority(other.node, other.instance) >= priority(node, member))
        })
    })
}

/// What must not move any more, as it was when all agreed.
#[derive(Debug)]
pub(crate) struct Settled {
    changes: Vec<u64>,
    adverts: Vec<BTreeMap<u8, u64>>,
}

impl Settled {
    /// Looks at everybody.
    #[must_use]
    pub(crate) fn look(nodes: &[Node]) -> Self {
        Self {
            changes: nodes.iter().map(|node| node.watch.changes).collect(),
            adverts: nodes
                .iter()
                .map(|node| node.watch.adverts.clone())
                .collect(),
        }
    }

    /// Checks that nothing but adverts has happened for `elapsed`, and of these the right number.
    pub(crate) fn check(&self, nodes: &[Node], elapsed: Duration) -> Result<(), Violation> {
        let now = Self::look(nodes);
        for (node, (before, after)) in nodes.iter().zip(self.changes.iter().zip(&now.changes)) {
            if before != after {
                return Err(Violation::new(
                    STAYS_SO,
                    format!("n{}: {} changes", node.id, after - before),
                ));
            }
        }
        for (node, (before, after)) in nodes.iter().zip(self.adverts.iter().zip(&now.adverts)) {
            check_rhythm(node, before, after, elapsed)?;
        }
        Ok(())
    }
}

fn check_rhythm(
    node: &Node,
    before: &BTreeMap<u8, u64>,
    after: &BTreeMap<u8, u64>,
    elapsed: Duration,
) -> Result<(), Violation> {
    let masters: BTreeSet<u8> = node
        .vrrp
        .iter()
        .flat_map(vrrp::Vrrp::instances)
        .filter(|view| view.state == StateName::Master)
        .map(|view| view.settings.vrid.get())
        .collect();
    for instance in &node.settings.instances {
        let vrid = instance.vrid.get();
        let count = |adverts: &BTreeMap<u8, u64>| adverts.get(&vrid).copied().unwrap_or(0);
        let sent = u128::from(count(after) - count(before));
        let due = if masters.contains(&vrid) {
            elapsed.as_nanos() / instance.advert_int.as_duration().as_nanos().max(1)
        } else {
            0
        };
        if sent.abs_diff(due) > u128::from(due > 0) {
            return Err(Violation::new(
                EVERY_INTERVAL,
                format!(
                    "n{} VRID {vrid}: {sent} adverts in {elapsed:?}, {due} expected",
                    node.id
                ),
            ));
        }
    }
    Ok(())
}

//! Removing what a dead child left in the kernel, when nobody is there to carry on with it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use config::Settings;
use config::settings::global::IpvsNamespace;
use log::{info, warn};
use lvs::{Action, GivenMark, Lvs};
use sys::netlink::{AddressChange, Change, KernelAddress, RouteSocket};
use sys::nftables::Firewall;
use sys::sysctl::Overrides;
use types::ipvs::Command;
use types::{IfIndex, IfName};

use crate::ipvs::sync_daemons::{self, Wanted};
use crate::ipvs::{self as balancer, Module, timeouts};
use crate::kernel_routing::{self, Names};

struct Indices(BTreeMap<IfName, IfIndex>);

impl Names for Indices {
    fn index(&self, interface: &IfName) -> Option<IfIndex> {
        self.0.get(interface).copied()
    }

    /// The routes of a VRF stay: they lead nowhere without its addresses.
    fn table(&self, _device: &IfName) -> Option<u32> {
        None
    }
}

/// Takes the addresses of these masters off their interfaces, and their routes and rules away.
pub(super) fn release(settings: &Settings, masters: &BTreeSet<String>) -> Result<()> {
    if masters.is_empty() {
        return Ok(());
    }
    let mut socket = RouteSocket::new()?;
    let links = socket.links()?.into_iter();
    let indices = Indices(links.map(|link| (link.name, link.index)).collect());
    let instances = settings.vrrp.instances.iter();
    let left = instances.filter(|instance| masters.contains(&instance.name));
    let rules = left
        .clone()
        .flat_map(|instance| instance.virtual_rules.iter())
        .map(|rule| Change::Rule(Box::new(kernel_routing::remove_rule(rule))));
    let routes = left
        .clone()
        .flat_map(|instance| instance.virtual_routes.iter())
        .filter_map(|route| kernel_routing::remove_route(route, &indices))
        .map(|change| Change::Route(Box::new(change)));
    let addresses = left
        .flat_map(|instance| instance.addresses())
        .filter_map(|address| {
            let mut kernel = KernelAddress::new(address.prefix);
            kernel.peer = address.peer;
            Some(Change::Address(AddressChange::Remove {
                interface: indices.index(&address.interface)?,
                address: kernel,
            }))
        });
    let changes: Vec<Change> = rules.chain(routes).chain(addresses).collect();
    info!(
        "Removing {} virtual addresses, routes and rules that the VRRP process left",
        changes.len()
    );
    for problem in socket
        .change_routing(&changes)?
        .into_iter()
        .filter_map(Result::err)
    {
        warn!("{problem}");
    }
    Ok(())
}

/// Takes the services of these settings out of IPVS, and the tables that mark packets for them out of nftables, as the stop of
/// a checker process would. `marks`: those that it had given to groups.
pub(super) fn release_services(settings: Settings, marks: &BTreeSet<GivenMark>) -> Result<()> {
    if settings.lvs.virtual_servers.is_empty() {
        return Ok(());
    }
    let namespace = settings.global.namespaces.ipvs;
    let tables = settings.lvs.global.nftables.table.clone();
    let commands = last_commands(settings.lvs, marks);
    info!("Removing what the checker process left in IPVS");
    // First they get no marks, then there is nothing that they would be for.
    if let Some(name) = tables
        // Without marks it made none: one of that name is somebody else's.
        && !marks.is_empty()
        && let Err(problem) = Firewall::new().and_then(|mut all| all.remove_marks(&name))
    {
        warn!("nftables_ipvs: {problem}");
    }
    let mut ipvs = balancer::open(&namespace, Module::Leave)?;
    for problem in ipvs.apply(&commands)?.into_iter().filter_map(Result::err) {
        if !problem.is_done_already() {
            warn!("{problem}");
        }
    }
    Ok(())
}

/// What a process with these settings tells IPVS when it stops.
fn last_commands(mut settings: lvs::Settings, marks: &BTreeSet<GivenMark>) -> Vec<Command> {
    let mut core = Lvs::new(0);
    settings.global.flush = false;
    core.handle_predecessor([], marks.iter().cloned());
    core.handle_settings(sys::clock::now(), settings);
    // What the settings want is not made any more.
    while core.poll_action().is_some() {}
    core.handle_stop(false);
    let mut commands = Vec::new();
    while let Some(action) = core.poll_action() {
        if let Action::Ipvs(command) = action {
            commands.push(command);
        }
    }
    commands
}

/// Whether a process with these settings has sync daemons of the kernel run.
pub(super) fn has_sync_daemon(settings: &Settings) -> bool {
    let instances = &settings.vrrp.instances;
    settings.lvs.global.sync_daemon.is_some()
        || instances
            .iter()
            .any(|instance| instance.lvs_sync_daemon_interface.is_some())
}

/// Stops the kernel's sync daemons: nobody is left whom they could follow.
pub(super) fn stop_sync_daemons(namespace: &IpvsNamespace) {
    let stopped = balancer::open(namespace, Module::Leave).and_then(|mut ipvs| {
        sync_daemons::turn(&mut ipvs, &Wanted::new())
            .map_err(|problem| anyhow::anyhow!(problem.to_string()))
    });
    if let Err(problem) = stopped {
        warn!("lvs_sync_daemon: {problem:#}");
    }
}

/// Gives the kernel's settings the values that they had before the dead child: nobody comes after it.
pub(super) fn put_back(mut overridden: BTreeMap<String, i64>, ipvs: &IpvsNamespace) {
    if let Some(before) = timeouts::take(&mut overridden)
        && let Err(problem) = timeouts::put_back(ipvs, before)
    {
        warn!("the timeouts of IPVS stay as lvs_timeouts set them: {problem:#}");
    }
    let mut overrides = Overrides::new();
    overrides.inherit(overridden);
    for problem in overrides.put_back_inherited() {
        warn!("{problem}");
    }
}

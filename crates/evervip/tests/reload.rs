//! The proof that a reload disturbs nothing: hundreds of random edits of a running master's configuration.
//!
//! After each, the host's address events are exactly the difference of the two files, so an address in both sees none;
//! in the end, no virtual router has said goodbye but those that were taken out of the file, and none has missed a beat.
//! `EVERVIP_RELOAD_SEED` asks for the edits of a seed again, `EVERVIP_RELOAD_EDITS` for another number of them.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "all of it is test, but this binary has no harness that would say so"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use lab::{Capture, Direction, Host, HostOptions, Lab, scenario, wait_until};
use sim::Random;
use sys::netlink::{Drained, Event, Monitor};
use types::{Claim, Prefix};

use common::{Daemon, SIGHUP, SOON, evervip, packets};

fn main() -> ExitCode {
    scenario::main(&[("five_hundred_edits", five_hundred_edits)])
}

const INTERFACES: usize = 2;
/// The routers that no edit touches, one on each interface: the others' beats are compared with theirs.
const REFERENCES: [u8; INTERFACES] = [254, 255];
const MOST_ROUTERS: usize = 12;
const FEWEST_ROUTERS: usize = 4;
/// A tenth of all SIGHUPs come five at a time.
const BURST: usize = 5;

/// One `vrrp_instance`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Router {
    name: String,
    vrid: u8,
    interface: usize,
    priority: u8,
    /// Last bytes.
    addresses: Vec<u8>,
    /// How many of them adverts do not list.
    excluded: usize,
    notify: Option<&'static str>,
    script: bool,
    nopreempt: bool,
}

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Model {
    routers: Vec<Router>,
    groups: Vec<(String, Vec<String>)>,
    next: u32,
}

/// What an edit did, beyond what can be seen in the model.
#[derive(Debug, Default)]
struct Done {
    what: &'static str,
    /// Virtual routers that are no more.
    ended: Option<(usize, u8)>,
    /// Names that begin anew.
    begun: Option<String>,
}

/// Whether an edit is read before the next one. If not, whom a replaced router would have joined may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Alone {
    Yes,
    No,
}

impl Model {
    fn new() -> Self {
        let mut model = Self {
            routers: Vec::new(),
            groups: Vec::new(),
            next: 0,
        };
        for (interface, vrid) in REFERENCES.into_iter().enumerate() {
            let mut reference = model.fresh(interface);
            reference.vrid = vrid;
            reference.addresses = vec![99];
            model.routers.push(reference);
        }
        for number in 0..5 {
            let router = model.fresh(number % INTERFACES);
            model.routers.push(router);
        }
        model
    }

    /// A router with a name, a VRID and two addresses that nobody has.
    fn fresh(&mut self, interface: usize) -> Router {
        self.next += 1;
        // In turn, so that one that was just given up is not used again at once.
        let turn = u8::try_from(self.next % 253).unwrap_or_default();
        let vrid = (turn + 1..REFERENCES[0])
            .chain(1..=turn)
            .find(|vrid| self.routers.iter().all(|router| router.vrid != *vrid));
        let free: Vec<u8> = self.free_addresses(interface).take(2).collect();
        Router {
            name: format!("VI_{}", self.next),
            vrid: vrid.expect("there are more VRIDs than routers"),
            interface,
            priority: 150,
            addresses: free,
            excluded: 0,
            notify: None,
            script: false,
            nopreempt: false,
        }
    }

    fn free_addresses(&self, interface: usize) -> impl Iterator<Item = u8> + '_ {
        let taken: BTreeSet<u8> = self
            .routers
            .iter()
            .filter(|router| router.interface == interface)
            .flat_map(|router| router.addresses.iter().copied())
            .collect();
        (100..=200).filter(move |last| !taken.contains(last))
    }

    /// Every address in the file.
    fn addresses(&self) -> BTreeSet<IpAddr> {
        self.routers
            .iter()
            .flat_map(|router| {
                let interface = router.interface;
                let last = router.addresses.iter();
                last.map(move |last| address(interface, *last))
            })
            .collect()
    }

    fn text(&self) -> String {
        let mut text = String::from(
            "global_defs {\n script_user root\n}\nvrrp_script check {\n script /bin/true\n interval 1\n}\n",
        );
        for router in &self.routers {
            let Router {
                name,
                vrid,
                interface,
                priority,
                ..
            } = router;
            let line = |text: &mut String, words: &str| writeln!(text, " {words}");
            let mut body = String::new();
            let mut add = |words: String| line(&mut body, &words).expect("a string takes all");
            add(format!("interface eth{interface}"));
            add(format!("virtual_router_id {vrid}"));
            add(format!("priority {priority}"));
            add(String::from(
                "version 3\n advert_int 0.1\n garp_master_delay 0\n garp_master_repeat 1",
            ));
            if router.nopreempt {
                add(String::from("nopreempt"));
            }
            if router.script {
                add(String::from("track_script {\n check weight 2\n }"));
            }
            if let Some(notify) = router.notify {
                add(format!("notify_master {notify}"));
            }
            let listed = router.addresses.len() - router.excluded;
            for (keyword, addresses) in [
                ("virtual_ipaddress", &router.addresses[..listed]),
                ("virtual_ipaddress_excluded", &router.addresses[listed..]),
            ] {
                let addresses: Vec<String> = addresses
                    .iter()
                    .map(|last| format!("{}/32", address(*interface, *last)))
                    .collect();
                if !addresses.is_empty() {
                    add(format!("{keyword} {{\n {}\n }}", addresses.join("\n ")));
                }
            }
            text += &format!("vrrp_instance {name} {{\n{body}}}\n");
        }
        for (name, members) in &self.groups {
            let members = members.join("\n ");
            text += &format!("vrrp_sync_group {name} {{\n group {{\n {members}\n }}\n}}\n");
        }
        text
    }

    /// Changes something, as an operator would. `settled`: routers that are master already.
    fn edit(&mut self, settled: &BTreeSet<String>, alone: Alone, random: &mut Random) -> Done {
        let done = |what| Done {
            what,
            ..Done::default()
        };
        let count = self.routers.len();
        // The first two are the references.
        let chosen = INTERFACES + random.index(count - INTERFACES).unwrap_or(0);
        let (interface, name) = {
            let router = &self.routers[chosen];
            (router.interface, router.name.clone())
        };
        match random.below(17) {
            0 => {
                let free = self.free_addresses(interface).next();
                self.routers[chosen].addresses.extend(free);
                done("add an address")
            }
            1 if self.routers[chosen].addresses.len() > 2 => {
                self.routers[chosen].addresses.remove(0);
                done("remove an address")
            }
            2 | 3 => self.move_address(chosen, settled, random),
            4 if count < MOST_ROUTERS => {
                let router = self.fresh(random.index(INTERFACES).unwrap_or(0));
                let name = router.name.clone();
                // Not at the end: everybody behind it has another place in the list.
                self.routers.insert(chosen, router);
                if random.percent(50)
                    && let Some((_, members)) = self.groups.first_mut()
                {
                    members.push(name.clone());
                }
                Done {
                    begun: Some(name),
                    ..done("add an instance")
                }
            }
            5 if count > FEWEST_ROUTERS + INTERFACES => {
                let gone = self.routers.remove(chosen);
                self.leave_groups(&gone.name);
                Done {
                    ended: Some((gone.interface, gone.vrid)),
                    ..done("remove an instance")
                }
            }
            6 if self.is_in_company(&name, settled) && alone == Alone::Yes => {
                // Another router of the same name: it joins the masters of its group.
                let other = self.fresh(interface).vrid;
                let router = &mut self.routers[chosen];
                let vrid = std::mem::replace(&mut router.vrid, other);
                Done {
                    ended: Some((interface, vrid)),
                    begun: Some(name),
                    ..done("replace an instance")
                }
            }
            7 | 8 => {
                self.leave_groups(&name);
                let group = random.index(3).unwrap_or(0);
                match self.groups.get_mut(group) {
                    Some((_, members)) => members.push(name),
                    None => {
                        self.next += 1;
                        self.groups.push((format!("VG_{}", self.next), vec![name]));
                    }
                }
                done("another group")
            }
            9 => {
                self.leave_groups(&name);
                done("no group")
            }
            10 if !self.groups.is_empty() => {
                self.next += 1;
                self.groups[0].0 = format!("VG_{}", self.next);
                done("another name for a group")
            }
            11 => {
                self.routers[chosen].notify = match self.routers[chosen].notify {
                    None => Some("/bin/true"),
                    Some("/bin/true") => Some("/bin/false"),
                    Some(_) => None,
                };
                done("a notify script")
            }
            12 => {
                let router = &mut self.routers[chosen];
                router.script = !router.script;
                done("track a script, or not")
            }
            13 => {
                let router = &mut self.routers[chosen];
                router.nopreempt = !router.nopreempt;
                router.excluded = usize::from(router.excluded == 0);
                done("nopreempt and excluded addresses")
            }
            15 => {
                self.next += 1;
                let new = format!("VI_{}", self.next);
                let members = self.groups.iter_mut().flat_map(|(_, members)| members);
                for member in members.filter(|member| **member == name) {
                    member.clone_from(&new);
                }
                self.routers[chosen].name = new;
                done("another name")
            }
            14 => {
                self.routers[INTERFACES..].reverse();
                done("the other way round")
            }
            _ => {
                self.routers[chosen].priority = random.byte(1, 250);
                done("priority")
            }
        }
    }

    fn move_address(
        &mut self,
        from: usize,
        settled: &BTreeSet<String>,
        random: &mut Random,
    ) -> Done {
        let interface = self.routers[from].interface;
        let giver = |router: &Router| router.addresses.len() > 2 && settled.contains(&router.name);
        let takers: Vec<usize> = (INTERFACES..self.routers.len())
            .filter(|to| {
                let to_router = &self.routers[*to];
                *to != from && to_router.interface == interface && settled.contains(&to_router.name)
            })
            .collect();
        match random.one_of(&takers).copied() {
            Some(to) if giver(&self.routers[from]) => {
                let moved = self.routers[from].addresses.remove(0);
                self.routers[to].addresses.insert(0, moved);
                Done {
                    what: "move an address",
                    ..Done::default()
                }
            }
            _ => Done {
                what: "nothing",
                ..Done::default()
            },
        }
    }

    /// Whether another member of its group is master.
    fn is_in_company(&self, name: &str, settled: &BTreeSet<String>) -> bool {
        self.groups.iter().any(|(_, members)| {
            members.iter().any(|member| member == name)
                && members
                    .iter()
                    .any(|member| member != name && settled.contains(member))
        })
    }

    fn leave_groups(&mut self, name: &str) {
        for (_, members) in &mut self.groups {
            members.retain(|member| member != name);
        }
        self.groups.retain(|(_, members)| !members.is_empty());
    }
}

fn address(interface: usize, last: u8) -> IpAddr {
    let third = u8::try_from(interface).unwrap_or(u8::MAX);
    IpAddr::from([198, 18, third, last])
}

/// The virtual addresses that a host has: all of its others are no host prefixes.
fn held(host: &Host) -> Result<BTreeSet<IpAddr>> {
    let mut all = BTreeSet::new();
    for interface in 0..INTERFACES {
        let addresses = host.addresses(&format!("eth{interface}"))?;
        all.extend(addresses.into_iter().filter_map(virtual_address));
    }
    Ok(all)
}

fn virtual_address(prefix: Prefix) -> Option<IpAddr> {
    (prefix.length() == 32).then(|| prefix.address())
}

/// What `ip monitor address` would show.
struct Witness(Monitor);

impl Witness {
    fn of(host: &Host) -> Result<Self> {
        Ok(Self(host.run(Monitor::new)??))
    }

    /// Virtual addresses that came (true) and went (false) since it was last asked.
    fn events(&mut self) -> Result<Vec<(bool, IpAddr)>> {
        let mut heard = Vec::new();
        loop {
            match self.0.drain(&mut heard)? {
                Drained::Complete => break,
                Drained::More => {}
                Drained::Overrun => bail!("more events than can be heard"),
            }
        }
        let events = heard.iter().filter_map(|event| match event {
            Event::Address { address, .. } => Some((true, virtual_address(address.prefix)?)),
            Event::AddressGone { address, .. } => Some((false, virtual_address(address.prefix)?)),
            Event::Link(_) | Event::LinkGone { .. } | Event::Routing(_) => None,
        });
        Ok(events.collect())
    }
}

/// The daemon, its file, and everything that was done to them.
struct Trial {
    host: Host,
    daemon: Daemon,
    witness: Witness,
    model: Model,
    /// Routers that have become master.
    settled: BTreeSet<String>,
    /// How often a virtual router was taken out of the file.
    ended: BTreeMap<(usize, u8), usize>,
    /// How often a name began anew.
    begun: BTreeMap<String, usize>,
    reloads: usize,
}

impl Trial {
    /// Replaces the file in one step, so that a reload that is still going on reads a whole one.
    fn write(&self, text: &str) -> Result<()> {
        let new = self.daemon.file().with_extension("new");
        fs::write(&new, text)?;
        fs::rename(&new, self.daemon.file())?;
        Ok(())
    }

    fn edit(&mut self, alone: Alone, random: &mut Random) -> Result<&'static str> {
        let done = self.model.edit(&self.settled, alone, random);
        if let Some(ended) = done.ended {
            *self.ended.entry(ended).or_default() += 1;
        }
        if let Some(begun) = done.begun {
            *self.begun.entry(begun).or_default() += 1;
        }
        self.write(&self.model.text())?;
        self.daemon.process.kill(SIGHUP)?;
        self.reloads += 1;
        Ok(done.what)
    }

    /// One edit: what happens to addresses is the difference of the files, each one once.
    fn step(&mut self, random: &mut Random) -> Result<&'static str> {
        let before = self.model.addresses();
        let ended = |daemon: &Daemon| daemon.times_said("Reload complete");
        let said = ended(&self.daemon);
        let what = self.edit(Alone::Yes, random)?;
        wait_until(SOON, "the end of the reload", || ended(&self.daemon) > said)?;
        let after = self.settle()?;
        let events: BTreeMap<(bool, IpAddr), usize> = count(self.witness.events()?);
        let came = after.difference(&before).map(|address| (true, *address));
        let went = before.difference(&after).map(|address| (false, *address));
        let expected = count(came.chain(went).collect());
        ensure!(
            events == expected,
            "{what}: the host's addresses saw {events:?}, the files differ by {expected:?}"
        );
        Ok(what)
    }

    /// Five in a row: nobody knows which of them were read, but what is in all files was not touched.
    fn burst(&mut self, random: &mut Random) -> Result<()> {
        let mut common = self.model.addresses();
        for _ in 0..BURST {
            self.edit(Alone::No, random)?;
            let after = self.model.addresses();
            common.retain(|address| after.contains(address));
        }
        self.come_to_rest()?;
        self.settle()?;
        let events = self.witness.events()?;
        let touched = events.iter().find(|(_, address)| common.contains(address));
        ensure!(
            touched.is_none(),
            "an address that was in all {BURST} files was touched: {touched:?}"
        );
        Ok(())
    }

    /// Waits until the last file has been read: addresses alone do not tell, for another router may have the same. The first
    /// reload that ends may have begun before the file was there, the next one has not.
    fn come_to_rest(&mut self) -> Result<()> {
        for _ in 0..2 {
            let ended = |daemon: &Daemon| daemon.times_said("Reload complete");
            let before = ended(&self.daemon);
            self.daemon.process.kill(SIGHUP)?;
            wait_until(SOON, "the end of a reload", || ended(&self.daemon) > before)?;
        }
        Ok(())
    }

    /// A file that says nothing sensible.
    fn nonsense(&mut self, random: &mut Random) -> Result<()> {
        const NONSENSE: [&str; 3] = [
            "vrrp_instance VI_9 {\n virtual_router_id 300\n",
            "vrrp_instance VI_9 {\n interface eth0\n}\n",
            "vrrp_instance VI_9 {\n interface eth7\n virtual_router_id 9\n virtual_ipaddress {\n 198.18.0.9\n }\n}\n",
        ];
        const REFUSED: &str = "cannot be used: everything stays as it was";
        let said = self.daemon.times_said(REFUSED);
        let text = random.one_of(&NONSENSE).copied().unwrap_or_default();
        self.write(text)?;
        self.daemon.process.kill(SIGHUP)?;
        wait_until(SOON, "the file is refused", || {
            self.daemon.times_said(REFUSED) > said
        })?;
        let events = self.witness.events()?;
        ensure!(events.is_empty(), "a file that cannot be used: {events:?}");
        self.write(&self.model.text())
    }

    /// Waits until the host has the addresses of the file: then all are master.
    fn settle(&mut self) -> Result<BTreeSet<IpAddr>> {
        let wanted = self.model.addresses();
        wait_until(SOON, "the host has the addresses of the file", || {
            held(&self.host).is_ok_and(|held| held == wanted)
        })
        .with_context(|| format!("wanted {wanted:?}, there are {:?}", held(&self.host)))?;
        self.settled = self
            .model
            .routers
            .iter()
            .map(|router| router.name.clone())
            .collect();
        Ok(wanted)
    }

    /// The adverts: only who was taken out said goodbye, and nobody missed a beat.
    fn judge(&self, interface: usize, capture: &Capture) -> Result<()> {
        ensure!(capture.lost() == 0, "the capture was full");
        let reference = REFERENCES[interface];
        let mut goodbyes: BTreeMap<u8, usize> = BTreeMap::new();
        // How many adverts of the reference were seen since the router's own last one.
        let mut beats: BTreeMap<u8, usize> = BTreeMap::new();
        for advert in capture.frames().iter().filter_map(packets::advert) {
            if advert.direction != Direction::Out {
                continue;
            }
            let vrid = advert.vrid;
            if advert.claim == Claim::Leaving {
                *goodbyes.entry(vrid).or_default() += 1;
                beats.remove(&vrid);
                continue;
            }
            if vrid == reference {
                beats.values_mut().for_each(|count| *count += 1);
            }
            // Both fall due once in an interval, so of the one at most two fit between two of the other; those that fall
            // due together leave together, however late that is.
            let missed = beats.insert(vrid, 0).unwrap_or(0);
            ensure!(
                missed <= 2,
                "VRID {vrid} on eth{interface} was silent for {missed} adverts of VRID {reference}"
            );
        }
        for (vrid, count) in goodbyes {
            let ended = self.ended.get(&(interface, vrid)).copied().unwrap_or(0);
            ensure!(
                count <= ended,
                "VRID {vrid} on eth{interface} said goodbye {count} times, and was taken out {ended} times"
            );
        }
        Ok(())
    }
}

fn count(events: Vec<(bool, IpAddr)>) -> BTreeMap<(bool, IpAddr), usize> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry(event).or_default() += 1;
    }
    counts
}

fn number_from(variable: &str) -> Result<Option<u64>> {
    match std::env::var(variable) {
        Ok(text) => Ok(Some(
            text.parse().with_context(|| format!("{variable}={text}"))?,
        )),
        Err(_) => Ok(None),
    }
}

fn five_hundred_edits(lab: &mut Lab) -> Result<()> {
    let seed = number_from("EVERVIP_RELOAD_SEED")?;
    let seed = seed.unwrap_or_else(|| sys::clock::wall().since_epoch().as_secs());
    let edits = number_from("EVERVIP_RELOAD_EDITS")?.unwrap_or(500);
    println!("to see these edits again: EVERVIP_RELOAD_SEED={seed}");
    let mut random = Random::new(seed);
    let host = lab.host("r", HostOptions::default())?;
    let mut captures = Vec::new();
    for interface in 0..INTERFACES {
        let name = format!("eth{interface}");
        host.connect(&lab.segment()?, &name)?;
        host.add_address(&name, &format!("198.18.{interface}.1/24"))?;
        captures.push(host.capture(&name)?);
    }
    let mut witness = Witness::of(&host)?;
    let model = Model::new();
    let daemon = Daemon::start(&host, &evervip(), &model.text())?;
    let begun = model
        .routers
        .iter()
        .map(|router| (router.name.clone(), 1))
        .collect();
    let mut trial = Trial {
        host,
        daemon,
        model,
        settled: BTreeSet::new(),
        ended: BTreeMap::new(),
        begun,
        reloads: 0,
        witness: {
            witness.events()?;
            witness
        },
    };
    trial.settle()?;
    trial.witness.events()?;
    let mut done: BTreeMap<&str, usize> = BTreeMap::new();
    let most = usize::try_from(edits)?;
    while trial.reloads < most {
        match random.below(40) {
            0 => trial.burst(&mut random)?,
            1 => trial.nonsense(&mut random)?,
            _ => *done.entry(trial.step(&mut random)?).or_default() += 1,
        }
    }
    println!("{} edits, one by one: {done:?}", trial.reloads);
    for (interface, capture) in captures.iter().enumerate() {
        trial.judge(interface, capture)?;
    }
    let said = trial.daemon.process.output_so_far();
    for (name, begun) in &trial.begun {
        let times = |what: &str| said.matches(&format!("({name}) Entering {what}")).count();
        let (backup, fault) = (times("BACKUP"), times("FAULT"));
        ensure!(
            backup <= *begun && fault == 0,
            "{name} began {begun} times, was BACKUP {backup} times and FAULT {fault} times"
        );
    }
    trial.daemon.stop()?;
    let left = held(&trial.host)?;
    ensure!(left.is_empty(), "{left:?} are left behind");
    Ok(())
}

//! Virtual routers with a MAC address of their own (`use_vmac`): evervip and Debian's keepalived understand each other,
//! whoever made a macvlan, and whatever happens to it. Ipvlans and VRFs follow, in a kernel that has them.

mod common;

use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Capture, Direction, Frame, Host, Lab, Process, pause, scenario, uml, wait_until};
use types::{Claim, MacAddress};

use common::packets::{advert, adverts, announced};
use common::{Daemon, SIGKILL, SOON, evervip, keepalived};

fn main() -> ExitCode {
    scenario::main(&[
        ("v2_evervip_is_master", |lab| evervip_is_master(lab, &V2)),
        ("v3_evervip_is_master", |lab| evervip_is_master(lab, &V3)),
        ("v6_evervip_is_master", |lab| evervip_is_master(lab, &V6)),
        ("v2_evervip_is_backup", |lab| evervip_is_backup(lab, &V2)),
        ("v3_evervip_is_backup", |lab| evervip_is_backup(lab, &V3)),
        ("v6_evervip_is_backup", |lab| evervip_is_backup(lab, &V6)),
        ("base_v3_evervip_is_master", |lab| {
            evervip_is_master(lab, &V3.on_base())
        }),
        ("base_v6_evervip_is_master", |lab| {
            evervip_is_master(lab, &V6.on_base())
        }),
        ("base_v3_evervip_is_backup", |lab| {
            evervip_is_backup(lab, &V3.on_base())
        }),
        ("base_v6_evervip_is_backup", |lab| {
            evervip_is_backup(lab, &V6.on_base())
        }),
        ("one_on_base_hears_the_other", one_on_base_hears_the_other),
        ("deleted", deleted),
        ("base_goes_down", base_goes_down),
        ("reload", reload),
        ("crash_and_adoption", crash_and_adoption),
        ("left_by_keepalived", left_by_keepalived),
        ("settings_are_put_back", settings_are_put_back),
        ("killed_instead_of_stopped", killed_instead_of_stopped),
        ("stopped_without_a_base", stopped_without_a_base),
        ("stopped_while_it_is_made", stopped_while_it_is_made),
        ("addresses_elsewhere", addresses_elsewhere),
        ("names_that_are_taken", names_that_are_taken),
        ("on_a_macvlan", on_a_macvlan),
        ("ipvlan_v4", |lab| {
            uml::scenario(lab, &["ipvlan"], |lab| ipvlan(lab, &IPVLAN_V4))
        }),
        ("ipvlan_v6", |lab| {
            uml::scenario(lab, &["ipvlan"], |lab| ipvlan(lab, &IPVLAN_V6))
        }),
        ("vrf", |lab| uml::scenario(lab, &["vrf"], vrf)),
        ("macvlan_in_a_vrf", |lab| {
            uml::scenario(lab, &["vrf", "macvlan"], macvlan_in_a_vrf)
        }),
        ("macvlan_on_a_vlan", |lab| {
            uml::scenario(lab, &["8021q", "macvlan"], macvlan_on_a_vlan)
        }),
    ])
}

/// A kind of virtual router with a macvlan.
#[derive(Clone, Copy)]
struct Flavour {
    keywords: &'static str,
    addresses: [&'static str; 2],
    /// What it is called, and its MAC address.
    device: &'static str,
    mac: MacAddress,
    interval: Duration,
    on_base: bool,
}

const V4_MAC: MacAddress = MacAddress([0, 0, 0x5e, 0, 1, 51]);
const V6_MAC: MacAddress = MacAddress([0, 0, 0x5e, 0, 2, 51]);

const V2: Flavour = Flavour {
    keywords: "version 2\n advert_int 1\n",
    addresses: ["198.18.0.100/24", "198.18.0.101/32"],
    device: "vrrp.51",
    mac: V4_MAC,
    interval: Duration::from_secs(1),
    on_base: false,
};

const V3: Flavour = Flavour {
    keywords: "version 3\n advert_int 0.5\n",
    addresses: ["198.18.0.100/24", "198.18.0.101/32"],
    device: "vrrp.51",
    mac: V4_MAC,
    interval: Duration::from_millis(500),
    on_base: false,
};

const V6: Flavour = Flavour {
    keywords: "version 3\n advert_int 0.5\n",
    addresses: ["fe80::18:64/64", "fd00:18::64/64"],
    device: "vrrp.51",
    mac: V6_MAC,
    interval: Duration::from_millis(500),
    on_base: false,
};

const VRID: u8 = 51;

impl Flavour {
    const fn on_base(self) -> Self {
        Self {
            on_base: true,
            ..self
        }
    }

    fn configuration(&self, priority: u8) -> String {
        self.configuration_with(priority, "")
    }

    fn configuration_with(&self, priority: u8, more: &str) -> String {
        let base = if self.on_base { "vmac_xmit_base" } else { "" };
        let [one, two] = self.addresses;
        format!(
            "vrrp_instance VI {{\n interface eth0\n virtual_router_id {VRID}\n {}\n priority {priority}\n use_vmac\n {base}\n \
             {more}\n virtual_ipaddress {{\n {one}\n {two}\n }}\n}}\n",
            self.keywords
        )
    }

    fn bare(&self) -> impl Iterator<Item = &'static str> {
        self.addresses
            .into_iter()
            .filter_map(|address| address.split('/').next())
    }

    /// How many of the addresses a host has on its macvlan.
    fn held_by(&self, host: &Host) -> usize {
        self.bare()
            .filter(|address| host.has_address(self.device, address).unwrap_or(false))
            .count()
    }

    fn gained_by(&self, host: &Host) -> Result<()> {
        let what = format!("{} gets the addresses", host.name());
        wait_until(SOON, &what, || self.held_by(host) == 2)
    }

    fn lost_by(&self, host: &Host) -> Result<()> {
        let what = format!("{} loses the addresses", host.name());
        wait_until(SOON, &what, || self.held_by(host) == 0)
    }

    /// The MAC address that adverts leave with: the virtual one, unless they use the interface below.
    fn sends_from(&self, host: &Host) -> Result<MacAddress> {
        if self.on_base {
            return host.link("eth0")?.mac.context("eth0 has no MAC address");
        }
        Ok(self.mac)
    }

    /// All adverts of one direction came from the right MAC address and from the host's own IP address.
    fn judge(&self, capture: &Capture, sender: &Host, direction: Direction) -> Result<()> {
        let mac = self.sends_from(sender)?;
        let own = sender.addresses("eth0")?;
        let mut count = 0;
        for frame in capture.frames() {
            let Some(advert) = advert(&frame).filter(|advert| advert.direction == direction) else {
                continue;
            };
            count += 1;
            ensure!(
                source_mac(&frame) == mac,
                "{advert:?} from {}",
                source_mac(&frame)
            );
            let is_own = own.iter().any(|prefix| prefix.address() == advert.source);
            ensure!(is_own, "{advert:?} from a foreign address");
        }
        ensure!(count > 0, "no adverts at all");
        // The addresses are always at the virtual MAC address.
        for address in self.bare() {
            let address: IpAddr = address.parse()?;
            let frames = capture.frames();
            let mut said = frames
                .iter()
                .filter(|frame| frame.direction == direction && announced(frame) == Some(address));
            let first = said.next().context("an address was not announced")?;
            ensure!(source_mac(first) == self.mac);
            ensure!(said.all(|frame| source_mac(frame) == self.mac));
        }
        Ok(())
    }
}

fn source_mac(frame: &Frame) -> MacAddress {
    let mut mac = [0; 6];
    for (to, from) in mac.iter_mut().zip(frame.bytes.iter().skip(6)) {
        *to = *from;
    }
    MacAddress(mac)
}

/// Two hosts on a segment, and what passes the second one.
fn pair(lab: &Lab) -> Result<(Host, Host, Capture)> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let capture = b.capture("eth0")?;
    Ok((a, b, capture))
}

/// evervip has the higher priority, crashes, and comes back; then it stops.
fn evervip_is_master(lab: &mut Lab, flavour: &Flavour) -> Result<()> {
    let keepalived = keepalived()?;
    let (a, b, capture) = pair(lab)?;
    let mut ours = Daemon::start(&a, &evervip(), &flavour.configuration(150))?;
    flavour.gained_by(&a)?;
    ensure!(ours.times_said("FAULT") == 0, "a start is no fault");
    let theirs = Daemon::start(&b, &keepalived, &flavour.configuration(100))?;
    theirs.says("Entering BACKUP STATE")?;
    pause(flavour.interval * 5);
    ensure!(
        flavour.held_by(&b) == 0 && adverts(&capture, 0, Direction::Out, VRID).is_empty(),
        "keepalived does not hear us"
    );
    ours.crash()?;
    flavour.gained_by(&b)?;
    flavour.judge(&capture, &a, Direction::In)?;
    wait_until(SOON, "keepalived announced its addresses", || {
        flavour.judge(&capture, &b, Direction::Out).is_ok()
    })?;

    let mut ours = Daemon::start(&a, &evervip(), &flavour.configuration(150))?;
    flavour.lost_by(&b)?;
    flavour.gained_by(&a)?;
    ensure!(ours.times_said("made ") == 0, "its macvlan was still there");
    let before = capture.count();
    ours.stop()?;
    let zeros = adverts(&capture, before, Direction::In, VRID);
    ensure!(zeros.iter().any(|advert| advert.claim == Claim::Leaving));
    ensure!(
        a.link(flavour.device).is_err(),
        "the macvlan is left behind"
    );
    flavour.gained_by(&b)
}

/// keepalived has the higher priority, crashes, and comes back.
fn evervip_is_backup(lab: &mut Lab, flavour: &Flavour) -> Result<()> {
    let keepalived = keepalived()?;
    let (a, b, capture) = pair(lab)?;
    let mut theirs = Daemon::start(&a, &keepalived, &flavour.configuration(150))?;
    flavour.gained_by(&a)?;
    let mut ours = Daemon::start(&b, &evervip(), &flavour.configuration(100))?;
    ours.says("Entering BACKUP STATE")?;
    pause(flavour.interval * 5);
    ensure!(
        flavour.held_by(&b) == 0 && adverts(&capture, 0, Direction::Out, VRID).is_empty(),
        "we do not hear keepalived"
    );
    let counters = ours.counters()?;
    ensure!(counters.get("VI", "Advertisements/Received")? > 0);
    ensure!(counters.errors().is_empty(), "{:?}", counters.errors());
    theirs.crash()?;
    flavour.gained_by(&b)?;
    let _back = Daemon::start(&a, &keepalived, &flavour.configuration(150))?;
    flavour.lost_by(&b)?;
    flavour.gained_by(&a)?;
    wait_until(SOON, "evervip announced its addresses", || {
        flavour.judge(&capture, &b, Direction::Out).is_ok()
    })?;
    flavour.judge(&capture, &a, Direction::In)?;
    pause(flavour.interval * 5);
    ensure!(flavour.held_by(&b) == 0 && flavour.held_by(&a) == 2);
    ensure!(ours.times_said("Entering MASTER STATE") == 1);
    Ok(())
}

/// keepalived does not: there both would be master.
fn one_on_base_hears_the_other(lab: &mut Lab) -> Result<()> {
    let keepalived = keepalived()?;
    let (a, b, capture) = pair(lab)?;
    let _theirs = Daemon::start(&a, &keepalived, &V3.configuration(150))?;
    V3.gained_by(&a)?;
    let ours = Daemon::start(&b, &evervip(), &V3.on_base().configuration(100))?;
    ours.says("Entering BACKUP STATE")?;
    ours.says("master is 198.18.0.1")?;
    pause(V3.interval * 10);
    ensure!(V3.held_by(&b) == 0);
    ensure!(adverts(&capture, 0, Direction::Out, VRID).is_empty());
    Ok(())
}

/// Somebody deletes the macvlan of a master, twice.
fn deleted(lab: &mut Lab) -> Result<()> {
    let (a, _b, _capture) = pair(lab)?;
    let ours = Daemon::start(&a, &evervip(), &V6.configuration(150))?;
    V6.gained_by(&a)?;
    let mut before = a.link(V6.device)?.index;
    for _time in 0..2 {
        a.delete_link(V6.device)?;
        wait_until(SOON, "there is another macvlan", || {
            a.link(V6.device).is_ok_and(|link| link.index != before)
        })?;
        V6.gained_by(&a)?;
        before = a.link(V6.device)?.index;
    }
    ensure!(ours.times_said("made vrrp.51 on eth0") == 3);
    Ok(())
}

/// The interface below goes down and comes up, is unplugged and plugged in, and is replaced.
fn base_goes_down(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let configuration = format!(
        "global_defs {{\n dynamic_interfaces\n}}\n{}",
        V3.configuration(150)
    );
    let ours = Daemon::start(&a, &evervip(), &configuration)?;
    V3.gained_by(&a)?;
    let device = a.link(V3.device)?.index;
    a.link_down("eth0")?;
    ours.says("interface eth0, below its own, is down")?;
    V3.lost_by(&a)?;
    a.link_up("eth0")?;
    V3.gained_by(&a)?;
    a.pull_cable("eth0")?;
    V3.lost_by(&a)?;
    a.plug_cable("eth0")?;
    V3.gained_by(&a)?;
    ensure!(a.link(V3.device)?.index == device, "nobody deleted it");
    a.delete_link("eth0")?;
    wait_until(SOON, "the macvlan goes with its interface", || {
        a.link(V3.device).is_err()
    })?;
    a.connect(&lan, "eth0")?;
    common::address(&a, 1)?;
    V3.gained_by(&a)
}

/// What does not change is not touched; a macvlan more, one fewer, one changed.
fn reload(lab: &mut Lab) -> Result<()> {
    let (a, b, capture) = pair(lab)?;
    let mut ours = Daemon::start(&a, &evervip(), &V3.configuration(150))?;
    V3.gained_by(&a)?;
    let second = "vrrp_instance W {\n interface eth0\n virtual_router_id 52\n version 3\n advert_int 0.5\n use_vmac\n \
                  virtual_ipaddress {\n 198.18.0.200/24\n }\n}\n";
    let index = a.link("vrrp.51")?.index;
    let monitor = Monitor::start(&a)?;
    ours.reload(&format!("{}{second}", V3.configuration(140)))?;
    wait_until(SOON, "the second one is master", || {
        a.has_address("vrrp.52", "198.18.0.200").unwrap_or(false)
    })?;
    ours.reload(&V3.configuration(130))?;
    wait_until(SOON, "the second macvlan goes", || {
        a.link("vrrp.52").is_err()
    })?;
    ensure!(a.link("vrrp.51")?.index == index && V3.held_by(&a) == 2);
    let heard = monitor.stop()?;
    ensure!(!heard.contains("vrrp.51"), "{heard}");
    ensure!(
        ours.times_said("(VI) Entering") == 2,
        "BACKUP and MASTER, once"
    );
    ensure!(
        adverts(&capture, 0, Direction::In, VRID)
            .iter()
            .all(|advert| advert.claim != Claim::Leaving)
    );
    // Another MAC address: the same macvlan.
    let other = V3
        .configuration(130)
        .replace("use_vmac", "use_vmac 02:00:00:00:00:07 group 9");
    ours.reload(&other)?;
    wait_until(SOON, "the macvlan has another address", || {
        a.link("vrrp.51")
            .is_ok_and(|link| link.mac == Some(MacAddress([2, 0, 0, 0, 0, 7])) && link.group == 9)
    })?;
    ensure!(a.link("vrrp.51")?.index == index && V3.held_by(&a) == 2);
    // None at all: it is another virtual router.
    ours.reload(&V3.configuration(130).replace("use_vmac", ""))?;
    wait_until(SOON, "the addresses are on the interface", || {
        a.has_address("eth0", "198.18.0.100").unwrap_or(false)
    })?;
    wait_until(SOON, "the macvlan goes", || a.link("vrrp.51").is_err())?;
    drop(b);
    Ok(())
}

/// `ip monitor` on a host.
struct Monitor(Process);

impl Monitor {
    fn start(host: &Host) -> Result<Self> {
        let mut command = std::process::Command::new("ip");
        command.args(["-o", "monitor", "link", "address"]);
        let process = host.spawn(&mut command)?;
        // It says nothing of itself: an address comes and goes until it does.
        wait_until(SOON, "ip monitor listens", || {
            host.add_address("lo", "198.19.9.9/32").is_ok()
                && host.remove_address("lo", "198.19.9.9/32").is_ok()
                && process.output_so_far().contains("198.19.9.9")
        })?;
        Ok(Self(process))
    }

    fn stop(mut self) -> Result<String> {
        self.0.kill(SIGKILL)?;
        self.0.wait_timeout(SOON)?;
        Ok(self.0.output_so_far())
    }
}

/// The VRRP process dies: its successor finds its macvlan, and goes on as master.
fn crash_and_adoption(lab: &mut Lab) -> Result<()> {
    let (a, b, capture) = pair(lab)?;
    let mut ours = Daemon::start(&a, &evervip(), &V6.configuration(150))?;
    V6.gained_by(&a)?;
    let other = Daemon::start(&b, &evervip(), &V6.configuration(100))?;
    other.says("Entering BACKUP STATE")?;
    let index = a.link(V6.device)?.index;
    let monitor = Monitor::start(&a)?;
    sys::process::kill(ours.vrrp_pid()?, SIGKILL)?;
    ours.says("stays MASTER")?;
    let before = capture.count();
    capture.wait_for_since(before, "an advert of the successor", SOON, |frame| {
        advert(frame).is_some()
    })?;
    ensure!(a.link(V6.device)?.index == index && V6.held_by(&a) == 2);
    let heard = monitor.stop()?;
    let ours_went = |line: &str| line.starts_with("Deleted") && line.contains(V6.device);
    ensure!(!heard.lines().any(ours_went), "{heard}");
    ensure!(other.times_said("Entering MASTER STATE") == 0);
    ours.stop()?;
    ensure!(a.link(V6.device).is_err());
    Ok(())
}

/// A macvlan that keepalived left behind is taken over, and one with another MAC address is put right.
fn left_by_keepalived(lab: &mut Lab) -> Result<()> {
    let keepalived = keepalived()?;
    let (a, _b, _capture) = pair(lab)?;
    let mut theirs = Daemon::start(&a, &keepalived, &V3.configuration(150))?;
    V3.gained_by(&a)?;
    theirs.crash()?;
    let index = a.link(V3.device)?.index;
    a.call("ip link set vrrp.51 address 02:00:00:00:00:09")?;
    let mut ours = Daemon::start(&a, &evervip(), &V3.configuration(150))?;
    ours.says("Entering MASTER STATE")?;
    V3.gained_by(&a)?;
    let link = a.link(V3.device)?;
    ensure!((link.index, link.mac) == (index, Some(V4_MAC)));
    ours.stop()?;
    ensure!(a.link(V3.device).is_err());
    Ok(())
}

/// The kernel's settings that matter to macvlans, and what they are.
fn kernel_settings(host: &Host) -> Result<Vec<(String, String)>> {
    kernel_settings_of(
        host,
        "all/rp_filter default/rp_filter lo/rp_filter eth0/rp_filter eth0/arp_ignore eth0/arp_filter",
    )
}

fn kernel_settings_of(host: &Host, list: &'static str) -> Result<Vec<(String, String)>> {
    host.run(move || {
        let read = |name: &str| {
            let path = format!("/proc/sys/net/ipv4/conf/{name}");
            let text = std::fs::read_to_string(path)?;
            Ok((name.to_owned(), text.trim().to_owned()))
        };
        list.split(' ').map(read).collect::<Result<Vec<_>>>()
    })?
}

/// With `all.rp_filter` no macvlan would hear anything; what was changed is put back.
fn settings_are_put_back(lab: &mut Lab) -> Result<()> {
    let (a, b, _capture) = pair(lab)?;
    b.call("sysctl -qw net.ipv4.conf.all.rp_filter=1")?;
    let before = kernel_settings(&b)?;
    let mut other = Daemon::start(&a, &evervip(), &V3.configuration(150))?;
    V3.gained_by(&a)?;
    let mut ours = Daemon::start(&b, &evervip(), &V3.configuration(100))?;
    ours.says("master is 198.18.0.1")?;
    let shown = || -> Result<String> {
        let settings = kernel_settings(&b)?.into_iter();
        let shown: Vec<String> = settings
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Ok(shown.join(" "))
    };
    let changed = "all/rp_filter=0 default/rp_filter=1 lo/rp_filter=1 eth0/rp_filter=1 eth0/arp_ignore=1 eth0/arp_filter=1";
    ensure!(shown()? == changed, "{}", shown()?);
    let own = b.call(
        "sysctl -n net.ipv4.conf.vrrp/51.arp_ignore net.ipv4.conf.vrrp/51.accept_local \
         net.ipv4.conf.vrrp/51.rp_filter net.ipv4.conf.vrrp/51.promote_secondaries net.ipv6.conf.vrrp/51.disable_ipv6",
    )?;
    ensure!(
        own.split_whitespace().eq(["1", "1", "0", "1", "1"]),
        "{own}"
    );
    other.stop()?;
    V3.gained_by(&b)?;
    // Then its parent knows that it is master, too.
    ours.reload_whole(&V3.configuration(100))?;
    // A process that dies does not make them permanent.
    sys::process::kill(ours.vrrp_pid()?, SIGKILL)?;
    ours.says("stays MASTER")?;
    // And its successor needs them still: another master must not come about because it hears nobody.
    let mut back = Daemon::start(&a, &evervip(), &V3.configuration(150))?;
    V3.gained_by(&a)?;
    wait_until(SOON, "the successor hears the other", || {
        V3.held_by(&b) == 0
    })?;
    ensure!(shown()? == changed, "{}", shown()?);
    back.stop()?;
    V3.gained_by(&b)?;
    ours.stop()?;
    let after = kernel_settings(&b)?;
    ensure!(after == before, "{before:?} {after:?}");
    Ok(())
}

/// A process that does not end when it is asked to: its parent puts the settings back.
fn killed_instead_of_stopped(lab: &mut Lab) -> Result<()> {
    let (_a, b, _capture) = pair(lab)?;
    b.call("sysctl -qw net.ipv4.conf.all.rp_filter=1")?;
    let before = kernel_settings(&b)?;
    let mut ours = Daemon::start(&b, &evervip(), &V3.configuration(100))?;
    V3.gained_by(&b)?;
    let child = ours.vrrp_pid()?;
    sys::process::kill(child, common::SIGSTOP)?;
    ensure!(kernel_settings(&b)? != before);
    ours.process.kill(common::SIGTERM)?;
    ours.says("Stopping")?;
    sys::process::kill(child, SIGKILL)?;
    let status = ours.process.wait_timeout(SOON)?;
    ensure!(status == lab::ExitStatus::Code(0), "{status:?}");
    let after = kernel_settings(&b)?;
    ensure!(after == before, "{before:?} {after:?}");
    Ok(())
}

/// A macvlan that went with its base needed something elsewhere, too.
fn stopped_without_a_base(lab: &mut Lab) -> Result<()> {
    let (_a, b, _capture) = pair(lab)?;
    b.call("sysctl -qw net.ipv4.conf.all.rp_filter=1")?;
    let elsewhere = || -> Result<Vec<_>> {
        kernel_settings_of(&b, "all/rp_filter default/rp_filter lo/rp_filter")
    };
    let before = elsewhere()?;
    let mut ours = Daemon::start(&b, &evervip(), &V3.configuration(100))?;
    V3.gained_by(&b)?;
    ensure!(elsewhere()? != before);
    b.delete_link("eth0")?;
    ours.says("Entering FAULT STATE")?;
    ours.stop()?;
    let after = elsewhere()?;
    ensure!(after == before, "{before:?} {after:?}");
    Ok(())
}

/// The macvlan was asked for, and the kernel's word that it is there was not heard any more.
fn stopped_while_it_is_made(lab: &mut Lab) -> Result<()> {
    let (_a, b, _capture) = pair(lab)?;
    b.call("sysctl -qw net.ipv4.conf.all.rp_filter=1")?;
    let before = kernel_settings(&b)?;
    let mut ours = Daemon::start(&b, &evervip(), &V3.configuration(100))?;
    V3.gained_by(&b)?;
    let child = ours.vrrp_pid()?;
    sys::process::kill(child, common::SIGSTOP)?;
    b.delete_link(V3.device)?;
    // The parent first: to it the end of its child is no surprise then.
    ours.process.kill(common::SIGTERM)?;
    sys::process::kill(child, common::SIGTERM)?;
    sys::process::kill(child, common::SIGCONT)?;
    let status = ours.process.wait_timeout(SOON)?;
    ensure!(status == lab::ExitStatus::Code(0), "{status:?}");
    ensure!(b.link(V3.device).is_err(), "the macvlan is left behind");
    let after = kernel_settings(&b)?;
    ensure!(after == before, "{before:?} {after:?}");
    Ok(())
}

/// Addresses of the other family and on other interfaces, with macvlans of their own.
fn addresses_elsewhere(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    a.connect(&lan, "eth1")?;
    wait_until(SOON, "eth1 has its carrier", || {
        a.link("eth1").is_ok_and(|link| link.running)
    })?;
    let more = "virtual_ipaddress_excluded {\n 198.18.7.7/24 dev eth1 use_vmac\n fd00:18::77/64 use_vmac\n \
                198.18.7.8/24 dev eth1\n }";
    let mut ours = Daemon::start(&a, &evervip(), &V3.configuration_with(150, more))?;
    V3.gained_by(&a)?;
    ensure!(ours.times_said("FAULT") == 0, "a start is no fault");
    for (device, address) in [
        ("vrrp1.51", "198.18.7.7"),
        ("vrrp6.51", "fd00:18::77"),
        ("eth1", "198.18.7.8"),
    ] {
        wait_until(SOON, &format!("{address} on {device}"), || {
            a.has_address(device, address).unwrap_or(false)
        })?;
    }
    ensure!(a.link("vrrp6.51")?.mac == Some(V6_MAC));
    let link_local: Vec<_> = a
        .addresses("eth0")?
        .into_iter()
        .filter(|prefix| prefix.to_string().starts_with("fe80"))
        .collect();
    let on_device = a.addresses("vrrp6.51")?;
    ensure!(
        link_local.iter().all(|prefix| on_device.contains(prefix)),
        "{on_device:?}"
    );
    ours.stop()?;
    for device in ["vrrp.51", "vrrp1.51", "vrrp6.51"] {
        ensure!(a.link(device).is_err(), "{device} is left behind");
    }
    Ok(())
}

/// A name that somebody else's interface has is not used, whenever it comes about.
fn names_that_are_taken(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    a.call("ip link add vrrp.51 type veth peer name other")?;
    let mut ours = Daemon::start(&a, &evervip(), &V3.configuration(150))?;
    wait_until(SOON, "the addresses are on vrrp1.51", || {
        a.has_address("vrrp1.51", "198.18.0.100").unwrap_or(false)
    })?;
    // While it runs: gone, and somebody else is faster than we are.
    ours.process.kill(common::SIGSTOP)?;
    let child = ours.vrrp_pid()?;
    sys::process::kill(child, common::SIGSTOP)?;
    a.delete_link("vrrp1.51")?;
    a.call("ip link add vrrp1.51 type veth peer name another")?;
    sys::process::kill(child, common::SIGCONT)?;
    ours.process.kill(common::SIGCONT)?;
    ours.says("interface vrrp1.51 is there and is not the device that we would make")?;
    ours.says("Entering FAULT STATE")?;
    a.delete_link("vrrp1.51")?;
    wait_until(SOON, "the addresses are back", || {
        a.has_address("vrrp1.51", "198.18.0.100").unwrap_or(false)
    })?;
    ours.stop()?;
    ensure!(a.link("vrrp.51").is_ok(), "it is not ours");
    Ok(())
}

/// On a macvlan that somebody else made: with a macvlan beside it, and without.
fn on_a_macvlan(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    a.call("ip link add mv0 link eth0 address 02:00:00:00:00:99 type macvlan mode bridge")?;
    a.link_up("mv0")?;
    a.add_address("mv0", "198.18.3.1/24")?;
    let text = |with: &str| {
        V3.configuration(150)
            .replace("eth0", "mv0")
            .replace("use_vmac", with)
    };
    let mut ours = Daemon::start(&a, &evervip(), &text("use_vmac"))?;
    V3.gained_by(&a)?;
    ours.stop()?;
    let ours = Daemon::start(&a, &evervip(), &text(""))?;
    wait_until(SOON, "the address is on mv0", || {
        a.has_address("mv0", "198.18.0.100").unwrap_or(false)
    })?;
    a.link_down("eth0")?;
    ours.says("Entering FAULT STATE")
}

/// A kind of virtual router with an ipvlan.
struct Ipvlan {
    keyword: fn(u8) -> String,
    address: &'static str,
    source: fn(u8) -> Option<&'static str>,
}

const IPVLAN_V4: Ipvlan = Ipvlan {
    keyword: |me| format!("use_ipvlan 198.18.0.7{me}/24"),
    address: "198.18.0.100",
    source: |me| {
        ["198.18.0.71", "198.18.0.72"]
            .get(usize::from(me) - 1)
            .copied()
    },
};

const IPVLAN_V6: Ipvlan = Ipvlan {
    keyword: |_| "use_ipvlan iv0 private".to_owned(),
    address: "fe80::18:64",
    source: |_| None,
};

/// Two routers with ipvlans: each is heard by the other, dies, and comes back.
fn ipvlan(lab: &mut Lab, flavour: &Ipvlan) -> Result<()> {
    let keepalived = keepalived()?;
    let (a, b, capture) = pair(lab)?;
    let configuration = |me, priority| {
        format!(
            "vrrp_instance VI {{\n interface eth0\n virtual_router_id {VRID}\n version 3\n advert_int 0.5\n \
             priority {priority}\n {}\n virtual_ipaddress {{\n {}/64\n }}\n}}\n",
            (flavour.keyword)(me),
            flavour.address
        )
        .replace("100/64", "100/24")
    };
    let device = if (flavour.keyword)(1).contains("iv0") {
        "iv0"
    } else {
        "vrrp.51"
    };
    // keepalived 2.2.7 puts virtual addresses on the interface below, which has the same MAC address.
    let has = |host: &Host| {
        [device, "eth0"]
            .iter()
            .any(|on| host.has_address(on, flavour.address).unwrap_or(false))
    };
    let gains = |host: &Host| {
        let what = format!("{} gets the address", host.name());
        wait_until(SOON, &what, || has(host))
    };
    let mut ours = Daemon::start(&a, &evervip(), &configuration(1, 150))?;
    gains(&a)?;
    ensure!(a.has_address(device, flavour.address)?);
    let mut theirs = Daemon::start(&b, &keepalived, &configuration(2, 100))?;
    theirs.says("Entering BACKUP STATE")?;
    pause(V3.interval * 10);
    ensure!(!has(&b), "keepalived does not hear us");
    ensure!(adverts(&capture, 0, Direction::Out, VRID).is_empty());
    let own: Vec<IpAddr> = match (flavour.source)(1) {
        Some(source) => vec![source.parse()?],
        None => {
            let all = a.addresses(device)?.into_iter();
            all.map(|prefix| prefix.address()).collect()
        }
    };
    for advert in adverts(&capture, 0, Direction::In, VRID) {
        ensure!(
            own.contains(&advert.source),
            "{advert:?} is not from {own:?}"
        );
    }
    ours.crash()?;
    gains(&b)?;
    let mut ours = Daemon::start(&a, &evervip(), &configuration(1, 50))?;
    ours.follows("")?;
    pause(V3.interval * 10);
    ensure!(!has(&a), "we do not hear keepalived");
    ensure!(ours.times_said("made ") == 0, "the ipvlan is still there");
    theirs.stop()?;
    gains(&a)?;
    ours.stop()?;
    ensure!(a.link(device).is_err());
    Ok(())
}

/// A host whose eth0 is in a VRF.
fn host_in_vrf(lab: &Lab, lan: &lab::Segment, name: &str, number: u8) -> Result<Host> {
    let host = common::host(lab, lan, name, number)?;
    host.call("ip link add red type vrf table 100")?;
    host.call("ip link set red up")?;
    host.call("ip link set eth0 master red")?;
    // Joining a VRF takes the routes, and over IPv6 the addresses.
    common::address(&host, number)?;
    Ok(host)
}

/// Instances without an interface in a VRF, and one outside of it that has nothing to do with them.
fn vrf(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = host_in_vrf(lab, &lan, "a", 1)?;
    let b = host_in_vrf(lab, &lan, "b", 2)?;
    let capture = b.capture("eth0")?;
    let configuration = |me: u8, peer: u8, priority: u8| {
        format!(
            "vrrp_instance VI {{\n vrf red\n virtual_router_id {VRID}\n version 3\n advert_int 0.5\n \
             priority {priority}\n unicast_src_ip 198.18.0.{me}\n unicast_peer {{\n 198.18.0.{peer}\n }}\n \
             virtual_ipaddress {{\n 198.18.0.100/24 dev eth0\n }}\n}}\n"
        )
    };
    let mut first = Daemon::start(&a, &evervip(), &configuration(1, 2, 150))?;
    common::gains(&a, "198.18.0.100")?;
    let mut second = Daemon::start(&b, &evervip(), &configuration(2, 1, 100))?;
    second.follows("198.18.0.1")?;
    pause(V3.interval * 10);
    ensure!(!common::holds(&b, "198.18.0.100"));
    ensure!(!adverts(&capture, 0, Direction::In, VRID).is_empty());
    first.crash()?;
    common::gains(&b, "198.18.0.100")?;
    let mut first = Daemon::start(&a, &evervip(), &configuration(1, 2, 150))?;
    common::loses(&b, "198.18.0.100")?;
    common::gains(&a, "198.18.0.100")?;
    let counters = second.counters()?;
    ensure!(counters.errors().is_empty(), "{:?}", counters.errors());
    // Without its VRF it is nowhere.
    a.call("ip link set red down")?;
    first.says("Entering FAULT STATE")?;
    common::gains(&b, "198.18.0.100")?;
    a.call("ip link set red up")?;
    common::gains(&a, "198.18.0.100")?;
    first.stop()
}

/// A macvlan is in the VRF of the interface below, and follows it.
fn macvlan_in_a_vrf(lab: &mut Lab) -> Result<()> {
    let keepalived = keepalived()?;
    let lan = lab.segment()?;
    let a = host_in_vrf(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let mut ours = Daemon::start(&a, &evervip(), &V3.configuration(150))?;
    V3.gained_by(&a)?;
    let red = Some(a.link("red")?.index);
    ensure!(a.link(V3.device)?.master == red);
    let mut theirs = Daemon::start(&b, &keepalived, &V3.configuration(100))?;
    theirs.says("Entering BACKUP STATE")?;
    pause(V3.interval * 10);
    ensure!(V3.held_by(&b) == 0, "keepalived does not hear us");
    ours.crash()?;
    V3.gained_by(&b)?;
    let ours = Daemon::start(&a, &evervip(), &V3.configuration(50))?;
    ours.follows("198.18.0.2")?;
    a.call("ip link set eth0 nomaster")?;
    common::address(&a, 1)?;
    wait_until(SOON, "the macvlan leaves the VRF", || {
        a.link(V3.device).is_ok_and(|link| link.master.is_none())
    })?;
    theirs.stop()?;
    V3.gained_by(&a)
}

/// A macvlan above a VLAN.
fn macvlan_on_a_vlan(lab: &mut Lab) -> Result<()> {
    let keepalived = keepalived()?;
    let (a, b, _capture) = pair(lab)?;
    for (host, number) in [(&a, 1), (&b, 2)] {
        host.call("ip link add link eth0 name eth0.7 type vlan id 7")?;
        host.call("ip link set eth0.7 up")?;
        host.add_address("eth0.7", &format!("198.18.7.{number}/24"))?;
    }
    let text = |priority| V3.configuration(priority).replace("eth0", "eth0.7");
    let mut ours = Daemon::start(&a, &evervip(), &text(150))?;
    V3.gained_by(&a)?;
    let theirs = Daemon::start(&b, &keepalived, &text(100))?;
    theirs.says("Entering BACKUP STATE")?;
    pause(V3.interval * 10);
    ensure!(V3.held_by(&b) == 0, "keepalived does not hear us");
    ours.stop()?;
    V3.gained_by(&b)
}

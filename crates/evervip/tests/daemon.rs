//! One daemon and what an operator, the kernel or bad luck may do to it.

mod common;

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{
    Capture, Direction, ExitStatus, Host, HostOptions, Lab, Pid, pause, scenario, wait_until,
};
use sys::netlink::{AddressChange, Drained, Event, KernelAddress, Monitor, RouteSocket};
use types::{Claim, IfName, Prefix};

use common::packets::{adverts, announced, claims, first_block, longest_gap, was_announced};
use common::{
    Daemon, SIGCONT, SIGHUP, SIGJSON, SIGKILL, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2, SOON, evervip,
    gains, holds, loses,
};

fn main() -> ExitCode {
    scenario::main(&[
        ("clean_stop", clean_stop),
        ("stop_without_release", stop_without_release),
        ("reload_leaves_the_rest_alone", reload_leaves_the_rest_alone),
        (
            "unusable_file_changes_nothing",
            unusable_file_changes_nothing,
        ),
        ("killed_child_is_not_missed", killed_child_is_not_missed),
        (
            "child_that_keeps_dying_lets_go",
            child_that_keeps_dying_lets_go,
        ),
        (
            "child_that_is_not_restarted_lets_go",
            child_that_is_not_restarted_lets_go,
        ),
        (
            "killed_parent_takes_the_child_along",
            killed_parent_takes_the_child_along,
        ),
        ("interface_goes_down_and_up", interface_goes_down_and_up),
        ("interface_comes_and_goes", interface_comes_and_goes),
        (
            "lost_notifications_are_made_up_for",
            lost_notifications_are_made_up_for,
        ),
        ("second_daemon_leaves", second_daemon_leaves),
        (
            "called_keepalived_it_is_keepalived",
            called_keepalived_it_is_keepalived,
        ),
        ("goes_to_the_background", goes_to_the_background),
        ("dumps", dumps),
    ])
}

/// Half a second leaves a busy machine time to be late.
const INTERVAL: Duration = Duration::from_millis(500);
const VIP: &str = "198.18.0.100";

/// An instance that advertises twice a second.
fn instance(name: &str, vrid: u8, priority: u8, addresses: &[&str]) -> String {
    format!(
        "vrrp_instance {name} {{\n interface eth0\n virtual_router_id {vrid}\n priority {priority}\n version 3\n \
         advert_int 0.5\n garp_master_delay 0\n virtual_ipaddress {{\n {}\n }}\n}}\n",
        addresses.join("\n ")
    )
}

fn simple(priority: u8) -> String {
    instance("VI", 51, priority, &["198.18.0.100/24"])
}

/// One host with a master on it.
fn master(lab: &Lab) -> Result<(Host, Capture, Daemon)> {
    let lan = lab.segment()?;
    let host = common::host(lab, &lan, "a", 1)?;
    let capture = host.capture("eth0")?;
    let daemon = Daemon::start(&host, &evervip(), &simple(150))?;
    gains(&host, VIP)?;
    Ok((host, capture, daemon))
}

/// Two hosts: a master, and a backup that watches it.
fn pair(lab: &Lab, options: &[&str]) -> Result<(Host, Daemon, Host, Daemon, Capture)> {
    let lan = lab.segment()?;
    let (a, b) = (
        common::host(lab, &lan, "a", 1)?,
        common::host(lab, &lan, "b", 2)?,
    );
    let capture = b.capture("eth0")?;
    let master = Daemon::start_with(&a, &evervip(), &simple(150), options)?;
    gains(&a, VIP)?;
    let backup = Daemon::start(&b, &evervip(), &simple(100))?;
    backup.says("master is 198.18.0.1")?;
    Ok((a, master, b, backup, capture))
}

/// What happened to addresses on a host since it was asked last.
fn removals(monitor: &mut Monitor) -> Result<Vec<IpAddr>> {
    let mut events = Vec::new();
    while monitor.drain(&mut events)? == Drained::More {}
    Ok(events
        .into_iter()
        .filter_map(|event| match event {
            Event::AddressGone { address, .. } => Some(address.prefix.address()),
            Event::Address { .. } | Event::Link(_) | Event::LinkGone { .. } | Event::Routing(_) => {
                None
            }
        })
        .collect())
}

fn watch(host: &Host) -> Result<Monitor> {
    Ok(host.run(Monitor::new)??)
}

fn goodbyes(capture: &Capture, since: usize, direction: Direction) -> usize {
    adverts(capture, since, direction, 51)
        .iter()
        .filter(|advert| advert.claim == Claim::Leaving)
        .count()
}

fn clean_stop(lab: &mut Lab) -> Result<()> {
    let (host, capture, mut daemon) = master(lab)?;
    ensure!(daemon.has_file("keepalived.pid") && daemon.has_file("vrrp.pid"));
    daemon.stop()?;
    ensure!(!holds(&host, VIP), "the address is left behind");
    ensure!(
        host.has_address("eth0", "198.18.0.1")?,
        "the host's own address is gone"
    );
    ensure!(!daemon.has_file("keepalived.pid") && !daemon.has_file("vrrp.pid"));
    capture.wait_for("priority 0", SOON, |frame| claims(frame, Direction::Out, 0))?;
    ensure!(goodbyes(&capture, 0, Direction::Out) == 1);
    Ok(())
}

fn stop_without_release(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = common::host(lab, &lan, "a", 1)?;
    let capture = host.capture("eth0")?;
    let mut daemon = Daemon::start_with(&host, &evervip(), &simple(150), &["-V"])?;
    gains(&host, VIP)?;
    daemon.stop()?;
    ensure!(holds(&host, VIP), "-V leaves the addresses");
    pause(INTERVAL);
    ensure!(
        goodbyes(&capture, 0, Direction::Out) == 0,
        "-V says no goodbye"
    );
    Ok(())
}

fn reload_leaves_the_rest_alone(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = common::host(lab, &lan, "a", 1)?;
    let capture = host.capture("eth0")?;
    let one = simple(150);
    let two = instance("TWO", 52, 150, &["198.18.0.101/24", "198.18.0.102/24"]);
    let mut daemon = Daemon::start(&host, &evervip(), &format!("{one}{two}"))?;
    for address in [VIP, "198.18.0.101", "198.18.0.102"] {
        gains(&host, address)?;
        first_block(&capture, address.parse()?)?;
    }

    let before = capture.count();
    let mut monitor = watch(&host)?;
    let two = instance("TWO", 52, 150, &["198.18.0.101/24", "198.18.0.103/24"]);
    let three = instance("THREE", 53, 150, &["198.18.0.104/24"]);
    daemon.reload(&format!("{one}{two}{three}"))?;
    gains(&host, "198.18.0.103")?;
    gains(&host, "198.18.0.104")?;
    loses(&host, "198.18.0.102")?;
    let gone: IpAddr = "198.18.0.102".parse()?;
    let removed = removals(&mut monitor)?;
    ensure!(removed == [gone], "removed: {removed:?}");
    ensure!(!was_announced(
        &capture,
        before,
        Direction::Out,
        VIP.parse()?
    ));
    let fresh: IpAddr = "198.18.0.103".parse()?;
    capture.wait_for_since(before, "the new address is announced", SOON, |frame| {
        announced(frame) == Some(fresh)
    })?;
    let gap = longest_gap(&adverts(&capture, before, Direction::Out, 51));
    ensure!(
        gap < INTERVAL * 3,
        "VI was silent for {gap:?} around the reload"
    );
    ensure!(goodbyes(&capture, before, Direction::Out) == 0);

    // An instance that is taken out leaves properly.
    daemon.reload(&one)?;
    for address in ["198.18.0.101", "198.18.0.103", "198.18.0.104"] {
        loses(&host, address)?;
    }
    capture.wait_for_since(before, "THREE leaving", SOON, |frame| {
        common::packets::advert(frame)
            .is_some_and(|advert| advert.vrid == 53 && advert.claim == Claim::Leaving)
    })?;
    ensure!(holds(&host, VIP) && goodbyes(&capture, before, Direction::Out) == 0);
    let counters = daemon.counters()?;
    ensure!(
        counters.get("VI", "Became master")? == 1 && counters.get("VI", "Released master")? == 0
    );
    Ok(())
}

fn unusable_file_changes_nothing(lab: &mut Lab) -> Result<()> {
    let (host, capture, mut daemon) = master(lab)?;
    let mut monitor = watch(&host)?;
    let before = capture.count();
    let no_interface = simple(150).replace("eth0", "eth7");
    let no_router = simple(150).replace("virtual_router_id 51\n", "\n");
    for (number, text) in [no_interface, no_router].iter().enumerate() {
        daemon.reload(text)?;
        wait_until(SOON, "it refuses the file", || {
            daemon.times_said("everything stays as it was") == number + 1
        })?;
    }
    fs::remove_file(daemon.file())?;
    daemon.process.kill(SIGHUP)?;
    wait_until(SOON, "it refuses to run without a file", || {
        daemon.times_said("everything stays as it was") == 3
    })?;
    pause(INTERVAL * 2);
    ensure!(removals(&mut monitor)?.is_empty() && holds(&host, VIP));
    let gap = longest_gap(&adverts(&capture, before, Direction::Out, 51));
    ensure!(gap < INTERVAL * 3, "silent for {gap:?}");

    daemon.reload(&instance(
        "VI",
        51,
        150,
        &["198.18.0.100/24", "198.18.0.101/24"],
    ))?;
    gains(&host, "198.18.0.101")?;
    ensure!(removals(&mut monitor)?.is_empty() && goodbyes(&capture, before, Direction::Out) == 0);
    Ok(())
}

/// Kills the VRRP process and waits for its successor.
fn kill_child(daemon: &Daemon) -> Result<Pid> {
    let old = daemon.vrrp_pid()?;
    sys::process::kill(old, SIGKILL)?;
    wait_until(SOON, "a new VRRP process runs", || {
        daemon.vrrp_pid().is_ok_and(|pid| pid != old)
    })?;
    daemon.vrrp_pid()
}

fn killed_child_is_not_missed(lab: &mut Lab) -> Result<()> {
    let (a, master, b, _backup, capture) = pair(lab, &[])?;
    let mut monitor = watch(&a)?;
    let before = capture.count();
    let child = kill_child(&master)?;
    ensure!(fs::read_to_string(format!("/proc/{child}/stat")).is_ok());
    master.says("stays MASTER")?;
    let killed = capture.count();
    capture.wait_for_since(killed, "an advert of the new process", SOON, |frame| {
        claims(frame, Direction::In, 150)
    })?;
    pause(INTERVAL * 5);
    ensure!(removals(&mut monitor)?.is_empty() && holds(&a, VIP));
    ensure!(goodbyes(&capture, before, Direction::In) == 0);
    ensure!(
        adverts(&capture, before, Direction::Out, 51).is_empty() && !holds(&b, VIP),
        "the backup has noticed"
    );
    Ok(())
}

fn child_that_keeps_dying_lets_go(lab: &mut Lab) -> Result<()> {
    let (a, mut master, b, _backup, capture) = pair(lab, &[])?;
    kill_child(&master)?;
    master.says("stays MASTER")?;
    sys::process::kill(master.vrrp_pid()?, SIGKILL)?;
    master.says("Respawning the VRRP process in")?;
    loses(&a, VIP)?;
    gains(&b, VIP)?;
    // It comes back as an ordinary backup, with the higher priority.
    gains(&a, VIP)?;
    loses(&b, VIP)?;
    ensure!(goodbyes(&capture, 0, Direction::Out) == 0);
    ensure!(master.counters()?.get("VI", "Became master")? == 1);
    Ok(())
}

fn child_that_is_not_restarted_lets_go(lab: &mut Lab) -> Result<()> {
    let (a, mut master, b, _backup, _capture) = pair(lab, &["-R"])?;
    sys::process::kill(master.vrrp_pid()?, SIGKILL)?;
    let status = master.process.wait_timeout(SOON)?;
    ensure!(status == ExitStatus::Code(0), "{status:?}");
    ensure!(!holds(&a, VIP), "the address is left behind");
    gains(&b, VIP)
}

fn killed_parent_takes_the_child_along(lab: &mut Lab) -> Result<()> {
    let (host, capture, mut daemon) = master(lab)?;
    let child = daemon.vrrp_pid()?;
    daemon.process.kill(SIGKILL)?;
    daemon.process.wait_timeout(SOON)?;
    capture.wait_for("priority 0", SOON, |frame| claims(frame, Direction::Out, 0))?;
    loses(&host, VIP)?;
    wait_until(SOON, "the child ends", || is_gone(child))?;
    ensure!(!daemon.has_file("vrrp.pid"));
    ensure!(
        daemon.has_file("keepalived.pid"),
        "nobody was left to remove it"
    );
    let _successor = Daemon::start(&host, &evervip(), &simple(150))?;
    gains(&host, VIP)
}

/// Whether a process has ended, reaped or not.
fn is_gone(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

fn interface_goes_down_and_up(lab: &mut Lab) -> Result<()> {
    let (host, _capture, mut daemon) = master(lab)?;
    host.link_down("eth0")?;
    daemon.says("Entering FAULT STATE")?;
    loses(&host, VIP)?;
    host.link_up("eth0")?;
    gains(&host, VIP)?;

    host.pull_cable("eth0")?;
    wait_until(SOON, "FAULT again", || {
        daemon.times_said("Entering FAULT STATE") == 2
    })?;
    loses(&host, VIP)?;
    host.plug_cable("eth0")?;
    gains(&host, VIP)?;
    let counters = daemon.counters()?;
    ensure!(counters.get("VI", "Became master")? == 3);
    ensure!(counters.get("VI", "Released master")? == 2);
    Ok(())
}

fn interface_comes_and_goes(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = lab.host("a", HostOptions::default())?;
    let configuration = format!("global_defs {{\n dynamic_interfaces\n}}\n{}", simple(150));
    let daemon = Daemon::start(&host, &evervip(), &configuration)?;
    daemon.says("Entering FAULT STATE")?;
    for round in 1..=2 {
        host.connect(&lan, "eth0")?;
        common::address(&host, 1)?;
        gains(&host, VIP)?;
        let capture = host.capture("eth0")?;
        capture.wait_for("an advert", SOON, |frame| {
            claims(frame, Direction::Out, 150)
        })?;
        drop(capture);
        let faults = daemon.times_said("Entering FAULT STATE");
        host.delete_link("eth0")?;
        wait_until(SOON, &format!("FAULT in round {round}"), || {
            daemon.times_said("Entering FAULT STATE") > faults
        })?;
    }
    Ok(())
}

/// More changes than the daemon's socket can hold while it does not look, one of which concerns it.
fn lost_notifications_are_made_up_for(lab: &mut Lab) -> Result<()> {
    // More than the 4 MiB that the monitor asks for, of which the kernel makes 8.
    const CHANGES: u32 = 60_000;
    let (host, _capture, daemon) = master(lab)?;
    let child = daemon.vrrp_pid()?;
    sys::process::kill(child, SIGSTOP)?;
    host.run(|| -> Result<()> {
        let mut netlink = RouteSocket::new()?;
        let lo = netlink.link(&IfName::new("lo")?)?.context("lo")?.index;
        let mut changes = Vec::new();
        for number in 0..CHANGES / 2 {
            let address = IpAddr::from((0x0a00_0001_u32 + number).to_be_bytes());
            let address = KernelAddress::new(Prefix::host(address));
            changes.push(AddressChange::Add {
                interface: lo,
                address: address.clone(),
            });
            changes.push(AddressChange::Remove {
                interface: lo,
                address,
            });
        }
        for result in netlink.change_addresses(&changes)? {
            result?;
        }
        Ok(())
    })??;
    host.remove_address("eth0", "198.18.0.100/24")?;
    sys::process::kill(child, SIGCONT)?;
    daemon.says("reading everything again")?;
    daemon.says("somebody removed 198.18.0.100/24 from eth0")?;
    gains(&host, VIP)?;
    ensure!(daemon.vrrp_pid()? == child, "the process was replaced");
    Ok(())
}

fn second_daemon_leaves(lab: &mut Lab) -> Result<()> {
    let (host, capture, mut first) = master(lab)?;
    let before = capture.count();
    let mut second = Daemon::start(&host, &evervip(), &simple(150))?;
    let status = second.process.wait_timeout(SOON)?;
    ensure!(status == ExitStatus::Code(0), "{status:?}");
    second.says("daemon is already running")?;
    ensure!(holds(&host, VIP) && goodbyes(&capture, before, Direction::Out) == 0);
    ensure!(first.has_file("keepalived.pid") && first.process.poll()?.is_none());
    Ok(())
}

/// The bytes of /proc/PID/NAME.
fn proc(pid: Pid, name: &str) -> Result<Vec<u8>> {
    fs::read(format!("/proc/{pid}/{name}")).with_context(|| format!("process {pid}"))
}

fn called_keepalived_it_is_keepalived(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = common::host(lab, &lan, "a", 1)?;
    let keepalived = lab.directory().join("keepalived");
    symlink(evervip(), &keepalived)?;
    let daemon = Daemon::start(&host, &keepalived, &simple(150))?;
    gains(&host, VIP)?;
    let (parent, child) = (daemon.process.pid(), daemon.vrrp_pid()?);
    for pid in [parent, child] {
        ensure!(proc(pid, "comm")? == b"keepalived\n");
    }
    ensure!(proc(parent, "cmdline")? == proc(child, "cmdline")?);
    let words = proc(child, "cmdline")?;
    let expected = format!("{}\0-n\0-l\0-D\0-f\0", keepalived.display());
    ensure!(words.starts_with(expected.as_bytes()));

    let version = Command::new(&keepalived).arg("-v").output()?;
    ensure!(version.status.success() && version.stdout.is_empty());
    ensure!(version.stderr.starts_with(b"Keepalived v2.4.3 ("));
    let number = Command::new(&keepalived).arg("--signum=JSON").output()?;
    ensure!(number.status.success() && number.stdout == b"36\n" && number.stderr.is_empty());
    Ok(())
}

fn goes_to_the_background(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let options = HostOptions {
        private_processes: true,
        ..HostOptions::default()
    };
    let host = lab.host("a", options)?;
    host.connect(&lan, "eth0")?;
    common::address(&host, 1)?;
    let file = host.directory().join("keepalived.conf");
    fs::write(&file, simple(150))?;
    let mut launcher = host.spawn(Command::new(evervip()).arg("-f").arg(&file))?;
    ensure!(launcher.wait_timeout(SOON)? == ExitStatus::Code(0));
    gains(&host, VIP)?;
    let script = "for name in keepalived vrrp; do \
                  pid=$(cat /run/$name.pid); echo $name $(cat /proc/$pid/comm) $(readlink /proc/$pid/cwd); done";
    let mut shell = host.spawn(Command::new("/bin/sh").args(["-c", script]))?;
    shell.wait_timeout(SOON)?;
    let said = shell.output_so_far();
    ensure!(said == "keepalived evervip /\nvrrp evervip /\n", "{said}");
    let script = "kill $(cat /run/keepalived.pid); while [ -e /run/keepalived.pid ]; do sleep 0.05; done; ls /run";
    let mut shell = host.spawn(Command::new("/bin/sh").args(["-c", script]))?;
    shell.wait_timeout(SOON)?;
    let said = shell.output_so_far();
    ensure!(said.is_empty(), "left in /run: {said}");
    ensure!(!holds(&host, VIP));
    Ok(())
}

fn dumps(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = common::host(lab, &lan, "a", 1)?;
    let configuration = "vrrp_instance VI {\n interface eth0\n virtual_router_id 51\n priority 255\n advert_int 1\n \
                         authentication {\n auth_type PASS\n auth_pass unseen\n }\n \
                         virtual_ipaddress {\n 198.18.0.100/24\n }\n}\n";
    let mut daemon = Daemon::start(&host, &evervip(), configuration)?;
    gains(&host, VIP)?;
    let data = daemon.dump(SIGUSR1, "keepalived.data", |_| true)?;
    ensure!(
        data.contains("------< VRRP Topology >------") && data.contains(" VRRP Instance = VI\n")
    );
    ensure!(data.contains("   State = MASTER\n"));
    let stats = daemon.dump(SIGUSR2, "keepalived.stats", |_| true)?;
    ensure!(stats.starts_with("VRRP Instance: VI\n  Advertisements:\n    Received: 0\n"));
    let json = daemon.dump(SIGJSON, "keepalived.json", |_| true)?;
    let value: serde_json::Value = serde_json::from_str(&json)?;
    let first = value.get(0).context("an array")?;
    let field = |part: &str, name: &str| first.get(part).and_then(|part| part.get(name)).cloned();
    ensure!(field("data", "iname") == Some("VI".into()), "{json}");
    ensure!(
        field("data", "state") == Some(2.into())
            && field("stats", "become_master") == Some(1.into())
    );
    ensure!(json.trim_end().lines().count() == 1);
    for (name, text) in [("data", data), ("stats", stats), ("json", json)] {
        ensure!(
            !text.contains("unseen"),
            "the password is in keepalived.{name}"
        );
        let path = host
            .directory()
            .join("tmp")
            .join(format!("keepalived.{name}"));
        let mode = fs::metadata(&path)?.permissions().mode();
        ensure!(
            mode & 0o7777 == 0o600,
            "keepalived.{name} has mode {mode:o}"
        );
    }
    ensure!(!daemon.process.output_so_far().contains("unseen"));
    let temporary = fs::read_dir(host.directory().join("tmp"))?.count();
    ensure!(temporary == 3, "{temporary} files in TMPDIR");
    daemon.process.kill(SIGTERM)
}

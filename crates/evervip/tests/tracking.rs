//! What an instance follows: scripts, interfaces and the other members of its group; and whom it tells.

mod common;

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Direction, Host, Lab, Skipped, pause, scenario, wait_until};
use sys::link_socket::LinkSocket;
use sys::netlink::RouteSocket;
use sys::process::{Reached, kill_group};
use types::{Centiseconds, Claim, Family, IfName, MacAddress, Version, Vrid};
use wire::{ethernet, ipv4};

use common::packets::claims;
use common::{Daemon, SOON, evervip, gains, holds, is_real_root, loses, pid_in, script};

fn main() -> ExitCode {
    scenario::main(&[
        (
            "weighted_script_moves_the_address",
            weighted_script_moves_the_address,
        ),
        ("failed_script_is_a_fault", failed_script_is_a_fault),
        ("rise_and_fall", rise_and_fall),
        ("stubborn_script_is_killed", stubborn_script_is_killed),
        (
            "overlong_script_misses_no_run",
            overlong_script_misses_no_run,
        ),
        ("script_runs_as_its_user", script_runs_as_its_user),
        ("tracked_interface", tracked_interface),
        ("notify_scripts", notify_scripts),
        ("environment_of_scripts", environment_of_scripts),
        ("lower_priority_is_notified", lower_priority_is_notified),
        ("group_moves_together", group_moves_together),
    ])
}

const VIP: &str = "198.18.0.100";

/// An instance that advertises twice a second, with more keywords.
fn instance(name: &str, interface: &str, priority: u8, address: &str, more: &str) -> String {
    format!(
        "vrrp_instance {name} {{\n interface {interface}\n virtual_router_id 51\n priority {priority}\n version 3\n \
         advert_int 0.5\n virtual_ipaddress {{\n {address}\n }}\n {more}\n}}\n"
    )
}

fn simple(priority: u8, more: &str) -> String {
    instance("VI", "eth0", priority, "198.18.0.100/24", more)
}

/// A script that succeeds for as long as a file is there.
struct Health {
    switch: PathBuf,
    script: PathBuf,
}

impl Health {
    fn new(host: &Host) -> Result<Self> {
        let switch = host.directory().join("healthy");
        let script = script(
            host.directory(),
            "check",
            &format!("test -e {}", switch.display()),
        )?;
        let health = Self { switch, script };
        health.be_good()?;
        Ok(health)
    }

    fn be_good(&self) -> Result<()> {
        Ok(fs::write(&self.switch, "")?)
    }

    fn be_bad(&self) -> Result<()> {
        Ok(fs::remove_file(&self.switch)?)
    }
}

/// The definition of a script, run every 0.1 s.
fn check(script: &Path, more: &str) -> String {
    format!(
        "vrrp_script CHECK {{\n script \"{}\"\n interval 0.1\n timeout 5\n {more}\n}}\n",
        script.display()
    )
}

const TRACK: &str = "track_script {\n CHECK\n }";

fn pair(lab: &Lab) -> Result<(Host, Host)> {
    let lan = lab.segment()?;
    Ok((
        common::host(lab, &lan, "a", 1)?,
        common::host(lab, &lan, "b", 2)?,
    ))
}

fn weighted_script_moves_the_address(lab: &mut Lab) -> Result<()> {
    let (a, b) = pair(lab)?;
    let health = Health::new(&a)?;
    let check = check(&health.script, "weight -20");
    let _b = Daemon::start(&b, &evervip(), &simple(95, ""))?;
    let daemon = Daemon::start(&a, &evervip(), &format!("{check}{}", simple(100, TRACK)))?;
    gains(&a, VIP)?;
    loses(&b, VIP)?;
    health.be_bad()?;
    daemon.says("(VI) Changing effective priority from 100 to 80")?;
    gains(&b, VIP)?;
    loses(&a, VIP)?;
    ensure!(daemon.times_said("FAULT") == 0);
    health.be_good()?;
    daemon.says("(VI) Changing effective priority from 80 to 100")?;
    gains(&a, VIP)?;
    loses(&b, VIP)
}

fn failed_script_is_a_fault(lab: &mut Lab) -> Result<()> {
    let (a, _b) = pair(lab)?;
    let capture = a.capture("eth0")?;
    let health = Health::new(&a)?;
    let check = check(&health.script, "");
    let daemon = Daemon::start(&a, &evervip(), &format!("{check}{}", simple(100, TRACK)))?;
    gains(&a, VIP)?;
    ensure!(
        daemon.times_said("FAULT") == 0,
        "waiting for the first result is no fault"
    );
    health.be_bad()?;
    daemon.says("VRRP_Script(CHECK) failed (exited with status 1)")?;
    daemon.says("(VI) Entering FAULT STATE")?;
    loses(&a, VIP)?;
    capture.wait_for("priority 0", SOON, |frame| claims(frame, Direction::Out, 0))?;
    health.be_good()?;
    daemon.says("VRRP_Script(CHECK) succeeded")?;
    gains(&a, VIP)
}

/// Three failures make it fail, two successes make it good again.
fn rise_and_fall(lab: &mut Lab) -> Result<()> {
    let (a, _b) = pair(lab)?;
    let log = a.directory().join("log");
    let switch = a.directory().join("healthy");
    fs::write(&switch, "")?;
    let text = format!(
        "if test -e {}; then echo good >> {log}; else echo bad >> {log}; exit 1; fi",
        switch.display(),
        log = log.display()
    );
    let check = check(&script(a.directory(), "check", &text)?, "fall 3\n rise 2");
    let notify = |state: &str| -> Result<String> {
        let text = format!("echo {state} >> {}", log.display());
        let script = script(a.directory(), state, &text)?;
        Ok(format!(
            "notify_{} {}\n",
            state.to_lowercase(),
            script.display()
        ))
    };
    let more = format!("{}{}{TRACK}", notify("FAULT")?, notify("BACKUP")?);
    let _daemon = Daemon::start(&a, &evervip(), &format!("{check}{}", simple(100, &more)))?;
    gains(&a, VIP)?;
    let lines = || fs::read_to_string(&log).unwrap_or_default();
    // How many lines of one kind come before another that is waited for, in what is added to the log.
    let count = |kind: &str, until: &str| -> Result<usize> {
        let old = lines().len();
        match kind {
            "bad" => fs::remove_file(&switch)?,
            _ => fs::write(&switch, "")?,
        }
        let fresh = || lines().get(old..).unwrap_or_default().to_owned();
        wait_until(SOON, &format!("{until} after some {kind}"), || {
            fresh().contains(until)
        })?;
        let fresh = fresh();
        let before = fresh.split(until).next().unwrap_or_default();
        Ok(before.matches(kind).count())
    };
    let bad = count("bad", "FAULT")?;
    // The notify script and the next check run at the same time.
    ensure!(
        (3..=4).contains(&bad),
        "{bad} failures, 3 expected: {}",
        lines()
    );
    let good = count("good", "BACKUP")?;
    ensure!(
        (2..=3).contains(&good),
        "{good} successes, 2 expected: {}",
        lines()
    );
    gains(&a, VIP)
}

fn stubborn_script_is_killed(lab: &mut Lab) -> Result<()> {
    let (a, _b) = pair(lab)?;
    let pid_file = a.directory().join("pid");
    let text = format!(
        "trap '' TERM\n[ -e {pid} ] && exit 0\nsleep 1000 &\necho $$ > {pid}.new; mv {pid}.new {pid}\n\
         while :; do sleep 1000; done",
        pid = pid_file.display()
    );
    let script = script(a.directory(), "check", &text)?;
    let check = check(&script, "").replace("timeout 5", "timeout 1");
    let daemon = Daemon::start(&a, &evervip(), &format!("{check}{}", simple(100, TRACK)))?;
    wait_until(SOON, "the script runs", || pid_file.exists())?;
    let pid = pid_in(&pid_file)?;
    ensure!(kill_group(pid, 0)? == Reached::Somebody);
    daemon.says("VRRP_Script(CHECK) timed_out")?;
    daemon.says("(VI) Entering FAULT STATE")?;
    wait_until(SOON, "its process group is gone", || {
        matches!(kill_group(pid, 0), Ok(Reached::Nobody))
    })?;
    // The next run finds the file and succeeds.
    daemon.says("VRRP_Script(CHECK) succeeded")?;
    gains(&a, VIP)
}

/// One that obeys is run again at the very tick at which its time was over.
fn overlong_script_misses_no_run(lab: &mut Lab) -> Result<()> {
    let (a, _b) = pair(lab)?;
    let log = a.directory().join("log");
    let text = format!("echo started >> {}\nexec sleep 1000", log.display());
    let check = check(&script(a.directory(), "check", &text)?, "")
        .replace("interval 0.1\n timeout 5", "interval 0.5");
    let daemon = Daemon::start(&a, &evervip(), &format!("{check}{}", simple(100, TRACK)))?;
    let starts = || fs::read_to_string(&log).map_or(0, |text| text.lines().count());
    wait_until(SOON, "it is run again and again", || starts() >= 5)?;
    ensure!(
        daemon.times_said("VRRP_Script(CHECK) timed_out") >= 4
            && daemon.times_said("this run is left out") == 0
    );
    Ok(())
}

fn script_runs_as_its_user(lab: &mut Lab) -> Result<()> {
    if !is_real_root()? {
        let reason = "only root can become another user".to_owned();
        return Err(Skipped(reason).into());
    }
    let (a, _b) = pair(lab)?;
    let open = a.directory().join("open");
    fs::create_dir(&open)?;
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777))?;
    let out = open.join("out");
    // It runs again and again: what is read is what one run has written.
    let text = format!(
        "(id -u; id -g; id -G; umask) > {out}.new; mv {out}.new {out}",
        out = out.display()
    );
    let check = check(
        &script(a.directory(), "check", &text)?,
        "user nobody nogroup",
    );
    let _daemon = Daemon::start(&a, &evervip(), &format!("{check}{}", simple(100, TRACK)))?;
    gains(&a, VIP)?;
    let said = fs::read_to_string(&out)?;
    ensure!(said == "65534\n65534\n65534\n0177\n", "{said}");
    Ok(())
}

fn tracked_interface(lab: &mut Lab) -> Result<()> {
    let (a, b) = pair(lab)?;
    let behind = lab.segment()?;
    a.connect(&behind, "eth1")?;
    let _b = Daemon::start(&b, &evervip(), &simple(95, ""))?;
    let track = |weight: &str| simple(100, &format!("track_interface {{\n eth1 {weight}\n }}"));
    let mut daemon = Daemon::start(&a, &evervip(), &track("weight -20"))?;
    gains(&a, VIP)?;
    loses(&b, VIP)?;
    a.pull_cable("eth1")?;
    daemon.says("(VI) Changing effective priority from 100 to 80")?;
    gains(&b, VIP)?;
    loses(&a, VIP)?;
    a.plug_cable("eth1")?;
    gains(&a, VIP)?;
    ensure!(daemon.times_said("FAULT") == 0);

    daemon.reload_whole(&track(""))?;
    a.link_down("eth1")?;
    daemon.says("(VI) Entering FAULT STATE")?;
    loses(&a, VIP)?;
    gains(&b, VIP)?;
    a.link_up("eth1")?;
    gains(&a, VIP)
}

/// From INIT to BACKUP, MASTER, FAULT, BACKUP and MASTER, then STOP.
fn notify_scripts(lab: &mut Lab) -> Result<()> {
    let (a, _b) = pair(lab)?;
    let log = |name: &str| a.directory().join(format!("{name}.log"));
    let recorder = |name: &str| -> Result<String> {
        let text = format!("echo \"$*\" >> {}", log(name).display());
        Ok(script(a.directory(), name, &text)?.display().to_string())
    };
    let (special, general) = (recorder("special")?, recorder("general")?);
    let mut more = format!("notify \"{general} extra 'two words'\"\n");
    for state in ["backup", "master", "fault", "stop"] {
        more += &format!("notify_{state} \"{special} {state} argument\"\n");
    }
    let mut daemon = Daemon::start(&a, &evervip(), &simple(100, &more))?;
    let lines = |name: &str| -> Vec<String> {
        let text = fs::read_to_string(log(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    };
    let heard = |count: usize| {
        wait_until(SOON, &format!("notification {count}"), || {
            lines("special").len() == count && lines("general").len() == count
        })
        .with_context(|| format!("{:?} {:?}", lines("special"), lines("general")))
    };
    heard(2)?;
    gains(&a, VIP)?;
    a.pull_cable("eth0")?;
    heard(3)?;
    a.plug_cable("eth0")?;
    heard(5)?;
    daemon.stop()?;
    heard(6)?;
    let states = ["BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER", "STOP"];
    let expected = states.map(|state| format!("{} argument", state.to_lowercase()));
    ensure!(lines("special") == expected, "{:?}", lines("special"));
    let expected = states.map(|state| format!("extra two words INSTANCE VI {state} 100"));
    ensure!(lines("general") == expected, "{:?}", lines("general"));
    Ok(())
}

fn environment_of_scripts(lab: &mut Lab) -> Result<()> {
    let (a, _b) = pair(lab)?;
    let out = a.directory().join("out");
    // `ls` has a descriptor of its own for the directory, and the shell puts its output on 1.
    let text = format!(
        "exec > {out}.new\necho umask $(umask)\necho descriptors $(ls /proc/self/fd)\n\
         echo input $(readlink /proc/self/fd/0) errors $(readlink /proc/self/fd/2)\n\
         echo group $$ $(cut -d' ' -f5 /proc/$$/stat)\n\
         echo hidden $(env | grep -c -e '^EVERVIP_CHILD=' -e '^LD_PRELOAD=')\n\
         echo blocked $(grep SigBlk /proc/$$/status)\nmv {out}.new {out}",
        out = out.display()
    );
    let script = script(a.directory(), "notify", &text)?;
    let more = format!("notify_master {}", script.display());
    let _daemon = Daemon::start(&a, &evervip(), &simple(100, &more))?;
    wait_until(SOON, "the script has run", || out.exists())?;
    let said = fs::read_to_string(&out)?;
    let lines: Vec<&str> = said.lines().collect();
    let [umask, descriptors, streams, group, hidden, blocked] = lines.as_slice() else {
        anyhow::bail!("{said}");
    };
    ensure!(*umask == "umask 0177", "{said}");
    ensure!(*descriptors == "descriptors 0 1 2 3", "{said}");
    ensure!(*streams == "input /dev/null errors /dev/null", "{said}");
    let numbers: Vec<&str> = group.split(' ').skip(1).collect();
    ensure!(
        matches!(numbers.as_slice(), [pid, group] if pid == group),
        "{said}"
    );
    ensure!(*hidden == "hidden 0", "{said}");
    ensure!(*blocked == "blocked SigBlk: 0000000000000000", "{said}");
    Ok(())
}

/// An advert with a low priority from somebody else.
fn low_advert() -> Result<Vec<u8>> {
    let (source, group) = (Ipv4Addr::new(198, 18, 0, 2), Ipv4Addr::new(224, 0, 0, 18));
    let message = wire::vrrp::Message {
        version: Version::V3,
        vrid: Vrid::new(51).context("a VRID")?,
        claim: Claim::from_wire(50),
        advert_int: Centiseconds::new(50),
        addresses: &[VIP.parse()?],
        auth_pass: None,
        family: Family::V4,
        between: (IpAddr::V4(source), IpAddr::V4(group)),
    }
    .encode();
    let mut header = ipv4::Header {
        source,
        destination: group,
        ttl: 255,
        protocol: wire::vrrp::PROTOCOL,
        identification: 1,
        payload_length: u16::try_from(message.len())?,
    }
    .encode();
    let sum = wire::checksum::Checksum::new().with(&header).finish();
    header
        .get_mut(10..12)
        .context("the checksum")?
        .copy_from_slice(&sum.to_be_bytes());
    let ethernet = ethernet::Header {
        destination: MacAddress([0x01, 0x00, 0x5e, 0, 0, 18]),
        source: MacAddress([2, 0, 0, 0, 0, 2]),
        ethertype: ethernet::IPV4,
    }
    .encode();
    Ok([&ethernet[..], &header[..], &message[..]].concat())
}

fn lower_priority_is_notified(lab: &mut Lab) -> Result<()> {
    let (a, b) = pair(lab)?;
    let out = a.directory().join("out");
    let text = format!("echo \"$*\" >> {}", out.display());
    let script = script(a.directory(), "lower", &text)?;
    let more = format!("notify_master_rx_lower_pri \"{} heard\"", script.display());
    let mut daemon = Daemon::start(&a, &evervip(), &simple(100, &more))?;
    gains(&a, VIP)?;
    let capture = a.capture("eth0")?;
    let frame = low_advert()?;
    b.run(move || -> Result<()> {
        let eth0 = RouteSocket::new()?.link(&IfName::new("eth0")?)?;
        LinkSocket::new()?.send(eth0.context("eth0")?.index, &frame)?;
        Ok(())
    })??;
    daemon.says("received lower priority advert from 198.18.0.2: 50, ours is 100")?;
    wait_until(SOON, "the script has run", || {
        fs::read_to_string(&out).is_ok_and(|said| said == "heard\n")
    })?;
    // And the address is announced again.
    capture.wait_for("a gratuitous ARP", SOON, |frame| {
        common::packets::announced(frame).is_some_and(|address| address.to_string() == VIP)
    })?;
    ensure!(holds(&a, VIP));
    let counters = daemon.counters()?;
    ensure!(counters.get("VI", "Advertisements/Received")? == 1 && counters.errors().is_empty());
    Ok(())
}

/// Two instances on two interfaces: losing one moves both.
fn group_moves_together(lab: &mut Lab) -> Result<()> {
    let (a, b) = pair(lab)?;
    let inner = lab.segment()?;
    for (host, number) in [(&a, 1), (&b, 2)] {
        host.connect(&inner, "eth1")?;
        host.add_address("eth1", &format!("198.19.0.{number}/24"))?;
    }
    let log = a.directory().join("log");
    let text = format!("echo \"$*\" >> {}", log.display());
    let script = script(a.directory(), "notify", &text)?;
    let configuration = |priority: u8, notify: &str| {
        format!(
            "vrrp_sync_group GROUP {{\n group {{\n OUTER\n INNER\n }}\n {notify}\n}}\n{}{}",
            instance("OUTER", "eth0", priority, "198.18.0.100/24", ""),
            instance("INNER", "eth1", priority, "198.19.0.100/24", "")
        )
    };
    let notify = format!("notify {}", script.display());
    let daemon = Daemon::start(&a, &evervip(), &configuration(100, &notify))?;
    let both = |host: &Host| {
        [("eth0", VIP), ("eth1", "198.19.0.100")]
            .iter()
            .filter(|(interface, address)| host.has_address(interface, address).unwrap_or(false))
            .count()
    };
    wait_until(SOON, "a has both", || both(&a) == 2)?;
    let _b = Daemon::start(&b, &evervip(), &configuration(90, ""))?;
    // Longer than a backup waits.
    pause(Duration::from_secs(3));
    ensure!((both(&a), both(&b)) == (2, 0));
    a.pull_cable("eth1")?;
    wait_until(SOON, "both move", || (both(&a), both(&b)) == (0, 2))?;
    daemon.says("VRRP_Group(GROUP) Syncing instances to FAULT state")?;
    a.plug_cable("eth1")?;
    wait_until(SOON, "both return", || (both(&a), both(&b)) == (2, 0))?;
    let expected = ["BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER"]
        .map(|state| format!("GROUP GROUP {state} 0"));
    let lines = || -> Vec<String> {
        let text = fs::read_to_string(&log).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    };
    wait_until(SOON, "the group is announced", || {
        lines().len() == expected.len()
    })
    .with_context(|| format!("{:?}", lines()))?;
    ensure!(lines() == expected, "{:?}", lines());
    Ok(())
}

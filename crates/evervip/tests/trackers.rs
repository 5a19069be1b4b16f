//! What instances track beyond scripts: files, processes, other links; how long a link must be down, and who is asked.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Host, Lab, Process, pause, scenario, wait_until};

use common::{Daemon, SIGKILL, SIGTERM, SIGUSR1, SOON, evervip, gains, holds, keepalived, loses};

fn main() -> ExitCode {
    scenario::main(&[
        ("file_moves_the_address", file_moves_the_address),
        ("file_that_is_a_fault", file_that_is_a_fault),
        ("directory_of_a_file_goes", directory_of_a_file_goes),
        ("first_content_of_files", first_content_of_files),
        (
            "files_say_the_same_to_keepalived",
            files_say_the_same_to_keepalived,
        ),
        (
            "reverse_says_the_same_to_keepalived",
            reverse_says_the_same_to_keepalived,
        ),
        ("processes_are_counted", processes_are_counted),
        ("processes_must_last", processes_must_last),
        ("other_links_are_implied", other_links_are_implied),
        ("short_losses_do_not_count", short_losses_do_not_count),
        ("links_are_asked", links_are_asked),
        ("sessions_are_down", sessions_are_down),
    ])
}

const VIP: &str = "198.18.0.100";

fn instance(priority: u8, more: &str) -> String {
    format!(
        "vrrp_instance VI {{\n interface eth0\n virtual_router_id 51\n priority {priority}\n version 3\n \
         advert_int 0.2\n virtual_ipaddress {{\n {VIP}/24\n }}\n {more}\n}}\n"
    )
}

fn alone(lab: &Lab) -> Result<Host> {
    let lan = lab.segment()?;
    common::host(lab, &lan, "a", 1)
}

/// A file in the host's directory, and its definition.
fn file(host: &Host, more: &str) -> (PathBuf, String) {
    let path = host.directory().join("value");
    let text = format!("track_file F {{\n file {}\n {more}\n}}\n", path.display());
    (path, text)
}

const TRACK: &str = "track_file {\n F\n }";

fn file_moves_the_address(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let (path, text) = file(&a, "");
    let _b = Daemon::start(&b, &evervip(), &instance(95, ""))?;
    let mut daemon = Daemon::start(&a, &evervip(), &format!("{text}{}", instance(100, TRACK)))?;
    gains(&a, VIP)?;
    loses(&b, VIP)?;
    fs::write(&path, "-20\n")?;
    daemon.says("(VI) Changing effective priority from 100 to 80")?;
    gains(&b, VIP)?;
    loses(&a, VIP)?;
    // Replaced by another file, as careful writers do.
    let fresh = a.directory().join("fresh");
    fs::write(&fresh, "0x10")?;
    fs::rename(&fresh, &path)?;
    daemon.says("(VI) Changing effective priority from 80 to 116")?;
    gains(&a, VIP)?;
    fs::remove_file(&path)?;
    daemon.says("(VI) Changing effective priority from 116 to 100")?;
    // No number, and far more than one.
    fs::write(&path, vec![b'x'; 1 << 20])?;
    fs::write(&path, "-7 and more")?;
    daemon.says("(VI) Changing effective priority from 100 to 93")?;
    let dump = daemon.dump(SIGUSR1, "keepalived.data", |text| {
        text.contains("Notify priority changes")
    })?;
    for line in [
        "   Effective priority = 93\n",
        "   Tracked files :\n     F, weight 1\n",
        " Track file = F\n   File = ",
        "   Status = -7\n",
    ] {
        ensure!(dump.contains(line), "{line:?} in {dump}");
    }
    Ok(())
}

fn file_that_is_a_fault(lab: &mut Lab) -> Result<()> {
    let a = alone(lab)?;
    let (path, text) = file(&a, "weight 0");
    fs::write(&path, "1")?;
    let configuration = format!("{text}{}", instance(100, TRACK));
    let mut daemon = Daemon::start(&a, &evervip(), &configuration)?;
    daemon.says("(VI) fault: tracked file F says 1")?;
    daemon.says("(VI) Entering FAULT STATE")?;
    ensure!(
        daemon.times_said("BACKUP STATE") == 0,
        "it knew from the start"
    );
    fs::write(&path, "0")?;
    gains(&a, VIP)?;
    fs::write(&path, "-3")?;
    daemon.says("(VI) fault: tracked file F says -3")?;
    loses(&a, VIP)?;
    // The other way round, by a reload: what the file says is known already.
    daemon.reload(&configuration.replace("weight 0", "weight 0 reverse"))?;
    gains(&a, VIP)?;
    fs::remove_file(&path)?;
    loses(&a, VIP)
}

fn directory_of_a_file_goes(lab: &mut Lab) -> Result<()> {
    let a = alone(lab)?;
    let directory = a.directory().join("inner");
    fs::create_dir(&directory)?;
    let path = directory.join("value");
    fs::write(&path, "10")?;
    let text = format!("track_file F {{\n file {}\n}}\n", path.display());
    let daemon = Daemon::start(&a, &evervip(), &format!("{text}{}", instance(100, TRACK)))?;
    daemon.says("(VI) Changing effective priority from 100 to 110")?;
    let away = a.directory().join("away");
    fs::rename(&directory, &away)?;
    daemon.says("(VI) Changing effective priority from 110 to 100")?;
    ensure!(daemon.times_said("its directory is gone") == 1);
    fs::write(away.join("value"), "20")?;
    fs::create_dir(&directory)?;
    fs::write(&path, "30")?;
    daemon.says("(VI) Changing effective priority from 100 to 130")?;
    fs::write(&path, "40")?;
    daemon.says("(VI) Changing effective priority from 130 to 140")?;
    ensure!(daemon.times_said(" to 120") == 0);
    Ok(())
}

fn first_content_of_files(lab: &mut Lab) -> Result<()> {
    let a = alone(lab)?;
    let (path, text) = file(&a, "init_file 5");
    let others = "track_file P {\n file /proc/sys/net/value\n init_file 1\n}\ntrack_file O {\n file OTHER\n \
                  init_file 7 overwrite\n}\n";
    let other = a.directory().join("other");
    fs::write(&other, "a long first content")?;
    let others = others.replace("OTHER", &other.display().to_string());
    let configuration = format!("{text}{others}{}", instance(100, TRACK));
    let mut daemon = Daemon::start(&a, &evervip(), &configuration)?;
    daemon.says("(VI) Changing effective priority from 100 to 105")?;
    ensure!(fs::read_to_string(&path)? == "5\n" && fs::read_to_string(&other)? == "7\n");
    daemon.says("track_file P: /proc/sys/net/value is not initialised: it is on a file system that the kernel makes up")?;
    // Neither a reload nor a new VRRP process is a start.
    fs::write(&other, "8")?;
    fs::remove_file(&path)?;
    daemon.says("(VI) Changing effective priority from 105 to 100")?;
    daemon.reload_whole(&configuration.replace("priority 100", "priority 110"))?;
    daemon.says("(VI) Changing effective priority from 100 to 110")?;
    let first = daemon.vrrp_pid()?;
    sys::process::kill(first, SIGKILL)?;
    wait_until(SOON, "there is another VRRP process", || {
        daemon.vrrp_pid().is_ok_and(|pid| pid != first)
    })?;
    gains(&a, VIP)?;
    ensure!(!path.exists() && fs::read_to_string(&other)? == "8");
    daemon.stop()?;
    // The next start leaves what is there, and overwrites what is to be overwritten.
    fs::write(&path, "9")?;
    let daemon = Daemon::start(&a, &evervip(), &configuration)?;
    daemon.says("(VI) Changing effective priority from 100 to 109")?;
    ensure!(fs::read_to_string(&path)? == "9" && fs::read_to_string(&other)? == "7\n");
    Ok(())
}

/// Each content moves the priority of both daemons alike.
fn files_say_the_same_to_keepalived(lab: &mut Lab) -> Result<()> {
    let keepalived = keepalived()?;
    let lan = lab.segment()?;
    let hosts = [
        (common::host(lab, &lan, "ours", 1)?, evervip()),
        (common::host(lab, &lan, "theirs", 2)?, keepalived),
    ];
    let daemons = hosts
        .iter()
        .map(|(host, program)| {
            let (path, text) = file(host, "weight 3");
            fs::write(&path, "1")?;
            let daemon = Daemon::start(host, program, &format!("{text}{}", instance(100, TRACK)))?;
            Ok((daemon, path))
        })
        .collect::<Result<Vec<_>>>()?;
    let contents = [
        ("1", 103),
        ("2", 106),
        (" \t\n 3", 109),
        ("+4\n", 112),
        ("0x0a", 130),
        ("010", 124),
        ("-5", 85),
        ("6abc", 118),
        ("0x", 100),
        ("7 8", 121),
        ("", 100),
        ("9", 127),
        ("abc", 100),
        ("51", 253),
        ("1000", 254),
        ("-33", 1),
    ];
    let mut before = 100;
    for (content, after) in contents {
        for (daemon, path) in &daemons {
            fs::write(path, content)?;
            daemon
                .says(&format!(
                    "(VI) Changing effective priority from {before} to {after}"
                ))
                .with_context(|| format!("{content:?}"))?;
        }
        before = after;
    }
    // As low as that is a fault to both.
    for (daemon, path) in &daemons {
        let faults = daemon.times_said("FAULT");
        fs::write(path, "-85")?;
        wait_until(SOON, "a fault", || daemon.times_said("FAULT") > faults)?;
        fs::write(path, "0")?;
        daemon.says("Entering BACKUP STATE")?;
    }
    Ok(())
}

/// With a weight, `reverse` turns the sign of what is added: both daemons come to the same priorities.
fn reverse_says_the_same_to_keepalived(lab: &mut Lab) -> Result<()> {
    let keepalived = keepalived()?;
    let lan = lab.segment()?;
    let hosts = [
        (common::host(lab, &lan, "ours", 1)?, evervip()),
        (common::host(lab, &lan, "theirs", 2)?, keepalived),
    ];
    for (host, program) in &hosts {
        host.connect(&lan, "eth1")?;
        for (weight, up, down) in [("20", 80, 100), ("-20", 100, 120)] {
            host.plug_cable("eth1")?;
            let track = format!("track_interface {{\n eth1 weight {weight} reverse\n }}");
            let mut daemon = Daemon::start(host, program, &instance(100, &track))?;
            let says = |from: u8, to: u8| {
                let line = format!("(VI) Changing effective priority from {from} to {to}");
                daemon.says(&line).with_context(|| weight.to_owned())
            };
            if up != 100 {
                says(100, up)?;
            }
            host.pull_cable("eth1")?;
            says(up, down)?;
            host.plug_cable("eth1")?;
            says(down, up)?;
            daemon.stop()?;
        }
    }
    Ok(())
}

/// A process with a name that nobody else has, and its number, both 15 characters at most.
struct Workers {
    program: PathBuf,
    name: String,
}

impl Workers {
    fn new(host: &Host) -> Result<Self> {
        let name = format!("w{}", std::process::id());
        let program = host.directory().join(&name);
        fs::copy("/bin/sleep", &program)?;
        Ok(Self { program, name })
    }

    fn start(&self, host: &Host, words: &[&str]) -> Result<Process> {
        host.spawn(Command::new(&self.program).args(words))
    }
}

fn end(mut process: Process) -> Result<()> {
    process.kill(SIGTERM)?;
    process.wait_timeout(SOON)?;
    Ok(())
}

fn processes_are_counted(lab: &mut Lab) -> Result<()> {
    let a = alone(lab)?;
    let workers = Workers::new(&a)?;
    let (name, program) = (&workers.name, workers.program.display());
    let text = format!(
        "vrrp_track_process P {{\n process {name}\n quorum 2\n quorum_max 2\n}}\n\
         vrrp_track_process Q {{\n process {program} 1000\n weight 10\n}}\n"
    );
    let first = workers.start(&a, &["1001"])?;
    let more = "track_process {\n P\n Q\n }";
    let mut daemon = Daemon::start(&a, &evervip(), &format!("{text}{}", instance(100, more)))?;
    daemon.says("(VI) fault: the number of tracked process P")?;
    let second = workers.start(&a, &["1000"])?;
    daemon.says("vrrp_track_process P has its quorum: 2 running")?;
    daemon.says("(VI) Changing effective priority from 100 to 110")?;
    gains(&a, VIP)?;
    let third = workers.start(&a, &["1000", "1"])?;
    daemon.says("vrrp_track_process P has no quorum: 3 running")?;
    loses(&a, VIP)?;
    end(third)?;
    gains(&a, VIP)?;
    let dump = daemon.dump(SIGUSR1, "keepalived.data", |text| {
        text.contains("Notify priority changes")
    })?;
    for line in [
        "   Tracked processes :\n     P, weight 0\n     Q, weight 10\n",
        " VRRP Track process = P\n",
        "   Min processes = 2\n   Max processes = 2\n   Current processes = 2\n   Have quorum = true\n",
    ] {
        ensure!(dump.contains(line), "{line:?} in {dump}");
    }
    // Those that a reload brings in are no fault before they have been counted.
    let faults = daemon.times_said("(VI) Entering FAULT STATE");
    let other = text.replace("vrrp_track_process P ", "vrrp_track_process R ");
    let more = more.replace(" P\n", " R\n");
    daemon.reload(&format!("{other}{}", instance(100, &more)))?;
    daemon.says("vrrp_track_process R has its quorum: 2 running")?;
    ensure!(daemon.times_said("(VI) Entering FAULT STATE") == faults);
    end(second)?;
    daemon.says("(VI) Changing effective priority from 110 to 100")?;
    loses(&a, VIP)?;
    end(first)?;
    ensure!(
        daemon.times_said("tracked processes are looked for in /proc") == 1,
        "the kernel does not tell those in other network namespaces"
    );
    Ok(())
}

fn processes_must_last(lab: &mut Lab) -> Result<()> {
    let a = alone(lab)?;
    let workers = Workers::new(&a)?;
    let text = format!(
        "vrrp_track_process P {{\n process {}\n terminate_delay 4\n fork_delay 0.5\n}}\n",
        workers.name
    );
    let first = workers.start(&a, &["1000"])?;
    let more = "track_process {\n P\n }";
    let daemon = Daemon::start(&a, &evervip(), &format!("{text}{}", instance(100, more)))?;
    gains(&a, VIP)?;
    ensure!(
        daemon.times_said("FAULT") == 0,
        "the first number counts at once"
    );
    // Restarted within the delay.
    end(first)?;
    pause(Duration::from_millis(1500));
    let second = workers.start(&a, &["1000"])?;
    pause(Duration::from_secs(4));
    ensure!(holds(&a, VIP) && daemon.times_said("FAULT") == 0);
    end(second)?;
    daemon.says("vrrp_track_process P has no quorum: 0 running")?;
    loses(&a, VIP)?;
    let third = workers.start(&a, &["1000"])?;
    daemon.says("vrrp_track_process P has its quorum: 1 running")?;
    gains(&a, VIP)?;
    end(third)
}

/// A new link takes a moment until it carries packets.
fn runs(host: &Host, interface: &str) -> Result<()> {
    wait_until(SOON, &format!("{interface} runs"), || {
        host.link(interface).is_ok_and(|link| link.running)
    })
}

/// A host with a second link.
fn two_links(lab: &Lab) -> Result<Host> {
    let a = alone(lab)?;
    let behind = lab.segment()?;
    a.connect(&behind, "eth1")?;
    runs(&a, "eth1")?;
    Ok(a)
}

fn other_links_are_implied(lab: &mut Lab) -> Result<()> {
    let a = two_links(lab)?;
    for (more, concerned) in [
        (
            "virtual_ipaddress_excluded {\n 198.19.0.100/24 dev eth1\n }",
            true,
        ),
        (
            "virtual_ipaddress_excluded {\n 198.19.0.100/24 dev eth1 no_track\n }",
            false,
        ),
        ("virtual_routes {\n 198.19.1.0/24 dev eth1\n }", true),
        (
            "virtual_routes {\n 198.19.1.0/24 dev eth1 no_track\n }",
            false,
        ),
        (
            "virtual_rules {\n iif eth1 table 100 priority 100\n }",
            true,
        ),
        (
            "virtual_rules {\n oif eth1 table 100 priority 100\n }",
            true,
        ),
        (
            "virtual_rules {\n iif eth1 table 100 priority 100 no_track\n }",
            false,
        ),
    ] {
        let mut daemon = Daemon::start(&a, &evervip(), &instance(100, more))?;
        gains(&a, VIP)?;
        a.link_down("eth1")?;
        if concerned {
            daemon.says("(VI) fault: the state of tracked interface eth1")?;
            loses(&a, VIP)?;
            a.link_up("eth1")?;
            gains(&a, VIP)?;
        } else {
            a.link_up("eth1")?;
            pause(Duration::from_millis(300));
            ensure!(daemon.times_said("FAULT") == 0, "{more}");
        }
        daemon.stop()?;
    }
    Ok(())
}

fn short_losses_do_not_count(lab: &mut Lab) -> Result<()> {
    let a = two_links(lab)?;
    let text = format!(
        "interface_up_down_delays {{\n eth1 3 1\n eth0 200\n}}\n{}",
        instance(100, "track_interface {\n eth1\n }")
    );
    let daemon = Daemon::start(&a, &evervip(), &text)?;
    gains(&a, VIP)?;
    a.pull_cable("eth1")?;
    pause(Duration::from_millis(500));
    a.plug_cable("eth1")?;
    pause(Duration::from_secs(3));
    ensure!(holds(&a, VIP) && daemon.times_said("FAULT") == 0);
    a.pull_cable("eth1")?;
    pause(Duration::from_secs(1));
    ensure!(
        daemon.times_said("FAULT") == 0,
        "not after one second of three"
    );
    daemon.says("(VI) fault: the state of tracked interface eth1")?;
    loses(&a, VIP)?;
    a.plug_cable("eth1")?;
    gains(&a, VIP)?;
    // Its own link: no longer than its backups wait, which is well below a second.
    a.pull_cable("eth0")?;
    daemon.says("(VI) interface eth0 is down or missing")?;
    loses(&a, VIP)
}

fn links_are_asked(lab: &mut Lab) -> Result<()> {
    let a = two_links(lab)?;
    let behind = lab.segment()?;
    a.connect(&behind, "eth2")?;
    runs(&a, "eth2")?;
    let text = format!(
        "linkbeat_interfaces {{\n eth0 ETHTOOL\n eth1 IOCTL\n eth2 MII\n}}\n{}",
        instance(
            100,
            "track_interface {\n eth1 weight -10\n eth2 weight -20\n }"
        )
    );
    let mut daemon = Daemon::start(&a, &evervip(), &text)?;
    daemon.says("linkbeat: cannot ask for the link of eth2: ")?;
    gains(&a, VIP)?;
    a.pull_cable("eth1")?;
    daemon.says("(VI) Changing effective priority from 100 to 90")?;
    a.pull_cable("eth2")?;
    daemon.says("(VI) Changing effective priority from 90 to 70")?;
    a.plug_cable("eth1")?;
    daemon.says("(VI) Changing effective priority from 70 to 80")?;
    a.pull_cable("eth0")?;
    daemon.says("(VI) interface eth0 is down or missing")?;
    a.plug_cable("eth0")?;
    gains(&a, VIP)?;
    ensure!(daemon.times_said("linkbeat: ") == 1, "it complains once");
    // The kernel alone again.
    daemon.reload(&instance(100, "track_interface {\n eth1 weight -10\n }"))?;
    daemon.says("(VI) Changing effective priority from 80 to 100")?;
    a.pull_cable("eth1")?;
    wait_until(SOON, "eth1 counts", || {
        daemon.times_said("from 100 to 90") == 2
    })
}

/// No BFD session is run yet: whoever needs one waits, as with keepalived when the peer is silent.
fn sessions_are_down(lab: &mut Lab) -> Result<()> {
    let a = alone(lab)?;
    let session = "bfd_instance B {\n neighbor_ip 198.18.0.2\n source_ip 198.18.0.1\n}\n";
    let with = |weight: &str| {
        let track = format!("track_bfd {{\n B {weight}\n }}");
        format!("{session}{}", instance(100, &track))
    };
    let mut daemon = Daemon::start(&a, &evervip(), &with(""))?;
    daemon.says("(VI) fault: the state of tracked BFD session B")?;
    daemon.reload(&with("weight -10"))?;
    daemon.says("(VI) Changing effective priority from 100 to 90")?;
    gains(&a, VIP)
}

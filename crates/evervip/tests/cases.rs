//! Configurations as people type them from the documents they learn from, doing what those documents promise.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Result, ensure};
use lab::{ExitStatus, Host, HostOptions, Lab, pause, scenario, wait_until};

use common::{Daemon, SIGTERM, evervip, program};

fn main() -> ExitCode {
    scenario::main(&[
        ("active_backup", active_backup),
        ("dual_master", dual_master),
        ("nginx_pair", nginx_pair),
        ("haproxy_vip", haproxy_vip),
    ])
}

/// Some of these advertise every five seconds.
const LATER: Duration = Duration::from_secs(40);

/// Two hosts whose interface has this name, in the network of the virtual addresses.
fn pair(lab: &Lab, interface: &str, network: &str, options: HostOptions) -> Result<(Host, Host)> {
    let lan = lab.segment()?;
    let host = |name: &str, number: u8| -> Result<Host> {
        let host = lab.host(name, options)?;
        host.connect(&lan, interface)?;
        host.add_address(interface, &format!("{network}.{number}/24"))?;
        Ok(host)
    };
    Ok((host("a", 11)?, host("b", 12)?))
}

/// Which of the two hosts have an address: `"a"`, `"b"`, `"ab"` or nothing.
fn holders(hosts: (&Host, &Host), interface: &str, address: &str) -> String {
    [hosts.0, hosts.1]
        .iter()
        .filter(|host| host.has_address(interface, address).unwrap_or(false))
        .map(|host| host.name())
        .collect()
}

/// Waits until an address is where it is expected, and nowhere else.
fn is_on(expected: &str, hosts: (&Host, &Host), interface: &str, address: &str) -> Result<()> {
    wait_until(LATER, &format!("{address} is on {expected}"), || {
        holders(hosts, interface, address) == expected
    })
}

fn active_backup(lab: &mut Lab) -> Result<()> {
    let (a, b) = pair(lab, "eth0", "192.168.1", HostOptions::default())?;
    let configuration_a = include_str!("cases/active-backup-a.conf");
    let mut active = Daemon::start(&a, &evervip(), configuration_a)?;
    let _backup = Daemon::start(&b, &evervip(), include_str!("cases/active-backup-b.conf"))?;
    let both_on = |host: &str| -> Result<()> {
        is_on(host, (&a, &b), "eth0", "192.168.1.220")?;
        is_on(host, (&a, &b), "eth0", "192.168.1.230")
    };
    both_on("a")?;
    active.stop()?;
    both_on("b")?;
    let _active = Daemon::start(&a, &evervip(), configuration_a)?;
    both_on("a")
}

fn dual_master(lab: &mut Lab) -> Result<()> {
    let (a, b) = pair(lab, "eth0", "192.168.1", HostOptions::default())?;
    let start_a = || Daemon::start(&a, &evervip(), include_str!("cases/dual-master-a.conf"));
    let start_b = || Daemon::start(&b, &evervip(), include_str!("cases/dual-master-b.conf"));
    let on = |first: &str, second: &str| -> Result<()> {
        is_on(first, (&a, &b), "eth0", "192.168.1.220")?;
        is_on(second, (&a, &b), "eth0", "192.168.1.230")
    };
    let mut daemon_a = start_a()?;
    let mut daemon_b = start_b()?;
    on("a", "b")?;
    // Dying is worse than stopping: the addresses stay behind on the dead node, as far as anybody can see them.
    daemon_a.crash()?;
    on("ab", "b")?;
    let _daemon_a = start_a()?;
    on("a", "b")?;
    daemon_b.crash()?;
    on("a", "ab")?;
    let _daemon_b = start_b()?;
    on("a", "b")
}

fn nginx_pair(lab: &mut Lab) -> Result<()> {
    const VIP: &str = "192.168.171.160";
    let (a, b) = pair(lab, "ens33", "192.168.171", HostOptions::default())?;
    let mut active = Daemon::start(&a, &evervip(), include_str!("cases/nginx-pair-a.conf"))?;
    let backup = Daemon::start(&b, &evervip(), include_str!("cases/nginx-pair-b.conf"))?;
    backup.says("Entering BACKUP STATE")?;
    let said = backup.process.output_so_far();
    for (word, line, meant) in [
        ("'SLAVE'", 10, "'BACKUP'"),
        (
            "'lvs_sync_daemon_inteface'",
            12,
            "'lvs_sync_daemon_interface'",
        ),
    ] {
        ensure!(
            said.contains(word) && said.contains(meant),
            "{word} and {meant} are not named"
        );
        ensure!(
            said.contains(&format!(":{line}:")) || said.contains(&format!("Line {line})")),
            "line {line} is not named"
        );
    }
    is_on("a", (&a, &b), "ens33", VIP)?;
    active.crash()?;
    is_on("ab", (&a, &b), "ens33", VIP)
}

fn haproxy_vip(lab: &mut Lab) -> Result<()> {
    const VIP: &str = "192.168.1.220";
    let haproxy = program("haproxy")?;
    for name in ["killall", "ps", "bash"] {
        program(name)?;
    }
    // `ps` and `killall` find what runs on the host, and nothing else.
    let options = HostOptions {
        private_processes: true,
        ..HostOptions::default()
    };
    let (a, b) = pair(lab, "enp0s3", "192.168.1", options)?;
    let configuration = |host: &Host| -> Result<String> {
        let directory = host.directory();
        let proxy = directory.join("haproxy.cfg");
        fs::write(
            &proxy,
            "defaults\n mode tcp\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n\
             listen web\n bind :8080\n server one 127.0.0.1:8081\n",
        )?;
        let check = directory.join("haproxy_check.sh");
        let start = format!("{} -D -f {}", haproxy.display(), proxy.display());
        let log = directory.join("haproxy_check.log");
        let text = include_str!("cases/haproxy_check.sh")
            .replace("@START@", &start)
            .replace("@LOG@", &log.display().to_string());
        fs::write(&check, text)?;
        fs::set_permissions(&check, fs::Permissions::from_mode(0o755))?;
        Ok(include_str!("cases/haproxy-vip.conf").replace("@CHECK@", &check.display().to_string()))
    };
    // `killall keepalived` goes by the task name.
    let keepalived = lab.directory().join("keepalived");
    symlink(evervip(), &keepalived)?;
    let mut daemon = Daemon::start(&a, &keepalived, &configuration(&a)?)?;
    let backup = configuration(&b)?
        .replace("state MASTER", "state BACKUP")
        .replace("priority 100", "priority 90");
    let _backup = Daemon::start(&b, &keepalived, &backup)?;
    is_on("a", (&a, &b), "enp0s3", VIP)?;
    daemon.says("VRRP_Script(chk_haproxy) succeeded")?;

    // Killed once, it is started again by the script, and nothing moves.
    let started = haproxies(&a)?;
    ensure!(!started.is_empty(), "the script has started haproxy");
    killall(&a, "haproxy")?;
    wait_until(LATER, "haproxy runs again", || {
        haproxies(&a).is_ok_and(|running| !running.is_empty() && running != started)
    })?;
    pause(Duration::from_secs(1));
    ensure!(holders((&a, &b), "enp0s3", VIP) == "a" && daemon.process.poll()?.is_none());

    // Stopped for good, the script stops the daemon.
    fs::write(a.directory().join("haproxy.cfg"), "nonsense\n")?;
    killall(&a, "haproxy")?;
    let status = daemon.process.wait_timeout(LATER)?;
    ensure!(status == ExitStatus::Code(0), "{status:?}");
    is_on("b", (&a, &b), "enp0s3", VIP)?;
    let log = fs::read_to_string(a.directory().join("haproxy_check.log"))?;
    ensure!(
        log.contains("start haproxy failed, killall keepalived"),
        "{log}"
    );
    ensure!(!daemon.has_file("keepalived.pid") && !daemon.has_file("vrrp.pid"));
    Ok(())
}

/// The numbers of the haproxy processes on a host.
fn haproxies(host: &Host) -> Result<String> {
    said(host, Path::new("ps"), &["-C", "haproxy", "-o", "pid="])
}

fn killall(host: &Host, name: &str) -> Result<String> {
    said(
        host,
        Path::new("killall"),
        &[&format!("-{SIGTERM}"), "-w", name],
    )
}

fn said(host: &Host, program: &Path, arguments: &[&str]) -> Result<String> {
    let mut process = host.spawn(Command::new(program).args(arguments))?;
    process.wait_timeout(LATER)?;
    Ok(process.output_so_far())
}

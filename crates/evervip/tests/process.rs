//! How the VRRP process runs: nice value, real-time priority, processors, locked memory, buffers.

mod common;

use std::fs;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use lab::{Lab, Pid, pause, scenario, wait_until};

use common::{Daemon, SIGCONT, SIGSTOP, SOON, evervip, gains, host, is_real_root};

/// SIGRTMIN+2, as glibc counts.
const JSON_SIGNAL: i32 = 36;

fn main() -> ExitCode {
    scenario::main(&[
        ("as_the_settings_say", as_the_settings_say),
        (
            "late_processes_raise_themselves",
            late_processes_raise_themselves,
        ),
        ("local_igmp", local_igmp),
        ("late_processes_say_so", late_processes_say_so),
        (
            "long_work_at_real_time_priority",
            long_work_at_real_time_priority,
        ),
    ])
}

const VIP: &str = "198.18.0.100";

fn configuration(global: &str, instances: u8) -> String {
    let mut text = format!("global_defs {{\n vrrp_version 3\n {global}\n}}\n");
    for number in 0..instances {
        let vrid = number + 1;
        let vip = number + 100;
        text += &format!(
            "vrrp_instance V{number} {{\n interface eth0\n virtual_router_id {vrid}\n priority 150\n advert_int 0.5\n \
             virtual_ipaddress {{\n 198.18.0.{vip}/24\n }}\n}}\n"
        );
    }
    text
}

/// A field of stat(5), counted from 1. The process' name holds no blanks.
fn field(pid: Pid, number: usize) -> Result<i64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let field = text.split_whitespace().nth(number - 1);
    Ok(field.context("a short line")?.parse()?)
}

/// A line of /proc/PID/status or limits, behind its name.
fn line(pid: Pid, file: &str, name: &str) -> Result<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let words = line.context("no such line")?.split_whitespace();
    Ok(words.collect::<Vec<_>>().join(" "))
}

/// Nice value, priority and policy of the scheduler, processors, limit, locked memory.
fn facts(pid: Pid) -> Result<String> {
    let locked = line(pid, "status", "VmLck:")? != "0 kB";
    Ok(format!(
        "nice {} rt {} policy {} cpus {} limit {} locked {locked}",
        field(pid, 19)?,
        field(pid, 40)?,
        field(pid, 41)?,
        line(pid, "status", "Cpus_allowed_list:")?,
        line(pid, "limits", "Max realtime timeout")?,
    ))
}

fn becomes(pid: Pid, wanted: &str) -> Result<()> {
    wait_until(SOON, wanted, || {
        facts(pid).is_ok_and(|facts| facts == wanted)
    })
    .with_context(|| facts(pid).unwrap_or_default())
}

fn as_the_settings_say(lab: &mut Lab) -> Result<()> {
    if !is_real_root()? {
        return Err(lab::Skipped("only root has real-time priority".to_owned()).into());
    }
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let mut daemon = Daemon::start(&host, &evervip(), &configuration("", 1))?;
    gains(&host, VIP)?;
    let pid = daemon.vrrp_pid()?;
    let before = facts(pid)?;
    // Its nice value is ours.
    ensure!(before.contains(" rt 0 policy 0 "), "{before}");
    let all = "vrrp_priority -3\n vrrp_rt_priority 5\n vrrp_cpu_affinity 0\n vrrp_no_swap\n vrrp_rlimit_rttime 30000\n \
               vrrp_netlink_cmd_rcv_bufs 3000000\n vrrp_netlink_cmd_rcv_bufs_force\n vrrp_netlink_monitor_rcv_bufs 20000\n \
               vrrp_rx_bufs_policy MTU\n vrrp_rx_bufs_multiplier 100000";
    daemon.reload(&configuration(all, 2))?;
    becomes(
        pid,
        "nice -3 rt 5 policy 2 cpus 0 limit 30000 unlimited us locked true",
    )?;
    gains(&host, "198.18.0.101")?;
    daemon.reload(&configuration("vrrp_rt_priority 6", 1))?;
    becomes(
        pid,
        &before
            .replace("rt 0 policy 0", "rt 6 policy 2")
            .replace("limit unlimited", "limit 10000"),
    )?;
    daemon.reload(&configuration("", 1))?;
    becomes(pid, &before)?;
    ensure!(daemon.times_said("cannot") == 0);
    ensure!(daemon.times_said("V0) Entering MASTER STATE") == 1);
    // From the start, too.
    daemon.stop()?;
    let mut daemon = Daemon::start(&host, &evervip(), &configuration(all, 1))?;
    gains(&host, VIP)?;
    becomes(
        daemon.vrrp_pid()?,
        "nice -3 rt 5 policy 2 cpus 0 limit 30000 unlimited us locked true",
    )?;
    daemon.stop()
}

fn local_igmp(lab: &mut Lab) -> Result<()> {
    const NAME: &str = "net.ipv4.igmp_link_local_mcast_reports";
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let is = |value: &str| {
        let said = || host.call(&format!("sysctl -n {NAME}"));
        wait_until(SOON, &format!("{NAME} is {value}"), || {
            said().is_ok_and(|said| said.trim() == value)
        })
    };
    is("1")?;
    let mut daemon = Daemon::start(&host, &evervip(), &configuration("disable_local_igmp", 1))?;
    gains(&host, VIP)?;
    is("0")?;
    daemon.reload_whole(&configuration("", 1))?;
    is("1")?;
    daemon.reload_whole(&configuration("disable_local_igmp", 1))?;
    is("0")?;
    // A process that dies does not make it permanent.
    sys::process::kill(daemon.vrrp_pid()?, common::SIGKILL)?;
    daemon.says("stays MASTER")?;
    is("0")?;
    daemon.stop()?;
    is("1")
}

/// Keeps a process from running for much longer than it may be late, whatever part of an interval has passed, and for less
/// than a master may sleep.
fn hold_up(pid: Pid) -> Result<()> {
    sys::process::kill(pid, SIGSTOP)?;
    pause(std::time::Duration::from_millis(900));
    sys::process::kill(pid, SIGCONT)?;
    Ok(())
}

fn late_processes_raise_themselves(lab: &mut Lab) -> Result<()> {
    if !is_real_root()? {
        return Err(lab::Skipped("only root has real-time priority".to_owned()).into());
    }
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let text = configuration("max_auto_priority 2\n min_auto_priority_delay 200000", 1);
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    gains(&host, VIP)?;
    let pid = daemon.vrrp_pid()?;
    // Nobody knows how late it has been already.
    for _moment in 0..3 {
        hold_up(pid)?;
        daemon.says("going to real-time priority 1")?;
    }
    daemon.says("going to real-time priority 2")?;
    wait_until(SOON, "priority 2", || {
        matches!((field(pid, 40), field(pid, 41)), (Ok(2), Ok(2)))
    })?;
    ensure!(daemon.times_said("going to real-time priority") == 2);
    ensure!(daemon.times_said("Entering MASTER STATE") == 1);
    daemon.stop()
}

fn late_processes_say_so(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let text = configuration("min_auto_priority_delay 200000", 1);
    let daemon = Daemon::start(&host, &evervip(), &text)?;
    gains(&host, VIP)?;
    let pid = daemon.vrrp_pid()?;
    hold_up(pid)?;
    daemon.says("it could run before others with max_auto_priority")?;
    hold_up(pid)?;
    pause(std::time::Duration::from_millis(300));
    ensure!(daemon.times_said("with max_auto_priority") == 1);
    ensure!(field(pid, 41)? == 0);
    Ok(())
}

/// keepalived 2.2.7 does not survive its own start with a limit like this.
/// Makes the VRRP process work without a rest for a while, again and again, until it says that this was too long.
fn works_for_long(daemon: &mut Daemon, said: &str) -> Result<bool> {
    let pid = daemon.vrrp_pid()?;
    for _round in 0..20 {
        // The kernel measures in its own ticks, so it takes many dumps: they are asked for while it is stopped, by a signal
        // that queues.
        sys::process::kill(pid, SIGSTOP)?;
        for _dump in 0..100 {
            daemon.process.kill(JSON_SIGNAL)?;
        }
        pause(std::time::Duration::from_millis(50));
        sys::process::kill(pid, SIGCONT)?;
        pause(std::time::Duration::from_millis(100));
        if daemon.times_said(said) > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

fn long_work_at_real_time_priority(lab: &mut Lab) -> Result<()> {
    if !is_real_root()? {
        return Err(lab::Skipped("only root has real-time priority".to_owned()).into());
    }
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let text = configuration("vrrp_rt_priority 5\n vrrp_rlimit_rttime 2", 150);
    let said = "worked for more than vrrp_rlimit_rttime";
    // With some processes the kernel never counts, however long they work, and with most at once. Which it is stays the same
    // for the life of a process, so there are several.
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    for _again in 0..8 {
        gains(&host, "198.18.0.249")?;
        if works_for_long(&mut daemon, said)? {
            break;
        }
        daemon.stop()?;
        daemon = Daemon::start(&host, &evervip(), &text)?;
    }
    let pid = daemon.vrrp_pid()?;
    ensure!(daemon.times_said(said) == 1);
    ensure!(daemon.vrrp_pid()? == pid, "it lives");
    wait_until(SOON, "real-time priority again", || {
        matches!(field(pid, 41), Ok(2))
    })?;
    daemon.stop()
}

//! The checker process as its parent and the operator see it: when it runs, what it is called, that it is missed by nobody
//! when it dies. On the machine's own kernel, which need not have IPVS.

mod common;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use lab::{ExitStatus, Host, Lab, Pid, scenario, wait_until};

use common::{
    Daemon, SIGKILL, SIGSTOP, SIGTERM, SOON, evervip, gains, holds, host, is_real_root, pid_in,
    script,
};

fn main() -> ExitCode {
    scenario::main(&[
        (
            "runs_beside_the_virtual_routers",
            beside_the_virtual_routers,
        ),
        ("names", names),
        ("switched_off", switched_off),
        ("a_reload_brings_it_and_takes_it_away", comes_and_goes),
        ("a_dead_one_is_replaced", a_dead_one_is_replaced),
        ("without_successors", without_successors),
        ("one_that_does_not_end_is_killed", does_not_end),
        ("runs_as_the_settings_say", as_the_settings_say),
        ("one_fifo_and_reader_for_both", one_fifo_and_reader_for_both),
    ])
}

const VIP: &str = "198.18.0.100";

fn router() -> String {
    format!(
        "vrrp_instance VI {{\n version 3\n interface eth0\n virtual_router_id 51\n priority 150\n advert_int 0.2\n \
         virtual_ipaddress {{\n {VIP}/24\n }}\n}}\n"
    )
}

fn global(lines: &str) -> String {
    format!("global_defs {{\n script_user root\n {lines}\n}}\n")
}

/// A service with one real server, which is not checked.
fn service(port: u16) -> String {
    format!(
        "virtual_server {VIP} {port} {{\n protocol TCP\n lb_algo rr\n lb_kind NAT\n real_server 198.18.1.1 80 {{\n }}\n}}\n"
    )
}

fn checkers(host: &Host) -> Result<Pid> {
    pid_in(&host.directory().join("checkers.pid"))
}

fn name(pid: Pid) -> Result<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm"))
        .with_context(|| format!("process {pid}"))?;
    Ok(name.trim().to_owned())
}

/// Waits until it runs.
fn runs(host: &Host) -> Result<Pid> {
    wait_until(SOON, "the checker process runs", || checkers(host).is_ok())?;
    checkers(host)
}

/// Waits until there is none.
fn has_ended(host: &Host, pid: Pid) -> Result<()> {
    wait_until(SOON, "the checker process ends", || {
        !Path::new(&format!("/proc/{pid}")).exists()
            && !host.directory().join("checkers.pid").exists()
    })
}

fn beside_the_virtual_routers(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let mut daemon = Daemon::start(&host, &evervip(), &(router() + &service(80)))?;
    gains(&host, VIP)?;
    let pid = runs(&host)?;
    ensure!(pid != daemon.vrrp_pid()? && name(pid)? == "evervip");
    let line = |pid: Pid| fs::read(format!("/proc/{pid}/cmdline"));
    ensure!(line(pid)? == line(daemon.process.pid())?);
    daemon.stop()?;
    for file in ["keepalived.pid", "vrrp.pid", "checkers.pid"] {
        ensure!(!daemon.has_file(file), "{file} is left behind");
    }
    ensure!(!holds(&host, VIP));
    // Alone it runs, too.
    let mut daemon = Daemon::start(&host, &evervip(), &service(80))?;
    runs(&host)?;
    ensure!(!daemon.has_file("vrrp.pid"));
    daemon.stop()
}

fn names(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let keepalived = lab.directory().join("keepalived");
    std::os::unix::fs::symlink(evervip(), &keepalived)?;
    for (global_lines, wanted) in [
        ("", "keepalived"),
        ("process_names", "keepalived_lvs"),
        ("checker_process_name health", "health"),
        ("lvs_process_name old", "old"),
    ] {
        let text = global(global_lines) + &service(80);
        let mut daemon = Daemon::start(&host, &keepalived, &text)?;
        let found = name(runs(&host)?)?;
        ensure!(found == wanted, "{global_lines}: {found}");
        daemon.stop()?;
    }
    Ok(())
}

fn switched_off(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let both = router() + &service(80);
    let mut vrrp = Daemon::start_with(&host, &evervip(), &both, &["-P"])?;
    gains(&host, VIP)?;
    ensure!(vrrp.has_file("vrrp.pid") && !vrrp.has_file("checkers.pid"));
    vrrp.stop()?;
    let mut check = Daemon::start_with(&host, &evervip(), &both, &["-C"])?;
    let pid = runs(&host)?;
    ensure!(!check.has_file("vrrp.pid") && !holds(&host, VIP));
    // Nor does a reload bring what is switched off.
    check.reload(&(both + &service(81)))?;
    check.says("Reloading")?;
    ensure!(checkers(&host)? == pid && !check.has_file("vrrp.pid"));
    check.stop()
}

fn comes_and_goes(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let mut daemon = Daemon::start(&host, &evervip(), &router())?;
    gains(&host, VIP)?;
    let vrrp = daemon.vrrp_pid()?;
    ensure!(!daemon.has_file("checkers.pid"));
    let mut earlier = Vec::new();
    for _round in 0..2 {
        daemon.reload(&(router() + &service(80)))?;
        let pid = runs(&host)?;
        ensure!(!earlier.contains(&pid));
        // What stays is not started again.
        let before = daemon.times_said("Reloading");
        daemon.reload(&(router() + &service(80) + &service(81)))?;
        wait_until(SOON, "all three reload", || {
            daemon.times_said("Reloading") >= before + 3
        })?;
        ensure!(checkers(&host)? == pid);
        daemon.reload(&router())?;
        has_ended(&host, pid)?;
        earlier.push(pid);
    }
    ensure!(daemon.times_said("has nothing to do any more") == 2);
    ensure!(daemon.vrrp_pid()? == vrrp && holds(&host, VIP));
    ensure!(
        daemon.times_said("Entering MASTER STATE") == 1 && daemon.times_said("Respawning") == 0
    );
    daemon.stop()
}

fn a_dead_one_is_replaced(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let mut daemon = Daemon::start(&host, &evervip(), &(router() + &service(80)))?;
    gains(&host, VIP)?;
    let (vrrp, first) = (daemon.vrrp_pid()?, runs(&host)?);
    let successor = |dead: Pid| -> Result<Pid> {
        wait_until(SOON, "there is another checker process", || {
            checkers(&host).is_ok_and(|pid| pid != dead)
        })?;
        checkers(&host)
    };
    sys::process::kill(first, SIGKILL)?;
    let second = successor(first)?;
    daemon.says("the checker process was killed by signal 9")?;
    // The second time it has to wait.
    sys::process::kill(second, SIGKILL)?;
    daemon.says("Respawning the checker process in 1 s")?;
    let third = successor(second)?;
    // It hears the parent: a reload that leaves it nothing to do ends it.
    daemon.reload(&router())?;
    has_ended(&host, third)?;
    ensure!(daemon.vrrp_pid()? == vrrp && holds(&host, VIP));
    ensure!(daemon.times_said("Entering MASTER STATE") == 1);
    daemon.stop()
}

fn without_successors(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let text = router() + &service(80);
    let mut daemon = Daemon::start_with(&host, &evervip(), &text, &["-R"])?;
    gains(&host, VIP)?;
    sys::process::kill(runs(&host)?, SIGKILL)?;
    let status = daemon.process.wait_timeout(SOON)?;
    ensure!(status == ExitStatus::Code(0), "{status:?}");
    ensure!(!holds(&host, VIP) && !daemon.has_file("vrrp.pid"));
    Ok(())
}

fn does_not_end(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let text = format!("child_wait_time 1\n{}{}", router(), service(80));
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    gains(&host, VIP)?;
    let pid = runs(&host)?;
    sys::process::kill(pid, SIGSTOP)?;
    daemon.process.kill(SIGTERM)?;
    daemon.says("the checker process does not end: killing it")?;
    let status = daemon.process.wait_timeout(SOON)?;
    ensure!(status == ExitStatus::Code(0), "{status:?}");
    ensure!(!holds(&host, VIP) && !daemon.has_file("vrrp.pid"));
    ensure!(!Path::new(&format!("/proc/{pid}")).exists());
    Ok(())
}

/// A field of stat(5), counted from 1. The process' name holds no blanks.
fn field(pid: Pid, number: usize) -> Result<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let field = text.split_whitespace().nth(number - 1);
    Ok(field.context("a short line")?.to_owned())
}

fn as_the_settings_say(lab: &mut Lab) -> Result<()> {
    if !is_real_root()? {
        return Err(lab::Skipped("only root has real-time priority".to_owned()).into());
    }
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let facts = |pid: Pid| -> Result<String> {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or("?").trim().to_owned()
        };
        Ok(format!(
            "nice {} rt {} cpus {} locked {}",
            field(pid, 19)?,
            field(pid, 40)?,
            line("Cpus_allowed_list:"),
            line("VmLck:") != "0 kB"
        ))
    };
    let becomes = |pid: Pid, wanted: &str| {
        wait_until(SOON, wanted, || {
            facts(pid).is_ok_and(|facts| facts == wanted)
        })
        .with_context(|| facts(pid).unwrap_or_default())
    };
    let all = "checker_priority -3\n checker_rt_priority 5\n checker_cpu_affinity 0\n checker_no_swap\n \
               checker_rlimit_rttime 30000\n vrrp_priority 2";
    let mut daemon = Daemon::start(&host, &evervip(), &(global(all) + &router() + &service(80)))?;
    let pid = runs(&host)?;
    becomes(pid, "nice -3 rt 5 cpus 0 locked true")?;
    gains(&host, VIP)?;
    let vrrp = daemon.vrrp_pid()?;
    wait_until(SOON, "the nice value of the VRRP process", || {
        field(vrrp, 19).is_ok_and(|nice| nice == "2")
    })?;
    let cpus = fs::read_to_string("/proc/self/status")?;
    let cpus = cpus
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .context("our processors")?;
    daemon.reload(&(router() + &service(80)))?;
    becomes(
        pid,
        &format!("nice 0 rt 0 cpus {} locked false", cpus.trim()),
    )?;
    ensure!(daemon.times_said("cannot") == 0);
    daemon.stop()
}

fn one_fifo_and_reader_for_both(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let directory = host.directory().to_owned();
    script(
        &directory,
        "reader",
        "echo started >> \"$1\"\nexec cat \"$2\" >> \"$1\"",
    )?;
    let at = directory.display();
    let lines = format!("notify_fifo {at}/all\n notify_fifo_script \"{at}/reader {at}/lines\"");
    let read = || fs::read_to_string(directory.join("lines")).unwrap_or_default();
    let has = |count: usize, text: &str| {
        wait_until(SOON, &format!("{count} times {text}"), || {
            read().matches(text).count() == count
        })
    };
    let master = "INSTANCE \"VI\" MASTER 150\n";
    let both = global(&lines) + &router() + &service(80);
    let mut daemon = Daemon::start(&host, &evervip(), &both)?;
    runs(&host)?;
    has(1, "started\n")?;
    has(1, master)?;
    // Nobody checks any more: the VRRP process has the reader from now on, of the same FIFO.
    daemon.reload(&(global(&lines) + &router()))?;
    has(2, "started\n")?;
    wait_until(SOON, "the checker process ends", || {
        !daemon.has_file("checkers.pid")
    })?;
    ensure!(daemon.has_file("all"));
    let second = router()
        .replace("VI", "TWO")
        .replace("id 51", "id 52")
        .replace(VIP, "198.18.0.101");
    daemon.reload(&(global(&lines) + &router() + &second))?;
    has(1, "INSTANCE \"TWO\" MASTER 150\n")?;
    daemon.stop()?;
    ensure!(!daemon.has_file("all"), "the FIFO is left behind");
    ensure!(read().matches("started").count() == 2 && read().matches(master).count() == 1);
    Ok(())
}

//! The checker process and the kernel's table: through crashes, reloads between them, and stops; and a kernel that has no
//! IPVS until later. What the table holds at each step of an ordinary life is told in `lvs.rs`.

mod common;
#[expect(dead_code, reason = "its users have each their own part of it")]
#[path = "lvs/table.rs"]
mod table;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use lab::{Host, Lab, Pid, scenario, uml, wait_until};

use common::{
    Daemon, SIGKILL, SIGTERM, SOON, evervip, gains, holds, host, pid_in, program, script,
};
use table::{compact, table};

fn main() -> ExitCode {
    scenario::main(&[
        ("a_successor_carries_on", |lab| {
            with_ipvs(lab, a_successor_carries_on)
        }),
        ("a_reload_while_nobody_is_there", |lab| {
            with_ipvs(lab, a_reload_while_nobody_is_there)
        }),
        ("stops", |lab| with_ipvs(lab, stops)),
        ("ip_vs_comes_later", |lab| {
            uml::scenario(lab, &[], ip_vs_comes_later)
        }),
    ])
}

fn with_ipvs(lab: &mut Lab, scenario: fn(&mut Lab) -> Result<()>) -> Result<()> {
    program("ipvsadm")?;
    uml::scenario(lab, &["ip_vs", "ip_vs_rr", "ip_vs_wlc"], scenario)
}

const VIP: &str = "198.18.0.100";

fn router() -> String {
    format!(
        "global_defs {{\n script_user root\n}}\n\
         vrrp_instance VI {{\n version 3\n interface eth0\n virtual_router_id 51\n priority 150\n advert_int 0.5\n \
         virtual_ipaddress {{\n {VIP}/24\n }}\n}}\n"
    )
}

/// A service on a port, with servers 10.1.0.N of weight N.
fn service(directory: &Path, port: u16, servers: &[u8], options: &str) -> String {
    let servers: String = servers
        .iter()
        .map(|number| {
            format!(
                " real_server 10.1.0.{number} 80 {{\n weight {number}\n MISC_CHECK {{\n \
                 misc_path \"{}/check {number}\"\n warmup 0\n misc_timeout 100\n }}\n }}\n",
                directory.display()
            )
        })
        .collect();
    format!(
        "virtual_server {VIP} {port} {{\n protocol TCP\n lb_algo rr\n lb_kind NAT\n delay_loop 1\n {options}\n{servers}}}\n"
    )
}

/// A server is well unless there is a file of its number; while there is `hold` nobody learns how it is.
fn check(directory: &Path) -> Result<()> {
    script(
        directory,
        "check",
        "test -e \"${0%/*}/hold\" && exec sleep 1000\ntest ! -e \"${0%/*}/$1\"",
    )?;
    Ok(())
}

fn rows(host: &Host) -> Result<String> {
    Ok(compact(&table(host)?))
}

/// Waits until the table is this.
fn becomes(host: &Host, wanted: &str) -> Result<()> {
    wait_until(SOON, wanted, || rows(host).is_ok_and(|rows| rows == wanted))
        .with_context(|| rows(host).unwrap_or_default())
}

fn checkers(host: &Host) -> Result<Pid> {
    pid_in(&host.directory().join("checkers.pid"))
}

fn successor(host: &Host, dead: Pid) -> Result<Pid> {
    wait_until(SOON, "there is another checker process", || {
        checkers(host).is_ok_and(|pid| pid != dead)
    })?;
    checkers(host)
}

fn a_successor_carries_on(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let directory = host.directory().to_owned();
    check(&directory)?;
    // The table is flushed when the daemon starts, and not when a successor does.
    let router = router().replace("script_user root", "script_user root\n lvs_flush");
    let text = router + &service(&directory, 80, &[1, 2, 3], "");
    host.call("ipvsadm -A -t 198.18.9.9:98 -s wlc")?;
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    gains(&host, VIP)?;
    let vrrp = daemon.vrrp_pid()?;
    becomes(&host, "TCP 198.18.0.100:80 rr = .1:1 .2:2 .3:3")?;
    fs::write(directory.join("2"), "")?;
    let without = "TCP 198.18.0.100:80 rr = .1:1 .3:3";
    becomes(&host, without)?;
    // From now on no check comes to an end: a successor knows what it is told.
    fs::write(directory.join("hold"), "")?;
    host.call("ipvsadm -A -t 198.18.9.9:99 -s wlc")?;
    let with_foreign = format!("{without}; TCP 198.18.9.9:99 wlc =");
    let first = checkers(&host)?;
    sys::process::kill(first, SIGKILL)?;
    let second = successor(&host, first)?;
    wait_until(SOON, "the successor knows its services", || {
        daemon.times_said("Gained quorum") == 2
    })?;
    ensure!(rows(&host)? == with_foreign, "{}", rows(&host)?);
    // A second time: until there is a successor, the kernel goes on.
    sys::process::kill(second, SIGKILL)?;
    daemon.says("Respawning the checker process in 1 s")?;
    ensure!(rows(&host)? == with_foreign);
    successor(&host, second)?;
    wait_until(SOON, "the next one knows them, too", || {
        daemon.times_said("Gained quorum") == 3
    })?;
    ensure!(rows(&host)? == with_foreign);
    ensure!(
        daemon.times_said("IPVS cmd") == 0,
        "nothing is made that is there"
    );
    // What was learnt last decides again.
    fs::remove_file(directory.join("hold"))?;
    fs::remove_file(directory.join("2"))?;
    // Those that hold are not waited for: a reload with another command begins anew.
    daemon.reload(&text.replace("misc_timeout 100", "misc_timeout 5"))?;
    host.call("busybox pkill -f 'sleep 1000'").ok();
    becomes(
        &host,
        "TCP 198.18.0.100:80 rr = .1:1 .2:2 .3:3; TCP 198.18.9.9:99 wlc =",
    )?;
    ensure!(daemon.vrrp_pid()? == vrrp && daemon.times_said("Entering MASTER STATE") == 1);
    // One that is told to end by somebody else takes its entries along, and its successor brings them back.
    let last = checkers(&host)?;
    sys::process::kill(last, SIGTERM)?;
    successor(&host, last)?;
    becomes(
        &host,
        "TCP 198.18.0.100:80 rr = .1:1 .2:2 .3:3; TCP 198.18.9.9:99 wlc =",
    )?;
    daemon.stop()?;
    ensure!(rows(&host)? == "TCP 198.18.9.9:99 wlc =");
    Ok(())
}

/// What a dead process made by settings that hold no more is removed by its successor.
fn a_reload_while_nobody_is_there(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let directory = host.directory().to_owned();
    check(&directory)?;
    let one = router() + &service(&directory, 80, &[1, 2], "");
    let both = one.clone() + &service(&directory, 81, &[3], "");
    let mut daemon = Daemon::start(&host, &evervip(), &both)?;
    let all = "TCP 198.18.0.100:80 rr = .1:1 .2:2; TCP 198.18.0.100:81 rr = .3:3";
    becomes(&host, all)?;
    let die_twice = |daemon: &Daemon| -> Result<()> {
        let first = checkers(&host)?;
        sys::process::kill(first, SIGKILL)?;
        let second = successor(&host, first)?;
        let said = daemon.times_said("Respawning the checker process in");
        sys::process::kill(second, SIGKILL)?;
        wait_until(SOON, "it waits", || {
            daemon.times_said("Respawning the checker process in") == said + 1
        })
    };
    die_twice(&daemon)?;
    daemon.reload_whole(&one)?;
    becomes(&host, "TCP 198.18.0.100:80 rr = .1:1 .2:2")?;
    // Even if nobody would be needed any more.
    let last = checkers(&host)?;
    sys::process::kill(last, SIGKILL)?;
    wait_until(SOON, "it waits longer", || {
        daemon.times_said("Respawning the checker process in") == 2
    })?;
    daemon.reload(&router())?;
    becomes(&host, "")?;
    wait_until(SOON, "it ends", || !daemon.has_file("checkers.pid"))?;
    ensure!(holds(&host, VIP));
    daemon.stop()
}

fn stops(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let directory = host.directory().to_owned();
    check(&directory)?;
    let text = router() + &service(&directory, 80, &[1, 2], "");
    let ours = "TCP 198.18.0.100:80 rr = .1:1 .2:2";
    let mut daemon = Daemon::start_with(&host, &evervip(), &text, &["-I"])?;
    becomes(&host, ours)?;
    daemon.stop()?;
    ensure!(rows(&host)? == ours, "-I leaves the entries");
    // They are taken over as they are: the kernel is asked for nothing.
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    daemon.says("Gained quorum")?;
    wait_until(SOON, "it is master", || holds(&host, VIP))?;
    ensure!(rows(&host)? == ours && daemon.times_said("changes of IPVS") == 0);
    // Nobody is there to remove them: the parent does it.
    let first = checkers(&host)?;
    sys::process::kill(first, SIGKILL)?;
    sys::process::kill(successor(&host, first)?, SIGKILL)?;
    daemon.says("Respawning the checker process in 1 s")?;
    daemon.stop()?;
    ensure!(rows(&host)?.is_empty(), "{}", rows(&host)?);

    // The end of its parent is its own; and it leaves nothing.
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    becomes(&host, ours)?;
    let pid = checkers(&host)?;
    daemon.process.kill(SIGKILL)?;
    wait_until(SOON, "the checker process ends", || {
        !Path::new(&format!("/proc/{pid}")).exists()
    })?;
    becomes(&host, "")
}

/// VRRP does its work, servers are checked, and when there is an IPVS it gets everything.
fn ip_vs_comes_later(lab: &mut Lab) -> Result<()> {
    program("ipvsadm")?;
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let directory = host.directory().to_owned();
    check(&directory)?;
    // Modules are not where modprobe looks for them by itself.
    fs::create_dir_all(directory.join("tree/lib"))?;
    symlink("/usr/lib/uml/modules", directory.join("tree/lib/modules"))?;
    let modprobe = script(
        &directory,
        "modprobe",
        "exec /usr/sbin/modprobe -d \"${0%/*}/tree\" \"$@\"",
    )?;
    fs::write("/proc/sys/kernel/modprobe", "/bin/false")?;
    fs::write(directory.join("2"), "")?;
    let text = router() + &service(&directory, 80, &[1, 2], "");
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    gains(&host, VIP)?;
    daemon.says("IPVS: Can't initialize ipvs")?;
    daemon.says("Removing service [10.1.0.2]:tcp:80 from VS [198.18.0.100]:tcp:80")?;
    // A reload tries again, and says nothing new.
    daemon.reload(&(text.clone() + &service(&directory, 81, &[3], "")))?;
    daemon.says("Gained quorum 1+0=1 <= 3")?;
    ensure!(daemon.times_said("Can't initialize ipvs") == 1);
    fs::write(
        "/proc/sys/kernel/modprobe",
        modprobe.to_string_lossy().as_bytes(),
    )?;
    host.call(&format!("{} ip_vs", modprobe.display()))?;
    daemon.says("IPVS is there now")?;
    becomes(
        &host,
        "TCP 198.18.0.100:80 rr = .1:1; TCP 198.18.0.100:81 rr = .3:3",
    )?;
    fs::remove_file(directory.join("2"))?;
    becomes(
        &host,
        "TCP 198.18.0.100:80 rr = .1:1 .2:2; TCP 198.18.0.100:81 rr = .3:3",
    )?;
    ensure!(
        daemon.times_said("Entering MASTER STATE") == 1 && daemon.times_said("Respawning") == 0
    );
    daemon.stop()?;
    ensure!(rows(&host)?.is_empty());

    // A kernel that can have it gets it.
    for module in ["ip_vs_rr", "ip_vs"] {
        host.call(&format!("rmmod {module}"))?;
    }
    let daemon = Daemon::start(&host, &evervip(), &text)?;
    becomes(&host, "TCP 198.18.0.100:80 rr = .1:1 .2:2")?;
    ensure!(daemon.times_said("Can't initialize ipvs") == 0);
    Ok(())
}

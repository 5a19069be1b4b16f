//! Notify FIFOs: the lines of every event, and that nobody waits for a reader.

mod common;

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use std::io::Write as _;

use anyhow::{Result, ensure};
use lab::{Host, Lab, scenario, wait_until};

use common::{Counters, Daemon, SIGKILL, SOON, evervip, gains, host, keepalived, script};

fn main() -> ExitCode {
    scenario::main(&[
        ("lines_of_every_event", |lab| events(lab, &evervip())),
        ("lines_of_keepalived", |lab| events(lab, &keepalived()?)),
        ("states_after_a_reload", states_after_a_reload),
        (
            "what_does_not_change_is_not_touched",
            what_does_not_change_is_not_touched,
        ),
        ("a_full_pipe_stops_nothing", a_full_pipe_stops_nothing),
        ("a_file_in_its_place", a_file_in_its_place),
    ])
}

const VIP: &str = "198.18.0.100";

/// A reader that appends what it reads to a file, named after what it is started with.
fn reader(host: &Host) -> Result<PathBuf> {
    script(host.directory(), "reader", "exec cat \"$2\" >> \"$1\"")
}

/// Two instances in a group and one alone, whose priority follows a file.
fn configuration(directory: &Path, global: &str, loner: bool) -> String {
    let instance = |name: &str, vrid: u8, vip: &str, more: &str| {
        format!(
            "vrrp_instance {name} {{\n interface eth0\n virtual_router_id {vrid}\n priority 100\n advert_int 0.2\n \
             {more}\n virtual_ipaddress {{\n {vip}/24\n }}\n}}\n"
        )
    };
    let directory = directory.display();
    let mut text = format!(
        "global_defs {{\n vrrp_version 3\n script_user root\n vrrp_notify_priority_changes\n \
         notify_fifo {directory}/all\n notify_fifo_script \"{directory}/reader {directory}/all.lines\"\n \
         vrrp_notify_fifo {directory}/vrrp\n {global}\n}}\n\
         vrrp_script flag {{\n script \"/usr/bin/test -e {directory}/flag\"\n interval 1\n weight 7\n}}\n\
         vrrp_sync_group G {{\n group {{\n  a\n  b\n }}\n}}\n"
    );
    text += &instance("a", 1, VIP, "");
    text += &instance("b", 2, "198.18.0.101", "");
    if loner {
        text += &instance("c", 3, "198.18.0.102", "track_script {\n  flag\n }");
    }
    text
}

/// The lines that the reader has written.
fn lines(host: &Host) -> Vec<String> {
    let text = fs::read_to_string(host.directory().join("all.lines")).unwrap_or_default();
    text.lines().map(ToOwned::to_owned).collect()
}

fn has_line(host: &Host, line: &str) -> Result<()> {
    wait_until(SOON, &format!("{line:?} is read"), || {
        lines(host).iter().any(|read| read == line)
    })
}

fn is_fifo(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_fifo())
}

fn events(lab: &mut Lab, program: &Path) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    reader(&host)?;
    let directory = host.directory().to_owned();
    let mut daemon = Daemon::start(&host, program, &configuration(&directory, "", true))?;
    for line in [
        "GROUP \"G\" BACKUP 0",
        "INSTANCE \"a\" BACKUP 100",
        "INSTANCE \"b\" BACKUP 100",
        "INSTANCE \"c\" BACKUP 100",
        "INSTANCE \"a\" MASTER 100",
        "INSTANCE \"b\" MASTER 100",
        "GROUP \"G\" MASTER 0",
        "INSTANCE \"c\" MASTER 100",
    ] {
        has_line(&host, line)?;
    }
    ensure!(lines(&host).first().map(String::as_str) == Some("GROUP \"G\" BACKUP 0"));
    fs::write(directory.join("flag"), "")?;
    has_line(&host, "INSTANCE \"c\" MASTER_PRIORITY 107")?;
    ensure!(is_fifo(&directory.join("all")) && is_fifo(&directory.join("vrrp")));

    let before = lines(&host).len();
    if program == evervip() {
        // keepalived starts another reader with each reload.
        daemon.reload(&configuration(&directory, "", false))?;
        has_line(&host, "INSTANCE \"c\" FAULT 107")?;
        ensure!(lines(&host).len() == before + 1, "{:#?}", lines(&host));
    }
    daemon.stop()?;
    if program == evervip() {
        // keepalived ends its reader before that has read them.
        for line in [
            "INSTANCE \"a\" STOP 100",
            "INSTANCE \"b\" STOP 100",
            "GROUP \"G\" STOP 0",
        ] {
            has_line(&host, line)?;
        }
    }
    ensure!(!directory.join("all").exists() && !directory.join("vrrp").exists());
    Ok(())
}

fn states_after_a_reload(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    reader(&host)?;
    let text = configuration(host.directory(), "fifo_write_vrrp_states_on_reload", true);
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    for line in ["GROUP \"G\" MASTER 0", "INSTANCE \"c\" MASTER 100"] {
        has_line(&host, line)?;
    }
    let before = lines(&host).len();
    daemon.reload(&text)?;
    wait_until(SOON, "four more lines", || lines(&host).len() >= before + 4)?;
    ensure!(
        lines(&host).get(before..)
            == Some(
                &[
                    "INSTANCE \"a\" MASTER 100",
                    "INSTANCE \"b\" MASTER 100",
                    "INSTANCE \"c\" MASTER 100",
                    "GROUP \"G\" MASTER 0",
                ]
                .map(ToOwned::to_owned)[..]
            ),
        "{:#?}",
        lines(&host)
    );
    Ok(())
}

fn what_does_not_change_is_not_touched(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    reader(&host)?;
    let directory = host.directory().to_owned();
    host.call(&format!("mkfifo {}", directory.join("all").display()))?;
    let text = configuration(&directory, "", true);
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    has_line(&host, "INSTANCE \"c\" MASTER 100")?;
    let reader = || -> Result<lab::Pid> {
        let path = directory.join("all");
        let found = host.call(&format!("pgrep -f -x cat.{}", path.display()))?;
        lab::Pid::new(found.trim().parse()?).ok_or_else(|| anyhow::anyhow!("no reader"))
    };
    let first = reader()?;
    // Not those that come and go: the script that looks for the flag.
    let processes = [daemon.process.pid(), daemon.vrrp_pid()?, first];
    daemon.reload(&text.replace("priority 100", "priority 101"))?;
    daemon.says("Reloading")?;
    fs::write(directory.join("flag"), "")?;
    has_line(&host, "INSTANCE \"c\" MASTER_PRIORITY 108")?;
    for process in processes {
        ensure!(sys::process::kill(process, 0)? == sys::process::Reached::Somebody);
    }
    // It dies: that is said, and nothing else happens until a reload.
    sys::process::kill(first, SIGKILL)?;
    daemon.says("the reader of")?;
    daemon.reload(&text)?;
    wait_until(SOON, "there is another reader", || {
        reader().is_ok_and(|second| second != first)
    })?;
    fs::remove_file(directory.join("flag"))?;
    has_line(&host, "INSTANCE \"c\" MASTER_PRIORITY 100")?;
    daemon.stop()?;
    ensure!(is_fifo(&directory.join("all")), "it was there before");
    ensure!(!directory.join("vrrp").exists());
    Ok(())
}

fn a_full_pipe_stops_nothing(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let path = host.directory().join("vrrp");
    host.call(&format!("mkfifo {}", path.display()))?;
    let mut pipe = fs::OpenOptions::new()
        .read(true)
        .write(true)
        // O_NONBLOCK
        .custom_flags(0o4000)
        .open(&path)?;
    while pipe.write(&[b'x'; 1024]).is_ok() {}
    while pipe.write(b"x").is_ok() {}
    reader(&host)?;
    let mut daemon = Daemon::start(
        &host,
        &evervip(),
        &configuration(host.directory(), "", true),
    )?;
    gains(&host, VIP)?;
    has_line(&host, "INSTANCE \"c\" MASTER 100")?;
    ensure!(daemon.times_said("is full: lines are lost") == 1);
    wait_until(SOON, "it goes on to advertise", || {
        let sent = |counters: Counters| counters.get("a", "Advertisements/Sent");
        daemon.counters().and_then(sent).is_ok_and(|sent| sent >= 3)
    })?;
    daemon.stop()
}

fn a_file_in_its_place(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    reader(&host)?;
    let path = host.directory().join("vrrp");
    fs::write(&path, "mine")?;
    let mut daemon = Daemon::start(
        &host,
        &evervip(),
        &configuration(host.directory(), "", true),
    )?;
    gains(&host, VIP)?;
    daemon.says("it is something else")?;
    has_line(&host, "INSTANCE \"c\" MASTER 100")?;
    daemon.stop()?;
    ensure!(fs::read_to_string(&path)? == "mine");
    Ok(())
}

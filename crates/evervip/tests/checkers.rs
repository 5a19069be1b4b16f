//! The checker process as its parent and the operator see it: when it runs, what it is called, that it is missed by nobody
//! when it dies. On the machine's own kernel, which need not have IPVS.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use lab::{ExitStatus, Host, Lab, Pid, Skipped, scenario, wait_until};
use sys::pid_file::PidFile;

use common::{
    Daemon, SIGHUP, SIGKILL, SIGSTOP, SIGTERM, SIGUSR1, SOON, evervip, gains, holds, host,
    is_real_root, pid_in, script,
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
        ("one_that_cannot_begin", one_that_cannot_begin),
        ("a_daemon_that_cannot_start_it", cannot_start_it),
        ("one_that_does_not_end_is_killed", does_not_end),
        ("runs_as_the_settings_say", as_the_settings_say),
        ("one_fifo_and_reader_for_both", one_fifo_and_reader_for_both),
        (
            "commands_and_those_who_are_told",
            commands_and_those_who_are_told,
        ),
        ("no_command_is_left_behind", no_command_is_left_behind),
        ("a_command_runs_as_its_user", a_command_runs_as_its_user),
        ("a_file_that_is_checked_begins_as_it_is_told", first_content),
        ("pings_are_let_out_for_a_while", pings_are_let_out),
        ("no_process_is_no_result", no_process_is_no_result),
        ("a_dump", a_dump),
        ("reloads_leave_nothing_open", reloads_leave_nothing_open),
    ])
}

const VIP: &str = "198.18.0.100";

fn router() -> String {
    format!(
        "vrrp_instance VI {{\n version 3\n interface eth0\n virtual_router_id 51\n priority 150\n advert_int 0.5\n \
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
    check.reload_whole(&(both + &service(81)))?;
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
        daemon.reload_whole(&(router() + &service(80)))?;
        let pid = runs(&host)?;
        ensure!(!earlier.contains(&pid));
        // What stays is not started again.
        daemon.reload_whole(&(router() + &service(80) + &service(81)))?;
        ensure!(checkers(&host)? == pid);
        daemon.reload_whole(&router())?;
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

/// It costs the virtual routers nothing; alone it would be the end of the daemon.
fn one_that_cannot_begin(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let mut daemon = Daemon::start(&host, &evervip(), &router())?;
    gains(&host, VIP)?;
    // Whoever holds the file has tables of that name, too.
    let tables = || host.call("nft list tables");
    host.call("nft add table ip marks")?;
    let group = "virtual_server_group G {\n 198.18.0.101-110 80\n}\nvirtual_server group G {\n protocol TCP\n lb_algo rr\n \
                 lb_kind NAT\n real_server 198.18.1.1 80 {\n }\n}\n";
    let first = PidFile::claim(&host.directory().join("checkers.pid"))?;
    daemon.reload(&(global("nftables_ipvs marks") + &router() + group))?;
    daemon.says("the checker process ended with status 1: the virtual routers go on without it")?;
    daemon.stop()?;
    ensure!(tables()?.contains("marks"), "they are gone: {}", tables()?);
    first.remove()?;

    let mut daemon = Daemon::start(&host, &evervip(), &router())?;
    gains(&host, VIP)?;
    let somebody = PidFile::claim(&host.directory().join("checkers.pid"))?;
    daemon.reload(&(router() + &service(80)))?;
    daemon.says("the checker process ended with status 1: the virtual routers go on without it")?;
    daemon.says("Respawning the checker process in 1 s")?;
    somebody.remove()?;
    runs(&host)?;
    ensure!(holds(&host, VIP) && daemon.times_said("Entering MASTER STATE") == 1);
    daemon.stop()?;

    let mut daemon = Daemon::start(&host, &evervip(), &global(""))?;
    daemon.says("No VRRP instance is configured")?;
    let _somebody = PidFile::claim(&host.directory().join("checkers.pid"))?;
    daemon.reload(&service(80))?;
    let status = daemon.process.wait_timeout(SOON)?;
    ensure!(status == ExitStatus::Code(1), "{status:?}");
    Ok(())
}

/// The parent has two descriptors left: that is enough to read the configuration, and not to start anybody.
fn cannot_start_it(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let mut daemon = Daemon::start(&host, &evervip(), &router())?;
    gains(&host, VIP)?;
    // At rest it has open what it has open for good.
    daemon.reload_whole(&router())?;
    let (vrrp, parent) = (daemon.vrrp_pid()?, daemon.process.pid());
    let limit = |number: &str| host.call(&format!("prlimit --pid {parent} --nofile={number}:"));
    let before = fs::read_to_string(format!("/proc/{parent}/limits"))?;
    let before = before
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let before = before.and_then(|line| line.split_whitespace().nth(3));
    let before = before.context("no limit of open files")?.to_owned();
    let open = fs::read_dir(format!("/proc/{parent}/fd"))?.count();
    limit(&(open + 2).to_string())?;
    daemon.reload(&(router() + &service(80)))?;
    daemon.says("starting the checker process: ")?;
    daemon.says("trying again in 1 s")?;
    ensure!(daemon.vrrp_pid()? == vrrp && holds(&host, VIP));
    limit(&before)?;
    runs(&host)?;
    ensure!(daemon.vrrp_pid()? == vrrp && holds(&host, VIP));
    ensure!(daemon.times_said("Entering MASTER STATE") == 1);
    daemon.stop()
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
        return Err(Skipped("only root has real-time priority".to_owned()).into());
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
    // What this kernel refuses is IPVS at most.
    ensure!(daemon.times_said("cannot") == daemon.times_said("cannot load kernel module ip_vs"));
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

/// A service whose only server is checked by a command.
fn checked(command: &str, options: &str) -> String {
    format!(
        "virtual_server {VIP} 80 {{\n protocol TCP\n lb_algo rr\n lb_kind NAT\n delay_loop 1\n {options}\n \
         real_server 198.18.1.1 80 {{\n MISC_CHECK {{\n misc_path \"{command}\"\n warmup 0\n }}\n }}\n}}\n"
    )
}

/// Scripts and FIFO lines, in their order; a FIFO line is followed by a NUL.
fn commands_and_those_who_are_told(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let directory = host.directory().to_owned();
    let at = directory.display().to_string();
    script(&directory, "reader", "exec cat \"$2\" >> \"$1\"")?;
    script(&directory, "note", "echo \"$@\" >> \"${0%/*}/notes\"")?;
    script(&directory, "check", "test ! -e \"${0%/*}/bad\"")?;
    let fifo =
        format!("lvs_notify_fifo {at}/lvs\n lvs_notify_fifo_script \"{at}/reader {at}/lines\"");
    let options = format!(
        "omega\n quorum_up \"{at}/note quorum up\"\n quorum_down \"{at}/note quorum down\""
    );
    let service = checked(&format!("{at}/check"), &options).replace(
        "real_server 198.18.1.1 80 {",
        &format!("real_server 198.18.1.1 80 {{\n notify_up \"{at}/note up\"\n notify_down \"{at}/note down\""),
    );
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap_or_default();
    let (rs, vs) = (
        "RS [198.18.1.1]:tcp:80 [198.18.0.100]:tcp:80",
        "VS [198.18.0.100]:tcp:80",
    );
    let lines = |wanted: &[&str]| {
        let wanted: String = wanted
            .iter()
            .map(|line| line.replace("RS", rs).replace("VS", vs) + "\n\0")
            .collect();
        wait_until(SOON, &wanted, || read("lines") == wanted).with_context(|| read("lines"))
    };
    let service = service.replace("note down", "fail down");
    script(&directory, "fail", "\"${0%/*}/note\" \"$@\"\nexit 3")?;
    let mut daemon = Daemon::start(&host, &evervip(), &(global(&fifo) + &service))?;
    lines(&["VS UP"])?;
    fs::write(directory.join("bad"), "")?;
    daemon.says("(exited with status 1)")?;
    lines(&["VS UP", "RS DOWN", "VS DOWN"])?;
    daemon.says("/fail ended with status 3")?;
    fs::remove_file(directory.join("bad"))?;
    lines(&["VS UP", "RS DOWN", "VS DOWN", "RS UP", "VS UP"])?;
    daemon.stop()?;
    lines(&[
        "VS UP", "RS DOWN", "VS DOWN", "RS UP", "VS UP", "RS DOWN", "VS DOWN",
    ])?;
    let notes = |wanted: &str| read("notes").lines().filter(|line| *line == wanted).count();
    for (note, count) in [("quorum up", 2), ("quorum down", 2), ("up", 1), ("down", 2)] {
        wait_until(SOON, note, || notes(note) == count).with_context(|| read("notes"))?;
    }
    ensure!(!daemon.has_file("lvs"), "the FIFO is left behind");
    Ok(())
}

/// A command that takes too long is ended with all that it started, and so is one that runs at the end.
fn no_command_is_left_behind(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let directory = host.directory().to_owned();
    let at = directory.display().to_string();
    // It says which processes there are, and neither of them obeys SIGTERM.
    script(
        &directory,
        "check",
        "trap '' TERM\nsleep 1000 &\necho $$ $! >> \"${0%/*}/processes\"\nwhile :; do sleep 1000; done",
    )?;
    let processes = || -> Vec<Vec<String>> {
        let text = fs::read_to_string(directory.join("processes")).unwrap_or_default();
        let lines = text.lines();
        lines
            .map(|line| line.split_whitespace().map(str::to_owned).collect())
            .collect()
    };
    // One that has ended and that nobody has asked about yet is gone: whoever inherits it is not ours.
    let is_gone = |pid: &String| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(')')
            .is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
    };
    let all_gone = |line: &[String]| line.iter().all(is_gone);
    let service =
        checked(&format!("{at}/check"), "").replace("warmup 0", "warmup 0\n misc_timeout 1");
    let mut daemon = Daemon::start(&host, &evervip(), &(global("") + &service))?;
    daemon.says("timed out")?;
    wait_until(SOON, "the first one is gone", || {
        processes().first().is_some_and(|line| all_gone(line))
    })?;
    wait_until(SOON, "another one runs", || {
        processes()
            .last()
            .is_some_and(|line| line.len() == 2 && !all_gone(line))
    })?;
    daemon.stop()?;
    for line in processes() {
        wait_until(SOON, "all are gone", || all_gone(&line))?;
    }
    Ok(())
}

fn a_command_runs_as_its_user(lab: &mut Lab) -> Result<()> {
    if !is_real_root()? {
        return Err(Skipped("only root can become another user".to_owned()).into());
    }
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    // Whoever it is may write there.
    let notes = host.directory().join("notes");
    fs::create_dir(&notes)?;
    fs::set_permissions(&notes, fs::Permissions::from_mode(0o1777))?;
    let who = script(
        host.directory(),
        "who",
        "echo \"$(id -un) $(id -gn) $1\" > \"$2/$1.new\" && mv \"$2/$1.new\" \"$2/$1\"",
    )?;
    // The way to it must be open for them.
    for directory in host.directory().ancestors().take(2) {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
    }
    let command = |name: &str| format!("{} {name} {}", who.display(), notes.display());
    let mut text = global("") + &checked(&command("usual"), "");
    text += &checked(&command("named"), "")
        .replace(" 80 {", " 81 {")
        .replace("warmup 0", "warmup 0\n user nobody nogroup");
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    for (name, wanted) in [
        ("usual", "root root usual\n"),
        ("named", "nobody nogroup named\n"),
    ] {
        let read = || fs::read_to_string(notes.join(name)).unwrap_or_default();
        wait_until(SOON, wanted, || read() == wanted).with_context(read)?;
    }
    daemon.stop()
}

/// `init_file` of a file that a FILE_CHECK goes by: at the start of the daemon, and never again.
fn first_content(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let path = host.directory().join("load");
    let service = "virtual_server 198.18.0.101 80 {\n protocol TCP\n lb_algo rr\n lb_kind NAT\n \
                   real_server 198.18.1.1 80 {\n FILE_CHECK {\n track_file load\n weight 0\n }\n }\n}\n";
    let text = global("")
        + &format!(
            "track_file load {{\n file {}\n init_file 7 overwrite\n}}\n",
            path.display()
        )
        + service;
    fs::write(&path, "0")?;
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    let first = runs(&host)?;
    let read = || fs::read_to_string(&path).map(|text| text.trim().to_owned());
    wait_until(SOON, "it has its first content", || {
        read().is_ok_and(|text| text == "7")
    })?;
    // It has been read then; if it said 0 before, nothing would be told.
    daemon.says("Initializing ipvs")?;
    fs::write(&path, "0")?;
    daemon.says("Adding service [198.18.1.1]:tcp:80")?;
    daemon.process.kill(SIGHUP)?;
    daemon.says("Reload complete")?;
    // Nor does a successor write it.
    sys::process::kill(first, SIGKILL)?;
    wait_until(SOON, "there is another checker process", || {
        checkers(&host).is_ok_and(|pid| pid != first)
    })?;
    wait_until(SOON, "it knows its services", || {
        daemon.times_said("Gained quorum") >= 2
    })?;
    ensure!(read()? == "0", "it was written again");
    daemon.stop()
}

/// Echo requests need no privilege but a range of groups, which is as it was in the end.
fn pings_are_let_out(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let range = || -> Result<String> {
        let text = host.run(|| fs::read_to_string("/proc/sys/net/ipv4/ping_group_range"))??;
        Ok(text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let before = range()?;
    ensure!(before == "1 0", "nobody is in: {before}");
    let text = global("") + &service(80).replace(
        "real_server 198.18.1.1 80 {",
        "delay_loop 1\n warmup 0\n real_server 198.18.1.1 80 {\n PING_CHECK {\n connect_ip 198.18.0.1\n }",
    );
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    daemon.says("ICMP connection to [198.18.1.1]:tcp:80 success.")?;
    ensure!(range()? == "0 0", "{}", range()?);
    // Without such a check, and with one again.
    daemon.reload_whole(&(global("") + &service(80)))?;
    ensure!(range()? == before, "it is put back: {}", range()?);
    daemon.reload_whole(&text)?;
    ensure!(range()? == "0 0", "it is open again: {}", range()?);
    // Whoever dies leaves it to the parent.
    sys::process::kill(runs(&host)?, SIGKILL)?;
    daemon.says("was killed by signal 9")?;
    daemon.stop()?;
    ensure!(range()? == before, "{}", range()?);
    Ok(())
}

/// A control group of ours that limits how many processes there are.
struct Limited(PathBuf);

impl Limited {
    /// Puts a process in one, if this machine lets us make one.
    fn new(process: Pid) -> Result<Self> {
        let name = format!("evervip-lab-{}", std::process::id());
        for place in ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"] {
            let group = Path::new(place).join(&name);
            if fs::create_dir(&group).is_err() {
                continue;
            }
            let limited = Self(group);
            if limited.0.join("pids.max").exists() {
                fs::write(limited.0.join("cgroup.procs"), process.to_string())?;
                return Ok(limited);
            }
        }
        Err(Skipped("no control group of processes can be made here".to_owned()).into())
    }

    fn allow(&self, count: &str) -> Result<()> {
        Ok(fs::write(self.0.join("pids.max"), count)?)
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        // Whoever is still there goes back; who has ended takes a moment to leave.
        let home = self.0.with_file_name("cgroup.procs");
        let removed = wait_until(SOON, "the control group is empty", || {
            let inside = fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default();
            inside.lines().all(|pid| fs::write(&home, pid).is_ok())
                && fs::remove_dir(&self.0).is_ok()
        });
        if let Err(problem) = removed {
            println!("{} stays: {problem}", self.0.display());
        }
    }
}

/// While no process can be made for a command, nothing is known of the server, and what was known stays.
fn no_process_is_no_result(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let directory = host.directory().to_owned();
    let at = directory.display().to_string();
    script(&directory, "check", "echo ran >> \"${0%/*}/runs\"")?;
    let runs_so_far = || {
        let text = fs::read_to_string(directory.join("runs")).unwrap_or_default();
        text.lines().count()
    };
    let text = global("") + &checked(&format!("{at}/check"), "");
    let mut daemon = Daemon::start(&host, &evervip(), &text)?;
    wait_until(SOON, "the command runs", || runs_so_far() > 0)?;
    let limited = Limited::new(runs(&host)?)?;
    limited.allow("0")?;
    wait_until(SOON, "some attempts without a process", || {
        daemon.times_said("a MISC_CHECK has no result: ") >= 3
    })?;
    let stopped_at = runs_so_far();
    limited.allow("max")?;
    wait_until(SOON, "it runs again", || runs_so_far() > stopped_at)?;
    let said = "check scripts cannot be started: Resource temporarily unavailable";
    ensure!(daemon.times_said(said) == 1, "once for all of them");
    ensure!(daemon.times_said("Removing service") == 0, "it is well");
    daemon.stop()
}

fn reloads_leave_nothing_open(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let directory = host.directory().to_owned();
    let at = directory.display().to_string();
    let text = |number: usize| {
        let fifo = format!("lvs_notify_fifo {at}/lvs{number}");
        let file = format!("track_file load {{\n file {at}/load{number}\n}}\n");
        let suspend = checked("/usr/bin/true", "ha_suspend");
        let by_file = "virtual_server 198.18.0.101 80 {\n protocol TCP\n lb_algo rr\n lb_kind NAT\n \
                       real_server 198.18.1.1 80 {\n FILE_CHECK {\n track_file load\n }\n }\n}\n";
        // Nobody is there, so their sockets are open while new settings come; which are others each time.
        let limit = 20 + number;
        let by_socket = format!(
            "virtual_server 198.18.0.102 80 {{\n protocol TCP\n lb_algo rr\n lb_kind NAT\n delay_loop 1\n warmup 0\n \
             real_server 198.18.0.77 80 {{\n TCP_CHECK {{\n connect_timeout {limit}\n }}\n \
             PING_CHECK {{\n connect_timeout {limit}\n }}\n UDP_CHECK {{\n require_reply\n connect_timeout {limit}\n }}\n \
             SSL_GET {{\n connect_timeout {limit}\n url {{\n path /\n }}\n }}\n }}\n}}\n"
        );
        global(&fifo) + &file + &suspend + by_file + &by_socket
    };
    let mut daemon = Daemon::start(&host, &evervip(), &text(0))?;
    let pid = runs(&host)?;
    let open = || -> Result<usize> { Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count()) };
    let is_there = |number: usize| {
        wait_until(SOON, "its FIFO", || {
            directory.join(format!("lvs{number}")).exists()
        })
    };
    is_there(0)?;
    let mut counts = Vec::new();
    for number in 1..20 {
        daemon.reload(&text(number % 2))?;
        is_there(number % 2)?;
        wait_until(SOON, "the FIFO before is gone", || {
            !directory.join(format!("lvs{}", (number + 1) % 2)).exists()
        })?;
        // To 198.18.0.77 port 80, SYN_SENT.
        wait_until(SOON, "a connection is on its way", || {
            let table = fs::read_to_string(format!("/proc/{pid}/net/tcp"));
            table.is_ok_and(|table| table.contains(" 4D0012C6:0050 02 "))
        })?;
        counts.push(open()?);
    }
    // Some are open for a moment only, and the four sockets of the checks may be or not.
    let (first, last) = counts.split_at(counts.len() / 2);
    let least = |counts: &[usize]| counts.iter().copied().min().unwrap_or(0);
    ensure!(least(first) + 4 >= least(last), "{counts:?}");
    println!("open at each reload: {counts:?}");
    daemon.stop()
}

/// SIGUSR1 makes both processes write, each its own file.
fn a_dump(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = host(lab, &lan, "a", 1)?;
    let configuration = global("") + &router() + "SSL {\n password hush\n}\n" + &service(80);
    let mut daemon = Daemon::start(&host, &evervip(), &configuration)?;
    gains(&host, VIP)?;
    runs(&host)?;
    let text = daemon.dump(SIGUSR1, "keepalived_check.data", |_| true)?;
    for line in [
        " VS VIP = 198.18.0.100, VPORT = 80\n",
        "   RIP = 198.18.1.1, RPORT = 80, WEIGHT = 1 EFF WEIGHT = 1\n",
        "   alive = 1\n",
        " Password : ********\n",
    ] {
        ensure!(text.contains(line), "{line} is missing in\n{text}");
    }
    ensure!(!text.contains("hush"), "{text}");
    wait_until(SOON, "the other process writes, too", || {
        daemon.has_file("tmp/keepalived.data")
    })?;
    daemon.stop()
}

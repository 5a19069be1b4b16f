//! The lab does what it promises: hosts can talk, captures see it, faults are faults, and nothing is left.

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use evervip_lab::backend::{Act, Backend, Datagrams, http};
use evervip_lab::{
    Direction, ExitStatus, Frr, Host, HostOptions, Lab, Pid, Process, Skipped, descendants,
    packages, pause, scenario, tshark, wait_until,
};

const SOON: Duration = Duration::from_secs(5);

/// Tells this program to be something other than the runner of the scenarios below.
const ROLE: &str = "LAB_TEST_ROLE";

fn main() -> ExitCode {
    match std::env::var(ROLE).as_deref() {
        Ok("victim") => victim(),
        Ok("misbehaving") => scenario::main(&[
            ("fails", |_| bail!("as it should")),
            ("panics", panics),
            ("skips", |_| {
                Err(Skipped("no reason at all".to_owned()).into())
            }),
            ("hangs", |_| {
                pause(Duration::from_secs(1000));
                Ok(())
            }),
            ("leaks", leaks),
            ("works", |_| Ok(())),
        ]),
        _ => scenario::main(&[
            (
                "two_hosts_talk_and_a_capture_sees_it",
                two_hosts_talk_and_a_capture_sees_it,
            ),
            ("addresses_come_and_go", addresses_come_and_go),
            ("cables_and_interfaces_fail", cables_and_interfaces_fail),
            ("files_of_hosts_are_apart", files_of_hosts_are_apart),
            (
                "programs_are_watched_and_ended",
                programs_are_watched_and_ended,
            ),
            (
                "a_crash_takes_the_whole_family",
                a_crash_takes_the_whole_family,
            ),
            (
                "private_processes_end_with_their_host",
                private_processes_end_with_their_host,
            ),
            ("frr_on_two_hosts", frr_on_two_hosts),
            (
                "servers_do_what_they_are_told",
                servers_do_what_they_are_told,
            ),
            ("a_panic_on_a_host_comes_out", a_panic_on_a_host_comes_out),
            (
                "a_killed_test_leaves_nothing_running",
                a_killed_test_leaves_nothing_running,
            ),
            (
                "the_runner_tells_what_went_wrong",
                the_runner_tells_what_went_wrong,
            ),
            ("keepalived_feels_at_home", keepalived_feels_at_home),
        ]),
    }
}

/// Two hosts on one segment, with both families.
fn pair(lab: &Lab) -> Result<(Host, Host)> {
    let lan = lab.segment()?;
    let mut hosts = Vec::new();
    for (name, number) in [("a", 1), ("b", 2)] {
        let host = lab.host(name, HostOptions::default())?;
        host.connect(&lan, "eth0")?;
        host.add_address("eth0", &format!("198.18.0.{number}/24"))?;
        host.add_address("eth0", &format!("fd00:18::{number}/64"))?;
        hosts.push(host);
    }
    let b = hosts.pop().context("two")?;
    let a = hosts.pop().context("two")?;
    Ok((a, b))
}

/// A socket that waits no longer than a moment.
fn socket(host: &Host, address: &'static str) -> Result<UdpSocket> {
    host.run(move || -> Result<UdpSocket> {
        let socket = UdpSocket::bind(SocketAddr::new(address.parse::<IpAddr>()?, 9999))?;
        socket.set_read_timeout(Some(Duration::from_secs(3)))?;
        Ok(socket)
    })?
}

/// Whether a datagram gets from `a` to `b`; a link that has just come up may lose the first ones.
fn exchange(a: &UdpSocket, b: &UdpSocket, text: &str) -> Result<()> {
    let mut buffer = [0; 100];
    let mut outcome = Ok(());
    for _ in 0..3 {
        a.send_to(text.as_bytes(), b.local_addr()?)?;
        loop {
            match b.recv_from(&mut buffer) {
                Ok((length, from)) if buffer.get(..length) == Some(text.as_bytes()) => {
                    ensure!(from == a.local_addr()?);
                    return Ok(());
                }
                // An earlier one that was sent again.
                Ok(_) => {}
                Err(error) => {
                    outcome = Err(error).with_context(|| format!("{text} did not arrive"));
                    break;
                }
            }
        }
    }
    outcome
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

fn two_hosts_talk_and_a_capture_sees_it(lab: &mut Lab) -> Result<()> {
    let (a, b) = pair(lab)?;
    let (at_a, at_b) = (a.capture("eth0")?, b.capture("eth0")?);
    for (from, to, text) in [
        ("198.18.0.1", "198.18.0.2", "hello-4"),
        ("fd00:18::1", "fd00:18::2", "hello-6"),
    ] {
        let (from, to) = (socket(&a, from)?, socket(&b, to)?);
        exchange(&from, &to, text)?;
        let sent = at_a.wait_for("the datagram leaving", SOON, |frame| {
            contains(&frame.bytes, text)
        })?;
        let received = at_b.wait_for("the datagram arriving", SOON, |frame| {
            contains(&frame.bytes, text)
        })?;
        ensure!((sent.direction, received.direction) == (Direction::Out, Direction::In));
        ensure!(
            sent.bytes == received.bytes
                && sent.at <= received.at
                && sent.at.seconds() > 1_600_000_000
        );
        exchange(&to, &from, text)?;
    }
    let seen = at_b.count();
    let nothing = at_b.wait_for_since(seen, "a miracle", Duration::from_millis(50), |_| false);
    ensure!(nothing.is_err_and(|error| {
        error
            .to_string()
            .starts_with("a miracle was not seen within 50 ms")
    }));
    ensure!(at_b.lost() == 0);

    let file = lab.directory().join("b.pcap");
    at_b.write_pcap(&file)?;
    if packages::find("tshark").is_none() {
        println!("tshark is not installed, so nobody judges the file");
        return Ok(());
    }
    let rows = tshark(
        &file,
        "udp.port == 9999",
        &["udp.length", "udp.checksum.status", "frame.time_epoch"],
    )?;
    ensure!(
        rows.len() == 4 && rows.iter().all(|row| row.starts_with(&["15".to_owned()])),
        "{rows:?}"
    );
    let times: Vec<f64> = rows
        .iter()
        .filter_map(|row| row.last()?.parse().ok())
        .collect();
    ensure!(times.len() == 4 && times.is_sorted(), "{rows:?}");
    ensure!(tshark(&file, "no such filter", &["udp.length"]).is_err());
    Ok(())
}

fn addresses_come_and_go(lab: &mut Lab) -> Result<()> {
    let (a, _b) = pair(lab)?;
    ensure!(a.has_address("eth0", "198.18.0.1")? && a.has_address("eth0", "fd00:18::1")?);
    ensure!(
        a.addresses("lo")?
            .iter()
            .any(|prefix| prefix.to_string() == "127.0.0.1/8")
    );
    wait_until(SOON, "eth0 has a link-local address", || {
        let addresses = a.addresses("eth0").unwrap_or_default();
        addresses
            .iter()
            .any(|prefix| prefix.to_string().starts_with("fe80::"))
    })?;
    a.add_address("eth0", "198.18.0.100/32")?;
    ensure!(
        a.addresses("eth0")?
            .iter()
            .any(|prefix| prefix.to_string() == "198.18.0.100/32")
    );
    a.remove_address("eth0", "198.18.0.100/32")?;
    ensure!(!a.has_address("eth0", "198.18.0.100")?);
    let error = format!(
        "{:#}",
        a.addresses("eth7").err().context("there is no eth7")?
    );
    ensure!(error == "host a: there is no interface eth7", "{error}");
    ensure!(a.add_address("eth0", "198.18.0.100").is_err(), "no length");
    Ok(())
}

fn cables_and_interfaces_fail(lab: &mut Lab) -> Result<()> {
    let (a, b) = pair(lab)?;
    let (at_a, at_b) = (socket(&a, "198.18.0.1")?, socket(&b, "198.18.0.2")?);
    exchange(&at_a, &at_b, "before")?;

    b.pull_cable("eth0")?;
    wait_until(SOON, "b loses its carrier", || {
        b.link("eth0").is_ok_and(|link| link.up && !link.running)
    })?;
    b.plug_cable("eth0")?;
    wait_until(SOON, "b regains its carrier", || {
        b.link("eth0").is_ok_and(|link| link.running)
    })?;
    exchange(&at_a, &at_b, "replugged")?;

    b.link_down("eth0")?;
    ensure!(!b.link("eth0")?.up);
    b.link_up("eth0")?;
    wait_until(SOON, "b is up", || {
        b.link("eth0").is_ok_and(|link| link.running)
    })?;
    exchange(&at_a, &at_b, "up again")?;

    b.delete_link("eth0")?;
    ensure!(b.link("eth0").is_err() && b.pull_cable("eth0").is_err());
    b.connect(&lab.segment()?, "eth0")?;
    ensure!(b.link("eth0")?.up && !b.has_address("eth0", "198.18.0.2")?);
    Ok(())
}

fn files_of_hosts_are_apart(lab: &mut Lab) -> Result<()> {
    let options = HostOptions {
        private_tmp: true,
        ..HostOptions::default()
    };
    let (a, b) = (lab.host("a", options)?, lab.host("b", options)?);
    for place in ["/run", "/tmp"] {
        if a.has_private(place) {
            let file = Path::new(place).join("evervip-lab-file");
            let (write, read) = (file.clone(), file.clone());
            a.run(move || fs::write(write, "a"))??;
            ensure!(!b.run(move || read.exists())?, "{place} of a is seen by b");
            ensure!(!file.exists(), "{place} of a is the machine's");
        } else {
            println!("{place} is shared");
        }
    }
    ensure!(a.has_private("/run"));
    let mut report = a.spawn(
        Command::new("/bin/sh")
            .args(["-c", "echo $TMPDIR $EXTRA; pwd"])
            .env("EXTRA", "more"),
    )?;
    ensure!(report.wait_timeout(SOON)? == ExitStatus::Code(0));
    let said = report.output_so_far();
    ensure!(
        said.starts_with(&format!("{}/tmp more\n", a.directory().display())),
        "{said}"
    );
    ensure!(a.directory() != b.directory() && a.directory().starts_with(lab.directory()));
    Ok(())
}

fn shell(host: &Host, script: &str) -> Result<Process> {
    host.spawn(Command::new("/bin/sh").args(["-c", script]))
}

fn programs_are_watched_and_ended(lab: &mut Lab) -> Result<()> {
    let a = lab.host("a", HostOptions::default())?;
    ensure!(shell(&a, "exit 7")?.wait_timeout(SOON)? == ExitStatus::Code(7));
    ensure!(a.spawn(&mut Command::new("/no/such/program")).is_err());

    let mut patient = shell(
        &a,
        "trap 'echo got it; exit 3' TERM; echo ready; while :; do sleep 0.01; done",
    )?;
    patient.wait_for_output("ready", SOON)?;
    let error = patient
        .wait_timeout(Duration::from_millis(20))
        .err()
        .context("it runs")?;
    ensure!(format!("{error:#}").contains("ready"), "{error:#}");
    patient.kill(15)?;
    ensure!(patient.wait_timeout(SOON)? == ExitStatus::Code(3));
    ensure!(patient.output_so_far().contains("got it"));
    ensure!(patient.kill(15).is_err(), "it has ended");

    // Dropped while it runs, with a child: both are gone.
    let family = {
        let stubborn = shell(&a, "trap '' TERM; sleep 1000 & wait; sleep 1000")?;
        wait_until(SOON, "it has a child", || {
            stubborn.family().is_ok_and(|family| family.len() == 2)
        })?;
        stubborn.family()?
    };
    for pid in family {
        wait_until(SOON, "it is gone", || !exists(pid))?;
    }
    Ok(())
}

fn exists(pid: Pid) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie waits for its reaper, and does nothing else.
    !state.is_empty() && !state.contains(") Z ")
}

/// Two hosts run the same daemon, and each shell speaks to its own.
fn frr_on_two_hosts(lab: &mut Lab) -> Result<()> {
    let mut running = Vec::new();
    for number in 1..=2 {
        let host = lab.host(&format!("host-{number}"), HostOptions::default())?;
        let frr = Frr::new(&host, &["bfdd", "vtysh"])?;
        frr.configure("bfdd", &format!("bfd\n peer 198.18.0.{number}\n !\n"))?;
        let bfdd = frr.start(&host, "bfdd")?;
        running.push((host, frr, bfdd));
    }
    for (number, (host, frr, bfdd)) in (1..=2).zip(&mut running) {
        let said = frr.tell(host, &["show bfd peers"])?;
        ensure!(
            said.matches("peer ").count() == 1
                && said.contains(&format!("peer 198.18.0.{number} "))
        );
        let unknown = match frr.tell(host, &["show nonsense"]) {
            Ok(said) => bail!("the shell knows nonsense: {said}"),
            Err(error) => error.to_string(),
        };
        ensure!(unknown.contains("nonsense"), "{unknown}");
        // A successor does not mind what is left behind.
        bfdd.crash()?;
        *bfdd = frr.start(host, "bfdd")?;
        frr.tell(host, &["show bfd peers"])?;
    }
    Ok(())
}

fn a_crash_takes_the_whole_family(lab: &mut Lab) -> Result<()> {
    let a = lab.host("a", HostOptions::default())?;
    // A parent whose end its child would announce, as keepalived's does.
    let script = "trap 'echo goodbye' EXIT TERM; (trap 'echo goodbye from the child; exit' TERM; sleep 1000 & wait) & wait";
    let mut parent = shell(&a, script)?;
    wait_until(SOON, "it has a grandchild", || {
        parent.family().is_ok_and(|family| family.len() == 3)
    })?;
    let family = parent.family()?;
    parent.crash()?;
    ensure!(parent.poll()? == Some(ExitStatus::Signal(9)));
    ensure!(family.iter().all(|pid| !exists(*pid)));
    ensure!(
        parent.output_so_far().is_empty(),
        "{}",
        parent.output_so_far()
    );
    Ok(())
}

fn private_processes_end_with_their_host(lab: &mut Lab) -> Result<()> {
    let options = HostOptions {
        private_processes: true,
        ..HostOptions::default()
    };
    let (a, b) = (lab.host("a", options)?, lab.host("b", options)?);
    ensure!(a.options().private_processes);
    let mut first = shell(&a, "echo $$ /proc/[0-9]*")?;
    first.wait_timeout(SOON)?;
    let said = first.output_so_far();
    ensure!(
        said == "2 /proc/1 /proc/2\n",
        "the init and the shell: {said}"
    );

    // A daemon: its parent ends, it does not.
    let mut launcher = shell(&a, "setsid sh -c 'echo up; sleep 1000' & sleep 0.1")?;
    launcher.wait_for_output("up", SOON)?;
    launcher.wait_timeout(SOON)?;
    let own = Pid::own();
    let sleepers = || -> Result<Vec<Pid>> {
        let all = descendants(own)?;
        Ok(all
            .into_iter()
            .filter(|pid| command_line(*pid).contains("sleep 1000"))
            .collect())
    };
    ensure!(!sleepers()?.is_empty(), "the daemon outlives its launcher");
    drop(a);
    ensure!(sleepers()?.is_empty(), "and does not outlive its host");
    ensure!(
        shell(&b, "true")?.wait_timeout(SOON)? == ExitStatus::Code(0),
        "the other host lives"
    );
    Ok(())
}

fn command_line(pid: Pid) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

#[expect(clippy::panic, reason = "what happens then is under test")]
fn a_panic_on_a_host_comes_out(lab: &mut Lab) -> Result<()> {
    let a = lab.host("a", HostOptions::default())?;
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        a.run(|| panic!("on purpose"))
    }));
    let panic = caught.err().context("it panicked")?;
    ensure!(panic.downcast_ref::<&str>() == Some(&"on purpose"));
    ensure!(a.run(|| 1 + 1)? == 2, "the host carries on");
    Ok(())
}

/// A test that will be killed: starts what tests start, says so, and waits.
fn victim() -> ExitCode {
    let start = || -> Result<()> {
        let lab = Lab::new("victim")?;
        println!("directory {}", lab.directory().display());
        let plain = lab.host("plain", HostOptions::default())?;
        let private = lab.host(
            "private",
            HostOptions {
                private_processes: true,
                ..HostOptions::default()
            },
        )?;
        let direct = shell(&plain, "exec sleep 1000")?;
        let mut daemon = shell(&private, "setsid sleep 1000 & sleep 0.2")?;
        daemon.wait_timeout(SOON)?;
        println!("started {}", direct.pid());
        for pid in descendants(Pid::own())? {
            println!("pid {pid}");
        }
        println!("ready");
        pause(Duration::from_secs(1000));
        Ok(())
    };
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn a_killed_test_leaves_nothing_running(_: &mut Lab) -> Result<()> {
    let mut test = Command::new(std::env::current_exe()?)
        .env(ROLE, "victim")
        .env_remove("EVERVIP_SCENARIO")
        .env_remove("EVERVIP_WATCHED_SCENARIO")
        .stdout(Stdio::piped())
        .spawn()?;
    let (mut pids, mut directory) = (Vec::new(), None);
    for line in BufReader::new(test.stdout.take().context("piped")?).lines() {
        let line = line?;
        match line.split_once(' ') {
            Some(("pid", pid)) => pids.extend(Pid::new(pid.parse()?)),
            Some(("directory", path)) => directory = Some(path.to_owned()),
            Some(("started", _)) => {}
            _ if line == "ready" => break,
            _ => bail!("the victim says {line}"),
        }
    }
    // The sleeper, the init, and the daemon, which is a child of the init.
    ensure!(
        pids.len() == 3 && pids.iter().all(|pid| exists(*pid)),
        "{pids:?}"
    );
    test.kill()?;
    test.wait()?;
    for pid in pids {
        wait_until(SOON, "what the killed test started ends", || !exists(pid))?;
    }
    // Files are all that is left, and their name tells whose they were.
    fs::remove_dir_all(directory.context("it told its directory")?)?;
    Ok(())
}

#[expect(clippy::panic, reason = "what happens then is under test")]
fn panics(_: &mut Lab) -> Result<()> {
    panic!("in the open")
}

fn leaks(_: &mut Lab) -> Result<()> {
    Command::new("setsid")
        .args(["sleep", "1000"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(())
}

fn the_runner_tells_what_went_wrong(_: &mut Lab) -> Result<()> {
    let run_with = |words: &[&str], require_all: &str| -> Result<(bool, String)> {
        let output = Command::new(std::env::current_exe()?)
            .args(words)
            .env(ROLE, "misbehaving")
            .env_remove("EVERVIP_SCENARIO")
            .env_remove("EVERVIP_WATCHED_SCENARIO")
            .env("EVERVIP_SCENARIO_TIMEOUT", "1")
            .env("EVERVIP_REQUIRE_ALL", require_all)
            .output()?;
        Ok((
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        ))
    };
    let run = |words: &[&str]| run_with(words, "");
    let (success, text) = run_with(&["skips"], "1")?;
    ensure!(
        !success && text.contains("no reason at all") && text.contains("0 ignored"),
        "nothing may be skipped: {text}"
    );
    let (success, text) = run(&[])?;
    ensure!(!success, "{text}");
    for expected in [
        "running 6 tests",
        "test fails ... FAILED",
        "as it should",
        "in the open",
        "test skips ... ignored, no reason at all",
        "test hangs ... FAILED",
        "within 1000 ms this did not happen: the scenario ends",
        "it left 1 processes behind",
        "test works ... ok",
        "test result: FAILED. 1 passed; 4 failed; 1 ignored; 0 measured; 0 filtered out",
    ] {
        ensure!(
            text.contains(expected),
            "{expected:?} is missing in:\n{text}"
        );
    }
    let (success, text) = run(&["work"])?;
    ensure!(
        success
            && text.contains(
                "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 5 filtered out"
            )
    );
    let (success, text) = run(&["--list"])?;
    ensure!(success && text.lines().count() == 6 && text.contains("works: test"));
    Ok(())
}

/// A daemon with children, fixed paths and multicast: what the lab is for.
fn keepalived_feels_at_home(lab: &mut Lab) -> Result<()> {
    let Some(keepalived) = packages::find("keepalived") else {
        return Err(Skipped("keepalived is not installed".to_owned()).into());
    };
    let lan = lab.segment()?;
    let start = |name: &str, number: u8, priority: u8| -> Result<(Host, Process)> {
        let options = HostOptions {
            private_processes: true,
            private_tmp: true,
        };
        let host = lab.host(name, options)?;
        host.connect(&lan, "eth0")?;
        host.add_address("eth0", &format!("198.18.0.{number}/24"))?;
        let file = host.directory().join("keepalived.conf");
        fs::write(
            &file,
            format!(
                "vrrp_instance V {{\n interface eth0\n virtual_router_id 51\n priority {priority}\n \
                 advert_int 0.1\n version 3\n virtual_ipaddress {{\n 198.18.0.100/24\n }}\n}}\n"
            ),
        )?;
        let mut launcher = host.spawn(
            Command::new(&keepalived)
                .args(["--log-console", "-f"])
                .arg(&file),
        )?;
        launcher.wait_timeout(SOON)?;
        Ok((host, launcher))
    };
    let (a, said_a) = start("a", 1, 100)?;
    let (b, said_b) = start("b", 2, 90)?;
    let holds = |host: &Host| host.has_address("eth0", "198.18.0.100").unwrap_or(false);
    wait_until(SOON, "a is master alone", || holds(&a) && !holds(&b)).with_context(|| {
        format!(
            "a: {}\nb: {}",
            said_a.output_so_far(),
            said_b.output_so_far()
        )
    })?;
    let pid_file = a.run(|| fs::read_to_string("/run/keepalived.pid"))??;
    ensure!(
        pid_file.trim().parse::<u32>()? < 100,
        "a process number of its own: {pid_file}"
    );

    let capture = b.capture("eth0")?;
    // IPv4, protocol 112, VRRP version 3 advertisement.
    let is_advert = |bytes: &[u8]| bytes.get(23) == Some(&112) && bytes.get(34) == Some(&0x31);
    capture.wait_for("an advert from a", SOON, |frame| {
        frame.direction == Direction::In && is_advert(&frame.bytes)
    })?;
    let before = capture.count();
    drop(a);
    capture.wait_for_since(before, "an advert from b", SOON, |frame| {
        frame.direction == Direction::Out && is_advert(&frame.bytes)
    })?;
    // keepalived advertises first and takes the address then.
    wait_until(SOON, "b holds the address", || holds(&b))?;
    Ok(())
}

/// What a server of this host says to a request.
fn ask(host: &Host, address: SocketAddr, request: &'static str) -> Result<std::io::Result<String>> {
    host.run(move || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })
}

fn servers_do_what_they_are_told(lab: &mut Lab) -> Result<()> {
    const GET: &str = "GET /it HTTP/1.0\r\n\r\n";
    let host = lab.host("web", HostOptions::default())?;
    let address: SocketAddr = "127.0.0.1:80".parse()?;
    let server = Backend::start(&host, address, http(404, b"gone"))?;
    let answer = ask(&host, address, GET)??;
    ensure!(
        answer.starts_with("HTTP/1.1 404 ") && answer.ends_with("\r\n\r\ngone"),
        "{answer:?}"
    );
    wait_until(SOON, "the request is kept", || server.requests() == [GET])?;

    // Down, it refuses at once, and breaks what is open.
    server.answer(vec![Act::Hold]);
    let mut open = host.run(move || TcpStream::connect(address))??;
    wait_until(SOON, "it is accepted", || server.connections() == 2)?;
    server.down()?;
    open.set_read_timeout(Some(SOON))?;
    ensure!(matches!(open.read(&mut [0]), Ok(0)), "it is still open");
    let refused = ask(&host, address, GET)?;
    ensure!(
        refused
            .as_ref()
            .is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused),
        "{refused:?}"
    );
    server.up()?;
    server.answer(vec![
        Act::Trickle(b"ab".to_vec(), Duration::from_millis(1)),
        Act::Repeat(b"c".to_vec(), 3),
    ]);
    ensure!(ask(&host, address, GET)?? == "abccc");

    let echo = Datagrams::start(
        &host,
        "127.0.0.1:53".parse()?,
        Box::new(|asked| (asked != b"quiet").then(|| asked.to_ascii_uppercase())),
    )?;
    let client = host.run(|| UdpSocket::bind("127.0.0.1:0"))??;
    client.set_read_timeout(Some(SOON))?;
    for text in ["quiet", "loud"] {
        client.send_to(text.as_bytes(), "127.0.0.1:53")?;
    }
    let mut buffer = [0; 100];
    let length = client.recv(&mut buffer)?;
    ensure!(buffer.get(..length) == Some(b"LOUD".as_slice()));
    ensure!(echo.received() == [b"quiet".to_vec(), b"loud".to_vec()]);
    Ok(())
}

//! What concerns IPVS as a whole, in a kernel of its own: timeouts, sync daemons that follow no instance, and groups of
//! addresses that become one service by marks of nftables.

mod common;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Host, Lab, scenario, uml, wait_until};

use common::{Daemon, SIGKILL, SIGUSR1, SOON, evervip, host, pid_in, program};

fn main() -> ExitCode {
    scenario::main(&[
        ("timeouts_and_both_daemons", |lab| {
            uml::scenario(lab, &["ip_vs", "ip_vs_rr"], timeouts_and_both_daemons)
        }),
        ("another_namespace", |lab| {
            uml::scenario(lab, &["ip_vs", "ip_vs_rr"], another_namespace)
        }),
        ("a_group_is_marked", a_group_is_marked),
        ("flushed_marks_come_back", flushed_marks_come_back),
        ("marks_outlive_a_process", |lab| {
            uml::scenario(lab, &["ip_vs", "ip_vs_rr"], marks_outlive_a_process)
        }),
        ("a_group_is_one_service", |lab| {
            uml::scenario(lab, &["ip_vs", "ip_vs_rr"], a_group_is_one_service)
        }),
    ])
}

/// Waits until a program says this, blanks at the ends of lines apart.
fn says(host: &Host, line: &str, expected: &str) -> Result<()> {
    let mut last = String::new();
    let tidy = |said: String| -> String {
        let lines: Vec<&str> = said.lines().map(str::trim_end).collect();
        lines.join("\n").trim().to_owned()
    };
    let outcome = wait_until(SOON, line, || {
        last = host
            .call(line)
            .map_or_else(|problem| problem.to_string(), tidy);
        last == expected
    });
    outcome.with_context(|| format!("{line}: not {expected:?} but {last:?}"))
}

fn timeouts(host: &Host, expected: &str) -> Result<()> {
    let expected = format!("Timeout (tcp tcpfin udp): {expected}");
    says(host, "ipvsadm -Ln --timeout", &expected)
}

fn both_daemons(host: &Host, options: &str) -> Result<()> {
    let expected = format!(
        "master sync daemon (mcast=eth0, {options})\nbackup sync daemon (mcast=eth0, {options})"
    );
    says(host, "ipvsadm -Ln --daemon", &expected)
}

/// A configuration with one service, and these lines of `global_defs`.
fn director(global: &str) -> String {
    format!(
        "global_defs {{\n{global}\n}}\nvirtual_server 198.18.0.100 80 {{\n protocol TCP\n lb_algo rr\n lb_kind NAT\n \
         real_server 198.18.0.3 80 {{\n }}\n}}\n"
    )
}

fn timeouts_and_both_daemons(lab: &mut Lab) -> Result<()> {
    program("ipvsadm")?;
    let lan = lab.segment()?;
    let a = host(lab, &lan, "a", 1)?;
    let tuned = director("lvs_timeouts tcp 100 udp 30\nlvs_sync_daemon eth0 id 5");
    let mut daemon = Daemon::start(&a, &evervip(), &tuned)?;
    timeouts(&a, "100 120 30")?;
    let started = "syncid=5, maxlen=1472, group=224.0.0.81, port=8848, ttl=1";
    both_daemons(&a, started)?;
    let starts = || {
        daemon
            .process
            .output_so_far()
            .matches("daemon runs on eth0")
            .count()
    };
    ensure!(starts() == 2);

    // A successor finds them as they should be, and knows what was before.
    daemon.says("Gained quorum")?;
    let checkers = || pid_in(&a.directory().join("checkers.pid"));
    let first = checkers()?;
    sys::process::kill(first, SIGKILL)?;
    wait_until(SOON, "there is a successor", || {
        checkers().is_ok_and(|pid| pid != first)
            && daemon
                .process
                .output_so_far()
                .matches("Gained quorum")
                .count()
                == 2
    })?;
    both_daemons(&a, started)?;
    timeouts(&a, "100 120 30")?;
    ensure!(starts() == 2, "what runs was started again");

    daemon.reload(&director(
        "lvs_timeouts tcpfin 20\nlvs_sync_daemon eth0 id 6 port 9000",
    ))?;
    timeouts(&a, "900 20 300")?;
    both_daemons(
        &a,
        "syncid=6, maxlen=1472, group=224.0.0.81, port=9000, ttl=1",
    )?;
    daemon.reload(&director(""))?;
    timeouts(&a, "900 120 300")?;
    says(&a, "ipvsadm -Ln --daemon", "")?;

    // Without virtual servers nothing of it counts; at the end everything is as it was.
    daemon.reload(&tuned)?;
    timeouts(&a, "100 120 30")?;
    let router = "vrrp_instance VI {\n interface eth0\n virtual_router_id 51\n priority 150\n}\n";
    daemon.reload(&format!(
        "global_defs {{\nlvs_timeouts tcp 100\nlvs_sync_daemon eth0\n}}\n{router}"
    ))?;
    timeouts(&a, "900 120 300")?;
    says(&a, "ipvsadm -Ln --daemon", "")?;
    daemon.reload(&tuned)?;
    timeouts(&a, "100 120 30")?;
    daemon.stop()?;
    timeouts(&a, "900 120 300")?;
    says(&a, "ipvsadm -Ln --daemon", "")?;

    // Nobody comes after a process that is not restarted: the parent puts back what it changed.
    let mut daemon = Daemon::start_with(&a, &evervip(), &tuned, &["-R"])?;
    timeouts(&a, "100 120 30")?;
    // It has told its parent by the time that it balances.
    let service = "-A -t 198.18.0.100:80 -s rr\n-a -t 198.18.0.100:80 -r 198.18.0.3:80 -m -w 1";
    says(&a, "ipvsadm -Sn", service)?;
    both_daemons(&a, started)?;
    sys::process::kill(checkers()?, SIGKILL)?;
    daemon.process.wait_timeout(SOON)?;
    timeouts(&a, "900 120 300")?;
    says(&a, "ipvsadm -Ln --daemon", "")
}

/// `net_namespace_ipvs`: IPVS is programmed there, and everything else happens here.
fn another_namespace(lab: &mut Lab) -> Result<()> {
    program("ipvsadm")?;
    let lan = lab.segment()?;
    let a = host(lab, &lan, "a", 1)?;
    // A namespace that has never had an interface up takes no address for that of a host.
    let make = |name: &str| -> Result<()> {
        a.call(&format!("ip netns add {name}"))?;
        a.call(&format!("ip -n {name} link set lo up"))?;
        Ok(())
    };
    a.call("ip netns add balancer")?;
    let inside = "ip netns exec balancer ipvsadm -Sn";
    let service = "-A -t 198.18.0.100:80 -s rr\n-a -t 198.18.0.100:80 -r 198.18.0.3:80 -m -w 1";
    let text = director("lvs_timeouts tcp 100");
    let elsewhere = format!("net_namespace_ipvs balancer\n{text}");
    let mut daemon = Daemon::start(&a, &evervip(), &elsewhere)?;
    // Said once, however often it is tried again.
    let refused = "IPVS cmd IP_VS_SO_SET_ADDDEST(1159) error: Invalid operation.";
    daemon.says(refused)?;
    let again = format!("refused again: {refused}");
    daemon.says(&again)?;
    a.call("ip -n balancer link set lo up")?;
    says(&a, inside, service)?;
    let said = daemon.process.output_so_far();
    ensure!(
        said.matches(refused).count() == said.matches(&again).count() + 1,
        "{said}"
    );
    says(&a, "ipvsadm -Sn", "")?;
    timeouts(&a, "900 120 300")?;
    let there = "ip netns exec balancer ipvsadm -Ln --timeout";
    says(&a, there, "Timeout (tcp tcpfin udp): 100 120 300")?;
    // It is for good: a reload that names another one changes nothing at all.
    make("other")?;
    let stays = |daemon: &mut Daemon, text: &str, times: usize| -> Result<()> {
        daemon.reload(text)?;
        wait_until(SOON, "the reload is refused", || {
            daemon.times_said("net_namespace_ipvs cannot be changed by a reload") == times
        })?;
        says(&a, inside, service)?;
        says(&a, there, "Timeout (tcp tcpfin udp): 100 120 300")
    };
    let tcp_50 = text.replace("tcp 100", "tcp 50");
    stays(
        &mut daemon,
        &format!("net_namespace_ipvs other\n{tcp_50}"),
        1,
    )?;
    stays(&mut daemon, &tcp_50, 2)?;
    says(&a, "ip netns exec other ipvsadm -Sn", "")?;
    // Nor does a successor touch what is not here: it knows where what it knows of was.
    let checkers = || pid_in(&a.directory().join("checkers.pid"));
    let first = checkers()?;
    sys::process::kill(first, SIGKILL)?;
    wait_until(SOON, "there is a successor", || {
        checkers().is_ok_and(|pid| pid != first) && daemon.times_said("Gained quorum") == 2
    })?;
    says(&a, there, "Timeout (tcp tcpfin udp): 100 120 300")?;
    timeouts(&a, "900 120 300")?;
    daemon.stop()?;
    says(&a, inside, "")?;
    says(&a, there, "Timeout (tcp tcpfin udp): 900 120 300")?;
    timeouts(&a, "900 120 300")?;
    // One that is not there: said, and put right when it is. What is in it by then goes, if that is wanted, as it would have
    // gone at the start.
    let missing = format!(
        "net_namespace_ipvs later\n{}",
        director("lvs_timeouts tcp 100\nlvs_flush")
    );
    let mut daemon = Daemon::start(&a, &evervip(), &missing)?;
    daemon.says("cannot open /run/netns/later: No such file or directory")?;
    is_set(&mut daemon, false)?;
    // So it would by a successor, and by its successor.
    for gained in 2..=3 {
        let dead = checkers()?;
        sys::process::kill(dead, SIGKILL)?;
        wait_until(SOON, "there is a successor", || {
            checkers().is_ok_and(|pid| pid != dead) && daemon.times_said("Gained quorum") == gained
        })?;
    }
    make("prepared")?;
    a.call("ip netns exec prepared ipvsadm -A -f 77 -s rr")?;
    a.call("ln -s prepared /run/netns/later")?;
    let prepared = "ip netns exec prepared ipvsadm -Sn";
    says(&a, prepared, service)?;
    is_set(&mut daemon, true)?;
    // It is done once: what somebody makes later is left alone by whoever comes next.
    a.call("ip netns exec prepared ipvsadm -A -f 77 -s rr")?;
    let last = checkers()?;
    sys::process::kill(last, SIGKILL)?;
    wait_until(SOON, "there is another successor", || {
        checkers().is_ok_and(|pid| pid != last) && daemon.times_said("Gained quorum") == 4
    })?;
    says(&a, prepared, &format!("{service}\n-A -f 77 -s rr"))
}

/// Whether the dump says that the kernel has the virtual server.
fn is_set(daemon: &mut Daemon, wanted: bool) -> Result<()> {
    let line = format!("VS alive = {}", u8::from(wanted));
    let text = daemon.dump(SIGUSR1, "keepalived_check.data", |_| true)?;
    ensure!(text.contains(&line), "{line} is missing in\n{text}");
    Ok(())
}

/// A site whose group goes by marks, if these lines of `global_defs` say so.
fn site(global: &str, entries: &str) -> String {
    format!(
        "global_defs {{\n{global}\n}}\nvirtual_server_group G {{\n{entries}\n}}\n\
         virtual_server group G {{\n protocol TCP\n lb_algo rr\n lb_kind NAT\n real_server 198.19.0.2 8080 {{\n }}\n}}\n"
    )
}

/// Packets are marked whether or not there is an IPVS to find them by that: this needs a kernel with nftables, which User
/// Mode Linux has not for IP.
fn a_group_is_marked(lab: &mut Lab) -> Result<()> {
    program("nft")?;
    let lan = lab.segment()?;
    let director = host(lab, &lan, "a", 1)?;
    let by_marks = |entries: &str| site("nftables_ipvs marks\nnftables_ipvs_priority 7", entries);
    let mut daemon = Daemon::start(
        &director,
        &evervip(),
        &site("nftables_ipvs marks", "198.18.0.100-102 80"),
    )?;
    let shows = |wanted: &str| -> Result<()> {
        let mut last = String::new();
        let outcome = wait_until(SOON, wanted, || {
            last = director
                .call("nft list ruleset")
                .unwrap_or_else(|problem| problem.to_string());
            last.contains(wanted)
        });
        outcome.with_context(|| last)
    };
    shows("elements = { 198.18.0.100-198.18.0.102 . 80 : 0x000003e8 }")?;
    shows("hook input priority filter - 1;")?;
    shows("meta mark set ip daddr . tcp dport map @tcp_map return")?;

    // Another priority: the table is made anew, under the same numbers.
    daemon.reload_whole(&by_marks("198.18.0.100-102 80\n198.18.0.110 80"))?;
    shows("hook input priority filter + 7;")?;
    shows("198.18.0.110 . 80 : 0x000003e8")?;
    // Somebody flushes all tables: the next change makes ours again.
    director.call("nft flush ruleset")?;
    daemon.reload_whole(&by_marks("198.18.0.101-102 80\n198.18.0.110 80"))?;
    let changed = "198.18.0.101-198.18.0.102 . 80 : 0x000003e8";
    shows(changed)?;
    // A successor of the process makes them anew in one step.
    let checkers = || pid_in(&director.directory().join("checkers.pid"));
    let first = checkers()?;
    sys::process::kill(first, SIGKILL)?;
    wait_until(SOON, "there is a successor", || {
        checkers().is_ok_and(|pid| pid != first)
            && daemon
                .process
                .output_so_far()
                .matches("Gained quorum")
                .count()
                == 2
    })?;
    shows(changed)?;

    // Addresses by themselves again: the table goes. So it does at the end, and not with -I.
    daemon.reload(&site("", "198.18.0.101-102 80"))?;
    says(&director, "nft list ruleset", "")?;
    daemon.reload(&by_marks("198.18.0.101-102 80"))?;
    shows(changed)?;
    daemon.stop()?;
    says(&director, "nft list ruleset", "")?;
    let again = by_marks("198.18.0.101-102 80");
    let mut keeping = Daemon::start_with(&director, &evervip(), &again, &["-I"])?;
    shows(changed)?;
    keeping.stop()?;
    shows(changed)?;
    // If nobody comes after a process that dies, the parent removes them.
    let mut last = Daemon::start_with(&director, &evervip(), &again, &["-R"])?;
    last.says("Gained quorum")?;
    shows(changed)?;
    sys::process::kill(checkers()?, SIGKILL)?;
    last.process.wait_timeout(SOON)?;
    says(&director, "nft list ruleset", "")
}

/// Somebody flushes all tables of nftables, and nothing else happens: that is found out with the next look, a minute later at
/// most.
fn flushed_marks_come_back(lab: &mut Lab) -> Result<()> {
    program("nft")?;
    let lan = lab.segment()?;
    let director = host(lab, &lan, "a", 1)?;
    let site = site("nftables_ipvs marks", "198.18.0.100-102 80");
    let daemon = Daemon::start(&director, &evervip(), &site)?;
    let list = || director.call("nft list ruleset").unwrap_or_default();
    let entry = "198.18.0.100-198.18.0.102 . 80 : 0x000003e8";
    wait_until(SOON, "packets are marked", || list().contains(entry))?;
    director.call("nft flush ruleset")?;
    wait_until(Duration::from_secs(60) + SOON, "they are again", || {
        list().contains(entry)
    })?;
    daemon.says("what was in the tables marks was changed by somebody else")
}

/// The other half: one service for all addresses; and a kernel that cannot mark is named.
fn a_group_is_one_service(lab: &mut Lab) -> Result<()> {
    program("ipvsadm")?;
    let lan = lab.segment()?;
    let director = host(lab, &lan, "a", 1)?;
    let group = site(
        "nftables_ipvs marks",
        "198.18.0.100-102 80\nfd00:18::100 80",
    );
    let group = group.replace("lb_kind NAT", "lb_kind TUN");
    let mut daemon = Daemon::start(&director, &evervip(), &group)?;
    says(
        &director,
        "ipvsadm -Sn",
        "-A -f 1000 -s rr\n-a -f 1000 -r 198.19.0.2:0 -i -w 1 --tun-type ipip\n\
         -A -f 1000 -6 -s rr\n-a -f 1000 -6 -r 198.19.0.2:0 -i -w 1 --tun-type ipip",
    )?;
    daemon.says("groups with automatic marks get no packets")?;
    daemon.stop()?;
    says(&director, "ipvsadm -Sn", "")
}

/// A reload that removes a group leaves the others their marks, and so does the death of a process after it: no service is
/// left behind by a successor that counts anew, nor by the parent if there is none.
fn marks_outlive_a_process(lab: &mut Lab) -> Result<()> {
    program("ipvsadm")?;
    let lan = lab.segment()?;
    let director = host(lab, &lan, "a", 1)?;
    let text = |names: &[&str]| -> String {
        let groups = names.iter().zip(1..).map(|(name, number)| {
            format!(
                "virtual_server_group {name} {{\n 198.18.0.{number} 80\n}}\nvirtual_server group {name} {{\n protocol TCP\n \
                 lb_algo rr\n lb_kind NAT\n real_server 198.19.0.2 8080 {{\n }}\n}}\n"
            )
        });
        "global_defs {\n nftables_ipvs marks\n}\n".to_owned() + &groups.collect::<String>()
    };
    let services = |marks: &[u32]| -> Result<()> {
        let line =
            |mark: &u32| format!("-A -f {mark} -s rr\n-a -f {mark} -r 198.19.0.2:8080 -m -w 1");
        let lines: Vec<String> = marks.iter().map(line).collect();
        says(&director, "ipvsadm -Sn", &lines.join("\n"))
    };
    let checkers = || pid_in(&director.directory().join("checkers.pid"));
    for arguments in [&[][..], &["-R"]] {
        let mut daemon = Daemon::start_with(&director, &evervip(), &text(&["A", "B"]), arguments)?;
        services(&[1000, 1001])?;
        daemon.reload_whole(&text(&["B"]))?;
        services(&[1001])?;
        let first = checkers()?;
        let gained = daemon.times_said("Gained quorum");
        sys::process::kill(first, SIGKILL)?;
        if arguments.is_empty() {
            wait_until(SOON, "there is a successor", || {
                checkers().is_ok_and(|pid| pid != first)
                    && daemon.times_said("Gained quorum") > gained
            })?;
            services(&[1001])?;
            daemon.reload(&text(&["B", "C"]))?;
            services(&[1001, 1002])?;
            daemon.stop()?;
        } else {
            daemon.process.wait_timeout(SOON)?;
        }
        services(&[])?;
    }
    Ok(())
}

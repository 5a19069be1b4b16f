//! Routes, rules and static entries in a real kernel.

mod common;

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Result, ensure};
use lab::{Host, Lab, Process, scenario, wait_until};

use common::{Daemon, SOON, evervip, gains, keepalived, loses};

fn main() -> ExitCode {
    scenario::main(&[
        (
            "routes_and_rules_follow_the_master",
            routes_and_rules_follow_the_master,
        ),
        (
            "a_reload_touches_what_changed",
            a_reload_touches_what_changed,
        ),
        ("left_overs_are_taken_over", left_overs_are_taken_over),
        ("left_overs_are_removed", left_overs_are_removed),
        ("what_is_deleted_comes_back", what_is_deleted_comes_back),
        (
            "what_an_interface_takes_along",
            what_an_interface_takes_along,
        ),
        ("static_entries_stay", static_entries_stay),
        ("static_entries_and_reloads", static_entries_and_reloads),
        ("secondaries_are_promoted", secondaries_are_promoted),
        ("as_keepalived_does", as_keepalived_does),
    ])
}

const VIP: &str = "198.18.0.100";

fn instance(priority: u8, more: &str) -> String {
    format!(
        "vrrp_instance VI {{\n interface eth0\n virtual_router_id 51\n priority {priority}\n version 3\n advert_int 0.5\n \
         virtual_ipaddress {{\n 198.18.0.100/24\n }}\n {more}\n}}\n"
    )
}

fn with(routes: &[&str], rules: &[&str]) -> String {
    format!(
        "virtual_routes {{\n{}\n}}\nvirtual_rules {{\n{}\n}}",
        routes.join("\n"),
        rules.join("\n")
    )
}

const ROUTES: [&str; 5] = [
    "10.1.0.0/16 via 198.18.0.254 dev eth0 src 198.18.0.100 metric 50 mtu lock 1400",
    "10.2.0.0/16 nexthop via 198.18.0.253 dev eth0 weight 3 nexthop via 198.18.0.254 dev eth0",
    "blackhole 10.3.0.0/16 table 1000",
    "2001:db8:1::/48 via fd00:18::fe dev eth0 pref high",
    "10.4.0.0/16 via 198.18.0.252",
];

const RULES: [&str; 3] = [
    "from 10.1.0.0/16 table 1000 preference 300",
    "not fwmark 7/0xff iif eth0 table 1000 preference 301",
    "from 2001:db8:1::/48 ipproto tcp dport 80-88 table 1000 preference 302",
];

/// The routes of a host that are marked as ours, one a line.
fn routes(host: &Host) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for family in ["-4", "-6"] {
        let listed = host.call(&format!("ip {family} route show table all proto 18"))?;
        // The continuation lines of a route with several ways begin with a blank.
        lines.extend(listed.lines().map(|line| line.trim_end().to_owned()));
    }
    lines.sort();
    Ok(lines)
}

/// Likewise its rules.
fn rules(host: &Host) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for family in ["-4", "-6"] {
        let listed = host.call(&format!("ip {family} rule show"))?;
        // iproute2 lists those of the kernel as "0:", "32766:" and "32767:".
        let ours = listed.lines().filter(|line| {
            !["0:", "32766:", "32767:"]
                .iter()
                .any(|own| line.starts_with(own))
        });
        lines.extend(ours.map(|line| line.trim_end().to_owned()));
    }
    lines.sort();
    Ok(lines)
}

fn everything(host: &Host) -> Result<Vec<String>> {
    let mut all = routes(host)?;
    all.extend(rules(host)?);
    Ok(all)
}

fn has(host: &Host, what: &str) -> bool {
    everything(host).is_ok_and(|all| all.iter().any(|line| line.contains(what)))
}

fn appears(host: &Host, what: &str) -> Result<()> {
    wait_until(SOON, &format!("{} gets {what}", host.name()), || {
        has(host, what)
    })
}

fn vanishes(host: &Host, what: &str) -> Result<()> {
    wait_until(SOON, &format!("{} loses {what}", host.name()), || {
        !has(host, what)
    })
}

fn has_nothing(host: &Host) -> Result<()> {
    wait_until(
        SOON,
        &format!("{} has nothing of ours", host.name()),
        || everything(host).is_ok_and(|all| all.is_empty()),
    )
}

/// What happens to addresses, routes and rules on a host from now on.
struct Events(Process);

impl Events {
    fn watch(host: &Host) -> Result<Self> {
        let mut command = Command::new("ip");
        command.args(["monitor", "address", "route", "rule"]);
        let monitor = Self(host.spawn(&mut command)?);
        // It listens when it tells of something.
        wait_until(SOON, "ip monitor listens", || {
            let poked = ["add", "del"]
                .map(|verb| host.call(&format!("ip route {verb} blackhole 203.0.113.0/24")));
            poked.iter().all(Result::is_ok) && monitor.0.output_so_far().contains("203.0.113.0")
        })?;
        Ok(monitor)
    }

    /// All that happened, but for what it took to begin.
    fn so_far(&self) -> Vec<String> {
        let output = self.0.output_so_far();
        let events = output.lines().filter(|line| !line.contains("203.0.113.0"));
        events.map(str::to_owned).collect()
    }
}

fn routes_and_rules_follow_the_master(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let more = with(&ROUTES, &RULES);
    let mut first = Daemon::start(&a, &evervip(), &instance(150, &more))?;
    gains(&a, VIP)?;
    appears(&a, "2001:db8:1::/48")?;
    appears(&a, "302:")?;
    let all = everything(&a)?;
    println!("{}", all.join("\n"));
    for part in [
        "10.1.0.0/16 via 198.18.0.254 dev eth0 src 198.18.0.100 metric 50 mtu lock 1400",
        "nexthop via 198.18.0.253 dev eth0 weight 3",
        "nexthop via 198.18.0.254 dev eth0 weight 1",
        "blackhole 10.3.0.0/16 table 1000",
        "via fd00:18::fe dev eth0 metric 1024 pref high",
        "10.4.0.0/16 via 198.18.0.252 dev eth0",
        "300:\tfrom 10.1.0.0/16 lookup 1000 proto keepalived",
        "301:\tnot from all fwmark 0x7/0xff iif eth0 lookup 1000 proto keepalived",
        "302:\tfrom 2001:db8:1::/48 ipproto tcp dport 80-88 lookup 1000 proto keepalived",
    ] {
        ensure!(all.iter().any(|line| line.contains(part)), "{part}");
    }
    let _second = Daemon::start(&b, &evervip(), &instance(100, &more))?;
    ensure!(everything(&b)?.is_empty(), "a backup has nothing");
    // The one that stops takes everything away, the other one gets it.
    first.stop()?;
    has_nothing(&a)?;
    gains(&b, VIP)?;
    wait_until(SOON, "the other host has all of it", || {
        everything(&b).is_ok_and(|there| there == all)
    })?;
    ensure!(first.times_said("cannot") == 0);
    Ok(())
}

fn alone(lab: &Lab) -> Result<Host> {
    let lan = lab.segment()?;
    common::host(lab, &lan, "a", 1)
}

fn a_reload_touches_what_changed(lab: &mut Lab) -> Result<()> {
    let a = alone(lab)?;
    let before = [
        "10.1.0.0/16 via 198.18.0.254 dev eth0 mtu 1400",
        "10.2.0.0/16 via 198.18.0.254 dev eth0",
        "10.3.0.0/16 via 198.18.0.254 dev eth0 append",
        "10.5.0.0/16 via 198.18.0.254 dev eth0 add",
    ];
    let rules = ["from 10.1.0.0/16 table 1000 preference 300"];
    let mut daemon = Daemon::start(&a, &evervip(), &instance(150, &with(&before, &rules)))?;
    appears(&a, "300:")?;
    let events = Events::watch(&a)?;
    // Another option: in place. Another way: a new one, then the old one goes.
    let after = [
        "10.1.0.0/16 via 198.18.0.254 dev eth0 mtu 1300",
        "10.2.0.0/16 via 198.18.0.254 dev eth0",
        "10.3.0.0/16 via 198.18.0.254 dev eth0 append",
        "10.5.0.0/16 via 198.18.0.253 dev eth0 add",
    ];
    let rules = [
        "from 10.1.0.0/16 table 1000 preference 300",
        "from 10.2.0.0/16 table 1000 preference 310",
    ];
    daemon.reload(&instance(150, &with(&after, &rules)))?;
    appears(&a, "310:")?;
    appears(&a, "10.5.0.0/16 via 198.18.0.253")?;
    vanishes(&a, "10.5.0.0/16 via 198.18.0.254")?;
    wait_until(SOON, "all is told", || {
        let told = events.so_far();
        ["310:", "mtu 1300", "via 198.18.0.253", "Deleted"]
            .iter()
            .all(|part| told.iter().any(|line| line.contains(part)))
    })?;
    let told = events.so_far();
    println!("{}", told.join("\n"));
    let deleted: Vec<_> = told
        .iter()
        .filter(|line| line.contains("Deleted"))
        .collect();
    ensure!(
        deleted.len() == 1
            && deleted
                .iter()
                .all(|line| line.contains("10.5.0.0/16 via 198.18.0.254")),
        "{deleted:?}"
    );
    for untouched in ["10.2.0.0/16 via", "10.3.0.0", "300:", VIP] {
        ensure!(
            !told.iter().any(|line| line.contains(untouched)),
            "{untouched}"
        );
    }
    ensure!(daemon.times_said("cannot") == 0);
    Ok(())
}

fn left_overs_are_taken_over(lab: &mut Lab) -> Result<()> {
    let a = alone(lab)?;
    let statics = "static_routes {\n 10.9.0.0/16 via 198.18.0.254 dev eth0\n}\nstatic_rules {\n \
                   from 10.9.0.0/16 table 1000 preference 309\n}\n";
    let configuration = format!("{statics}{}", instance(150, &with(&ROUTES, &RULES)));
    let mut daemon = Daemon::start(&a, &evervip(), &configuration)?;
    appears(&a, "302:")?;
    // Then its parent knows that it is master, too.
    daemon.reload_whole(&configuration)?;
    let all = everything(&a)?;
    let events = Events::watch(&a)?;
    lab::crash(daemon.vrrp_pid()?)?;
    daemon.says("(VI) was MASTER before the restart and stays MASTER")?;
    // It listens to the kernel again, and so it is done with taking over.
    a.call("ip route del 10.9.0.0/16 proto 18")?;
    daemon.says("somebody removed the static route 10.9.0.0/16")?;
    appears(&a, "10.9.0.0/16")?;
    ensure!(everything(&a)? == all, "{:?}", everything(&a)?);
    wait_until(SOON, "it is told", || {
        events.so_far().iter().any(|line| line.contains("Deleted"))
    })?;
    let told = events.so_far();
    let deleted: Vec<_> = told
        .iter()
        .filter(|line| line.contains("Deleted"))
        .collect();
    ensure!(
        deleted.len() == 1 && deleted.iter().all(|line| line.contains("10.9.0.0/16")),
        "{deleted:?}"
    );
    Ok(())
}

fn left_overs_are_removed(lab: &mut Lab) -> Result<()> {
    let a = alone(lab)?;
    let configuration = instance(150, &with(&ROUTES, &RULES));
    let mut daemon = Daemon::start(&a, &evervip(), &configuration)?;
    appears(&a, "302:")?;
    daemon.crash()?;
    ensure!(!everything(&a)?.is_empty());
    // Somebody else's of the same kind stay.
    a.call("ip route add 10.8.0.0/16 dev eth0 proto static")?;
    a.call("ip rule add from 10.8.0.0/16 table 77")?;
    let backup = configuration.replace("advert_int 0.5", "advert_int 40");
    let again = Daemon::start(&a, &evervip(), &backup)?;
    again.says("(VI) Entering BACKUP STATE")?;
    wait_until(SOON, "only foreign ones are left", || {
        routes(&a).is_ok_and(|all| all.is_empty()) && rules(&a).is_ok_and(|all| all.len() == 1)
    })?;
    ensure!(a.call("ip route show 10.8.0.0/16")?.contains("static"));
    Ok(())
}

fn what_is_deleted_comes_back(lab: &mut Lab) -> Result<()> {
    let a = alone(lab)?;
    let routes = [
        "10.1.0.0/16 via 198.18.0.254 dev eth0",
        "10.2.0.0/16 via 198.18.0.254 dev eth0 no_track",
    ];
    let configuration = instance(150, &with(&routes, &RULES));
    let daemon = Daemon::start(&a, &evervip(), &configuration)?;
    appears(&a, "302:")?;
    a.call("ip route del 10.2.0.0/16 proto 18")?;
    a.call("ip route del 10.1.0.0/16 proto 18")?;
    daemon.says("(VI) somebody removed the route 10.1.0.0/16 via 198.18.0.254 dev eth0")?;
    appears(&a, "10.1.0.0/16 via 198.18.0.254")?;
    ensure!(daemon.times_said("10.2.0.0/16") == 0);
    a.call("ip rule del preference 300")?;
    daemon.says("(VI) somebody removed the rule preference 300")?;
    appears(&a, "300:")?;
    ensure!(
        daemon.times_said("(VI) Entering BACKUP STATE") == 1,
        "it stays MASTER"
    );
    Ok(())
}

fn what_an_interface_takes_along(lab: &mut Lab) -> Result<()> {
    let (lan, other) = (lab.segment()?, lab.segment()?);
    let a = common::host(lab, &lan, "a", 1)?;
    let routes = [
        "10.1.0.0/16 via 198.18.1.254 dev eth1 no_track",
        "2001:db8:1::/48 via fe80::99 dev eth1 no_track",
    ];
    let statics = "static_ipaddress {\n 198.18.2.1/24 dev eth1 no_track\n}\nstatic_routes {\n \
                   10.9.0.0/16 via 198.18.2.254 dev eth1 no_track\n}\n";
    let globals = "global_defs {\n dynamic_interfaces\n}\n";
    let configuration = format!("{globals}{statics}{}", instance(150, &with(&routes, &[])));
    let daemon = Daemon::start(&a, &evervip(), &configuration)?;
    gains(&a, VIP)?;
    ensure!(everything(&a)?.is_empty());
    // The interface, then its network: the route is possible only then.
    a.connect(&other, "eth1")?;
    appears(&a, "10.9.0.0/16")?;
    appears(&a, "2001:db8:1::/48")?;
    daemon.says("cannot add the route 10.1.0.0/16")?;
    a.add_address("eth1", "198.18.1.1/24")?;
    appears(&a, "10.1.0.0/16")?;
    a.link_down("eth1")?;
    vanishes(&a, "10.1.0.0/16")?;
    vanishes(&a, "2001:db8:1::/48")?;
    a.link_up("eth1")?;
    for route in ["10.1.0.0/16", "10.9.0.0/16", "2001:db8:1::/48"] {
        appears(&a, route)?;
    }
    ensure!(daemon.times_said("somebody") == 0 && daemon.times_said("BACKUP STATE") == 1);
    Ok(())
}

fn static_entries_stay(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let statics = "static_ipaddress {\n 198.18.0.60/24 dev eth0\n 198.18.0.61/24 dev eth0 no_track\n}\n\
                   static_routes {\n 10.9.0.0/16 via 198.18.0.254 dev eth0\n}\n\
                   static_rules {\n from 10.9.0.0/16 table 1000 preference 309\n}\n";
    let _master = Daemon::start(&b, &evervip(), &instance(200, ""))?;
    gains(&b, VIP)?;
    let mut daemon = Daemon::start(&a, &evervip(), &format!("{statics}{}", instance(100, "")))?;
    gains(&a, "198.18.0.60")?;
    appears(&a, "10.9.0.0/16")?;
    appears(&a, "309:")?;
    a.remove_address("eth0", "198.18.0.61/24")?;
    a.remove_address("eth0", "198.18.0.60/24")?;
    daemon.says("somebody removed the static address 198.18.0.60/24 of eth0: it is put back")?;
    gains(&a, "198.18.0.60")?;
    a.call("ip rule del preference 309")?;
    appears(&a, "309:")?;
    // Again and again, and it still comes back, only slower.
    for _time in 0..8 {
        a.call("ip route del 10.9.0.0/16 proto 18")?;
        appears(&a, "10.9.0.0/16 via")?;
    }
    daemon.says("it is put back once a second")?;
    ensure!(!common::holds(&a, "198.18.0.61"), "no_track");
    ensure!(daemon.times_said("(VI) Entering MASTER STATE") == 0);
    daemon.stop()?;
    has_nothing(&a)?;
    loses(&a, "198.18.0.60")?;
    loses(&a, "198.18.0.61")
}

fn static_entries_and_reloads(lab: &mut Lab) -> Result<()> {
    let a = alone(lab)?;
    let statics = |mtu: u32, more: &str| {
        format!(
            "static_ipaddress {{\n 198.18.0.60/24 dev eth0\n{more} }}\nstatic_routes {{\n \
             10.9.0.0/16 via 198.18.0.254 dev eth0 mtu {mtu}\n 10.8.0.0/16 via 198.18.0.254 dev eth0\n}}\n"
        )
    };
    let mut daemon = Daemon::start_with(
        &a,
        &evervip(),
        &format!("{}{}", statics(1400, ""), instance(100, "")),
        &["-V"],
    )?;
    gains(&a, VIP)?;
    appears(&a, "10.8.0.0/16")?;
    let events = Events::watch(&a)?;
    daemon.reload(&format!(
        "{}{}",
        statics(1300, " 198.18.0.62/24 dev eth0\n"),
        instance(100, "")
    ))?;
    gains(&a, "198.18.0.62")?;
    appears(&a, "mtu 1300")?;
    let told = events.so_far();
    ensure!(
        !told.iter().any(|line| line.contains("Deleted")
            || line.contains("10.8.0.0")
            || line.contains("198.18.0.60")),
        "{told:?}"
    );
    // Addresses of instances stay with --dont-release-vrrp, static entries do not.
    daemon.stop()?;
    has_nothing(&a)?;
    loses(&a, "198.18.0.60")?;
    loses(&a, "198.18.0.62")?;
    ensure!(common::holds(&a, VIP));
    Ok(())
}

fn secondaries_are_promoted(lab: &mut Lab) -> Result<()> {
    let a = alone(lab)?;
    let setting = || a.call("cat /proc/sys/net/ipv4/conf/eth0/promote_secondaries");
    ensure!(setting()?.trim() == "0");
    let more = "promote_secondaries";
    // Another source for our adverts, behind the first.
    a.add_address("eth0", "198.18.0.5/24")?;
    let mut daemon = Daemon::start(&a, &evervip(), &instance(100, more))?;
    gains(&a, VIP)?;
    ensure!(setting()?.trim() == "1");
    a.remove_address("eth0", "198.18.0.1/24")?;
    ensure!(
        common::holds(&a, VIP),
        "it would have gone with the first one"
    );
    daemon.reload_whole(&instance(100, ""))?;
    ensure!(setting()?.trim() == "0", "the setting is put back");
    daemon.reload_whole(&instance(100, more))?;
    ensure!(setting()?.trim() == "1", "the setting is made again");
    // A process that dies does not make it permanent.
    let child = daemon.vrrp_pid()?;
    sys::process::kill(child, common::SIGKILL)?;
    daemon.says("stays MASTER")?;
    ensure!(setting()?.trim() == "1");
    daemon.stop()?;
    ensure!(setting()?.trim() == "0");
    Ok(())
}

/// What Debian's keepalived makes of the same file, where it knows the words.
fn as_keepalived_does(lab: &mut Lab) -> Result<()> {
    let theirs = keepalived()?;
    let routes = [
        "10.1.0.0/16 via 198.18.0.254 dev eth0 src 198.18.0.100 metric 50 mtu lock 1400 advmss 1300 hoplimit 9",
        "10.2.0.0/16 nexthop via 198.18.0.253 dev eth0 weight 3 nexthop via 198.18.0.254 dev eth0 weight 256",
        "blackhole 10.3.0.0/16 table 1000",
        "unreachable 10.6.0.0/16 metric 7",
        "10.7.0.0/16 dev eth0 scope link tos 0x10",
        "2001:db8:1::/48 via fd00:18::fe dev eth0 pref high",
        "10.4.0.0/16 via 198.18.0.252 dev eth0 onlink window 5000 rtt 300ms rttvar 250ms initcwnd 20 initrwnd 30 rto_min 300 \
         quickack 1 cwnd lock 9 ssthresh 11 reordering 4 features ecn realms 3/4 congctl reno",
        "10.8.0.0/16 dev eth0 encap ip id 7 dst 198.18.9.9 ttl 64",
        "2001:db8:2::/48 dev eth0 encap ip6 id 7 dst fd00:18::9 hoplimit 64",
    ];
    let rules = [
        "from 10.1.0.0/16 to 10.2.0.0/16 table 1000 preference 300",
        "not fwmark 7/0xff iif eth0 blackhole preference 301",
        "from 2001:db8:1::/48 ipproto tcp dport 80-88 sport 1024-2048 table 1000 preference 302",
        "from 10.3.0.0/16 oif eth0 tos 0x10 lookup 1001 realms 3/4 preference 303",
        "to 10.4.0.0/16 uidrange 0-1000 table 1000 suppress_prefixlength 8 preference 304",
        "from 10.5.0.0/16 goto 400 preference 305",
        "from 10.6.0.0/16 prohibit preference 306",
        "to 2001:db8:4::/48 unreachable preference 307",
        "from 10.7.0.0/16 tunnel-id 9 table 1000 suppress_ifgroup 5 preference 308",
        "from 10.8.0.0/16 l3mdev preference 309",
        "nop preference 400",
    ];
    let statics = "static_routes {\n 10.9.0.0/16 via 198.18.0.254 dev eth0\n}\n";
    let configuration = format!("{statics}{}", instance(100, &with(&routes, &rules)));
    let ours = made_by(lab, "a", &evervip(), &configuration)?;
    let theirs = made_by(lab, "b", &theirs, &configuration)?;
    println!("{}", ours.join("\n"));
    let only_in = |these: &[String], those: &[String]| -> Vec<String> {
        let only = these.iter().filter(|line| !those.contains(line));
        only.cloned().collect()
    };
    let (missing, more) = (only_in(&theirs, &ours), only_in(&ours, &theirs));
    ensure!(
        missing.is_empty() && more.is_empty(),
        "only keepalived: {missing:#?}, only evervip: {more:#?}"
    );
    Ok(())
}

/// The routes and rules that a program makes of a configuration.
fn made_by(lab: &Lab, name: &str, program: &Path, configuration: &str) -> Result<Vec<String>> {
    let host = common::host(lab, &lab.segment()?, name, 1)?;
    let _daemon = Daemon::start(&host, program, configuration)?;
    gains(&host, VIP)?;
    appears(&host, "400:")?;
    appears(&host, "10.9.0.0/16")?;
    everything(&host)
}

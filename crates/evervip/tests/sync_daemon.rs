//! The kernel's sync daemon that follows an instance, in a kernel of its own with IPVS: two directors that know of one
//! another's connections.

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, ExitCode};

use anyhow::{Result, ensure};
use lab::{Host, Lab, scenario, uml, wait_until};

use common::{Daemon, SIGKILL, SOON, evervip, program};

fn main() -> ExitCode {
    scenario::main(&[
        ("it_follows_its_instance", |lab| {
            uml::scenario(lab, &["ip_vs", "ip_vs_rr"], it_follows_its_instance)
        }),
        ("vrrp_does_not_need_it", |lab| {
            uml::scenario(lab, &[], vrrp_does_not_need_it)
        }),
    ])
}

const VIP: &str = "198.18.0.100";

/// A director. `global` are lines of `global_defs`, `more` of the instance.
fn director(priority: u8, global: &str, more: &str) -> String {
    format!(
        "global_defs {{\n {global}\n}}\nvrrp_instance VI {{\n version 3\n interface eth0\n virtual_router_id 51\n \
         advert_int 1\n priority {priority}\n {more}\n virtual_ipaddress {{\n {VIP}\n }}\n}}\n"
    )
}

/// What `ipvsadm` says of the daemons of a host, without what the kernel chooses by the MTU.
fn daemons(host: &Host) -> Result<String> {
    let said = host.call("ipvsadm -Ln --daemon")?;
    Ok(said
        .trim()
        .replace(" sync daemon (mcast=", " ")
        .replace("maxlen=1472, ", ""))
}

/// Waits until exactly this is said.
fn runs(host: &Host, expected: &str) -> Result<()> {
    let mut last = String::new();
    let outcome = wait_until(SOON, "the sync daemon follows", || {
        last = daemons(host).unwrap_or_else(|problem| problem.to_string());
        last == expected
    });
    outcome.map_err(|problem| problem.context(format!("not {expected:?} but {last:?}")))
}

fn it_follows_its_instance(lab: &mut Lab) -> Result<()> {
    program("ipvsadm")?;
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let b = common::host(lab, &lan, "b", 2)?;
    let server = common::host(lab, &lan, "c", 3)?;
    let client = common::host(lab, &lan, "d", 4)?;
    let master = "master eth0, syncid=51, group=224.0.0.81, port=8848, ttl=1)";
    let backup = master.replace("master", "backup");
    // A daemon that somebody left behind, with another id.
    a.call("ipvsadm --start-daemon master --mcast-interface eth0 --syncid 9")?;

    // The id is that of the instance, in the new form and in the old one.
    let sharing = director(150, "lvs_sync_daemon eth0 inst VI", "");
    let mut first = Daemon::start(&a, &evervip(), &sharing)?;
    runs(&a, master)?;
    let old_form = director(100, "", "lvs_sync_daemon_interface eth0");
    let mut second = Daemon::start(&b, &evervip(), &old_form)?;
    runs(&b, &backup)?;

    // The backup hears of a connection that the master balances.
    for director in [&a, &b] {
        director.call(&format!("ipvsadm -A -t {VIP}:80 -s rr"))?;
        director.call(&format!("ipvsadm -a -t {VIP}:80 -r 198.18.0.3 -g"))?;
    }
    // It has the address, and lets nobody know.
    server.call(
        "busybox sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2",
    )?;
    server.add_address("lo", &format!("{VIP}/32"))?;
    fs::write(server.directory().join("index.html"), "served\n")?;
    let mut httpd = Command::new(program("busybox")?);
    httpd.args(["httpd", "-f", "-p", &format!("{VIP}:80"), "-h"]);
    httpd.arg(server.directory());
    let _httpd = server.spawn(&mut httpd)?;
    let mut page = String::new();
    wait_until(SOON, "the page is served", || {
        page = client
            .call(&format!("busybox wget -q -O - http://{VIP}/"))
            .unwrap_or_else(|problem| problem.to_string());
        page.contains("served")
    })?;
    let known = |host: &Host| {
        let connections = host.call("ipvsadm -Lnc").unwrap_or_default();
        connections.contains(&format!("{VIP}:80")) && connections.contains("198.18.0.3:80")
    };
    ensure!(known(&a), "it went another way");
    wait_until(SOON, "the backup knows of the connection", || known(&b))?;

    // A restarted process finds the daemon as it should be.
    let starts = "lvs_sync_daemon: the master daemon runs on eth0";
    sys::process::kill(first.vrrp_pid()?, SIGKILL)?;
    // If it came too late to stay master, it becomes one again.
    let said = |text: &str| first.process.output_so_far().matches(text).count();
    wait_until(SOON, "its successor is master", || {
        said("stays MASTER") == 1 || said("Entering MASTER STATE") == 2
    })?;
    let elections = said("Entering MASTER STATE");
    runs(&a, master)?;

    // Other options, then none.
    first.reload(&director(
        150,
        "lvs_sync_daemon eth0 inst VI id 7 port 9000 ttl 3 group 224.0.0.99 maxlen 1400",
        "",
    ))?;
    runs(
        &a,
        "master eth0, syncid=7, maxlen=1400, group=224.0.0.99, port=9000, ttl=3)",
    )?;
    let said = first.process.output_so_far();
    ensure!(said.matches(starts).count() == elections + 1, "{said}");
    first.reload(&director(150, "", ""))?;
    runs(&a, "")?;
    first.reload(&sharing)?;
    runs(&a, master)?;

    // Roles change with those of the instance, and nothing is left behind.
    a.pull_cable("eth0")?;
    runs(&a, &backup)?;
    runs(&b, master)?;
    a.plug_cable("eth0")?;
    runs(&a, master)?;
    runs(&b, &backup)?;
    first.stop()?;
    runs(&a, "")?;
    runs(&b, master)?;
    second.stop()?;
    runs(&b, "")?;

    // Nobody comes after a process that is not restarted: the parent stops what it has left.
    let mut last = Daemon::start_with(&a, &evervip(), &sharing, &["-R"])?;
    runs(&a, master)?;
    sys::process::kill(last.vrrp_pid()?, SIGKILL)?;
    last.process.wait_timeout(SOON)?;
    runs(&a, "")
}

/// Without IPVS, and on an interface that is not there yet: said once, and put right when it can be.
fn vrrp_does_not_need_it(lab: &mut Lab) -> Result<()> {
    ensure!(uml::is_inside(), "it would change the machine");
    let lan = lab.segment()?;
    let a = common::host(lab, &lan, "a", 1)?;
    let sharing = director(150, "lvs_sync_daemon eth1 inst VI", "");
    let daemon = Daemon::start(&a, &evervip(), &sharing)?;
    daemon.says("lvs_sync_daemon: IPVS: Can't initialize ipvs: No such file or directory (cannot load kernel module ip_vs: ")?;
    wait_until(SOON, "it is master all the same", || {
        a.has_address("eth0", VIP).unwrap_or(false)
    })?;
    let tree = a.directory().join("tree");
    fs::create_dir_all(tree.join("lib"))?;
    symlink("/usr/lib/uml/modules", tree.join("lib/modules"))?;
    a.call(&format!("modprobe -d {} ip_vs", tree.display()))?;
    daemon.says("the master daemon does not start on eth1: IPVS cmd IP_VS_SO_SET_STARTDAEMON(1163) error: No such device(19); is the interface there?")?;
    a.connect(&lan, "eth1")?;
    runs(
        &a,
        "master eth1, syncid=51, group=224.0.0.81, port=8848, ttl=1)",
    )?;
    daemon.says("lvs_sync_daemon: it works now")?;
    let said = daemon.process.output_so_far();
    ensure!(said.matches("Can't initialize ipvs").count() == 1, "{said}");
    ensure!(
        said.matches("does not start on eth1").count() == 1,
        "{said}"
    );
    Ok(())
}

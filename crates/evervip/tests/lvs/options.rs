//! What else has a say in the table: groups and marks, weights that change, addresses that come and go, time-outs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Result, bail, ensure};
use lab::Lab;

use crate::world::{
    Network, SYNC_DAEMONS, Story, globals, look_until, real_server, real_server_with,
    virtual_server, virtual_server_at,
};

/// A group of addresses, ranges and marks: each a service with all real servers.
pub(crate) fn groups(lab: &mut Lab) -> Result<()> {
    let network = Network::new(lab)?;
    let servers = network.servers(2)?;
    let configuration = |entries: &str| {
        let both = [real_server(1, ""), real_server(2, "weight 2")];
        globals("")
            + &format!("virtual_server_group G {{\n {entries}\n}}\n")
            + &virtual_server_at("group G", "lb_algo rr\nlb_kind NAT", &both)
    };
    let table = |services: &[&str], rows: &str| {
        let services: Vec<String> = services
            .iter()
            .map(|service| format!("{service} rr ={rows}"))
            .collect();
        services.join("; ")
    };
    let all = [
        "FWM 9",
        "TCP 10.0.9.1:80",
        "TCP 10.0.9.2:81",
        "TCP 10.0.9.3:81",
        "TCP 10.0.9.4:81",
    ];
    let mut story = Story::prepare(&network, "")?;
    story.start_all(
        &configuration("10.0.9.1 80\n 10.0.9.2-4 81\n fwmark 9"),
        &[],
    )?;
    story.same("started", &table(&all, " .1:1 .2:2"), &["VS UP"])?;
    let [_, second] = &servers[..] else {
        bail!("two were asked for")
    };
    second.down()?;
    story.same(".2 fails", &table(&all, " .1:1"), &["RS .2 DOWN"])?;
    story.reload(&configuration("10.0.9.1 80\n 10.0.9.3-5 81\n 10.0.9.6 80"))?;
    let others = [
        "TCP 10.0.9.1:80",
        "TCP 10.0.9.3:81",
        "TCP 10.0.9.4:81",
        "TCP 10.0.9.5:81",
        "TCP 10.0.9.6:80",
    ];
    let why =
        "2.2.7 leaves services of entries that have come or gone by a reload, without destinations";
    let theirs = |rows: &str| {
        format!(
            "FWM 9 rr =; TCP 10.0.9.1:80 rr ={rows}; TCP 10.0.9.2:81 rr =; {}",
            table(others.get(1..).unwrap_or_default(), rows)
        )
    };
    story.differ(
        "other entries",
        why,
        (&table(&others, " .1:1"), &[]),
        (&theirs(" .1:1"), &[]),
    )?;
    second.up()?;
    let events = ["RS .2 UP"];
    story.differ(
        ".2 recovers",
        why,
        (&table(&others, " .1:1 .2:2"), &events),
        (&theirs(" .1:1 .2:2"), &events),
    )?;
    story.stop()?;
    story.differ(
        "stop",
        why,
        ("nothing", &[]),
        (
            "FWM 9 rr =; TCP 10.0.9.2:81 rr =; TCP 10.0.9.3:81 rr =; TCP 10.0.9.4:81 rr =; TCP 10.0.9.5:81 rr =; \
             TCP 10.0.9.6:80 rr =",
            &[],
        ),
    )
}

/// Modules of the schedulers that directors do not have anyway. `twos` is in no kernel of Debian's.
pub(crate) const SCHEDULERS: [&str; 7] = [
    "ip_vs_lblc",
    "ip_vs_lblcr",
    "ip_vs_dh",
    "ip_vs_fo",
    "ip_vs_ovf",
    "ip_vs_sed",
    "ip_vs_nq",
];

/// Each scheduler by its name.
pub(crate) fn schedulers(lab: &mut Lab) -> Result<()> {
    const NAMES: [&str; 13] = [
        "dh", "fo", "lblc", "lblcr", "lc", "mh", "nq", "ovf", "rr", "sed", "sh", "wlc", "wrr",
    ];
    let network = Network::new(lab)?;
    let _servers = network.servers(1)?;
    let mut text = globals("");
    let (mut services, mut destinations) = (Vec::new(), Vec::new());
    for (port, name) in (11..).zip(NAMES) {
        let options = format!("lb_algo {name}\nlb_kind NAT");
        let address = format!("10.0.0.1 {port}");
        text += &virtual_server_at(&address, &options, &[real_server(1, "")]);
        services.push(format!("-A -t 10.0.0.1:{port} -s {name}"));
        destinations.push(format!("-a -t 10.0.0.1:{port} -r 10.1.0.1:80 -m -w 1"));
    }
    let mut story = Story::prepare(&network, "")?;
    story.start_all(&text, &[])?;
    let lines: Vec<&str> = services
        .iter()
        .chain(&destinations)
        .map(String::as_str)
        .collect();
    story.same_saved(&lines)?;
    story.stop()?;
    story.same_saved(&[])
}

/// Weights that a script and a file have a say in.
pub(crate) fn weights(lab: &mut Lab) -> Result<()> {
    const SCRIPT: &str = "/run/weigh";
    let network = Network::new(lab)?;
    let set = |status: &'static str, value: &'static str| -> Result<()> {
        for host in &network.directors {
            host.run(move || -> Result<()> {
                // Renamed into place: a check that runs meanwhile sees the old one or the new one.
                for (name, text) in [("status", status), ("value", value)] {
                    fs::write(format!("/run/{name}.new"), text)?;
                    fs::rename(format!("/run/{name}.new"), format!("/run/{name}"))?;
                }
                Ok(())
            })??;
        }
        Ok(())
    };
    for host in &network.directors {
        host.run(|| -> Result<()> {
            fs::write(SCRIPT, "#!/bin/sh\nexit $(cat /run/status)\n")?;
            fs::set_permissions(SCRIPT, fs::Permissions::from_mode(0o755))?;
            Ok(())
        })??;
    }
    set("0", "0")?;
    let script =
        format!("MISC_CHECK {{\n   misc_path {SCRIPT}\n   misc_timeout 5\n   misc_dynamic\n  }}");
    let file = "FILE_CHECK {\n   track_file value\n   weight 10\n  }";
    let text = globals("")
        + "track_file value {\n file /run/value\n}\n"
        + &virtual_server(
            "lb_algo wlc\nlb_kind NAT",
            &[
                real_server_with(1, "weight 20", &script),
                real_server_with(2, "weight 20", file),
            ],
        );
    let mut story = Story::start(&network, &text)?;
    story.same("started", ".1:20 .2:20", &["VS UP"])?;
    set("52", "0")?;
    story.same("the script says 50", ".1:50 .2:20", &[])?;
    set("52", "3")?;
    story.same("the file says 30 more", ".1:50 .2:50", &[])?;
    set("2", "-1")?;
    story.same("the script says 0, the file 10 less", ".1:0 .2:10", &[])?;
    set("2", "-5")?;
    story.same("the file says 50 less", ".1:0 .2:0", &["VS DOWN"])?;
    set("1", "-5")?;
    story.same("the script fails", ".2:0", &["RS .1 DOWN"])?;
    set("255", "-5")?;
    story.same("the script says 253", ".1:253 .2:0", &["RS .1 UP", "VS UP"])?;
    set("0", "0")?;
    story.same("as configured", ".1:20 .2:20", &[])?;
    story.end(&[])
}

/// Checks wait for the address of their service.
pub(crate) fn suspended(lab: &mut Lab) -> Result<()> {
    let network = Network::new(lab)?;
    let servers = network.servers(1)?;
    let [server] = &servers[..] else {
        bail!("one was asked for")
    };
    server.down()?;
    let text = globals("")
        + &virtual_server(
            "lb_algo wlc\nlb_kind NAT\nha_suspend",
            &[real_server(1, "")],
        );
    let mut story = Story::start(&network, &text)?;
    story.same("started, not suspected", ".1:1", &["VS UP"])?;
    story.say("Deactivating healthchecker for service [10.1.0.1]:tcp:80")?;
    story.call("ip address add 10.0.0.1/32 dev lo")?;
    story.same("the address comes", "", &["RS .1 DOWN", "VS DOWN"])?;
    story.call("ip address del 10.0.0.1/32 dev lo")?;
    story.say("Suspending healthchecker for service [10.1.0.1]:tcp:80")?;
    let before = server.connections();
    server.up()?;
    lab::pause(std::time::Duration::from_secs(3));
    ensure!(server.connections() == before, "it is checked all the same");
    story.same("the server is up, nobody looks", "", &[])?;
    story.call("ip address add 10.0.0.1/32 dev lo")?;
    story.same("the address is back", ".1:1", &["RS .1 UP", "VS UP"])?;
    story.end(&[])
}

/// The kernel's time-outs and synchronisation daemons, as asked for, and as they were.
pub(crate) fn timeouts(lab: &mut Lab) -> Result<()> {
    const TIMEOUTS: &str = "ipvsadm -Ln --timeout";
    let network = Network::new(lab)?;
    let _servers = network.servers(1)?;
    let configuration = |more: &str| {
        globals(more) + &virtual_server("lb_algo wlc\nlb_kind NAT", &[real_server(1, "")])
    };
    let mut story = Story::prepare(&network, "TCP 10.0.0.1:80 wlc")?;
    story.shows(TIMEOUTS, "(tcp tcpfin udp): 900 120 300")?;
    let daemon = "lvs_sync_daemon eth0 id 33 maxlen 1400 port 9999 ttl 3 group 224.0.0.99";
    let text = configuration(&format!("lvs_timeouts tcp 100 tcpfin 20 udp 30\n{daemon}"));
    story.start_all(&text, &[])?;
    story.same("started", ".1:1", &["VS UP"])?;
    story.shows(TIMEOUTS, "(tcp tcpfin udp): 100 20 30")?;
    let wanted =
        "sync daemon (mcast=eth0, syncid=33, maxlen=1400, group=224.0.0.99, port=9999, ttl=3)";
    story.shows(SYNC_DAEMONS, &format!("master {wanted} backup {wanted}"))?;
    story.reload(&configuration("lvs_timeouts udp 40"))?;
    story.shows(TIMEOUTS, "(tcp tcpfin udp): 900 120 40")?;
    story.reload(&configuration(""))?;
    story.shows(TIMEOUTS, "(tcp tcpfin udp): 900 120 300")?;
    story.reload(&text)?;
    story.shows(TIMEOUTS, "(tcp tcpfin udp): 100 20 30")?;
    story.stop()?;
    story.shows(TIMEOUTS, "(tcp tcpfin udp): 900 120 300")?;
    story.no_sync_daemon()?;
    story.same("stop", "nothing", &[])
}

/// The kernel's table of another network namespace: only IPVS is there, the checks are here.
pub(crate) fn another_namespace(lab: &mut Lab) -> Result<()> {
    const THERE: &str = "ip netns exec other ipvsadm -Ln";
    let network = Network::new(lab)?;
    let servers = network.servers(2)?;
    let text = "net_namespace_ipvs other\n".to_owned()
        + &globals("")
        + &virtual_server(
            "lb_algo wlc\nlb_kind NAT",
            &[real_server(1, ""), real_server(2, "")],
        );
    let mut story = Story::prepare(&network, "")?;
    story.call("ip netns add other")?;
    // Without any local address the kernel takes every address there for a broadcast address.
    story.call("ip -n other link set lo up")?;
    story.start_all(&text, &[])?;
    story.same("started", "nothing", &["VS UP"])?;
    story.shows(THERE, "-> 10.1.0.1:80 Masq 1 0 0")?;
    let [first, _] = &servers[..] else {
        bail!("two were asked for")
    };
    first.down()?;
    story.same(".1 fails", "nothing", &["RS .1 DOWN"])?;
    story.shows(THERE, "TCP 10.0.0.1:80 wlc -> 10.1.0.2:80 Masq 1 0 0")?;
    story.stop()?;
    for host in &network.directors {
        look_until("nothing is left there", || {
            Ok(!host.call(THERE)?.contains("10.0.0.1"))
        })?;
    }
    Ok(())
}

/// The synchronisation daemon of a virtual router: who is master tells, whoever is not listens.
pub(crate) fn follows_the_master(lab: &mut Lab) -> Result<()> {
    let network = Network::new(lab)?;
    let _servers = network.servers(1)?;
    let instance = "vrrp_instance VI {\n interface v0\n state MASTER\n virtual_router_id 7\n priority 150\n advert_int \
                    0.2\n version 3\n virtual_ipaddress {\n  198.18.7.7/24\n }\n}\n";
    let text = globals("lvs_sync_daemon eth0 inst VI id 9")
        + &virtual_server("lb_algo wlc\nlb_kind NAT", &[real_server(1, "")])
        + instance;
    let mut story = Story::prepare(&network, "TCP 10.0.0.1:80 wlc")?;
    for line in [
        "ip link add v0 type veth peer name v1",
        "ip link set v0 up",
        "ip link set v1 up",
        "ip address add 198.18.7.1/24 dev v0",
    ] {
        story.call(line)?;
    }
    story.start_all(&text, &[])?;
    story.same("started", ".1:1", &["VS UP"])?;
    story.shows(SYNC_DAEMONS, "master sync daemon (mcast=eth0, syncid=9")?;
    story.call("ip link set v1 down")?;
    story.shows(SYNC_DAEMONS, "backup sync daemon (mcast=eth0, syncid=9")?;
    story.call("ip link set v1 up")?;
    story.shows(SYNC_DAEMONS, "master sync daemon (mcast=eth0, syncid=9")?;
    story.stop()?;
    story.no_sync_daemon()?;
    story.same("stop", "nothing", &[])
}

//! Addresses that are held for forwarding only: the tables of the packet filter beside keepalived's, and what comes through.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use lab::{Host, Lab, scenario, uml, wait_until};

use common::{Daemon, SIGKILL, SOON, evervip, gains, holds, keepalived, loses, program};

fn main() -> ExitCode {
    scenario::main(&[
        ("as_keepalived_filters", as_keepalived_filters),
        ("as_keepalived_filters_with_counters", |lab| {
            compare(
                lab,
                "nftables vips\n nftables_priority 5\n nftables_counters",
            )
        }),
        (
            "as_keepalived_filters_macvlans",
            as_keepalived_filters_macvlans,
        ),
        ("iptables_has_the_same_effect", iptables_has_the_same_effect),
        ("nothing_comes_through", nothing_comes_through),
        ("only_the_owner_answers", only_the_owner_answers),
        ("strict_mode_does_not_accept", strict_mode_does_not_accept),
        ("a_restart_leaves_no_gap", a_restart_leaves_no_gap),
        ("left_overs_are_replaced", left_overs_are_replaced),
        (
            "left_overs_that_nobody_wants_go",
            left_overs_that_nobody_wants_go,
        ),
        ("flushed_tables_come_back", flushed_tables_come_back),
        (
            "flushed_tables_come_back_by_themselves",
            flushed_tables_come_back_by_themselves,
        ),
        ("what_failed_is_tried_again", what_failed_is_tried_again),
        ("tables_follow_the_settings", tables_follow_the_settings),
        ("without_nftables", |lab| {
            // Of this kernel's modules, only those that a lab needs are loaded, and no other can be.
            uml::scenario(lab, &[], without_nftables)
        }),
    ])
}

const VIP: &str = "198.18.0.100";
const VIP6: &str = "fd00:18::100";
const LINK_LOCAL: &str = "fe80::18:100";

/// Long enough for an answer, short enough to wait for none.
const PATIENCE: Duration = Duration::from_millis(500);

/// One instance of each family; `more` are lines of both, `global` of `global_defs`.
fn configuration(global: &str, more: &str) -> String {
    let instance = |name: &str, vrid: u8, addresses: &str| {
        format!(
            "vrrp_instance {name} {{\n interface eth0\n virtual_router_id {vrid}\n version 3\n advert_int 0.5\n \
             priority 150\n {more}\n virtual_ipaddress {{\n {addresses}\n }}\n}}\n"
        )
    };
    format!("global_defs {{\n vrrp_version 3\n {global}\n}}\n")
        + &instance("V4", 51, &format!("{VIP}/24\n 198.18.0.101/24"))
        + &instance("V6", 52, &format!("{LINK_LOCAL}/64\n {VIP6}/64"))
}

/// Two hosts: the router, and one that talks to it.
fn pair(lab: &Lab) -> Result<(Host, Host)> {
    let lan = lab.segment()?;
    let router = common::host(lab, &lan, "a", 1)?;
    let client = common::host(lab, &lan, "b", 2)?;
    Ok((router, client))
}

fn all_there(host: &Host) -> Result<()> {
    for address in [VIP, "198.18.0.101", VIP6, LINK_LOCAL] {
        gains(host, address)?;
    }
    Ok(())
}

fn ruleset(host: &Host) -> Result<String> {
    host.call("nft list ruleset")
}

/// Whether a table is as wanted, from now until soon at the latest.
fn filters(host: &Host, what: &str, is_so: impl Fn(&str) -> bool) -> Result<()> {
    wait_until(SOON, what, || ruleset(host).is_ok_and(|text| is_so(&text)))
        .with_context(|| ruleset(host).unwrap_or_default())
}

/// The lines of each set and chain, by table and name: in which order they are listed depends on their history. What was
/// counted, and how interfaces are numbered, does not matter.
fn blocks(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut blocks: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut table = String::new();
    let mut block = String::new();
    // Elements are listed in any order, and over several lines.
    let mut elements: Option<String> = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(list) = &mut elements {
            *list += line;
        } else if let Some(list) = line.strip_prefix("elements = {") {
            elements = Some(list.to_owned());
        } else if let Some(name) = line.strip_prefix("table ") {
            name.clone_into(&mut table);
        } else if line.ends_with('{') {
            block = format!("{table}{line}");
        } else if line != "}" {
            let words: Vec<&str> = line.split(' ').collect();
            let words = words.iter().enumerate().filter(|(index, word)| {
                let before = index.checked_sub(1).and_then(|index| words.get(index));
                !(matches!(before, Some(&"packets" | &"bytes"))
                    && word.chars().all(|c| c.is_ascii_digit()))
            });
            let line = words.map(|(_, word)| *word).collect::<Vec<_>>().join(" ");
            blocks.entry(block.clone()).or_default().push(line);
        }
        if let Some(list) = elements.take_if(|list| list.contains('}')) {
            let list = list.replace('}', "");
            let all: BTreeSet<&str> = list.split(',').map(str::trim).collect();
            let all: Vec<&str> = all.into_iter().collect();
            blocks
                .entry(block.clone())
                .or_default()
                .push(all.join(", "));
        }
    }
    blocks
}

fn as_keepalived_filters(lab: &mut Lab) -> Result<()> {
    compare(lab, "")
}

/// keepalived and evervip as masters, each on a LAN of its own: their tables are the same.
fn compare(lab: &Lab, global: &str) -> Result<()> {
    let keepalived = keepalived()?;
    program("nft")?;
    // keepalived 2.2.7 always names interfaces by number, and does not know the keyword that asks for it.
    let mut listed = Vec::new();
    for (name, program, more) in [
        ("k", keepalived, String::new()),
        ("e", evervip(), "\n nftables_ifindex".to_owned()),
    ] {
        let lan = lab.segment()?;
        let host = common::host(lab, &lan, name, 1)?;
        let text = configuration(&format!("{global}{more}"), "no_accept");
        let mut daemon = Daemon::start(&host, &program, &text)?;
        all_there(&host)?;
        listed.push(blocks(&ruleset(&host)?));
        daemon.stop()?;
        ensure!(ruleset(&host)?.is_empty(), "{}", ruleset(&host)?);
        ensure!(!holds(&host, VIP));
    }
    let [theirs, ours] = listed.as_slice() else {
        unreachable!("two were listed");
    };
    ensure!(theirs.len() >= 10, "{theirs:#?}");
    ensure!(
        theirs == ours,
        "keepalived: {theirs:#?}\nevervip: {ours:#?}"
    );
    Ok(())
}

/// The same with a macvlan for each instance. What 2.4.3 has and 2.2.7 lacks is left out: the parent's link-local address,
/// and version 1 of the reports of multicast listeners.
fn as_keepalived_filters_macvlans(lab: &mut Lab) -> Result<()> {
    let keepalived = keepalived()?;
    program("nft")?;
    let mut listed = Vec::new();
    for (name, program, global) in [("k", keepalived, ""), ("e", evervip(), "nftables_ifindex")] {
        let lan = lab.segment()?;
        let host = common::host(lab, &lan, name, 1)?;
        let text = configuration(global, "no_accept\n use_vmac");
        let mut daemon = Daemon::start(&host, &program, &text)?;
        filters(&host, "both masters block", |text| {
            text.contains(VIP) && text.contains(VIP6) && text.contains(LINK_LOCAL)
        })?;
        let text = ruleset(&host)?;
        let mut all = blocks(&text);
        all.retain(|block, _| {
            !block.ends_with("set parent_link_local {") && !block.ends_with("set mld-report {")
        });
        for lines in all.values_mut() {
            lines.retain(|line| !line.contains("@parent_link_local"));
            for line in lines {
                *line = line.replace("@mld-report", "mld2-listener-report");
            }
        }
        listed.push(all);
        daemon.stop()?;
        ensure!(ruleset(&host)?.is_empty(), "{}", ruleset(&host)?);
    }
    let [theirs, ours] = listed.as_slice() else {
        unreachable!("two were listed");
    };
    ensure!(theirs.len() >= 13, "{theirs:#?}");
    ensure!(
        theirs == ours,
        "keepalived: {theirs:#?}\nevervip: {ours:#?}"
    );
    Ok(())
}

fn iptables_has_the_same_effect(lab: &mut Lab) -> Result<()> {
    let (router, client) = pair(lab)?;
    let text = configuration("vrrp_iptables INPUT\n vrrp_ipsets a b", "no_accept");
    let daemon = Daemon::start(&router, &evervip(), &text)?;
    all_there(&router)?;
    daemon.says("vrrp_iptables: nftables filters instead")?;
    daemon.says("vrrp_ipsets: nftables filters instead")?;
    ensure!(!answers(&client, VIP)? && !answers(&client, VIP6)?);
    // One chain is that for what arrives.
    let text = ruleset(&router)?;
    ensure!(!text.contains("chain out"), "{text}");
    ensure!(text.contains("ip6 daddr @vips drop"), "{text}");
    Ok(())
}

/// Whether a host answers on a port where nobody listens.
fn answers(client: &Host, address: &str) -> Result<bool> {
    let mut to: SocketAddr = match address.parse()? {
        IpAddr::V4(address) => (address, 4711).into(),
        IpAddr::V6(address) => (address, 4711).into(),
    };
    if let SocketAddr::V6(to) = &mut to
        && to.ip().is_unicast_link_local()
    {
        to.set_scope_id(client.link("eth0")?.index.get());
    }
    let attempt = client.run(move || TcpStream::connect_timeout(&to, PATIENCE))?;
    match attempt {
        Err(problem) if problem.kind() == ErrorKind::ConnectionRefused => Ok(true),
        Err(problem) if problem.kind() == ErrorKind::TimedOut => Ok(false),
        other => anyhow::bail!("{address}: {other:?}"),
    }
}

/// Waits until a host answers there: the first packet to an address may be late, or lost.
fn comes_to_answer(client: &Host, address: &str) -> Result<()> {
    wait_until(SOON, &format!("{address} answers"), || {
        answers(client, address).unwrap_or(false)
    })
}

/// Whether the router said where the address is, when it was asked.
fn is_resolved(client: &Host, address: &str) -> Result<bool> {
    let said = client.call(&format!("ip neigh show {address} dev eth0"))?;
    Ok(said.contains("lladdr"))
}

fn nothing_comes_through(lab: &mut Lab) -> Result<()> {
    let (router, client) = pair(lab)?;
    let mut daemon = Daemon::start(&router, &evervip(), &configuration("", "no_accept"))?;
    all_there(&router)?;
    comes_to_answer(&client, "198.18.0.1")?;
    for address in [VIP, VIP6, LINK_LOCAL] {
        client.call("ip neigh flush all")?;
        ensure!(!answers(&client, address)?, "{address} answers");
        ensure!(
            is_resolved(&client, address)?,
            "{address}: who has it cannot be found out"
        );
    }
    // It does not speak as the address either.
    let from = router.run(|| {
        let socket = std::net::UdpSocket::bind((VIP, 0))?;
        socket.send_to(b"?", "198.18.0.2:9")
    })?;
    ensure!(
        from.as_ref()
            .is_err_and(|e| e.kind() == ErrorKind::PermissionDenied),
        "{from:?}"
    );

    daemon.reload(&configuration("", "accept"))?;
    filters(&router, "there are no tables", str::is_empty)?;
    for address in [VIP, VIP6, LINK_LOCAL] {
        comes_to_answer(&client, address)?;
    }
    let listener = router.run(|| TcpListener::bind((VIP, 4712)))??;
    let connection = client.run(|| TcpStream::connect((VIP, 4712)))??;
    drop((connection, listener));

    daemon.reload(&configuration("", "no_accept"))?;
    filters(&router, "the tables are there", |text| text.contains(VIP6))?;
    for address in [VIP, VIP6, LINK_LOCAL] {
        ensure!(!answers(&client, address)?, "{address} answers");
        ensure!(holds(&router, address));
    }
    ensure!(daemon.times_said("Entering MASTER STATE") == 2);
    Ok(())
}

fn only_the_owner_answers(lab: &mut Lab) -> Result<()> {
    let (router, client) = pair(lab)?;
    let text = configuration("", "no_accept").replace("priority 150", "priority 255");
    let _daemon = Daemon::start(&router, &evervip(), &text)?;
    all_there(&router)?;
    comes_to_answer(&client, VIP)?;
    comes_to_answer(&client, VIP6)?;
    ensure!(ruleset(&router)?.is_empty());
    Ok(())
}

fn strict_mode_does_not_accept(lab: &mut Lab) -> Result<()> {
    let (router, client) = pair(lab)?;
    let mut daemon = Daemon::start(&router, &evervip(), &configuration("vrrp_strict", ""))?;
    all_there(&router)?;
    ensure!(!answers(&client, VIP)? && !answers(&client, VIP6)?);
    daemon.reload(&configuration("vrrp_strict", "accept"))?;
    filters(&router, "there are no tables", str::is_empty)?;
    comes_to_answer(&client, VIP)?;
    comes_to_answer(&client, VIP6)
}

/// The process dies, its successor carries on as master: not one attempt of many gets an answer.
fn a_restart_leaves_no_gap(lab: &mut Lab) -> Result<()> {
    let (router, client) = pair(lab)?;
    let text = configuration("", "no_accept");
    let mut daemon = Daemon::start(&router, &evervip(), &text)?;
    all_there(&router)?;
    // Then its parent knows that it is master, too.
    daemon.reload_whole(&text)?;
    let before = blocks(&ruleset(&router)?);
    let dead = daemon.vrrp_pid()?;
    sys::process::kill(dead, SIGKILL)?;
    wait_until(SOON, "a successor", || {
        daemon.vrrp_pid().is_ok_and(|pid| pid != dead)
    })?;
    daemon.says("was MASTER before the restart and stays MASTER")?;
    for _attempt in 0..3 {
        ensure!(!answers(&client, VIP)?);
    }
    ensure!(holds(&router, VIP));
    ensure!(blocks(&ruleset(&router)?) == before);
    Ok(())
}

fn left_overs_are_replaced(lab: &mut Lab) -> Result<()> {
    let (router, client) = pair(lab)?;
    let mut daemon = Daemon::start(&router, &evervip(), &configuration("", "no_accept"))?;
    all_there(&router)?;
    let before = blocks(&ruleset(&router)?);
    daemon.crash()?;
    ensure!(
        blocks(&ruleset(&router)?) == before,
        "the dead clean nothing up"
    );
    router.call("nft add element ip keepalived vips { 198.18.0.7 }")?;
    router.call("nft add rule ip keepalived in drop")?;
    let mut next = Daemon::start(&router, &evervip(), &configuration("", "no_accept"))?;
    all_there(&router)?;
    filters(&router, "the tables are as they were", |text| {
        blocks(text) == before
    })?;
    comes_to_answer(&client, "198.18.0.1")?;
    next.stop()?;
    ensure!(ruleset(&router)?.is_empty());
    Ok(())
}

fn left_overs_that_nobody_wants_go(lab: &mut Lab) -> Result<()> {
    let (router, client) = pair(lab)?;
    for global in ["", "nftables vips"] {
        let mut daemon = Daemon::start(&router, &evervip(), &configuration(global, "no_accept"))?;
        all_there(&router)?;
        filters(&router, "both tables block", |text| {
            text.contains(VIP) && text.contains(VIP6)
        })?;
        daemon.crash()?;
        router.call("nft add table ip other")?;
        ensure!(ruleset(&router)?.contains(VIP6));
        let mut next = Daemon::start(&router, &evervip(), &configuration(global, "accept"))?;
        filters(&router, "only the table of others is there", |text| {
            blocks(text).is_empty() && text.contains("table ip other")
        })?;
        // The addresses are left over, too, and go before they come back.
        next.says("(V4) Entering MASTER STATE")?;
        next.says("(V6) Entering MASTER STATE")?;
        all_there(&router)?;
        comes_to_answer(&client, VIP)?;
        comes_to_answer(&client, VIP6)?;
        next.stop()?;
    }
    Ok(())
}

/// Somebody reloads the machine's own firewall, and with it everything goes.
fn flushed_tables_come_back(lab: &mut Lab) -> Result<()> {
    let (router, client) = pair(lab)?;
    let daemon = Daemon::start(&router, &evervip(), &configuration("", "no_accept"))?;
    all_there(&router)?;
    router.call("nft flush ruleset")?;
    router.link_down("eth0")?;
    loses(&router, VIP)?;
    router.link_up("eth0")?;
    gains(&router, VIP)?;
    daemon.says("making the table anew")?;
    filters(&router, "the table is there", |text| text.contains(VIP))?;
    ensure!(!answers(&client, VIP)?);
    Ok(())
}

/// The same, and nothing else happens: that is found out with the next look, a minute later at most.
fn flushed_tables_come_back_by_themselves(lab: &mut Lab) -> Result<()> {
    let (router, client) = pair(lab)?;
    let mut daemon = Daemon::start(&router, &evervip(), &configuration("", "no_accept"))?;
    all_there(&router)?;
    filters(&router, "both tables block", |text| {
        text.contains(VIP) && text.contains(LINK_LOCAL)
    })?;
    let before = blocks(&ruleset(&router)?);
    router.call("nft flush ruleset")?;
    wait_until(
        Duration::from_secs(60) + SOON,
        "the tables are as they were",
        || ruleset(&router).is_ok_and(|text| blocks(&text) == before),
    )?;
    daemon.says("what was in the tables keepalived was changed by somebody else")?;
    ensure!(!answers(&client, VIP)? && !answers(&client, VIP6)?);
    ensure!(daemon.times_said("Entering MASTER STATE") == 2);
    daemon.stop()?;
    ensure!(ruleset(&router)?.is_empty());
    Ok(())
}

/// The table has an owner, who keeps others out of it and goes away later: nothing else changes.
fn what_failed_is_tried_again(lab: &mut Lab) -> Result<()> {
    let (router, client) = pair(lab)?;
    let nft = program("nft")?;
    let script = common::script(
        router.directory(),
        "owner",
        &format!(
            "(echo 'add table ip keepalived {{ flags owner; }}'; exec sleep 1000) | exec {} -i",
            nft.display()
        ),
    )?;
    let owner = router.spawn(&mut Command::new(script))?;
    filters(&router, "the table is somebody else's", |text| {
        text.contains("flags owner")
    })?;
    let complaint = "the virtual addresses of no_accept take packets";
    let mut daemon = Daemon::start(&router, &evervip(), &configuration("", "no_accept"))?;
    all_there(&router)?;
    daemon.says(complaint)?;
    comes_to_answer(&client, VIP)?;
    ensure!(!answers(&client, VIP6)?);
    drop(owner);
    daemon.says("The packet filter is as it should be again")?;
    ensure!(ruleset(&router)?.contains(VIP) && !answers(&client, VIP)?);
    ensure!(daemon.times_said(complaint) == 1);
    daemon.stop()?;
    ensure!(ruleset(&router)?.is_empty());
    Ok(())
}

fn tables_follow_the_settings(lab: &mut Lab) -> Result<()> {
    let (router, _client) = pair(lab)?;
    let mut daemon = Daemon::start(&router, &evervip(), &configuration("", "no_accept"))?;
    all_there(&router)?;
    let handles = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains("# handle"));
        lines.map(|line| line.trim().to_owned()).collect()
    };
    let before = handles(&router.call("nft -a list table ip6 keepalived")?);
    // Other addresses are other elements: no rule is made anew.
    let more = configuration("", "no_accept").replace(VIP6, "fd00:18::200");
    daemon.reload(&more)?;
    gains(&router, "fd00:18::200")?;
    filters(&router, "the new address is blocked", |text| {
        text.contains("fd00:18::200") && !text.contains(VIP6)
    })?;
    let after = handles(&router.call("nft -a list table ip6 keepalived")?);
    ensure!(before == after, "{before:#?} {after:#?}");

    daemon.reload(&configuration(
        "nftables other\n nftables_counters",
        "no_accept",
    ))?;
    filters(&router, "the tables have another name", |text| {
        text.contains("table ip other")
            && text.contains("table ip6 other")
            && !text.contains("keepalived")
            && text.contains("counter packets")
            && text.contains(VIP6)
    })?;
    ensure!(daemon.times_said("Entering MASTER STATE") == 2);
    Ok(())
}

/// One message, and everything else goes on.
fn without_nftables(lab: &mut Lab) -> Result<()> {
    let (router, client) = pair(lab)?;
    let mut daemon = Daemon::start(&router, &evervip(), &configuration("", "no_accept"))?;
    all_there(&router)?;
    comes_to_answer(&client, VIP)?;
    let complaint = "the virtual addresses of no_accept take packets";
    daemon.says(complaint)?;
    daemon.stop()?;
    ensure!(daemon.times_said(complaint) == 1);
    ensure!(!holds(&router, VIP));
    // Who needs none does not miss it.
    let mut daemon = Daemon::start(&router, &evervip(), &configuration("", "accept"))?;
    all_there(&router)?;
    daemon.stop()?;
    daemon.says("there is no nf_tables, and so no table")?;
    ensure!(daemon.times_said("may we use it") == 0);
    Ok(())
}

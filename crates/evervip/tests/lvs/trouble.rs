//! When others meddle with the kernel's table, when processes die, and when there is no IPVS at all.

use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use lab::{ExitStatus, Lab};

use crate::common::{Daemon, SIGKILL, pid_in};
use crate::world::{
    Network, Story, globals, look_until, ours, real_server, said, virtual_server, virtual_server_at,
};

fn configuration() -> String {
    globals("")
        + &virtual_server(
            "lb_algo wlc\nlb_kind NAT",
            &[real_server(1, ""), real_server(2, "weight 2")],
        )
}

/// What an operator does to our entries is put right, with a line; entries of others are left alone.
pub(crate) fn behind_our_back(lab: &mut Lab) -> Result<()> {
    let network = Network::of(lab, vec![ours()])?;
    let _servers = network.servers(2)?;
    let mut story = Story::start(&network, &configuration())?;
    story.same("started", ".1:1 .2:2", &["VS UP"])?;
    let foreign = "TCP 10.0.0.1:80 wlc = .1:1 .2:2; TCP 10.9.9.9:99 rr = .7:5#99";
    story.call("ipvsadm -A -t 10.9.9.9:99 -s rr")?;
    story.call("ipvsadm -a -t 10.9.9.9:99 -r 10.1.0.7:99 -m -w 5")?;
    for (line, said) in [
        (
            "ipvsadm -d -t 10.0.0.1:80 -r 10.1.0.1:80",
            "was removed from IPVS service",
        ),
        (
            "ipvsadm -e -t 10.0.0.1:80 -r 10.1.0.2:80 -m -w 50",
            "(weight 50, wanted 2)",
        ),
        (
            "ipvsadm -e -t 10.0.0.1:80 -r 10.1.0.1:80 -g -x 9",
            "(lvs_method DR, wanted NAT; uthreshold 9, wanted 0)",
        ),
        (
            "ipvsadm -E -t 10.0.0.1:80 -s rr",
            "was changed by somebody else (lvs_sched rr, wanted wlc)",
        ),
        (
            "ipvsadm -a -t 10.0.0.1:80 -r 10.1.0.9:80 -m",
            "was added to IPVS service",
        ),
        (
            "ipvsadm -D -t 10.0.0.1:80",
            "was removed by somebody else: it is put back",
        ),
    ] {
        story.call(line)?;
        story.say(said).with_context(|| line.to_owned())?;
        story.same(line, foreign, &[])?;
    }
    story.call("ipvsadm --clear")?;
    story.same("cleared", ".1:1 .2:2", &[])?;
    story.end(&[])
}

/// The process that checks is killed, and its successor carries on with what is in the kernel.
pub(crate) fn killed(lab: &mut Lab) -> Result<()> {
    let network = Network::new(lab)?;
    let servers = network.servers(2)?;
    let mut story = Story::start(&network, &configuration())?;
    story.same("started", ".1:1 .2:2", &["VS UP"])?;
    story.each(|_, daemon, host| {
        let file = host.directory().join("checkers.pid");
        let pid = pid_in(&file)?;
        sys::process::kill(pid, SIGKILL)?;
        look_until("another one checks", || {
            ensure!(daemon.process.poll()?.is_none(), "the daemon has ended");
            Ok(pid_in(&file).is_ok_and(|next| next != pid))
        })
    })?;
    story.same("killed", ".1:1 .2:2", &["VS UP"])?;
    let [first, _] = &servers[..] else {
        bail!("two were asked for")
    };
    first.down()?;
    story.same(".1 fails", ".2:2", &["RS .1 DOWN"])?;
    story.end(&[])
}

/// A service that the kernel refuses is said, in keepalived's words, and costs the others nothing; as soon as it is possible it
/// is there.
pub(crate) fn a_scheduler_that_is_missing(lab: &mut Lab) -> Result<()> {
    const MODULE: &str = "/usr/lib/uml/modules";
    let network = Network::of(lab, vec![ours()])?;
    let _servers = network.servers(2)?;
    let text = configuration()
        + &virtual_server_at(
            "10.0.0.2 80",
            "lb_algo sed\nlb_kind NAT",
            &[real_server(1, "")],
        );
    let mut story = Story::prepare(&network, "")?;
    story.start_all(&text, &[])?;
    let without = "TCP 10.0.0.1:80 wlc = .1:1 .2:2";
    story.table("the others are there", without)?;
    story.say(
        "IPVS cmd IP_VS_SO_SET_ADD(1154) error: Scheduler or persistence engine not found(2) (10.0.0.2:tcp:80)",
    )?;
    story.say("TCP connection to [10.1.0.2]:tcp:80 success.")?;
    let found = said(
        network.directors.first().context("there is one")?,
        Command::new("find").args([MODULE, "-name", "ip_vs_sed.ko*"]),
    )?;
    story.call(&format!("insmod {}", found.trim()))?;
    story.table(
        "now it is there",
        "TCP 10.0.0.1:80 wlc = .1:1 .2:2; TCP 10.0.0.2:80 sed = .1:1",
    )?;
    story.stop()?;
    story.table("stop", "nothing")
}

/// Without IPVS in the kernel there is a clear message, and the virtual addresses are kept.
pub(crate) fn without_ipvs(lab: &mut Lab) -> Result<()> {
    let network = Network::of(lab, vec![ours()])?;
    let host = network.directors.first().context("there is a director")?;
    let instance = "vrrp_instance VI {\n interface eth0\n state MASTER\n virtual_router_id 7\n priority 150\n advert_int \
                    0.2\n version 3\n virtual_ipaddress {\n  10.1.9.9/16\n }\n}\n";
    let mut daemon = Daemon::start(host, &ours().binary, &(configuration() + instance))?;
    look_until("it is master", || host.has_address("eth0", "10.1.9.9"))?;
    look_until("it says why nothing is balanced", || {
        Ok(daemon.times_said("Can't initialize ipvs") > 0)
    })?;
    // A reload changes nothing about that.
    daemon.reload(&(configuration() + instance))?;
    daemon.says("Reload complete")?;
    ensure!(daemon.process.poll()?.is_none(), "the daemon has ended");
    ensure!(host.has_address("eth0", "10.1.9.9")?, "the address is lost");
    daemon.process.kill(crate::common::SIGTERM)?;
    let ended = daemon.process.wait_timeout(crate::world::SOON)?;
    ensure!(ended == ExitStatus::Code(0), "{ended:?}");
    Ok(())
}

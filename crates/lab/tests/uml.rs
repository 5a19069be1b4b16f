//! A kernel of its own: it has what the machine's may lack, and nothing of it is left behind.

use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use evervip_lab::uml::{self, UmlJob};
use evervip_lab::{Frame, HostOptions, Lab, Pid, Skipped, descendants, scenario};

fn main() -> ExitCode {
    scenario::main(&[
        ("every_kind_of_interface", |lab| {
            let modules = ["dummy", "ipvlan", "macvlan", "vrf", "8021q", "sch_netem"];
            uml::scenario(lab, &modules, every_kind_of_interface)
        }),
        ("hosts_talk_inside", |lab| {
            uml::scenario(lab, &[], hosts_talk_inside)
        }),
        (
            "what_a_command_says_comes_out",
            what_a_command_says_comes_out,
        ),
        ("what_hangs_is_ended", what_hangs_is_ended),
        ("skips_come_out", |lab| {
            let outcome = uml::scenario(lab, &[], |_| Err(Skipped("inside".to_owned()).into()));
            if uml::is_inside() {
                return outcome;
            }
            let Err(error) = outcome else {
                bail!("it was not skipped");
            };
            match error.downcast_ref::<Skipped>() {
                Some(Skipped(reason)) if reason == "inside" => Ok(()),
                // Another reason: it cannot be run here at all.
                Some(_) | None => Err(error),
            }
        }),
    ])
}

fn every_kind_of_interface(lab: &mut Lab) -> Result<()> {
    let host = lab.host("a", HostOptions::default())?;
    for line in [
        "ip link add d0 type dummy",
        "ip link add link d0 name v7 type vlan id 7",
        "ip link add link d0 name i0 type ipvlan mode l2",
        "ip link add red type vrf table 10",
        "ip link add d1 type dummy",
        "ip link add link d1 name m0 type macvlan mode private",
        "ip link set m0 master red",
        "tc qdisc add dev d1 root netem loss 20% delay 50ms 30ms",
    ] {
        host.call(line)?;
    }
    for (name, kind) in [
        ("d0", "dummy"),
        ("v7", "vlan"),
        ("i0", "ipvlan"),
        ("red", "vrf"),
        ("m0", "macvlan"),
    ] {
        let said = host.call(&format!("ip -d link show dev {name}"))?;
        ensure!(said.contains(&format!("{kind} ")), "{name}: {said}");
    }
    ensure!(host.call("ip link show dev m0")?.contains("master red"));
    let queue = host.call("tc qdisc show dev d1")?;
    ensure!(queue.contains("loss 20%"), "{queue}");
    Ok(())
}

fn hosts_talk_inside(lab: &mut Lab) -> Result<()> {
    ensure!(lab.directory().starts_with("/mnt"), "not in memory");
    let lan = lab.segment()?;
    let mut hosts = Vec::new();
    for (name, number) in [("a", 1), ("b", 2)] {
        let host = lab.host(name, HostOptions::default())?;
        host.connect(&lan, "eth0")?;
        host.add_address("eth0", &format!("198.18.0.{number}/24"))?;
        hosts.push(host);
    }
    let [a, b] = hosts.as_slice() else {
        bail!("two hosts");
    };
    ensure!(a.has_private("/run"));
    let capture = b.capture("eth0")?;
    a.call("busybox ping -c 1 -w 5 198.18.0.2")?;
    let wanted = |frame: &Frame| frame.bytes.get(12..14) == Some(&[8, 0]);
    capture.wait_for("the echo request", Duration::from_secs(5), wanted)?;
    Ok(())
}

fn what_a_command_says_comes_out(_lab: &mut Lab) -> Result<()> {
    let mut command = Command::new("sh");
    command
        .args(["-c", "echo \"$WORD in $PWD\"; echo oops >&2; exit 3"])
        .env("WORD", "it's")
        .current_dir("/usr");
    let job = |modules| UmlJob {
        modules,
        command: &command,
        timeout: Duration::from_secs(60),
        memory: uml::MEMORY,
    };
    let done = uml::run(&job(&[]))?;
    ensure!(done.output == "it's in /usr\noops\n", "{done:?}");
    ensure!(done.status == 3, "{done:?}");
    let Err(error) = uml::run(&job(&["no-such-module"])) else {
        bail!("there is no such module");
    };
    let text = format!("{error:#}");
    ensure!(text.contains("cannot load module no-such-module"), "{text}");
    Ok(())
}

fn what_hangs_is_ended(_lab: &mut Lab) -> Result<()> {
    let mut command = Command::new("sh");
    command.args(["-c", "echo before; sleep 1000"]);
    // A busy machine may take longer than that to start the kernel.
    let mut said = String::new();
    for timeout in [15, 60].map(Duration::from_secs) {
        let outcome = uml::run(&UmlJob {
            modules: &[],
            command: &command,
            timeout,
            memory: uml::MEMORY,
        });
        let Err(error) = outcome else {
            bail!("it ended");
        };
        if error.downcast_ref::<Skipped>().is_some() {
            return Err(error);
        }
        said = format!("{error:#}");
        if said.contains("before") {
            break;
        }
    }
    ensure!(said.contains("before"), "{said}");
    ensure!(descendants(Pid::own())?.is_empty(), "it still runs");
    Ok(())
}

//! The kernel's balancer, in a kernel of its own: what we tell it, judged by `ipvsadm`; what it tells us.

mod common;

use std::fs;
use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use lab::{Host, HostOptions, Lab, scenario, uml};
use sys::ipvs::{Ipvs, Reason, Refusal, SyncDaemon, SyncRole, Timeouts, load_module};
use types::ipvs::{
    Command, DestinationKey, DestinationOptions, Forwarding, GueChecksum, Netmask,
    PersistenceOptions, Protocol, ServiceKey, ServiceOptions, Tunnel,
};
use types::{Family, IfName};

use common::program;

/// The balancer and the schedulers and engines that the scenarios use.
const MODULES: [&str; 6] = [
    "ip_vs",
    "ip_vs_rr",
    "ip_vs_wlc",
    "ip_vs_sh",
    "ip_vs_mh",
    "ip_vs_pe_sip",
];

fn main() -> ExitCode {
    scenario::main(&[
        ("every_form", |lab| uml::scenario(lab, &MODULES, every_form)),
        ("refusals", |lab| uml::scenario(lab, &MODULES, refusals)),
        ("five_thousand_destinations", |lab| {
            uml::scenario(lab, &MODULES, five_thousand_destinations)
        }),
        ("timeouts_and_sync_daemons", |lab| {
            uml::scenario(lab, &MODULES, timeouts_and_sync_daemons)
        }),
        ("namespaces", |lab| uml::scenario(lab, &MODULES, namespaces)),
        ("the_module_is_loaded", |lab| {
            uml::scenario(lab, &[], the_module_is_loaded)
        }),
    ])
}

fn service(address: &str, protocol: Protocol, port: u16) -> Result<ServiceKey> {
    Ok(ServiceKey::Address {
        address: address.parse()?,
        port,
        protocol,
    })
}

fn balanced(scheduler: &str) -> ServiceOptions {
    ServiceOptions {
        scheduler: scheduler.to_owned(),
        one_packet: false,
        scheduler_flags: [false; 3],
        persistence: None,
    }
}

fn persistent(
    scheduler: &str,
    timeout: u32,
    netmask: Netmask,
    engine: Option<&str>,
) -> ServiceOptions {
    ServiceOptions {
        persistence: Some(PersistenceOptions {
            timeout,
            netmask,
            engine: engine.map(str::to_owned),
        }),
        ..balanced(scheduler)
    }
}

fn destination(address: &str, port: u16) -> Result<DestinationKey> {
    Ok(DestinationKey {
        address: address.parse()?,
        port,
    })
}

fn to(forwarding: Forwarding, weight: u32) -> DestinationOptions {
    DestinationOptions {
        forwarding,
        weight,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

fn gue(port: u16, checksum: GueChecksum) -> Forwarding {
    Forwarding::Tunnel(Tunnel::Gue { port, checksum })
}

/// Does something with the balancer of a host.
fn with<T: Send + 'static>(
    host: &Host,
    job: impl FnOnce(&mut Ipvs) -> Result<T> + Send + 'static,
) -> Result<T> {
    host.run(|| {
        let mut ipvs = Ipvs::open(None)?.context("the kernel has no IPVS")?;
        job(&mut ipvs)
    })?
}

/// Has a host carry out commands, all of which succeed.
fn apply(host: &Host, commands: Vec<Command>) -> Result<()> {
    for result in with(host, move |ipvs| Ok(ipvs.apply(&commands)?))? {
        result?;
    }
    Ok(())
}

/// What a host's table is for us, in an order that does not depend on the kernel's hashes.
type Table = Vec<(
    ServiceKey,
    ServiceOptions,
    Vec<(DestinationKey, DestinationOptions)>,
)>;

fn table(host: &Host) -> Result<Table> {
    let mut table = with(host, |ipvs| {
        let mut table = Vec::new();
        for (key, options) in ipvs.services()? {
            let mut destinations = ipvs.destinations(&key)?;
            destinations.sort_by_key(|(key, _)| *key);
            table.push((key, options, destinations));
        }
        Ok(table)
    })?;
    table.sort_by_key(|(key, ..)| *key);
    Ok(table)
}

/// Each service and each destination as `ipvsadm -Sn` writes it.
fn every_form(lab: &mut Lab) -> Result<()> {
    program("ipvsadm")?;
    let host = lab.host("a", HostOptions::default())?;
    let v4 = Netmask::single(Family::V4);
    let flags = |scheduler: &str, scheduler_flags| ServiceOptions {
        scheduler_flags,
        ..balanced(scheduler)
    };
    let mark = |mark, family| ServiceKey::Mark { mark, family };
    let http = service("10.0.0.1", Protocol::Tcp, 80)?;
    let services = [
        (http, balanced("wlc"), "-A -t 10.0.0.1:80 -s wlc"),
        (
            service("10.0.0.1", Protocol::Udp, 53)?,
            flags("sh", [true, true, false]),
            "-A -u 10.0.0.1:53 -s sh -b sh-fallback,sh-port",
        ),
        (
            service("10.0.0.1", Protocol::Tcp, 81)?,
            flags("mh", [true, true, false]),
            "-A -t 10.0.0.1:81 -s mh -b mh-fallback,mh-port",
        ),
        (
            service("10.0.0.1", Protocol::Tcp, 82)?,
            flags("rr", [false, true, true]),
            "-A -t 10.0.0.1:82 -s rr -b flag-2,flag-3",
        ),
        (
            service("10.0.0.1", Protocol::Tcp, 0)?,
            persistent("rr", 360, v4, None),
            "-A -t 10.0.0.1:0 -s rr -p 360",
        ),
        (
            service("10.0.0.2", Protocol::Tcp, 0)?,
            persistent("rr", 360, Netmask::V4([255, 255, 255, 0].into()), None),
            "-A -t 10.0.0.2:0 -s rr -p 360 -M 255.255.255.0",
        ),
        (
            service("fd00::1", Protocol::Udp, 53)?,
            ServiceOptions {
                one_packet: true,
                ..persistent("rr", 360, Netmask::V6(64), None)
            },
            "-A -u [fd00::1]:53 -s rr -p 360 -M 64 -o",
        ),
        (
            service("10.0.0.3", Protocol::Udp, 5060)?,
            persistent("rr", 300, v4, Some("sip")),
            "-A -u 10.0.0.3:5060 -s rr -p 300 --pe sip",
        ),
        (
            service("10.0.0.3", Protocol::Sctp, 5060)?,
            balanced("rr"),
            "-A --sctp-service 10.0.0.3:5060 -s rr",
        ),
        (mark(5, Family::V4), balanced("rr"), "-A -f 5 -s rr"),
        (mark(6, Family::V6), balanced("rr"), "-A -f 6 -6 -s rr"),
        (mark(u32::MAX, Family::V4), balanced("rr"), "-A -f -1 -s rr"),
    ];
    let limited = DestinationOptions {
        upper_threshold: 100,
        lower_threshold: 50,
        ..to(Forwarding::Nat, 1)
    };
    let tcp = "-a -t 10.0.0.1:80 -r";
    let destinations = [
        (
            http,
            destination("10.1.0.1", 80)?,
            to(Forwarding::Nat, 3),
            format!("{tcp} 10.1.0.1:80 -m -w 3"),
        ),
        (
            http,
            destination("10.1.0.2", 80)?,
            to(Forwarding::DirectRouting, 0),
            format!("{tcp} 10.1.0.2:80 -g -w 0"),
        ),
        (
            http,
            destination("10.1.0.3", 80)?,
            to(Forwarding::Tunnel(Tunnel::Ipip), 1),
            format!("{tcp} 10.1.0.3:80 -i -w 1 --tun-type ipip"),
        ),
        (
            http,
            destination("10.1.0.4", 80)?,
            to(gue(5555, GueChecksum::Full), 1),
            format!("{tcp} 10.1.0.4:80 -i -w 1 --tun-type gue --tun-port 5555 --tun-csum"),
        ),
        (
            http,
            destination("10.1.0.5", 80)?,
            to(gue(5555, GueChecksum::None), 1),
            format!("{tcp} 10.1.0.5:80 -i -w 1 --tun-type gue --tun-port 5555 --tun-nocsum"),
        ),
        (
            http,
            destination("10.1.0.6", 80)?,
            to(gue(65535, GueChecksum::Remote), 1),
            format!("{tcp} 10.1.0.6:80 -i -w 1 --tun-type gue --tun-port 65535 --tun-remcsum"),
        ),
        (
            http,
            destination("10.1.0.7", 80)?,
            to(Forwarding::Tunnel(Tunnel::Gre { checksum: true }), 1),
            format!("{tcp} 10.1.0.7:80 -i -w 1 --tun-type gre --tun-csum"),
        ),
        (
            http,
            destination("10.1.0.8", 80)?,
            to(Forwarding::Tunnel(Tunnel::Gre { checksum: false }), 1),
            format!("{tcp} 10.1.0.8:80 -i -w 1 --tun-type gre --tun-nocsum"),
        ),
        (
            http,
            destination("fd00:1::1", 80)?,
            to(Forwarding::Tunnel(Tunnel::Ipip), 2),
            format!("{tcp} [fd00:1::1]:80 -i -w 2 --tun-type ipip"),
        ),
        (
            http,
            destination("10.1.0.9", 8080)?,
            limited,
            format!("{tcp} 10.1.0.9:8080 -m -w 1"),
        ),
        (
            mark(6, Family::V6),
            destination("fd00:1::2", 0)?,
            to(Forwarding::DirectRouting, 2_147_483_647),
            "-a -f 6 -6 -r [fd00:1::2]:0 -g -w 2147483647".to_owned(),
        ),
        (
            service("fd00::1", Protocol::Udp, 53)?,
            destination("fd00:1::3", 53)?,
            to(Forwarding::Nat, 1),
            "-a -u [fd00::1]:53 -r [fd00:1::3]:53 -m -w 1".to_owned(),
        ),
    ];
    let mut commands = Vec::new();
    let mut wanted: Table = Vec::new();
    let mut expected = Vec::new();
    for (key, options, line) in services {
        commands.push(Command::AddService(key, options.clone()));
        wanted.push((key, options, Vec::new()));
        expected.push(line.to_owned());
    }
    for (of, key, options, line) in destinations {
        commands.push(Command::AddDestination(of, key, options));
        let service = wanted.iter_mut().find(|(key, ..)| *key == of);
        service
            .context("each has a service")?
            .2
            .push((key, options));
        expected.push(line);
    }
    apply(&host, commands)?;
    let said = host.call("ipvsadm -Sn")?;
    expected.sort();
    let mut lines: Vec<&str> = said.lines().map(str::trim_end).collect();
    lines.sort_unstable();
    ensure!(lines == expected, "{lines:#?}\nnot\n{expected:#?}");
    wanted.sort_by_key(|(key, ..)| *key);
    for (_, _, destinations) in &mut wanted {
        destinations.sort_by_key(|(key, _)| *key);
    }
    let limits = host.call("ipvsadm -Ln --thresholds")?;
    let limits = limits
        .lines()
        .find(|line| line.contains("10.1.0.9:8080"))
        .map(|line| line.split_whitespace().skip(2).take(2).collect::<Vec<_>>());
    ensure!(limits == Some(vec!["100", "50"]), "{limits:?}");
    let have = table(&host)?;
    ensure!(have == wanted, "{have:#?}\nnot\n{wanted:#?}");
    with(&host, move |ipvs| {
        for (key, options, _) in wanted {
            let alone = ipvs.service(&key)?;
            ensure!(alone.as_ref() == Some(&options), "{key}: {alone:?}");
        }
        ensure!(ipvs.service(&mark(7, Family::V4))?.is_none());
        Ok(())
    })?;

    // In place, with another way and limits; the service with another scheduler and persistence.
    let key = destination("10.1.0.1", 80)?;
    apply(
        &host,
        vec![
            Command::EditDestination(http, key, to(gue(7, GueChecksum::Remote), 9)),
            Command::EditService(http, persistent("rr", 60, v4, None)),
            Command::RemoveDestination(http, destination("10.1.0.9", 8080)?),
            Command::RemoveService(mark(6, Family::V6)),
        ],
    )?;
    let said = host.call("ipvsadm -Sn")?;
    for line in [
        "-A -t 10.0.0.1:80 -s rr -p 60\n",
        "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -i -w 9 --tun-type gue --tun-port 7 --tun-remcsum\n",
    ] {
        ensure!(
            said.replace(" \n", "\n").contains(line),
            "{line} is missing:\n{said}"
        );
    }
    ensure!(
        !said.contains("10.1.0.9") && !said.contains("-f 6"),
        "{said}"
    );
    apply(&host, vec![Command::Flush])?;
    ensure!(host.call("ipvsadm -Sn")?.is_empty());
    ensure!(table(&host)?.is_empty());
    Ok(())
}

/// Each refusal stands where its command stood, in keepalived's words, and the commands around it are carried out.
fn refusals(lab: &mut Lab) -> Result<()> {
    let host = lab.host("a", HostOptions::default())?;
    let http = service("10.0.0.1", Protocol::Tcp, 80)?;
    let https = service("10.0.0.1", Protocol::Tcp, 443)?;
    let key = destination("10.1.0.1", 80)?;
    let nat = to(Forwarding::Nat, 1);
    let unicast = destination("224.0.0.1", 80)?;
    let outcome: [(Command, Option<(Reason, &str)>); 12] = [
        (Command::AddService(http, balanced("rr")), None),
        (
            Command::AddService(http, balanced("rr")),
            Some((
                Reason::Exists,
                "ADD(1154) error: Service already exists(17) (10.0.0.1:tcp:80)",
            )),
        ),
        (
            Command::AddService(https, balanced("none-such")),
            Some((
                Reason::Missing,
                "ADD(1154) error: Scheduler or persistence engine not found(2) (10.0.0.1:tcp:443)",
            )),
        ),
        (
            Command::EditService(http, balanced("none-such")),
            Some((
                Reason::Missing,
                "EDIT(1155) error: Scheduler or persistence engine not found(2) (10.0.0.1:tcp:80)",
            )),
        ),
        (Command::AddDestination(http, key, nat), None),
        (
            Command::AddDestination(http, key, nat),
            Some((
                Reason::Exists,
                "ADDDEST(1159) error: Destination already exists(17) (10.0.0.1:tcp:80 -> 10.1.0.1:80)",
            )),
        ),
        (
            Command::EditDestination(http, destination("10.1.0.2", 80)?, nat),
            Some((
                Reason::Missing,
                "EDITDEST(1161) error: No such destination(2) (10.0.0.1:tcp:80 -> 10.1.0.2:80)",
            )),
        ),
        (
            Command::RemoveDestination(http, destination("10.1.0.2", 80)?),
            Some((
                Reason::Missing,
                "DELDEST(1160) error: No such destination(2) (10.0.0.1:tcp:80 -> 10.1.0.2:80)",
            )),
        ),
        (
            Command::AddDestination(https, key, nat),
            Some((
                Reason::NoService,
                "ADDDEST(1159) error: No such service(3) (10.0.0.1:tcp:443 -> 10.1.0.1:80)",
            )),
        ),
        (
            Command::AddDestination(http, unicast, nat),
            Some((
                Reason::Invalid,
                "ADDDEST(1159) error: Invalid operation.  Possibly wrong module version, address not unicast, ...(22) (10.0.0.1:tcp:80 -> 224.0.0.1:80)",
            )),
        ),
        (
            Command::RemoveService(https),
            Some((
                Reason::NoService,
                "DEL(1156) error: No such service(3) (10.0.0.1:tcp:443)",
            )),
        ),
        (
            Command::EditDestination(http, key, to(Forwarding::Nat, 7)),
            None,
        ),
    ];
    let (commands, expected): (Vec<Command>, Vec<_>) = outcome.into_iter().unzip();
    let results = with(&host, move |ipvs| Ok(ipvs.apply(&commands)?))?;
    ensure!(results.len() == expected.len());
    for (result, expected) in results.iter().zip(expected) {
        let got = result.as_ref().err().map(Refusal::to_string);
        let wanted = expected.map(|(_, text)| format!("IPVS cmd IP_VS_SO_SET_{text}"));
        ensure!(got == wanted, "{got:?}, not {wanted:?}");
        let got = result.as_ref().err().map(Refusal::reason);
        let wanted = expected.map(|(reason, _)| reason);
        ensure!(got == wanted, "{got:?}, not {wanted:?}");
    }
    let said = host.call("ipvsadm -Sn")?;
    ensure!(said.contains("-r 10.1.0.1:80 -m -w 7"), "{said}");
    // Somebody else's service that is gone when we ask for its destinations.
    let none = with(&host, move |ipvs| Ok(ipvs.destinations(&https)?))?;
    ensure!(none.is_empty());
    Ok(())
}

fn five_thousand_destinations(lab: &mut Lab) -> Result<()> {
    const COUNT: u32 = 5000;
    let host = lab.host("a", HostOptions::default())?;
    let http = service("10.0.0.1", Protocol::Tcp, 80)?;
    let keys: Vec<DestinationKey> = (0..COUNT)
        .map(|number| DestinationKey {
            address: IpAddr::from((0x0a01_0000 + number).to_be_bytes()),
            port: 80,
        })
        .collect();
    let mut commands = vec![Command::AddService(http, balanced("rr"))];
    commands.extend(
        keys.iter()
            .map(|key| Command::AddDestination(http, *key, to(Forwarding::Nat, 1))),
    );
    // One refusal in the middle of it.
    commands.insert(2500, Command::AddService(http, balanced("rr")));
    let results = with(&host, move |ipvs| Ok(ipvs.apply(&commands)?))?;
    let refused: Vec<usize> = results
        .iter()
        .enumerate()
        .filter(|(_, result)| result.is_err())
        .map(|(place, _)| place)
        .collect();
    ensure!(refused == [2500], "{refused:?}");
    let [(_, _, destinations)] = &table(&host)?[..] else {
        bail!("there should be one service");
    };
    ensure!(
        destinations
            .iter()
            .map(|(key, _)| *key)
            .eq(keys.iter().copied())
    );
    let commands = keys
        .iter()
        .map(|key| Command::RemoveDestination(http, *key))
        .collect();
    apply(&host, commands)?;
    let said = host.call("ipvsadm -Sn")?;
    ensure!(said.trim_end() == "-A -t 10.0.0.1:80 -s rr", "{said}");
    Ok(())
}

fn timeouts_and_sync_daemons(lab: &mut Lab) -> Result<()> {
    let lan = lab.segment()?;
    let host = common::host(lab, &lan, "a", 1)?;
    let before = with(&host, |ipvs| Ok(ipvs.timeouts()?))?;
    ensure!(
        before
            == Timeouts {
                tcp: 900,
                tcp_fin: 120,
                udp: 300
            },
        "{before:?}"
    );
    let wanted = Timeouts {
        tcp: 100,
        tcp_fin: 20,
        udp: 30,
    };
    with(&host, move |ipvs| Ok(ipvs.set_timeouts(wanted)?))?;
    let said = host.call("ipvsadm -Ln --timeout")?;
    ensure!(said.trim_end().ends_with("100 20 30"), "{said}");
    // Zero leaves one as it is.
    let udp_alone = Timeouts {
        tcp: 0,
        tcp_fin: 0,
        udp: 40,
    };
    with(&host, move |ipvs| Ok(ipvs.set_timeouts(udp_alone)?))?;
    let now = with(&host, |ipvs| Ok(ipvs.timeouts()?))?;
    ensure!(now == Timeouts { udp: 40, ..wanted }, "{now:?}");
    let error = with(&host, |ipvs| {
        let too_long = Timeouts {
            tcp: u32::MAX,
            tcp_fin: 0,
            udp: 0,
        };
        Ok(ipvs
            .set_timeouts(too_long)
            .map_err(|error| error.to_string()))
    })?;
    let expected =
        "cannot set the timeouts of IPVS to 4294967295 0 0: Invalid argument (os error 22)";
    ensure!(error == Err(expected.to_owned()), "{error:?}");
    let info = with(&host, |ipvs| Ok(ipvs.info()?))?;
    ensure!(
        info.version == [1, 2, 1] && info.connection_table_size > 0,
        "{info:?}"
    );

    let daemon = |role| -> Result<SyncDaemon> {
        Ok(SyncDaemon {
            role,
            interface: IfName::new("eth0")?,
            id: 51,
            longest: Some(1400),
            group: Some("224.0.0.99".parse()?),
            port: Some(8849),
            ttl: Some(2),
        })
    };
    let master = daemon(SyncRole::Master)?;
    let backup = SyncDaemon {
        group: Some("ff02::99".parse()?),
        ..daemon(SyncRole::Backup)?
    };
    for wanted in [&master, &backup] {
        let wanted = wanted.clone();
        with(&host, move |ipvs| {
            ipvs.start_daemon(&wanted)??;
            let Err(again) = ipvs.start_daemon(&wanted)? else {
                bail!("a second one was started");
            };
            let expected =
                "IPVS cmd IP_VS_SO_SET_STARTDAEMON(1163) error: Daemon has already run(17)";
            ensure!(again.to_string() == expected, "{again}");
            ensure!(again.is_done_already());
            Ok(())
        })?;
    }
    let said = host.call("ipvsadm -Ln --daemon")?;
    for line in [
        "master sync daemon (mcast=eth0, syncid=51, maxlen=1400, group=224.0.0.99, port=8849, ttl=2)",
        "backup sync daemon (mcast=eth0, syncid=51, maxlen=1400, group=ff02::99, port=8849, ttl=2)",
    ] {
        ensure!(said.contains(line), "{line} is missing:\n{said}");
    }
    let running = with(&host, |ipvs| Ok(ipvs.daemons()?))?;
    ensure!(running == [master.clone(), backup], "{running:#?}");
    with(&host, move |ipvs| {
        ipvs.stop_daemon(SyncRole::Master, 51)??;
        ipvs.stop_daemon(SyncRole::Backup, 51)??;
        let Err(again) = ipvs.stop_daemon(SyncRole::Backup, 51)? else {
            bail!("it was stopped twice");
        };
        let expected = "IPVS cmd IP_VS_SO_SET_STOPDAEMON(1164) error: No daemon is running(3)";
        ensure!(again.to_string() == expected, "{again}");
        ensure!(ipvs.daemons()?.is_empty());
        let elsewhere = SyncDaemon {
            interface: IfName::new("none0")?,
            ..master
        };
        let Err(refusal) = ipvs.start_daemon(&elsewhere)? else {
            bail!("it runs on no interface");
        };
        ensure!(refusal.reason() == Reason::NoInterface, "{refusal}");
        Ok(())
    })
}

/// `net_namespace_ipvs`: the balancer of another namespace, without a step out of one's own.
fn namespaces(lab: &mut Lab) -> Result<()> {
    let host = lab.host("a", HostOptions::default())?;
    host.call("ip netns add balancer")?;
    host.run(|| -> Result<()> {
        let before = fs::read_link("/proc/thread-self/ns/net")?;
        let mut ipvs = Ipvs::open(Some("balancer"))?.context("the kernel has no IPVS")?;
        let http = service("10.0.0.1", Protocol::Tcp, 80)?;
        for result in ipvs.apply(&[Command::AddService(http, balanced("rr"))])? {
            result?;
        }
        ensure!(fs::read_link("/proc/thread-self/ns/net")? == before);
        let Err(error) = Ipvs::open(Some("nowhere")) else {
            bail!("there is no such namespace");
        };
        let expected = "cannot open /run/netns/nowhere: No such file or directory (os error 2)";
        ensure!(error.to_string() == expected, "{error}");
        Ok(())
    })??;
    ensure!(
        host.call("ipvsadm -Sn")?.is_empty(),
        "it is in the wrong namespace"
    );
    let said = host.call("ip netns exec balancer ipvsadm -Sn")?;
    ensure!(said.trim_end() == "-A -t 10.0.0.1:80 -s rr", "{said}");
    Ok(())
}

/// A kernel that has IPVS as a module which is not loaded yet. This scenario is for a kernel of its own only.
fn the_module_is_loaded(lab: &mut Lab) -> Result<()> {
    ensure!(uml::is_inside(), "it would change the machine");
    let host = lab.host("a", HostOptions::default())?;
    host.run(|| -> Result<()> {
        ensure!(Ipvs::open(None)?.is_none(), "the module is loaded already");
        let Err(error) = load_module() else {
            bail!("there are no modules where modprobe looks");
        };
        let text = error.to_string();
        ensure!(
            text.starts_with("cannot load kernel module ip_vs: ")
                && text.ends_with("ended with status 1; is the module installed?"),
            "{text}"
        );
        Ok(())
    })??;
    // The kernel's own choice of program counts; Debian keeps this kernel's modules where modprobe does not look.
    let script = host.directory().join("modprobe");
    let tree = host.directory().join("tree");
    fs::create_dir_all(tree.join("lib"))?;
    std::os::unix::fs::symlink("/usr/lib/uml/modules", tree.join("lib/modules"))?;
    fs::write(
        &script,
        format!("#!/bin/sh\nexec modprobe -d {} \"$@\"\n", tree.display()),
    )?;
    fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    fs::write("/proc/sys/kernel/modprobe", script.display().to_string())?;
    host.run(|| -> Result<()> {
        load_module()?;
        load_module()?;
        let mut ipvs = Ipvs::open(None)?.context("the module is loaded")?;
        ensure!(ipvs.services()?.is_empty());
        Ok(())
    })??;

    // It is removed while we have it open: nobody takes that for a scheduler that is missing.
    host.call(&format!("modprobe -d {} ip_vs_rr", tree.display()))?;
    let http = service("10.0.0.1", Protocol::Tcp, 80)?;
    let mut ipvs = host.run(|| Ipvs::open(None))??.context("it is there")?;
    let mut apply = move |command: Command| ipvs.apply(&[command]).map_err(|e| e.to_string());
    let add = Command::AddService(http, balanced("rr"));
    ensure!(apply(add.clone()) == Ok(vec![Ok(())]));
    let refused = apply(Command::AddService(
        service("10.0.0.1", Protocol::Tcp, 81)?,
        balanced("none-such"),
    ));
    ensure!(
        matches!(refused.as_deref(), Ok([Err(refusal)]) if refusal.reason() == Reason::Missing)
    );
    ensure!(apply(Command::Flush) == Ok(vec![Ok(())]));
    host.call("rmmod ip_vs_rr ip_vs")?;
    let gone = "cannot change IPVS: the kernel has no such IPVS any more";
    ensure!(apply(add.clone()) == Err(gone.to_owned()));
    ensure!(host.run(|| Ipvs::open(None))??.is_none());
    Ok(())
}

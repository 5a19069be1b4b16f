//! Virtual servers, their groups and real servers, and what TLS shows and trusts.

use std::net::IpAddr;

use lvs::settings::checkers::CommandId;
use lvs::settings::server::RareSettings;
use lvs::settings::{
    Forwarding, Granularity, Group, GroupEntry, GueChecksum, Persistence, RealServer, Service,
    SorryServer, Ssl, Timing, Tunnel, VirtualServer,
};
use types::Family;

use super::checkers;
use super::page::{Page, Word};
use crate::settings::{Command, Settings};

/// All services. Their groups stand first.
pub(super) fn write(page: &mut Page, settings: &Settings) {
    let lvs::Settings {
        // It is in `global_defs`.
        global: _,
        // What `lvs_commands` says.
        commands: _,
        virtual_servers,
        groups,
        ssl,
    } = &settings.lvs;
    if let Some(ssl) = ssl {
        of_ssl(page, ssl);
    }
    for Group { name, entries } in groups {
        let header = format!("virtual_server_group {}", Word(name));
        page.list(header, entries.iter().map(group_entry));
    }
    let commands = Commands(&settings.lvs_commands);
    for server in virtual_servers {
        virtual_server(page, server, &settings.lvs, commands);
    }
}

/// Commands by their numbers.
#[derive(Clone, Copy)]
pub(super) struct Commands<'a>(&'a [Command]);

impl<'a> Commands<'a> {
    /// The command of a number.
    pub(super) fn get(self, id: CommandId) -> Option<&'a Command> {
        self.0.get(usize::try_from(id.0).ok()?)
    }
}

fn of_ssl(page: &mut Page, ssl: &Ssl) {
    let Ssl {
        password,
        ca,
        certificate,
        key,
    } = ssl;
    page.block("SSL", |page| {
        page.word("password", password.as_ref().map(|text| text.reveal()));
        page.word("ca", ca.as_deref());
        page.word("certificate", certificate.as_deref());
        page.word("key", key.as_deref());
    });
}

fn group_entry(entry: &GroupEntry) -> String {
    match *entry {
        GroupEntry::Addresses { first, last, port } => {
            format!("{first}{}{}", end_of_range(first, last), port_of(port))
        }
        GroupEntry::Mark { mark, family } => {
            let family = family.map_or("", |family| match family {
                Family::V4 => " inet",
                Family::V6 => " inet6",
            });
            format!("fwmark {mark}{family}")
        }
    }
}

/// `-LAST`; only its end where that will do, for older releases of keepalived know nothing else.
fn end_of_range(first: IpAddr, last: IpAddr) -> String {
    match (first, last) {
        _ if first == last => String::new(),
        (IpAddr::V4(low), IpAddr::V4(high)) => match (low.octets(), high.octets()) {
            ([a, b, c, _], [d, e, f, end]) if [a, b, c] == [d, e, f] => format!("-{end}"),
            _ => format!("-{last}"),
        },
        (IpAddr::V6(low), IpAddr::V6(high)) if low.to_bits() >> 16 == high.to_bits() >> 16 => {
            format!("-{:x}", high.to_bits() & 0xffff)
        }
        _ => format!("-{last}"),
    }
}

/// ` PORT`; nothing for every port.
fn port_of(port: u16) -> String {
    match port {
        0 => String::new(),
        port => format!(" {port}"),
    }
}

/// A forwarding method with its options.
fn method(method: Forwarding) -> String {
    let tunnel = match method {
        Forwarding::Nat => return "NAT".to_owned(),
        Forwarding::DirectRouting => return "DR".to_owned(),
        Forwarding::Tunnel(tunnel) => tunnel,
    };
    match tunnel {
        // What older releases know does without a word.
        Tunnel::Ipip => "TUN".to_owned(),
        Tunnel::Gue { port, checksum } => {
            let checksum = match checksum {
                GueChecksum::None => "nocsum",
                GueChecksum::Full => "csum",
                GueChecksum::Remote => "remcsum",
            };
            format!("TUN type gue port {port} {checksum}")
        }
        Tunnel::Gre { checksum: true } => "TUN type gre csum".to_owned(),
        Tunnel::Gre { checksum: false } => "TUN type gre nocsum".to_owned(),
    }
}

fn virtual_server(
    page: &mut Page,
    server: &VirtualServer,
    all: &lvs::Settings,
    commands: Commands<'_>,
) {
    let VirtualServer {
        service,
        scheduler,
        one_packet,
        scheduler_flags,
        persistence,
        lvs_method,
        quorum,
        hysteresis,
        alpha,
        omega,
        inhibit_on_failure,
        ha_suspend,
        smtp_alert,
        quorum_up,
        quorum_down,
        virtualhost,
        snmp_name,
        timing,
        sorry_server,
        real_servers,
    } = server;
    page.block(header(service, all), |page| {
        // What the family and the method decide stands behind them.
        of_service(page, service);
        page.word("lvs_sched", Some(scheduler));
        page.value("lvs_method", method(*lvs_method));
        page.flag("ops", *one_packet);
        let [first, second, third] = *scheduler_flags;
        page.flag("flag-1", first);
        page.flag("flag-2", second);
        page.flag("flag-3", third);
        if let Some(persistence) = persistence {
            of_persistence(page, persistence);
        }
        of_timing(page, timing);
        // 0: there are no weights at all, and no number would do.
        page.option("quorum", Some(*quorum).filter(|quorum| *quorum > 0));
        page.value("hysteresis", hysteresis);
        page.flag("alpha", *alpha);
        page.flag("omega", *omega);
        page.flag("inhibit_on_failure", *inhibit_on_failure);
        page.flag("ha_suspend", *ha_suspend);
        page.switch("smtp_alert", *smtp_alert);
        page.octets("virtualhost", virtualhost.as_ref());
        page.word("snmp_name", snmp_name.as_deref());
        page.command("quorum_up", quorum_up.and_then(|id| commands.get(id)));
        page.command("quorum_down", quorum_down.and_then(|id| commands.get(id)));
        if let Some(sorry) = sorry_server {
            of_sorry_server(page, sorry);
        }
        for real in real_servers {
            real_server(page, real, server, commands);
        }
    });
}

fn header(service: &Service, all: &lvs::Settings) -> String {
    match service {
        Service::Address { address, port, .. } => {
            format!("virtual_server {address}{}", port_of(*port))
        }
        Service::Mark { mark, .. } => format!("virtual_server fwmark {mark}"),
        Service::Group { group, .. } => {
            let name = all.group(*group).map_or("", |group| &group.name);
            format!("virtual_server group {}", Word(name))
        }
    }
}

fn of_service(page: &mut Page, service: &Service) {
    let (family, protocol) = match *service {
        Service::Address { protocol, .. } => (None, Some(protocol)),
        Service::Mark { family, .. } => (Some(family), None),
        Service::Group {
            protocol, family, ..
        } => (family, protocol),
    };
    page.option(
        "ip_family",
        family.map(|family| match family {
            Family::V4 => "inet",
            Family::V6 => "inet6",
        }),
    );
    let protocol = protocol.map(|protocol| protocol.name().to_ascii_uppercase());
    page.option("protocol", protocol);
}

fn of_persistence(page: &mut Page, persistence: &Persistence) {
    let Persistence {
        timeout,
        granularity,
        engine,
    } = persistence;
    page.value("persistence_timeout", timeout);
    match granularity {
        None => {}
        Some(Granularity::Mask(mask)) => page.value("persistence_granularity", mask),
        Some(Granularity::Prefix(length)) => page.value("persistence_granularity", length),
    }
    page.word("persistence_engine", engine.as_deref());
}

fn of_timing(page: &mut Page, timing: &Timing) {
    let Timing {
        delay_loop,
        connect_timeout,
        retry,
        delay_before_retry,
        warmup,
    } = *timing;
    page.seconds("delay_loop", delay_loop.as_duration());
    page.seconds("connect_timeout", connect_timeout.as_duration());
    page.option("retry", retry);
    for (name, time) in [
        ("delay_before_retry", delay_before_retry),
        ("warmup", warmup),
    ] {
        if let Some(time) = time {
            page.seconds(name, time.as_duration());
        }
    }
}

fn of_sorry_server(page: &mut Page, sorry: &SorryServer) {
    let SorryServer {
        address,
        port,
        lvs_method,
        inhibit,
    } = *sorry;
    page.value("sorry_server", format_args!("{address}{}", port_of(port)));
    page.value("sorry_server_lvs_method", method(lvs_method));
    page.flag("sorry_server_inhibit", inhibit);
}

fn real_server(
    page: &mut Page,
    real: &RealServer,
    service: &VirtualServer,
    commands: Commands<'_>,
) {
    let RealServer {
        address,
        port,
        lvs_method,
        weight,
        uthreshold,
        lthreshold,
        inhibit_on_failure,
        alpha,
        smtp_alert,
        notify_up,
        notify_down,
        rare,
        checkers,
    } = real;
    let header = format!("real_server {address}{}", port_of(*port));
    page.block(header, |page| {
        page.value("weight", weight);
        page.value("lvs_method", method(*lvs_method));
        page.value("uthreshold", uthreshold);
        page.value("lthreshold", lthreshold);
        page.switch("inhibit_on_failure", *inhibit_on_failure);
        page.switch("alpha", *alpha);
        page.switch("smtp_alert", *smtp_alert);
        if let Some(rare) = rare {
            let RareSettings {
                virtualhost,
                snmp_name,
                timing,
            } = &**rare;
            page.octets("virtualhost", virtualhost.as_ref());
            page.word("snmp_name", snmp_name.as_deref());
            if let Some(timing) = timing {
                of_timing(page, timing);
            }
        }
        page.command("notify_up", notify_up.and_then(|id| commands.get(id)));
        page.command("notify_down", notify_down.and_then(|id| commands.get(id)));
        for checker in checkers {
            checkers::write(page, checker, real, service, commands);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_short_where_they_can_be() {
        for (first, last, text) in [
            ("10.0.0.1", "10.0.0.1", "10.0.0.1"),
            ("10.0.0.1", "10.0.0.9", "10.0.0.1-9"),
            ("10.0.0.1", "10.0.1.9", "10.0.0.1-10.0.1.9"),
            ("fd00::1", "fd00::ff", "fd00::1-ff"),
            ("fd00::1", "fd00::1:0:ff", "fd00::1-fd00::1:0:ff"),
        ] {
            let entry = GroupEntry::Addresses {
                first: first.parse().unwrap(),
                last: last.parse().unwrap(),
                port: 0,
            };
            assert_eq!(group_entry(&entry), text);
        }
    }
}

//! `keepalived_check.data`: virtual servers, the real servers behind them, and what is known of both.
//!
//! As `keepalived.data` it is for people and for a handful of parsers, so labels and indents are keepalived's.

mod checkers;

use std::collections::BTreeMap;
use std::fmt::Arguments;

use config::Settings;
use lvs::Lvs;
use lvs::settings::checkers::{CheckerKind, CommandId, Microseconds};
use lvs::settings::{
    Forwarding, Granularity, GroupEntry, GueChecksum, Protocol, Service, SorryServer, Ssl, Timing,
    Tunnel, VirtualServer,
};
use lvs::view::{GroupView, ServerView, ServiceView};
use lvs::{ServerName, ServiceName};
use types::Family;

use checkers::PatternIdentity;

use crate::data::WallClock;
use crate::globals::{self, globals};
use crate::page::Page;

/// What the dump needs beyond the core's own state.
#[derive(Debug)]
pub struct CheckContext<'a> {
    /// Turns the core's time into the calendar's.
    pub clock: WallClock,
    /// The daemon's settings; of virtual servers the core's own are shown.
    pub settings: &'a Settings,
    /// The router's name if `router_id` gives no other.
    pub host_name: &'a str,
    /// How a point in calendar time (seconds since 1970) reads: `Sat Nov 21 10:00:00 2026`.
    pub calendar: fn(i64) -> String,
}

/// The whole file.
#[must_use]
pub fn check_data(lvs: &Lvs, context: &CheckContext<'_>) -> String {
    let mut page = Page::default();
    let settings = lvs.settings();
    globals(
        &mut page,
        &context.settings.global,
        &settings.global,
        context.host_name,
    );
    let mut dump = Dump {
        page,
        lvs,
        context,
        patterns: None,
    };
    if let Some(ssl) = &settings.ssl {
        dump.ssl(ssl);
    }
    if !settings.virtual_servers.is_empty() {
        dump.page.section("LVS Topology");
        // keepalived prints the version of the IPVS interface that it was compiled with.
        let version = format_args!("System is compiled with LVS v1.2.1");
        dump.page.object(version);
    }
    for group in lvs.groups() {
        dump.group(&group);
    }
    for service in lvs.services() {
        dump.service(&service);
    }
    dump.checks();
    dump.track_files();
    dump.sessions();
    dump.page.text()
}

/// The dump, as far as it is written.
struct Dump<'a> {
    page: Page,
    lvs: &'a Lvs,
    context: &'a CheckContext<'a>,
    /// How many pages look for each pattern; counted when the first one is met.
    patterns: Option<BTreeMap<PatternIdentity, usize>>,
}

const fn on(is: bool) -> &'static str {
    if is { "ON" } else { "OFF" }
}

const fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

const fn able(is: bool) -> &'static str {
    if is { "enabled" } else { "disabled" }
}

/// In seconds, with all digits.
fn seconds(time: Microseconds) -> String {
    format!("{}.{:06}", time.0 / 1_000_000, time.0 % 1_000_000)
}

/// `lvs_method` and what goes with it.
fn method(forwarding: Forwarding) -> String {
    match forwarding {
        Forwarding::Nat => "NAT".into(),
        Forwarding::DirectRouting => "DR".into(),
        Forwarding::Tunnel(Tunnel::Ipip) => "TUN, type = IPIP".into(),
        Forwarding::Tunnel(Tunnel::Gue { port, checksum }) => {
            let checksum = match checksum {
                GueChecksum::None => "no checksum",
                GueChecksum::Full => "checksum",
                GueChecksum::Remote => "remote checksum",
            };
            format!("TUN, type = GUE, port = {port}, {checksum}")
        }
        Forwarding::Tunnel(Tunnel::Gre { checksum }) => {
            let no = if checksum { "" } else { "no " };
            format!("TUN, type = GRE, {no}checksum")
        }
    }
}

impl Dump<'_> {
    fn field(&mut self, text: Arguments<'_>) {
        self.page.field(text);
    }

    fn entry(&mut self, text: Arguments<'_>) {
        self.page.entry(text);
    }

    /// A command of a virtual server, a real server or a check; `None`: there is none of that number.
    fn command(&self, id: CommandId) -> Option<String> {
        let at = usize::try_from(id.0).ok()?;
        let command = self.context.settings.lvs_commands.get(at)?;
        Some(globals::command(command))
    }

    fn script(&mut self, indent: usize, label: &str, id: Option<CommandId>) {
        if let Some(text) = id.and_then(|id| self.command(id)) {
            self.page.line(indent, format_args!("{label} = {text}"));
        }
    }

    fn ssl(&mut self, ssl: &Ssl) {
        self.page.section("SSL definitions");
        if ssl.password.is_some() {
            // keepalived shows it. A dump is for others to read.
            self.page.object(format_args!("Password : ********"));
        }
        for (label, file) in [
            ("CA-file", &ssl.ca),
            ("Certificate file", &ssl.certificate),
            ("Key file", &ssl.key),
        ] {
            if let Some(file) = file {
                self.page.object(format_args!("{label} : {file}"));
            }
        }
    }

    fn group(&mut self, group: &GroupView<'_>) {
        let entries = &group.settings.entries;
        let title = format_args!("------< Virtual server group >------");
        self.page.object(title);
        let has = |wanted: Family| {
            let address = |entry: &GroupEntry| matches!(entry, GroupEntry::Addresses { first, .. } if Family::of(*first) == wanted);
            yes(entries.iter().any(address))
        };
        self.page.object(format_args!(
            "Virtual Server Group = {}, IPv4 = {}, IPv6 = {}",
            group.settings.name,
            has(Family::V4),
            has(Family::V6)
        ));
        let marks = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
            .map(|protocol| group.mark(protocol).unwrap_or(0));
        if let [tcp, udp, sctp] = marks
            && marks != [0; 3]
        {
            self.page
                .line(2, format_args!("Fwmark TCP: {tcp} UDP: {udp} SCTP: {sctp}"));
        }
        let reloaded = if group.is_reloaded() { "True" } else { "False" };
        // First addresses, then ranges, then marks.
        let rank = |entry: &GroupEntry| match entry {
            GroupEntry::Addresses { first, last, .. } => u8::from(first != last),
            GroupEntry::Mark { .. } => 2,
        };
        for wanted in 0..=2 {
            for entry in entries.iter().filter(|entry| rank(entry) == wanted) {
                self.group_entry(group, entry);
                self.entry(format_args!("reloaded = {reloaded}"));
            }
        }
    }

    fn group_entry(&mut self, group: &GroupView<'_>, entry: &GroupEntry) {
        match *entry {
            GroupEntry::Addresses { first, last, port } => {
                if first == last {
                    self.field(format_args!("VIP = {first}, VPORT = {port}"));
                } else {
                    self.field(format_args!("VIP Range = {first}-{last}, VPORT = {port}"));
                }
                let count = |protocol| group.servers_by_protocol(protocol);
                self.entry(format_args!(
                    "Alive: {} tcp, {} udp, {} sctp",
                    count(Protocol::Tcp),
                    count(Protocol::Udp),
                    count(Protocol::Sctp)
                ));
            }
            GroupEntry::Mark { mark, family } => {
                let family = match family {
                    None => "",
                    Some(Family::V4) => " IPv4",
                    Some(Family::V6) => " IPv6",
                };
                self.field(format_args!("FWMARK = {mark}{family}"));
                let count = |family| group.servers_by_family(entry, family);
                self.entry(format_args!(
                    "Alive: {} IPv4, {} IPv6",
                    count(Family::V4),
                    count(Family::V6)
                ));
            }
        }
    }

    fn service(&mut self, view: &ServiceView<'_>) {
        let service = view.settings;
        let title = format_args!("------< Virtual server >------");
        self.page.object(title);
        self.what_is_balanced(service);
        if let Some(name) = &service.virtualhost {
            self.field(format_args!("VirtualHost = {name}"));
        }
        if let Some(name) = &service.snmp_name {
            self.field(format_args!("SNMP name = '{name}'"));
        }
        let family = match &service.service {
            Service::Address { address, .. } => Some(Family::of(*address)),
            Service::Mark { family, .. } => Some(*family),
            Service::Group { family, .. } => *family,
        };
        let family = match family {
            Some(Family::V4) => "inet",
            Some(Family::V6) => "inet6",
            None => "IPv4 & IPv6",
        };
        self.field(format_args!("Address family = {family}"));
        let timing = &service.timing;
        let patience = seconds(timing.connect_timeout);
        self.field(format_args!("connection timeout = {patience}"));
        let every = seconds(timing.delay_loop);
        self.field(format_args!("delay_loop = {every}"));
        self.scheduling(service);
        self.field(format_args!("alpha is {}", on(service.alpha)));
        self.field(format_args!("omega is {}", on(service.omega)));
        self.retries(timing);
        let inhibit = on(service.inhibit_on_failure);
        self.field(format_args!("Inhibit on failure is {inhibit}"));
        self.field(format_args!(
            "quorum = {}, hysteresis = {}",
            service.quorum, service.hysteresis
        ));
        self.script(3, "Quorum up notify script", service.quorum_up);
        self.script(3, "Quorum down notify script", service.quorum_down);
        if service.ha_suspend {
            self.field(format_args!("Using HA suspend"));
        }
        let mail = yes(service.smtp_alert);
        self.field(format_args!("Using smtp notification = {mail}"));
        let default = method(service.lvs_method);
        self.field(format_args!("default forwarding method = {default}"));
        if let Some(sorry) = service.sorry_server {
            self.sorry_server(view, sorry);
        }
        let alive = u8::from(view.is_set());
        self.field(format_args!("VS alive = {alive}"));
        let quorum = u8::from(view.has_quorum());
        self.field(format_args!("quorum_state_up = {quorum}"));
        let reloaded = u8::from(view.is_reloaded());
        self.field(format_args!("reloaded = {reloaded}"));
        for server in view.servers() {
            self.server(service, &server);
        }
    }

    fn what_is_balanced(&mut self, service: &VirtualServer) {
        match &service.service {
            Service::Address { address, port, .. } => {
                self.page
                    .object(format_args!("VS VIP = {address}, VPORT = {port}"));
            }
            Service::Mark { mark, .. } => self.page.object(format_args!("VS FWMARK = {mark}")),
            Service::Group { .. } => {
                let name = self.name_of(service);
                self.page.object(format_args!("VS GROUP = {name}"));
            }
        }
    }

    fn name_of(&self, service: &VirtualServer) -> String {
        let settings = self.lvs.settings();
        ServiceName { service, settings }.to_string()
    }

    fn scheduling(&mut self, service: &VirtualServer) {
        self.field(format_args!("lvs_sched = {}", service.scheduler));
        // A flag of the kernel's own, which nobody can set.
        self.field(format_args!("Hashed = disabled"));
        let [first, second, third] = service.scheduler_flags.map(able);
        match service.scheduler.as_str() {
            name @ ("sh" | "mh") => {
                self.field(format_args!("{name}-port = {second}"));
                self.field(format_args!("{name}-fallback = {first}"));
            }
            _ => {
                for (number, state) in (1..).zip([first, second, third]) {
                    self.field(format_args!("flag-{number} = {state}"));
                }
            }
        }
        let each = able(service.one_packet);
        self.field(format_args!("One packet scheduling = {each}"));
        if let Some(persistence) = &service.persistence {
            let timeout = persistence.timeout;
            self.field(format_args!("persistence timeout = {timeout}"));
            match persistence.granularity {
                None => {}
                Some(Granularity::Mask(mask)) => {
                    self.field(format_args!("persistence granularity = {mask}"));
                }
                Some(Granularity::Prefix(length)) => {
                    self.field(format_args!("persistence granularity = {length}"));
                }
            }
        }
        let protocol = match &service.service {
            Service::Address { protocol, .. } => Some(*protocol),
            Service::Mark { .. } => None,
            Service::Group { protocol, .. } => *protocol,
        };
        let protocol = match protocol {
            Some(Protocol::Tcp) => "TCP",
            Some(Protocol::Udp) => "UDP",
            Some(Protocol::Sctp) => "SCTP",
            None => "none",
        };
        self.field(format_args!("protocol = {protocol}"));
    }

    /// Each if it is set.
    fn retries(&mut self, timing: &Timing) {
        if let Some(retry) = timing.retry {
            self.field(format_args!("Retry count = {retry}"));
        }
        for (label, time) in [
            ("Retry delay", timing.delay_before_retry),
            ("Warmup", timing.warmup),
        ] {
            if let Some(time) = time {
                self.field(format_args!("{label} = {}", seconds(time)));
            }
        }
    }

    fn sorry_server(&mut self, view: &ServiceView<'_>, sorry: SorryServer) {
        let service = view.settings;
        let twin = service
            .real_servers
            .iter()
            .any(|server| (server.address, server.port) == (sorry.address, sorry.port));
        let twin = if twin { "(duplicates rs) " } else { "" };
        let name = ServerName {
            service,
            address: sorry.address,
            port: sorry.port,
        };
        self.field(format_args!("sorry server {twin}= {name}"));
        let forwarding = method(sorry.lvs_method);
        self.entry(format_args!("forwarding method = {forwarding}"));
        let inhibit = on(sorry.inhibit);
        self.entry(format_args!("Inhibit on failure is {inhibit}"));
        let in_use = view.sorry_in_use();
        let set = u8::from(in_use || sorry.inhibit);
        self.entry(format_args!("set = {set}"));
        self.entry(format_args!("alive = {}", u8::from(in_use)));
    }

    fn server(&mut self, service: &VirtualServer, view: &ServerView<'_>) {
        let server = view.settings;
        let title = format_args!("------< Real server >------");
        self.field(title);
        let effective = view.effective_weight();
        self.field(format_args!(
            "RIP = {}, RPORT = {}, WEIGHT = {} EFF WEIGHT = {effective}",
            server.address, server.port, server.weight
        ));
        let forwarding = method(server.lvs_method);
        self.field(format_args!("forwarding method = {forwarding}"));
        self.field(format_args!("Alpha is {}", on(server.alpha)));
        let timing = server.timing(service);
        let patience = seconds(timing.connect_timeout);
        self.field(format_args!("connection timeout = {patience}"));
        self.field(format_args!(
            "connection limit range = {} -> {}",
            server.lthreshold, server.uthreshold
        ));
        let every = seconds(timing.delay_loop);
        self.field(format_args!("Delay loop = {every}"));
        self.retries(timing);
        let inhibit = on(server.inhibit_on_failure);
        self.field(format_args!("Inhibit on failure is {inhibit}"));
        self.script(5, "RS up notify script", server.notify_up);
        self.script(5, "RS down notify script", server.notify_down);
        if let Some(rare) = &server.rare {
            if let Some(name) = &rare.virtualhost {
                self.page.line(4, format_args!("VirtualHost = '{name}'"));
            }
            if let Some(name) = &rare.snmp_name {
                self.field(format_args!("SNMP name = {name}"));
            }
        }
        let mail = yes(server.smtp_alert);
        self.field(format_args!("Using smtp notification = {mail}"));
        self.field(format_args!("initial weight = {}", server.weight));
        self.field(format_args!("effective weight = {effective}"));
        // What it was before its last change is of use to keepalived alone.
        self.field(format_args!("previous effective_weight = {effective}"));
        self.field(format_args!("alive = {}", u8::from(view.is_alive())));
        let failed = view.failed_checks();
        self.field(format_args!("num failed checkers = {failed}"));
        self.field(format_args!("RS set = {}", u8::from(view.is_present())));
        self.field(format_args!("reloaded = {}", u8::from(view.is_reloaded())));
        self.tracked(view);
    }

    /// The files and sessions that the checks of a server go by.
    fn tracked(&mut self, view: &ServerView<'_>) {
        let mut titled = false;
        for check in view.checks() {
            if let CheckerKind::File(file) = &check.settings.kind {
                if !std::mem::replace(&mut titled, true) {
                    self.field(format_args!("Tracked Files"));
                }
                let weight = checkers::weight(file.weight);
                self.entry(format_args!("{}, weight {weight}", file.track_file));
            }
        }
        titled = false;
        for check in view.checks() {
            if let CheckerKind::Bfd(name) = &check.settings.kind {
                if !std::mem::replace(&mut titled, true) {
                    self.field(format_args!("Tracked BFDs"));
                }
                self.entry(format_args!("{name}"));
            }
        }
    }
}

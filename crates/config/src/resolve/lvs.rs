//! Services become settings: inheritance, defaults and keepalived's corrections.
//!
//! A service is done when its block closes, so that its draft goes away at once: there are files with tens of thousands of
//! real servers. What needs a group (it may be defined later) or the verdict about a script waits for the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use lvs::settings::checkers::{CheckerKind, CommandId, Microseconds};
use lvs::settings::server::RareSettings;
use lvs::settings::{
    Forwarding, Group, GroupEntry, GroupId, Persistence, Protocol, RealServer, Service,
    SorryServer, Timing, VirtualServer,
};
use types::Family;

use super::{checkers, corrected, scripts};
use crate::diagnostics::{Class, Diagnostic, Found, Reporter, Span};
use crate::draft::At;
use crate::draft::lvs::{
    Commands, LvsDraft, RealServerDraft, ServiceDraft, SorryServerDraft, TimingDraft,
    VirtualServerDraft, Waiting,
};
use crate::keywords::DEFAULT_PERSISTENCE;
use crate::lints::{self, servers::Pool};
use crate::settings::Command;

/// keepalived's, for who has none.
const SCHEDULER: &str = "wlc";

/// Completes a service whose block has closed. `alert`: what `global_defs` says about mail.
pub(crate) fn virtual_server(
    mut draft: VirtualServerDraft,
    all: &mut LvsDraft,
    alert: Option<bool>,
    report: &mut Reporter,
) {
    let span = draft.span;
    if draft.real_servers.is_empty() {
        let name = Name::of(&draft);
        let diagnostic = Diagnostic::error(
            Class::General,
            format!("virtual server {name} has no real server and is left out"),
        )
        .help("real_server ADDRESS PORT { ... }")
        .keepalived(format!(
            "Virtual server {name} has no real servers - ignoring"
        ));
        report.at(span, diagnostic);
        return;
    }
    // keepalived does all of this when everything is read.
    report.finds(Found::Afterwards);
    let service = service(&mut draft, report);
    let name = Name::of(&draft);
    let of_group = matches!(draft.service, ServiceDraft::Group(_));
    let no_scheduler = draft.scheduler.is_none().then_some(draft.scheduler_refused);
    let no_method = (draft.lvs_method.is_none()).then_some(draft.method_refused);
    if !of_group {
        defaults(no_scheduler, no_method, &name, span, report);
    }
    let lvs_method = draft.lvs_method.unwrap_or(Forwarding::Nat);
    let of_address = match service {
        Service::Address { port, protocol, .. } => Some((port, protocol)),
        Service::Mark { .. } | Service::Group { .. } => None,
    };
    if let Some((port, protocol)) = of_address {
        if draft.one_packet && protocol != Protocol::Udp {
            no_one_packet(&name, span, report);
            draft.one_packet = false;
        }
        if port == 0 && draft.persistence_timeout.is_none() {
            every_port(&name, span, report);
            draft.persistence_timeout = Some(DEFAULT_PERSISTENCE);
        }
    }
    let drafts = std::mem::take(&mut draft.real_servers);
    let bare = drafts
        .iter()
        .filter(|real| real.checkers.is_empty())
        .count();
    let context = Context {
        service: &draft,
        name: &name,
        lvs_method,
        alert,
        port: of_address.map(|(port, _)| port),
    };
    let (real_servers, spans) = context.real_servers(drafts, &mut all.commands, report);
    let (quorum, hysteresis) = context.quorum(&real_servers, report);
    let sorry = context.sorry_server(&real_servers, report);
    let sorry_span = sorry
        .as_ref()
        .and(draft.sorry_server.as_ref())
        .map(|sorry| sorry.span);
    let pool = Pool {
        name: &name,
        real_servers: &real_servers,
        bare,
        span,
        sorry_server: sorry.as_ref().zip(sorry_span),
    };
    lints::servers::check(&pool, report);
    let persistence = persistence(&mut draft);
    let persistence_engine = draft.persistence_engine.take();
    if let ServiceDraft::Group(group) = &draft.service {
        all.waiting.push(Waiting {
            no_scheduler,
            no_method,
            persistence_engine,
            index: all.virtual_servers.len(),
            group: group.clone(),
            span,
            protocol: draft.protocol,
            family: draft.family,
            real_servers: spans,
            sorry_server: sorry_span,
        });
    } else if let Some(engine) = &persistence_engine {
        idle_engine(engine, report);
    }
    let commands = &mut all.commands;
    all.virtual_servers.push(VirtualServer {
        service,
        scheduler: draft
            .scheduler
            .take()
            .unwrap_or_else(|| SCHEDULER.to_owned()),
        one_packet: draft.one_packet,
        scheduler_flags: draft.scheduler_flags,
        persistence,
        lvs_method,
        quorum,
        hysteresis,
        alpha: draft.alpha,
        omega: draft.omega,
        inhibit_on_failure: draft.inhibit_on_failure,
        ha_suspend: draft.ha_suspend,
        smtp_alert: draft.smtp_alert.or(alert).unwrap_or(false),
        quorum_up: draft.quorum_up.take().map(|command| commands.id(command)),
        quorum_down: draft.quorum_down.take().map(|command| commands.id(command)),
        virtualhost: draft.virtualhost.take(),
        snmp_name: draft.snmp_name.take(),
        timing: timing(&draft.timing, None),
        sorry_server: sorry,
        real_servers,
    });
}

/// How keepalived names a service in its messages.
struct Name {
    service: ServiceDraft,
    protocol: Option<Protocol>,
}

impl Name {
    fn of(draft: &VirtualServerDraft) -> Self {
        Self {
            service: draft.service.clone(),
            protocol: draft.protocol,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocol = self.protocol.map_or("none", Protocol::name);
        match &self.service {
            ServiceDraft::Address(address, port) => write!(f, "[{address}]:{protocol}:{port}"),
            ServiceDraft::Mark(mark) => write!(f, "FWM {mark}"),
            ServiceDraft::Group(group) => write!(f, "group {group}"),
        }
    }
}

/// The service itself. What a group decides is filled in by [`finish`].
fn service(draft: &mut VirtualServerDraft, report: &mut Reporter) -> Service {
    let span = draft.span;
    match draft.service {
        ServiceDraft::Address(address, port) => {
            let protocol = draft.protocol.unwrap_or_else(|| {
                no_protocol(&Name::of(draft), span, report);
                Protocol::Udp
            });
            draft.protocol = Some(protocol);
            Service::Address {
                address,
                port,
                protocol,
            }
        }
        ServiceDraft::Mark(mark) => {
            let name = Name::of(draft);
            if std::mem::take(&mut draft.ha_suspend) {
                no_suspension(&name, span, report);
            }
            if draft.protocol.take().is_some() {
                protocol_of_marks(&name, span, report);
            }
            let family = draft
                .family
                .or_else(|| common_family(draft.real_servers.iter().map(|real| real.address)))
                .unwrap_or(Family::V4);
            draft.family = Some(family);
            Service::Mark { mark, family }
        }
        ServiceDraft::Group(_) => Service::Group {
            group: GroupId(u32::MAX),
            ordinal: 0,
            protocol: draft.protocol,
            family: draft.family,
        },
    }
}

/// The family of some addresses, if it is the same for all.
fn common_family(addresses: impl Iterator<Item = IpAddr>) -> Option<Family> {
    let mut families = addresses.map(Family::of);
    let first = families.next()?;
    families.all(|family| family == first).then_some(first)
}

/// Says what is used for the want of anything else. `Some(true)`: what was given instead was reported.
fn defaults(
    no_scheduler: Option<bool>,
    no_method: Option<bool>,
    name: &impl fmt::Display,
    span: Span,
    report: &mut Reporter,
) {
    if let Some(refused) = no_scheduler {
        let message = format!("virtual server {name} has no lvs_sched; {SCHEDULER} is used");
        let text =
            format!("Virtual server {name}: no scheduler set, setting default '{SCHEDULER}'");
        let diagnostic = Diagnostic::warning(Class::General, message)
            .keepalived(text)
            .following(refused);
        report.at(span, diagnostic);
    }
    if let Some(refused) = no_method {
        let message = format!("virtual server {name} has no lvs_method; NAT is used");
        let text = format!("Virtual server {name}: no forwarding method set, setting default NAT");
        let diagnostic = Diagnostic::warning(Class::General, message)
            .keepalived(text)
            .following(refused);
        report.at(span, diagnostic);
    }
}

fn no_protocol(name: &impl fmt::Display, span: Span, report: &mut Reporter) {
    corrected(
        report,
        span,
        format!("virtual server {name} has no protocol; UDP is used"),
        format!("Virtual server {name}: no protocol set - defaulting to UDP"),
    );
}

fn protocol_of_marks(name: &impl fmt::Display, span: Span, report: &mut Reporter) {
    corrected(
        report,
        span,
        format!("virtual server {name}: protocol is ignored, a mark is for packets of any"),
        format!(
            "Warning: Virtual server {name}: protocol specified for fwmark - protocol will be ignored"
        ),
    );
}

fn no_suspension(name: &impl fmt::Display, span: Span, report: &mut Reporter) {
    corrected(
        report,
        span,
        format!("virtual server {name}: ha_suspend is ignored, a mark has no address"),
        format!("Virtual server {name}: cannot use ha_suspend with fwmarks - clearing ha_suspend"),
    );
}

fn no_one_packet(name: &impl fmt::Display, span: Span, report: &mut Reporter) {
    corrected(
        report,
        span,
        format!("virtual server {name}: ops is ignored, it is for UDP only"),
        format!("Virtual server {name}: one packet scheduling requires UDP - resetting"),
    );
}

fn every_port(name: &impl fmt::Display, span: Span, report: &mut Reporter) {
    let message = format!(
        "virtual server {name} is for every port, so it is persistent: persistence_timeout {DEFAULT_PERSISTENCE} is used"
    );
    let text =
        format!("Virtual server {name}: zero port only valid for persistent services - setting");
    let diagnostic = Diagnostic::warning(Class::General, message)
        .help("name a port (virtual_server ADDRESS PORT), or say persistence_timeout")
        .keepalived(text);
    report.at(span, diagnostic);
}

/// What `persistence_*` comes to.
fn persistence(draft: &mut VirtualServerDraft) -> Option<Persistence> {
    let timeout = draft.persistence_timeout?;
    let engine = draft.persistence_engine.take();
    Some(Persistence {
        timeout,
        granularity: draft.persistence_granularity,
        engine: engine.map(|engine| engine.value),
    })
}

/// Says that an engine is not sent to the kernel.
fn idle_engine(engine: &At<String>, report: &mut Reporter) {
    let message = "persistence_engine has no effect without persistence_timeout";
    let diagnostic =
        Diagnostic::warning(Class::Uncounted, message).help("persistence_timeout SECONDS");
    report.at(engine.span, diagnostic);
}

/// Times of a server; `None` for those of the service itself.
fn timing(own: &TimingDraft, service: Option<&TimingDraft>) -> Timing {
    let merged = merged(own, service);
    Timing {
        delay_loop: merged.delay_loop.unwrap_or(Microseconds::from_secs(60)),
        connect_timeout: merged.connect_timeout.unwrap_or(Microseconds::from_secs(5)),
        retry: merged.retry,
        delay_before_retry: merged.delay_before_retry,
        warmup: merged.warmup,
    }
}

fn merged(own: &TimingDraft, service: Option<&TimingDraft>) -> TimingDraft {
    let Some(service) = service else { return *own };
    TimingDraft {
        retry: own.retry.or(service.retry),
        delay_before_retry: own.delay_before_retry.or(service.delay_before_retry),
        warmup: own.warmup.or(service.warmup),
        connect_timeout: own.connect_timeout.or(service.connect_timeout),
        delay_loop: own.delay_loop.or(service.delay_loop),
    }
}

/// What a service says about the servers behind it.
struct Context<'a> {
    service: &'a VirtualServerDraft,
    name: &'a Name,
    lvs_method: Forwarding,
    alert: Option<bool>,
    /// The port of a service with an address.
    port: Option<u16>,
}

impl Context<'_> {
    /// The real servers that remain, and where they are written.
    fn real_servers(
        &self,
        drafts: Vec<RealServerDraft>,
        commands: &mut Commands,
        report: &mut Reporter,
    ) -> (Vec<RealServer>, Vec<Span>) {
        let mut written = BTreeMap::new();
        let mut taken = BTreeSet::new();
        let mut servers = Vec::with_capacity(drafts.len());
        let mut spans = Vec::new();
        for mut draft in drafts {
            let span = draft.span;
            let address = draft.address;
            if draft.port == 0 {
                draft.port = self.port.unwrap_or(0);
            }
            if let Some(first) = written.insert((address, draft.port), span) {
                let name = self.name;
                let message = format!(
                    "real server {address} port {} is given twice in {name}; the second one is left out",
                    draft.port
                );
                let text = format!(
                    "VS {name}: real server [{address}]:{} is duplicated - removing second rs",
                    draft.port
                );
                let diagnostic = Diagnostic::error(Class::General, message)
                    .related(first, "the first one")
                    .help("give it its own address or port; for a larger share raise its weight")
                    .keepalived(text);
                report.at(span, diagnostic);
                continue;
            }
            let lvs_method = draft.lvs_method.unwrap_or(self.lvs_method);
            let what = format_args!("real server {address}");
            let port = self.port_of(draft.port, lvs_method, &what, span, report);
            if !taken.insert((address, port)) {
                // DEVIATION(keepalived): it hands both to the kernel, which refuses the second one again and again.
                let message = format!(
                    "real server {address} is left out: with lvs_method DR or TUN its port does not tell it from an earlier one"
                );
                report.at(span, Diagnostic::error(Class::Uncounted, message));
                continue;
            }
            servers.push(self.real_server(draft, lvs_method, port, commands, report));
            if matches!(self.service.service, ServiceDraft::Group(_)) {
                spans.push(span);
            }
        }
        (servers, spans)
    }

    fn real_server(
        &self,
        draft: RealServerDraft,
        lvs_method: Forwarding,
        port: u16,
        commands: &mut Commands,
        report: &mut Reporter,
    ) -> RealServer {
        let service = self.service;
        let times = merged(&draft.timing, Some(&service.timing));
        let alpha = draft.alpha.unwrap_or(service.alpha);
        // A check goes to the port as written where the kernel needs none.
        let checked_port = if port == 0 { draft.port } else { port };
        let around = checkers::Inherited {
            retry: times.retry,
            delay_before_retry: times.delay_before_retry,
            warmup: times.warmup,
            delay_loop: times.delay_loop,
            connect_timeout: times.connect_timeout,
            alpha,
            server: SocketAddr::new(draft.address, checked_port),
            real_virtualhost: draft.virtualhost.as_deref(),
            virtual_virtualhost: service.virtualhost.as_deref(),
            virtual_delay_loop: service.timing.delay_loop,
        };
        let mut number = |command, _: &mut Reporter| Some(commands.id(command));
        let checkers = checkers::resolve(draft.checkers, &around, &mut number, report);
        let own_times =
            Some(timing(&times, None)).filter(|own| *own != timing(&service.timing, None));
        let rare = own_times.is_some() || draft.virtualhost.is_some() || draft.snmp_name.is_some();
        RealServer {
            address: draft.address,
            port,
            lvs_method,
            weight: draft.weight.unwrap_or(service.weight),
            uthreshold: draft.uthreshold,
            lthreshold: draft.lthreshold,
            inhibit_on_failure: draft
                .inhibit_on_failure
                .unwrap_or(service.inhibit_on_failure),
            alpha,
            smtp_alert: draft.smtp_alert.or(self.alert).unwrap_or(true),
            notify_up: draft.notify_up.map(|command| commands.id(*command)),
            notify_down: draft.notify_down.map(|command| commands.id(*command)),
            rare: rare.then(|| {
                Box::new(RareSettings {
                    virtualhost: draft.virtualhost,
                    snmp_name: draft.snmp_name,
                    timing: own_times,
                })
            }),
            checkers,
        }
    }

    /// The port that a server gets. Without address translation it cannot differ from the service's.
    fn port_of(
        &self,
        written: u16,
        lvs_method: Forwarding,
        what: &impl fmt::Display,
        span: Span,
        report: &mut Reporter,
    ) -> u16 {
        let wanted = match (lvs_method, &self.service.service) {
            (Forwarding::Nat, _) | (_, ServiceDraft::Group(_)) => return written,
            (_, ServiceDraft::Mark(_)) => 0,
            (_, ServiceDraft::Address(_, port)) => *port,
        };
        if written != 0 && written != wanted {
            let name = self.name;
            let (message, text) = if self.port.is_some() {
                (
                    format!(
                        "{what}: port {written} is ignored, with lvs_method DR or TUN it has that of {name}"
                    ),
                    format!(
                        "WARNING - virtual server {name} and {what} ports don't match - resetting"
                    ),
                )
            } else {
                (
                    format!(
                        "{what}: port {written} is ignored, with lvs_method DR or TUN packets of {name} keep theirs"
                    ),
                    format!(
                        "WARNING - fwmark virtual server {name}, {what} has port specified - clearing"
                    ),
                )
            };
            corrected(report, span, message, text);
        }
        wanted
    }

    /// Quorum and hysteresis, as far as the weights allow them.
    fn quorum(&self, servers: &[RealServer], report: &mut Reporter) -> (u32, u32) {
        let name = self.name;
        let span = self.service.span;
        let total: u64 = servers.iter().map(|real| u64::from(real.weight)).sum();
        let total = u32::try_from(total).unwrap_or(u32::MAX);
        let mut quorum = self.service.quorum;
        let mut hysteresis = self.service.hysteresis;
        if quorum > total {
            let message = format!(
                "virtual server {name} could never be up: quorum {quorum} is more than all weights together; {total} is used"
            );
            let text = format!(
                "Warning - quorum {quorum} for {name} exceeds total weight of real servers {total}, reducing quorum to {total}"
            );
            let diagnostic = Diagnostic::warning(Class::General, message)
                .with_note(format!(
                    "with {total}, one failed check of any server brings it down"
                ))
                .help("the quorum counts weights, not servers: lower it, or raise the weights")
                .keepalived(text);
            report.at(span, diagnostic);
            quorum = total;
        }
        if hysteresis > 0 && hysteresis >= quorum {
            // With a quorum of 0 keepalived's own arithmetic wraps around.
            let used = quorum.saturating_sub(1);
            corrected(
                report,
                span,
                format!(
                    "virtual server {name}: hysteresis {hysteresis} is not below the quorum {quorum}; {used} is used"
                ),
                format!(
                    "Virtual server {name}: hysteresis {hysteresis} >= quorum {quorum}; setting hysteresis to {used}"
                ),
            );
            hysteresis = used;
        }
        (quorum, hysteresis)
    }

    /// The sorry server, unless it is of the wrong family.
    fn sorry_server(&self, servers: &[RealServer], report: &mut Reporter) -> Option<SorryServer> {
        let draft = self.service.sorry_server.as_ref()?;
        let name = self.name;
        let SorryServerDraft { address, span, .. } = *draft;
        let lvs_method = draft.lvs_method.unwrap_or(self.lvs_method);
        let family = Family::of(address);
        let wanted = self.service.family.unwrap_or(family);
        if wanted != family && !matches!(lvs_method, Forwarding::Tunnel(_)) {
            let message = format!(
                "sorry server {address} is left out: it is {family}, the virtual server is {wanted}"
            );
            let diagnostic = Diagnostic::error(Class::General, message)
                .help("only behind lvs_method TUN may the families differ")
                .keepalived(format!(
                    "Address family of virtual server and sorry server {address} don't match - skipping sorry server."
                ));
            report.at(span, diagnostic);
            return None;
        }
        // DEVIATION(keepalived): without a port and with NAT it stays without; here it has the service's.
        let written = if draft.port == 0 {
            self.port.unwrap_or(0)
        } else {
            draft.port
        };
        let what = format_args!("sorry server {address}");
        let port = self.port_of(written, lvs_method, &what, span, report);
        let mut inhibit = draft.inhibit;
        let same = |real: &&RealServer| (real.address, real.port) == (address, port);
        if let Some(real) = servers.iter().find(same)
            && real.inhibit_on_failure != inhibit
        {
            inhibit = real.inhibit_on_failure;
            let (set, setting) = if inhibit {
                ("set", "setting")
            } else {
                ("cleared", "clearing")
            };
            // Without a port keepalived does not see that they are the same.
            let class = if draft.port == 0 {
                Class::Uncounted
            } else {
                Class::General
            };
            let message = format!(
                "sorry server {address} is a real server too, so it inhibits as that does: sorry_server_inhibit is {set}"
            );
            let text = format!(
                "Virtual server {name}: real server [{address}]:{port} matches sorry server, but inhibit setting differs, {setting} on sorry server"
            );
            report.at(span, Diagnostic::warning(class, message).keepalived(text));
        }
        Some(SorryServer {
            address,
            port,
            lvs_method,
            inhibit,
        })
    }
}

/// Brings services and groups together and finds out which commands can run; these are handed back.
pub(super) fn finish(
    draft: LvsDraft,
    settings: &mut lvs::Settings,
    judge: &mut scripts::Judge<'_>,
    report: &mut Reporter,
) -> Vec<Command> {
    let facts: Vec<_> = draft.groups.iter().map(GroupFacts::of).collect();
    let mut ordinals = BTreeMap::new();
    let mut lost = BTreeSet::new();
    let mut servers = draft.virtual_servers;
    for waiting in &draft.waiting {
        let id = draft.group_ids.get(&waiting.group).copied();
        let facts = id.and_then(|id| facts.get(usize::try_from(id.0).ok()?));
        let Some(server) = servers.get_mut(waiting.index) else {
            continue;
        };
        let service = match (id, facts) {
            (Some(_), Some(facts))
                if facts.count > MOST_ADDRESSES && (facts.marks || !settings.goes_by_marks()) =>
            {
                let message = format!(
                    "virtual server group {} is left out: it stands for {} addresses, and each is a service of the kernel; \
                     {MOST_ADDRESSES} are possible",
                    waiting.group, facts.count
                );
                let diagnostic = Diagnostic::error(Class::Uncounted, message).help(
                    "global_defs { nftables_ipvs }: one service for all addresses of a group",
                );
                report.at(waiting.span, diagnostic);
                None
            }
            (Some(id), Some(facts)) => of_group(server, waiting, id, facts, &mut ordinals, report),
            _ => {
                let group = &waiting.group;
                let message = format!(
                    "virtual server group {group} is left out: no usable group of that name is defined"
                );
                let diagnostic = Diagnostic::error(Class::Uncounted, message)
                    .help(format!("virtual_server_group {group} {{ ... }}"));
                report.at(waiting.span, diagnostic);
                None
            }
        };
        match service {
            Some(service) => server.service = service,
            None => {
                lost.insert(waiting.index);
            }
        }
    }
    if !lost.is_empty() {
        let mut index = 0;
        servers.retain(|_| {
            index += 1;
            !lost.contains(&(index - 1))
        });
    }
    servers.shrink_to_fit();
    let mut numbers = Numbers {
        commands: &draft.commands,
        known: BTreeMap::new(),
        kept: Vec::new(),
        judge,
    };
    for server in &mut servers {
        numbers.renumber(server, report);
    }
    let commands = numbers.kept;
    settings.virtual_servers = servers;
    settings.groups = draft.groups;
    settings.ssl = draft.ssl;
    commands
}

/// A group of more addresses is refused, unless nftables marks their packets: IPVS would need gigabytes for it.
const MOST_ADDRESSES: u128 = 65_536;

/// What services need to know of a group.
struct GroupFacts {
    marks: bool,
    /// A mark has no family of its own.
    open_marks: bool,
    addresses: bool,
    /// How many addresses.
    count: u128,
    v4: bool,
    v6: bool,
    /// The ports of the addresses.
    ports: BTreeSet<u16>,
}

impl GroupFacts {
    fn of(group: &Group) -> Self {
        let entries = || group.entries.iter();
        let mark = |entry: &GroupEntry| matches!(entry, GroupEntry::Mark { .. });
        let family = |wanted| move |entry: &GroupEntry| entry.family() == wanted;
        Self {
            marks: entries().any(mark),
            open_marks: entries().any(family(None)),
            addresses: !entries().all(mark),
            count: entries().map(addresses_of).fold(0, u128::saturating_add),
            v4: entries().any(family(Some(Family::V4))),
            v6: entries().any(family(Some(Family::V6))),
            ports: entries()
                .filter_map(|entry| match entry {
                    GroupEntry::Addresses { port, .. } => Some(*port),
                    GroupEntry::Mark { .. } => None,
                })
                .collect(),
        }
    }
}

/// How many addresses an entry stands for.
fn addresses_of(entry: &GroupEntry) -> u128 {
    let number = |address| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    match *entry {
        GroupEntry::Addresses { first, last, .. } => {
            number(last).saturating_sub(number(first)).saturating_add(1)
        }
        GroupEntry::Mark { .. } => 0,
    }
}

/// Completes a service, now that its group is known; `None`: they do not fit together, which is reported.
fn of_group(
    server: &mut VirtualServer,
    waiting: &Waiting,
    group: GroupId,
    facts: &GroupFacts,
    ordinals: &mut BTreeMap<GroupId, u32>,
    report: &mut Reporter,
) -> Option<Service> {
    let span = waiting.span;
    let family = match family_of_group(server, waiting, facts) {
        Ok(family) => family,
        Err(why) => {
            let message = format!("virtual server group {} is left out: {why}", waiting.group);
            let diagnostic = Diagnostic::error(Class::Uncounted, message)
                .help("make a group of each family, and a virtual_server for each group");
            report.at(span, diagnostic);
            return None;
        }
    };
    let next = ordinals.entry(group).or_default();
    let ordinal = *next;
    *next += 1;
    let name = format!("[{}]:{ordinal}", waiting.group);
    defaults(waiting.no_scheduler, waiting.no_method, &name, span, report);
    if facts.marks && std::mem::take(&mut server.ha_suspend) {
        no_suspension(&name, span, report);
    }
    let protocol = match (facts.addresses, waiting.protocol) {
        (true, Some(protocol)) => Some(protocol),
        (true, None) => {
            no_protocol(&name, span, report);
            Some(Protocol::Udp)
        }
        (false, given) => {
            if given.is_some() {
                protocol_of_marks(&name, span, report);
            }
            None
        }
    };
    if server.one_packet && protocol.is_some_and(|protocol| protocol != Protocol::Udp) {
        no_one_packet(&name, span, report);
        server.one_packet = false;
    }
    let engine = waiting.persistence_engine.as_ref();
    if facts.ports.contains(&0) && server.persistence.is_none() {
        every_port(&name, span, report);
        server.persistence = Some(Persistence {
            timeout: DEFAULT_PERSISTENCE,
            granularity: None,
            engine: engine.map(|engine| engine.value.clone()),
        });
    } else if let Some(engine) = engine {
        idle_engine(engine, report);
    }
    let reals = server.real_servers.iter().zip(&waiting.real_servers);
    for (real, place) in reals {
        let what = format_args!("virtual server {name}, real server {}", real.address);
        port_of_group(facts, real.port, real.lvs_method, &what, *place, report);
    }
    if let (Some(sorry), Some(place)) = (&server.sorry_server, waiting.sorry_server) {
        let what = format_args!("virtual server {name}, sorry server {}", sorry.address);
        port_of_group(facts, sorry.port, sorry.lvs_method, &what, place, report);
    }
    Some(Service::Group {
        group,
        ordinal,
        protocol,
        family,
    })
}

/// The family of a service with a group; `None`: both, each server behind a tunnel.
fn family_of_group(
    server: &VirtualServer,
    waiting: &Waiting,
    facts: &GroupFacts,
) -> Result<Option<Family>, String> {
    let only = match (facts.v4, facts.v6) {
        (true, true) => {
            let sorry = server.sorry_server.iter().map(|sorry| sorry.lvs_method);
            let tunnelled = server
                .real_servers
                .iter()
                .map(|real| real.lvs_method)
                .chain(sorry)
                .all(|method| matches!(method, Forwarding::Tunnel(_)));
            if !tunnelled || waiting.family.is_some() || facts.open_marks {
                return Err(
                    "its group has IPv4 and IPv6, which only lvs_method TUN for every server, without ip_family, can serve"
                        .to_owned(),
                );
            }
            return Ok(None);
        }
        (true, false) => Family::V4,
        (false, true) => Family::V6,
        (false, false) => {
            let addresses = server.real_servers.iter().map(|real| real.address);
            let family = waiting.family.or_else(|| common_family(addresses));
            return Ok(Some(family.unwrap_or(Family::V4)));
        }
    };
    match waiting.family {
        Some(own) if own != only => Err(format!("it is {own}, its group {only}")),
        _ => Ok(Some(only)),
    }
}

/// Says that a port has no effect: without address translation each packet keeps its own.
fn port_of_group(
    facts: &GroupFacts,
    port: u16,
    lvs_method: Forwarding,
    what: &impl fmt::Display,
    span: Span,
    report: &mut Reporter,
) {
    let differs = facts.marks || facts.ports.iter().any(|entry| *entry != port);
    if port == 0 || lvs_method == Forwarding::Nat || !differs {
        return;
    }
    corrected(
        report,
        span,
        format!(
            "{what}: port {port} is ignored, with lvs_method DR or TUN packets of the group keep theirs"
        ),
        format!("WARNING - {what} has port specified - port will be ignored"),
    );
}

/// Gives commands that can run their final numbers, and takes the others away.
struct Numbers<'a, 'b> {
    commands: &'a Commands,
    /// By the number of the draft.
    known: BTreeMap<CommandId, Option<CommandId>>,
    kept: Vec<Command>,
    judge: &'a mut scripts::Judge<'b>,
}

impl Numbers<'_, '_> {
    fn renumber(&mut self, server: &mut VirtualServer, report: &mut Reporter) {
        for slot in [&mut server.quorum_up, &mut server.quorum_down] {
            *slot = slot.and_then(|id| self.number(id, report));
        }
        for real in &mut server.real_servers {
            for slot in [&mut real.notify_up, &mut real.notify_down] {
                *slot = slot.and_then(|id| self.number(id, report));
            }
            // A check that cannot be made says nothing about the server.
            real.checkers.retain_mut(|checker| {
                let CheckerKind::Misc(misc) = &mut checker.kind else {
                    return true;
                };
                let number = self.number(misc.command, report);
                misc.command = number.unwrap_or(misc.command);
                number.is_some()
            });
        }
    }

    fn number(&mut self, id: CommandId, report: &mut Reporter) -> Option<CommandId> {
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        let command = self
            .commands
            .get(id)
            .and_then(|draft| self.judge.runnable("script", draft, report));
        let number = command.map(|command| {
            let number = CommandId(u32::try_from(self.kept.len()).unwrap_or(u32::MAX));
            self.kept.push(command);
            number
        });
        self.known.insert(id, number);
        number
    }
}

#[cfg(test)]
mod tests;

//! Real servers: what they inherit, which of them are one and the same, which port each gets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;

use lvs::settings::checkers::Microseconds;
use lvs::settings::server::RareSettings;
use lvs::settings::{Forwarding, RealServer, Timing};

use super::super::{checkers, corrected};
use super::corrections::Name;
use crate::diagnostics::{Class, Diagnostic, Reporter, Span};
use crate::draft::lvs::{Commands, RealServerDraft, ServiceDraft, TimingDraft, VirtualServerDraft};

/// What a service says about the servers behind it.
pub(super) struct Context<'a> {
    pub(super) service: &'a VirtualServerDraft,
    pub(super) name: &'a Name,
    pub(super) lvs_method: Forwarding,
    pub(super) alert: Option<bool>,
    /// The port of a service with an address.
    pub(super) port: Option<u16>,
}

impl Context<'_> {
    /// The real servers that remain, and where they are written.
    pub(super) fn real_servers(
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
        let times = merged(&draft.timing, &service.timing);
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
            real_virtualhost: draft.virtualhost.as_ref(),
            virtual_virtualhost: service.virtualhost.as_ref(),
            virtual_delay_loop: service.timing.delay_loop,
        };
        let mut number = |command, _: &mut Reporter| Some(commands.id(command));
        let checkers = checkers::resolve(draft.checkers, &around, &mut number, report);
        let own_times = Some(timing(&times)).filter(|own| *own != timing(&service.timing));
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
    pub(super) fn port_of(
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
}

/// Times with their defaults.
pub(super) fn timing(draft: &TimingDraft) -> Timing {
    Timing {
        delay_loop: draft.delay_loop.unwrap_or(Microseconds::from_secs(60)),
        connect_timeout: draft.connect_timeout.unwrap_or(Microseconds::from_secs(5)),
        retry: draft.retry,
        delay_before_retry: draft.delay_before_retry,
        warmup: draft.warmup,
    }
}

/// What a real server says of its times, and for the rest what its service says.
fn merged(own: &TimingDraft, service: &TimingDraft) -> TimingDraft {
    TimingDraft {
        retry: own.retry.or(service.retry),
        delay_before_retry: own.delay_before_retry.or(service.delay_before_retry),
        warmup: own.warmup.or(service.warmup),
        connect_timeout: own.connect_timeout.or(service.connect_timeout),
        delay_loop: own.delay_loop.or(service.delay_loop),
    }
}

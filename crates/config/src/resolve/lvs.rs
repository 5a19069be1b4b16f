//! Services become settings: inheritance, defaults and keepalived's corrections.
//!
//! A service is done when its block closes, so that its draft goes away at once: there are files with tens of thousands of
//! real servers. What needs a group (it may be defined later) or the verdict about a script waits for the end.

use lvs::settings::{Forwarding, GroupId, Persistence, Protocol, Service, VirtualServer};
use types::Family;

use self::corrections::{
    Name, SCHEDULER, defaults, every_port, idle_engine, no_one_packet, no_protocol, no_suspension,
    protocol_of_marks,
};
use self::groups::common_family;
use self::real_servers::{Context, timing};
use super::scripts;
use crate::diagnostics::{Class, Diagnostic, Found, Reporter};
use crate::draft::lvs::{LvsDraft, ServiceDraft, VirtualServerDraft, Waiting};
use crate::keywords::DEFAULT_PERSISTENCE;
use crate::lints::{self, servers::Pool};
use crate::settings::Command;

mod commands;
mod corrections;
mod groups;
mod pool;
mod real_servers;

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
        timing: timing(&draft.timing),
        sorry_server: sorry,
        real_servers,
    });
}

/// The service itself. What a group decides is filled in by [`groups::join`].
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

/// Brings services and groups together and finds out which commands can run; these are handed back.
pub(super) fn finish(
    mut draft: LvsDraft,
    settings: &mut lvs::Settings,
    judge: &mut scripts::Judge<'_>,
    report: &mut Reporter,
) -> Vec<Command> {
    groups::join(&mut draft, settings.goes_by_marks(), report);
    let mut servers = draft.virtual_servers;
    servers.shrink_to_fit();
    let commands = commands::renumber(&mut servers, &draft.commands, judge, report);
    settings.virtual_servers = servers;
    settings.groups = draft.groups;
    settings.ssl = draft.ssl;
    commands
}

#[cfg(test)]
mod tests;

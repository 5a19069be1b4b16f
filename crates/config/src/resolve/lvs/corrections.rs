//! What is corrected about any service, in our words and in keepalived's: missing keywords, and those that make no sense.

use std::fmt;

use lvs::settings::Protocol;

use super::super::corrected;
use crate::diagnostics::{Class, Diagnostic, Reporter, Span};
use crate::draft::At;
use crate::draft::lvs::{ServiceDraft, VirtualServerDraft};
use crate::keywords::DEFAULT_PERSISTENCE;

/// keepalived's, for who has none.
pub(super) const SCHEDULER: &str = "wlc";

/// How keepalived names a service in its messages.
pub(super) struct Name {
    service: ServiceDraft,
    protocol: Option<Protocol>,
}

impl Name {
    pub(super) fn of(draft: &VirtualServerDraft) -> Self {
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

/// Says what is used for the want of anything else. `Some(true)`: what was given instead was reported.
pub(super) fn defaults(
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

pub(super) fn no_protocol(name: &impl fmt::Display, span: Span, report: &mut Reporter) {
    corrected(
        report,
        span,
        format!("virtual server {name} has no protocol; UDP is used"),
        format!("Virtual server {name}: no protocol set - defaulting to UDP"),
    );
}

pub(super) fn protocol_of_marks(name: &impl fmt::Display, span: Span, report: &mut Reporter) {
    corrected(
        report,
        span,
        format!("virtual server {name}: protocol is ignored, a mark is for packets of any"),
        format!(
            "Warning: Virtual server {name}: protocol specified for fwmark - protocol will be ignored"
        ),
    );
}

pub(super) fn no_suspension(name: &impl fmt::Display, span: Span, report: &mut Reporter) {
    corrected(
        report,
        span,
        format!("virtual server {name}: ha_suspend is ignored, a mark has no address"),
        format!("Virtual server {name}: cannot use ha_suspend with fwmarks - clearing ha_suspend"),
    );
}

pub(super) fn no_one_packet(name: &impl fmt::Display, span: Span, report: &mut Reporter) {
    corrected(
        report,
        span,
        format!("virtual server {name}: ops is ignored, it is for UDP only"),
        format!("Virtual server {name}: one packet scheduling requires UDP - resetting"),
    );
}

pub(super) fn every_port(name: &impl fmt::Display, span: Span, report: &mut Reporter) {
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

/// Says that an engine is not sent to the kernel.
pub(super) fn idle_engine(engine: &At<String>, report: &mut Reporter) {
    let message = "persistence_engine has no effect without persistence_timeout";
    let diagnostic =
        Diagnostic::warning(Class::Uncounted, message).help("persistence_timeout SECONDS");
    report.at(engine.span, diagnostic);
}

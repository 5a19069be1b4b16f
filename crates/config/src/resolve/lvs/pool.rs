//! What counts for all servers of a service together: how many must be up, and who serves when they are not.

use lvs::settings::{Forwarding, RealServer, SorryServer};
use types::Family;

use super::super::corrected;
use super::real_servers::Context;
use crate::diagnostics::{Class, Diagnostic, Reporter};
use crate::draft::lvs::SorryServerDraft;

impl Context<'_> {
    /// Quorum and hysteresis, as far as the weights allow them.
    pub(super) fn quorum(&self, servers: &[RealServer], report: &mut Reporter) -> (u32, u32) {
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
    pub(super) fn sorry_server(
        &self,
        servers: &[RealServer],
        report: &mut Reporter,
    ) -> Option<SorryServer> {
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

//! Whom an instance talks to, and through which device.

use std::net::IpAddr;

use types::{Family, IfName, MacAddress, Priority, Version, Vrid};
use vrrp::settings::{Preempt, Unicast, VirtualInterface, VirtualInterfaceKind};

use super::corrected;
use super::instance::Fixing;
use crate::diagnostics::{Class, Diagnostic, Found, Span};
use crate::draft::{Defaults, VmacAddress, VmacDraft};

impl Fixing<'_> {
    /// Unicast, if there is a peer. `multicast`: the interface could do without.
    pub(super) fn unicast(&mut self, multicast: bool, defaults: &Defaults) -> Option<Box<Unicast>> {
        let draft = &self.draft.unicast;
        let name = &self.draft.name;
        if draft.peers.is_empty() {
            if let Some(ttl) = &draft.ttl {
                let message =
                    format!("instance {name} has no unicast peers; unicast_ttl is ignored");
                let text =
                    format!("({name}): Cannot use unicast_ttl without unicast peers - resetting");
                let diagnostic = Diagnostic::warning(Class::General, message).keepalived(text);
                self.report
                    .at(ttl.span, diagnostic.found(Found::AtBlockEnd));
            }
            let span = draft.wanted?;
            if !draft.fault_no_peer {
                let message = format!(
                    "instance {name} has a keyword for unicast but no peers; multicast is used"
                );
                let diagnostic = Diagnostic::warning(Class::Deprecated, message)
                    .with_note("everybody on the segment hears the adverts, and routers beyond it do not")
                    .help(
                        "list the other routers in unicast_peer { }; or drop the keyword, with mcast_src_ip in place of \
                         unicast_src_ip",
                    )
                    .keepalived(format!(
                        "({name}) A unicast keyword has been specified without any unicast peers. Defaulting to \
                         multicast. This usage is deprecated - please update your configuration."
                    ));
                self.report.at(span, diagnostic);
                return None;
            }
        }
        if self.strict && multicast {
            let message = format!(
                "instance {name}: strict mode has no unicast where the interface can do multicast"
            );
            let diagnostic = Diagnostic::error(Class::General, message)
                .help("remove unicast_peer { }, or say 'strict_mode off'")
                .keepalived(format!(
                    "({name}) Strict mode does not support unicast peers."
                ))
                .fatal();
            self.report
                .at(draft.wanted.unwrap_or(self.draft.span), diagnostic);
        }
        Some(Box::new(Unicast {
            peers: draft.peers.clone(),
            check_source: draft.check_source || draft.limited || defaults.check_unicast_src,
            ttl: draft.ttl.as_ref().map(|ttl| ttl.value),
            old_checksum: draft.old_checksum,
        }))
    }

    /// The multicast group, where there is any use for it.
    pub(super) fn group(&mut self, unicast: bool) -> Option<IpAddr> {
        let group = self.draft.group.as_ref()?;
        if !unicast {
            return Some(group.value);
        }
        let name = &self.draft.name;
        let message = format!("instance {name} has unicast peers; mcast_dst_ip is ignored");
        let text = format!("({name}) multicast destination specified with unicast - ignoring");
        corrected(self.report, group.span, message, text);
        None
    }

    /// The device that the instance makes for itself.
    pub(super) fn virtual_interface(
        &mut self,
        interface: Option<&IfName>,
        vrid: Vrid,
        unicast: bool,
    ) -> Option<Box<VirtualInterface>> {
        let draft = self.draft;
        let name = &draft.name;
        let wanted = draft
            .vmac
            .as_ref()
            .map(|vmac| vmac.span)
            .or_else(|| draft.ipvlan.as_ref().map(|ipvlan| ipvlan.span));
        let Some(span) = wanted else {
            if let Some(span) = draft.vmac_xmit_base {
                let message = format!("instance {name} has no use_vmac; vmac_xmit_base is ignored");
                let text = format!("({name}) vmac_xmit_base is only valid with a vmac");
                corrected(self.report, span, message, text);
            }
            return None;
        };
        if interface.is_none() {
            let message = format!("instance {name} has no interface to make a device on");
            let text = format!(
                "({name}): Cannot use VMAC/ipvlan with unicast and no interface - clearing use_vmac"
            );
            let diagnostic = Diagnostic::warning(Class::General, message).keepalived(text);
            self.report.at(span, diagnostic.found(Found::AtBlockEnd));
            return None;
        }
        let transmit_on_base = self.transmit_on_base(span, unicast);
        let device = match (&draft.vmac, &draft.ipvlan) {
            (Some(vmac), ipvlan) => {
                if let Some(ipvlan) = ipvlan {
                    let message = format!("instance {name} has use_vmac; use_ipvlan is ignored");
                    let diagnostic = Diagnostic::warning(Class::Uncounted, message);
                    self.report.at(ipvlan.span, diagnostic);
                }
                self.macvlan(vmac, vrid, transmit_on_base)
            }
            (None, Some(ipvlan)) => VirtualInterface {
                name: ipvlan.name,
                group: ipvlan.group.clone(),
                kind: VirtualInterfaceKind::Ipvlan {
                    address: ipvlan.address,
                    mode: ipvlan.mode.unwrap_or_default(),
                    transmit_on_base,
                },
            },
            (None, None) => return None,
        };
        Some(Box::new(device))
    }

    /// Whether adverts use the interface below.
    fn transmit_on_base(&mut self, span: Span, unicast: bool) -> bool {
        let name = &self.draft.name;
        if self.strict
            && let Some(span) = self.draft.vmac_xmit_base
        {
            let message = format!("instance {name}: vmac_xmit_base has no effect in strict mode");
            let text = format!("({name}) xmit_base is incompatible with strict mode - resetting");
            corrected(self.report, span, message, text);
            return false;
        }
        if unicast && self.draft.vmac_xmit_base.is_none() {
            let message = format!(
                "instance {name}: adverts to peers use the interface below the device, as with vmac_xmit_base"
            );
            let text = format!("({name}) unicast with use_vmac requires vmac_xmit_base - setting");
            let diagnostic = Diagnostic::warning(Class::General, message)
                .help("say so with vmac_xmit_base")
                .keepalived(text)
                .found(Found::AtBlockEnd);
            self.report.at(span, diagnostic);
        }
        unicast || self.draft.vmac_xmit_base.is_some()
    }

    fn macvlan(
        &mut self,
        draft: &VmacDraft,
        vrid: Vrid,
        transmit_on_base: bool,
    ) -> VirtualInterface {
        let mut address = draft.address.as_ref();
        if self.strict
            && let Some(given) = address.take()
        {
            let name = &self.draft.name;
            let message =
                format!("instance {name}: strict mode has the MAC address of the RFC and no other");
            let text = format!("({name}): cannot specify MAC address with strict mode - clearing");
            corrected(self.report, given.span, message, text);
        }
        VirtualInterface {
            name: draft.name,
            group: draft.group.clone(),
            kind: VirtualInterfaceKind::Macvlan {
                address: address.map(|at| match at.value {
                    VmacAddress::Whole(address) => address,
                    VmacAddress::WithVrid([a, b, c, d, e]) => {
                        MacAddress([a, b, c, d, e, vrid.get()])
                    }
                }),
                transmit_on_base,
                announce_link: draft.announce_link,
            },
        }
    }

    /// Whether it is an ipvlan that lacks the address it needs over IPv4, which is a fault for good.
    pub(super) fn lacks_ipvlan_address(&mut self, family: Family) -> bool {
        let Some(draft) = &self.draft.ipvlan else {
            return false;
        };
        // A VMAC wins over it.
        if family == Family::V6 || draft.address.is_some() || self.draft.vmac.is_some() {
            return false;
        }
        let name = &self.draft.name;
        let message = format!("instance {name} is left out: its ipvlan has no address");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("use_ipvlan ADDRESS/PREFIX; over IPv4 it is the source of adverts")
            .keepalived(format!(
                "({name}) IPv4 ipvlan requires a source ip address to be configured. setting instance to fault state"
            ));
        self.report.at(draft.span, diagnostic);
        true
    }

    /// A macvlan promotes its addresses anyway.
    pub(super) fn promote_secondaries(&mut self, device: bool) -> bool {
        let Some(span) = self.draft.promote_secondaries else {
            return false;
        };
        if device {
            let name = &self.draft.name;
            let message =
                format!("instance {name}: promote_secondaries is always on for its device");
            let text =
                format!("({name}) promote_secondaries is automatically set for vmacs - ignoring");
            corrected(self.report, span, message, text);
        }
        !device
    }

    /// Whoever preempts takes over again at once, so it makes no sense to give way.
    pub(super) fn timer_expired_backup(&mut self, preempt: Preempt) -> Option<u8> {
        let wanted = self.draft.timer_expired_backup.as_ref()?;
        if preempt == Preempt::Never {
            return Some(wanted.value);
        }
        let name = &self.draft.name;
        let message =
            format!("instance {name}: timer_expired_backup has no effect without nopreempt");
        let text = format!("({name}) timer_expired_backup requires nopreempt - ignoring");
        corrected(self.report, wanted.span, message, text);
        None
    }

    /// RFC 9568 Accept_Mode; RFC 3768 has none.
    pub(super) fn accept(&mut self, version: Version, priority: Priority) -> bool {
        let owner = priority.is_owner();
        let Some(wanted) = &self.draft.accept else {
            return owner || !self.strict;
        };
        if wanted.value && self.strict && version == Version::V2 && !owner {
            let name = &self.draft.name;
            let message =
                format!("instance {name}: strict mode of version 2 accepts for the owner only");
            let text = format!(
                "({name}) warning - accept mode for VRRP version 2 does not comply with RFC3768 - resetting"
            );
            corrected(self.report, wanted.span, message, text);
            return false;
        }
        wanted.value
    }
}

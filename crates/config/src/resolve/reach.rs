//! Whom an instance talks to, and through which device.

use std::net::IpAddr;

use types::{Family, IfName, MacAddress, Priority, Version, Vrid};
use vrrp::settings::{InstanceSettings, Preempt, Unicast, VirtualInterface, VirtualInterfaceKind};

use super::corrected;
use super::devices::{Devices, Occupied};
use super::instance::Fixing;
use crate::diagnostics::{Class, Diagnostic, Found, Span};
use crate::draft::{Defaults, VmacAddress, VmacDraft};
use crate::machine::DeviceFacts;

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

    /// The device that the instance makes for itself; and why it cannot have it, which is a fault for good.
    pub(super) fn virtual_interface(
        &mut self,
        interface: Option<&IfName>,
        (family, vrid): (Family, Vrid),
        unicast: bool,
        devices: &mut Devices<'_>,
    ) -> (Option<Box<VirtualInterface>>, Option<String>) {
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
            return (None, None);
        };
        let Some(base) = interface else {
            let message = format!("instance {name} has no interface to make a device on");
            let text = format!(
                "({name}): Cannot use VMAC/ipvlan with unicast and no interface - clearing use_vmac"
            );
            let diagnostic = Diagnostic::warning(Class::General, message).keepalived(text);
            self.report.at(span, diagnostic.found(Found::AtBlockEnd));
            return (None, None);
        };
        let transmit_on_base = self.transmit_on_base(span, unicast);
        let (asked_for, group, kind) = match (&draft.vmac, &draft.ipvlan) {
            (Some(vmac), ipvlan) => {
                if let Some(ipvlan) = ipvlan {
                    let message = format!("instance {name} has use_vmac; use_ipvlan is ignored");
                    let diagnostic = Diagnostic::warning(Class::Uncounted, message);
                    self.report.at(ipvlan.span, diagnostic);
                }
                if !devices.carries_macvlans(base) {
                    let message = format!(
                        "instance {name} runs on {base} itself: it is no Ethernet, so no macvlan can stand on it"
                    );
                    let text =
                        format!("({name}): vmacs are only supported on Ethernet type interfaces");
                    let diagnostic = Diagnostic::error(Class::General, message)
                        .help("remove use_vmac")
                        .keepalived(text);
                    self.report.at(span, diagnostic);
                    return (None, None);
                }
                (&vmac.name, vmac.group, self.macvlan(vmac, family, vrid))
            }
            (None, Some(ipvlan)) => {
                let kind = VirtualInterfaceKind::Ipvlan {
                    address: ipvlan.address,
                    mode: ipvlan.mode.unwrap_or_default(),
                };
                (&ipvlan.name, ipvlan.group, kind)
            }
            (None, None) => return (None, None),
        };
        let (facts, what) = match kind {
            VirtualInterfaceKind::Macvlan { .. } => {
                (DeviceFacts::PrivateMacvlan, "private macvlan")
            }
            VirtualInterfaceKind::Ipvlan { .. } => (DeviceFacts::Ipvlan, "ipvlan at layer 2"),
        };
        let (own, occupied) = devices.own_name(asked_for.as_ref(), base, facts, (family, vrid));
        if let (Some(asked_for), Some(Occupied)) = (asked_for, occupied) {
            let message = format!(
                "instance {name}: {asked_for} is there and is no {what} on {base}; the device is called {own}"
            );
            let text = format!(
                "({name}) interface {asked_for} already exists and is not a {what}; ignoring vmac if_name"
            );
            let diagnostic = Diagnostic::error(Class::General, message)
                .help("another name, or none; or remove that interface")
                .keepalived(text);
            self.report.at(span, diagnostic);
        }
        let clash = self.clash(span, base, &own, kind, devices);
        let device = VirtualInterface {
            name: own,
            group,
            kind,
            transmit_on_base,
        };
        (Some(Box::new(device)), clash)
    }

    /// Whether another instance has a macvlan of that address on that interface: the kernel makes no second.
    fn clash(
        &mut self,
        span: Span,
        base: &IfName,
        own: &IfName,
        kind: VirtualInterfaceKind,
        devices: &mut Devices<'_>,
    ) -> Option<String> {
        let VirtualInterfaceKind::Macvlan { address, .. } = kind else {
            return None;
        };
        let name = &self.draft.name;
        let other = devices.note_own(base, address, own, name)?;
        let why =
            format!("instance {other} has a macvlan with address {address} on {base} already");
        let message = format!("instance {name} stays in FAULT: {why}");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("give one of them another virtual_router_id, or another address behind use_vmac");
        self.report.at(span, diagnostic);
        Some(why)
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

    fn macvlan(&mut self, draft: &VmacDraft, family: Family, vrid: Vrid) -> VirtualInterfaceKind {
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
        VirtualInterfaceKind::Macvlan {
            address: match address.map(|at| at.value) {
                None => InstanceSettings::virtual_mac(family, vrid),
                Some(VmacAddress::Whole(address)) => address,
                Some(VmacAddress::WithVrid([a, b, c, d, e])) => {
                    MacAddress([a, b, c, d, e, vrid.get()])
                }
            },
            announce_link: draft.announce_link,
        }
    }

    /// Why an ipvlan lacks the address that it needs over IPv4, which is a fault for good.
    pub(super) fn lacks_ipvlan_address(&mut self, family: Family) -> Option<String> {
        // A VMAC wins over it, and without an interface there is none.
        let draft = self.draft.ipvlan.as_ref().filter(|ipvlan| {
            ipvlan.address.is_none()
                && family == Family::V4
                && self.draft.vmac.is_none()
                && self.draft.interface.is_some()
        })?;
        let name = &self.draft.name;
        let why = "its ipvlan has no address".to_owned();
        let message = format!("instance {name} stays in FAULT: {why}");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("use_ipvlan ADDRESS/PREFIX; over IPv4 it is the source of adverts")
            .keepalived(format!(
                "({name}) IPv4 ipvlan requires a source ip address to be configured. setting instance to fault state"
            ));
        self.report.at(draft.span, diagnostic);
        Some(why)
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

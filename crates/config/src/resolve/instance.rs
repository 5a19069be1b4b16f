//! One instance: defaults and corrections.

use std::net::{IpAddr, Ipv6Addr};

use types::{Centiseconds, Family, IfName, Priority, Version};
use vrrp::settings::{
    Authentication, Few, GarpSettings, HmacMode, InitialState, InstanceSettings, Preempt,
    PreferredLifetime, VirtualAddress,
};

use super::devices::{Devices, Owner};
use super::{corrected, garp};
use crate::diagnostics::{Class, Diagnostic, Reporter};
use crate::draft::{AddressDraft, At, Defaults, InstanceDraft};
use crate::machine::Machine;
use crate::read::show_decimal;

/// The MTU of an interface that does not exist yet.
const USUAL_MTU: u32 = 1500;
/// One second, in microseconds.
const SECOND: u64 = 1_000_000;
/// The resolution of VRRPv3, in microseconds.
const CENTISECOND: u64 = 10_000;

/// Completes an instance; `None`: it can never run, and why was reported.
pub(super) fn resolve(
    draft: &InstanceDraft,
    defaults: &Defaults,
    machine: &dyn Machine,
    devices: &mut Devices<'_>,
    report: &mut Reporter,
) -> Option<InstanceSettings> {
    let mut fixing = Fixing {
        draft,
        strict: draft.strict.unwrap_or(defaults.strict),
        report,
    };
    let (vrid, interface) = fixing.essentials()?;
    let facts = interface
        .as_ref()
        .and_then(|interface| machine.interface(interface.as_str()));
    let multicast = facts.is_none_or(|facts| facts.multicast);
    let family = draft.family.unwrap_or(Family::V4);
    let version = fixing.version(family, defaults);
    let (priority, state) = fixing.priority_and_state();
    let authentication = fixing.authentication(family, version);
    let state = fixing.state_with(&authentication, state, priority);
    let unicast = fixing.unicast(interface.is_some() && multicast, defaults);
    let (virtual_interface, clash) = fixing.virtual_interface(
        interface.as_ref(),
        (family, vrid),
        unicast.is_some(),
        devices,
    );
    let unusable = fixing
        .lacks_multicast(unicast.is_some(), multicast)
        .or_else(|| fixing.lacks_ipvlan_address(family))
        .or(clash);
    let promote_secondaries = fixing.promote_secondaries(virtual_interface.is_some());
    let source = draft
        .ipvlan
        .as_ref()
        .and_then(|ipvlan| ipvlan.address)
        .map(|prefix| prefix.address())
        .or(draft.source);
    let preempt = fixing.preempt(state, priority);
    let advert_int = fixing.advert_int(version);
    let down_timer_adverts = fixing.down_timer(defaults);
    let group = match family {
        Family::V4 => defaults.group4,
        Family::V6 => defaults.group6,
    };
    let mut vips: Vec<_> = draft
        .vips
        .iter()
        .filter_map(|vip| fixing.address(vip, interface.as_ref()))
        .collect();
    let mut excluded: Vec<_> = draft
        .excluded
        .iter()
        .filter_map(|vip| fixing.address(vip, interface.as_ref()))
        .collect();
    fixing.vips_present(version);
    fixing.link_local_first(family);
    let owner = Owner {
        name: &draft.name,
        interface: interface.as_ref(),
        family,
        vrid,
        device: virtual_interface.as_deref(),
        use_vmac_addr: draft.use_vmac_addr,
    };
    for address in vips.iter_mut().chain(&mut excluded) {
        devices.place(address, &owner);
    }
    let mtu = facts.map_or(USUAL_MTU, |facts| facts.mtu);
    let most = capacity(mtu, family, version, &authentication);
    if vips.len() > most {
        let surplus = vips.split_off(most);
        fixing.surplus(surplus.len(), most);
        excluded.splice(0..0, surplus);
    }
    let settings = InstanceSettings {
        name: draft.name.clone(),
        vrf: draft
            .vrf
            .as_ref()
            .filter(|_| interface.is_none())
            .map(|vrf| vrf.value),
        interface,
        family,
        version,
        vrid,
        priority,
        state,
        advert_int,
        down_timer_adverts,
        preempt,
        authentication,
        virtual_ipaddress: vips.into(),
        virtual_ipaddress_excluded: excluded.into(),
        virtual_routes: draft.virtual_routes.clone().into(),
        virtual_rules: draft.virtual_rules.clone().into(),
        mcast_src_ip: source,
        mcast_dst_ip: fixing
            .group(unicast.is_some())
            .or(group)
            .unwrap_or_else(|| family.vrrp_group()),
        unicast,
        dont_track_primary: draft.dont_track_primary,
        // Filled once groups and scripts are known.
        track_interface: Few::EMPTY,
        track_script: Few::EMPTY,
        track_file: Few::EMPTY,
        track_process: Few::EMPTY,
        track_bfd: Few::EMPTY,
        track_src_ip: draft.track_src_ip && source.is_some(),
        timer_expired_backup: fixing.timer_expired_backup(preempt),
        accept: fixing.accept(version, priority),
        garp: fixing.garp(defaults),
        lower_prio_no_advert: fixing.lower_prio_no_advert(defaults),
        higher_prio_send_advert: fixing.higher_prio_send_advert(defaults),
        owner_ignore_adverts: fixing.owner_ignore_adverts(priority, defaults),
        skip_check_adv_addr: draft
            .skip_check_adv_addr
            .unwrap_or(defaults.skip_check_adv_addr),
        notify_priority_changes: false,
        virtual_interface,
        use_vmac_addr: draft.use_vmac_addr,
        unusable: unusable.map(String::into_boxed_str),
        promote_secondaries,
        v3_checksum_as_v2: draft
            .v3_checksum_as_v2
            .unwrap_or(defaults.v3_checksum_as_v2),
        smtp_alert: draft.smtp_alert.unwrap_or(defaults.smtp_alert),
        kernel_rx_buf_size: draft.kernel_rx_buf_size,
        garp_extra_if: draft.garp_extra_if.unwrap_or(defaults.garp_extra_if),
        lvs_sync_daemon_interface: draft.lvs_sync_daemon_interface,
    };
    Some(settings)
}

/// An instance whose corrections are reported one by one.
pub(super) struct Fixing<'a> {
    pub(super) draft: &'a InstanceDraft,
    pub(super) strict: bool,
    pub(super) report: &'a mut Reporter,
}

impl Fixing<'_> {
    /// Without these two there is no virtual router; only one with unicast peers and a source needs no interface.
    fn essentials(&mut self) -> Option<(types::Vrid, Option<IfName>)> {
        let name = &self.draft.name;
        if self.draft.vrid_refused {
            self.report.fails();
        } else if self.draft.vrid.is_none() {
            let diagnostic = Diagnostic::error(
                Class::General,
                format!("instance {name} has no virtual_router_id"),
            )
            .help("add 'virtual_router_id NUMBER' (1 to 255), the same on all routers of the group")
            .keepalived(format!("({name}) the virtual router id must be set"))
            .following(self.draft.attempted.vrid)
            .fatal();
            self.report.at(self.draft.span, diagnostic);
        }
        let interface = self.draft.interface.as_ref().map(|at| at.value);
        if self.draft.interface_refused && interface.is_none() {
            return None;
        }
        let without = if interface.is_some() {
            None
        } else if self.draft.unicast.peers.is_empty() {
            Some(("", "add 'interface NAME'"))
        } else {
            match self.draft.source {
                Some(IpAddr::V6(source)) if is_link_local(source) => Some((
                    " and a link-local source, which means nothing without one",
                    "interface NAME, or a unicast_src_ip that is not link-local",
                )),
                Some(_) => None,
                None => Some((
                    " and no source address",
                    "interface NAME, or unicast_src_ip ADDRESS",
                )),
            }
        };
        if let Some((more, help)) = without {
            let message = format!("instance {name} has no interface{more}");
            let diagnostic = Diagnostic::error(Class::General, message)
                .help(help)
                .keepalived(format!("({name}) Unknown interface !"))
                .following(self.draft.attempted.interface)
                .fatal();
            self.report.at(self.draft.span, diagnostic);
            return None;
        }
        let vrid = self.draft.vrid.as_ref()?.value;
        Some((vrid, interface))
    }

    /// An address of the instance; without an interface of its own the address must name one.
    fn address(&mut self, draft: &AddressDraft, own: Option<&IfName>) -> Option<VirtualAddress> {
        let interface = draft.interface.as_ref().or(own);
        if interface.is_none() {
            let message = format!(
                "instance {} has no interface, so address {} needs a 'dev'; it is ignored",
                self.draft.name, draft.prefix
            );
            self.report
                .at(draft.span, Diagnostic::error(Class::Uncounted, message));
        }
        interface.map(|interface| address(draft, *interface))
    }

    /// Why it has nobody to talk to on an interface without multicast, which is a fault for good.
    fn lacks_multicast(&mut self, unicast: bool, multicast: bool) -> Option<String> {
        if multicast || unicast {
            return None;
        }
        let name = &self.draft.name;
        let interface = self.draft.interface.as_ref();
        let shown = interface.map_or("", |interface| interface.value.as_str());
        let why = format!("{shown} has no multicast");
        let message = format!("instance {name} stays in FAULT: {why}");
        let diagnostic = Diagnostic::error(Class::General, message)
            .help("list the other routers in unicast_peer { }");
        let span = interface.map_or(self.draft.span, |interface| interface.span);
        self.report.at(span, diagnostic);
        Some(why)
    }

    fn version(&mut self, family: Family, defaults: &Defaults) -> Version {
        let explicit = self.draft.version.as_ref();
        let version = match family {
            Family::V4 => explicit.map_or(defaults.version.unwrap_or(Version::V2), |at| at.value),
            Family::V6 => explicit.map_or(Version::V3, |at| at.value),
        };
        if self.strict && family == Family::V6 && version == Version::V2 {
            let name = &self.draft.name;
            let message =
                format!("instance {name}: strict mode has no version 2 over IPv6, 3 is used");
            let text = format!("({name}) Strict mode requires VRRP version 3 for IPv6. Resetting");
            corrected(
                self.report,
                explicit.map_or(self.draft.span, |at| at.span),
                message,
                text,
            );
            return Version::V3;
        }
        version
    }

    fn priority_and_state(&mut self) -> (Priority, InitialState) {
        let name = &self.draft.name;
        let wanted = self.draft.state.as_ref().map(|at| at.value);
        let priority = match (&self.draft.priority, wanted) {
            (Some(priority), _) => priority.value,
            (None, Some(InitialState::Master)) => Priority::OWNER,
            (None, _) => Priority::DEFAULT,
        };
        let natural = if priority.is_owner() {
            InitialState::Master
        } else {
            InitialState::Backup
        };
        let state = wanted.unwrap_or(natural);
        if self.strict && state != natural {
            let message = format!(
                "instance {name}: in strict mode the owner, priority 255, begins as MASTER, and nobody else"
            );
            let text = format!("({name}) State MASTER must match being address owner");
            corrected(
                self.report,
                self.draft
                    .state
                    .as_ref()
                    .map_or(self.draft.span, |at| at.span),
                message,
                text,
            );
            return (priority, natural);
        }
        (priority, state)
    }

    fn preempt(&mut self, state: InitialState, priority: Priority) -> Preempt {
        let name = &self.draft.name;
        let mut nopreempt = self.draft.nopreempt;
        let mut delay = self
            .draft
            .preempt_delay
            .as_ref()
            .filter(|delay| !delay.value.is_zero());
        if let Some(span) = nopreempt
            && (state == InitialState::Master || priority.is_owner())
        {
            let message =
                format!("instance {name}: nopreempt has no effect with initial state MASTER");
            let text = format!(
                "({name}) Warning - nopreempt will not work with initial state MASTER - clearing"
            );
            let diagnostic = Diagnostic::warning(Class::General, message)
                .with_note("who begins as MASTER takes over whenever it starts, which nopreempt is to prevent")
                .help("set 'state BACKUP' on every router that shall not preempt")
                .keepalived(text);
            self.report.at(span, diagnostic);
            nopreempt = None;
        }
        if let Some(At { span, .. }) = delay {
            let why = if state == InitialState::Master {
                Some(("with initial state MASTER", "initial state MASTER"))
            } else if self.strict {
                Some(("in strict mode", "strict mode"))
            } else if nopreempt.is_some() {
                Some(("with nopreempt", "nopreempt"))
            } else {
                None
            };
            if let Some((why, text)) = why {
                let message = format!("instance {name}: preempt_delay has no effect {why}");
                let text = format!(
                    "({name}) Warning - preempt delay will not work with {text} - clearing"
                );
                corrected(self.report, *span, message, text);
                delay = None;
            }
        }
        match (nopreempt, delay) {
            (Some(_), _) => Preempt::Never,
            (None, Some(delay)) => Preempt::After(delay.value),
            (None, None) => Preempt::Immediately,
        }
    }

    fn advert_int(&mut self, version: Version) -> Centiseconds {
        let Some(At { value, span }) = self.draft.advert_int else {
            return Centiseconds::from_seconds(1);
        };
        let (unit, least, most) = match version {
            Version::V2 => (SECOND, SECOND, 255 * SECOND),
            Version::V3 => (
                CENTISECOND,
                CENTISECOND,
                u64::from(Centiseconds::MAX_V3.get()) * CENTISECOND,
            ),
        };
        let rounded = ((value + unit / 2) / unit * unit).clamp(least, most);
        if rounded != value {
            let name = &self.draft.name;
            let (used, number) = (show_decimal(rounded, 6), version.number());
            let message = format!(
                "instance {name}: version {number} cannot have advert_int {}, {used} is used",
                show_decimal(value, 6)
            );
            let text =
                format!("({name}) VRRPv{number} advertisement interval rounded to {used} seconds");
            let help = match version {
                Version::V2 => {
                    "whole seconds from 1 to 255; 'version 3' takes hundredths, on all routers of the group"
                }
                Version::V3 => "0.01 to 40.95 seconds in steps of 0.01",
            };
            let diagnostic = Diagnostic::warning(Class::General, message)
                .help(help)
                .keepalived(text);
            self.report.at(span, diagnostic);
        }
        Centiseconds::new(
            u16::try_from(rounded / CENTISECOND).unwrap_or(Centiseconds::MAX_V3.get()),
        )
    }

    fn down_timer(&mut self, defaults: &Defaults) -> u8 {
        let wanted = self.draft.down_timer_adverts.as_ref();
        if !self.strict {
            return wanted.map_or(defaults.down_timer_adverts.unwrap_or(3), |at| at.value);
        }
        if let Some(At { value, span }) = wanted
            && *value != 3
        {
            let name = &self.draft.name;
            let message = format!("instance {name}: strict mode waits for 3 adverts, not {value}");
            corrected(
                self.report,
                *span,
                message,
                format!("({name}) Strict mode requires down_timer_adverts 3. Resetting"),
            );
        }
        3
    }

    /// Where adverts must list an address, there must be one.
    fn vips_present(&mut self, version: Version) {
        if !self.draft.vips.is_empty() {
            return;
        }
        let name = &self.draft.name;
        if let Some(span) = self.draft.no_virtual_ipaddress {
            if !self.strict {
                return;
            }
            let message = format!(
                "instance {name}: strict mode wants an address whatever no_virtual_ipaddress says"
            );
            corrected(
                self.report,
                span,
                message,
                format!("({name}) no_virtual_ipaddress is not allowed in strict mode"),
            );
        }
        if version == Version::V3 || self.strict {
            let diagnostic = Diagnostic::error(
                Class::General,
                format!("instance {name} has no virtual_ipaddress"),
            )
            .help("list an address in virtual_ipaddress { }, or say no_virtual_ipaddress")
            .keepalived(format!(
                "({name}) No VIP specified; at least one is required"
            ))
            .following(self.draft.attempted.addresses)
            .fatal();
            self.report.at(self.draft.span, diagnostic);
        } else {
            let message = format!("instance {name} has no virtual_ipaddress");
            let diagnostic = Diagnostic::warning(Class::General, message)
                .with_note("it elects a master, which then has no address to serve")
                .help("list an address in virtual_ipaddress { }, or say no_virtual_ipaddress")
                .keepalived(format!(
                    "({name}) No VIP specified; at least one is sensible"
                ))
                .following(self.draft.attempted.addresses);
            self.report.at(self.draft.span, diagnostic);
        }
    }

    /// RFC 9568 5.2.9: the first address of an IPv6 router is its link-local one.
    fn link_local_first(&mut self, family: Family) {
        let Some(first) = self.draft.vips.first() else {
            return;
        };
        let link_local = match first.prefix.address() {
            IpAddr::V6(address) => is_link_local(address),
            IpAddr::V4(_) => true,
        };
        if family == Family::V4 || link_local {
            return;
        }
        let message = format!(
            "instance {}: the first address, {}, should be link-local",
            self.draft.name, first.prefix
        );
        let diagnostic = if self.strict {
            Diagnostic::warning(Class::General, message)
        } else {
            Diagnostic::note(message)
        };
        self.report.at(
            first.span,
            diagnostic.help("RFC 9568 5.2.9; routers of other makers may insist"),
        );
    }

    fn surplus(&mut self, count: usize, most: usize) {
        let name = &self.draft.name;
        let message = format!(
            "instance {name}: an advert holds {most} addresses, the last {count} are not advertised"
        );
        let text = format!(
            "({name}) Number of VIPs exceeds maximum/space available in packet - moving {count} to excluded"
        );
        corrected(self.report, self.draft.span, message, text);
    }

    fn garp(&mut self, defaults: &Defaults) -> GarpSettings {
        let own = &self.draft.garp;
        let mut garp = own.over(&garp::global(defaults));
        if self.strict {
            if own.lower_prio_delay.unwrap_or(0) + own.lower_prio_repeat.unwrap_or(0) > 0 {
                let name = &self.draft.name;
                let message = format!(
                    "instance {name}: strict mode announces nothing after a lower-priority advert"
                );
                let text = format!("({name}) Strict mode requires no repeat garps. Resetting");
                corrected(self.report, self.draft.span, message, text);
            }
            garp.lower_prio_delay = 0;
            garp.lower_prio_repeat = 0;
        }
        garp
    }

    fn lower_prio_no_advert(&mut self, defaults: &Defaults) -> bool {
        if self.strict && self.draft.lower_prio_no_advert == Some(false) {
            let name = &self.draft.name;
            let message =
                format!("instance {name}: strict mode does not answer lower-priority adverts");
            let text = format!("({name}) Strict mode requires lower_prio_no_advert. Setting");
            corrected(self.report, self.draft.span, message, text);
        }
        self.strict
            || self
                .draft
                .lower_prio_no_advert
                .unwrap_or(defaults.lower_prio_no_advert)
    }

    fn higher_prio_send_advert(&mut self, defaults: &Defaults) -> bool {
        if self.strict && self.draft.higher_prio_send_advert == Some(true) {
            let name = &self.draft.name;
            let message =
                format!("instance {name}: strict mode does not answer higher-priority adverts");
            let text =
                format!("({name}) Strict mode does not allow higher_prio_send_advert. Clearing");
            corrected(self.report, self.draft.span, message, text);
        }
        !self.strict
            && self
                .draft
                .higher_prio_send_advert
                .unwrap_or(defaults.higher_prio_send_advert)
    }

    /// DEVIATION(keepalived): there an explicit `false` ends up as true for every owner; here only in strict mode.
    fn owner_ignore_adverts(&mut self, priority: Priority, defaults: &Defaults) -> bool {
        let name = &self.draft.name;
        let wanted = self.draft.owner_ignore_adverts.as_ref();
        if !priority.is_owner() {
            if let Some(At { value: true, span }) = wanted {
                let message = format!(
                    "instance {name} is not the owner (priority 255): owner_ignore_adverts has no effect"
                );
                let text = format!(
                    "({name}) owner_ignore_adverts only valid for address owner - clearing"
                );
                corrected(self.report, *span, message, text);
            }
            return false;
        }
        if let Some(At { value: false, span }) = wanted {
            let message = if self.strict {
                format!("instance {name}: in strict mode an owner ignores adverts")
            } else {
                format!(
                    "instance {name}: keepalived would ignore adverts all the same; evervip does not"
                )
            };
            corrected(
                self.report,
                *span,
                message,
                format!(
                    "({name}) owner_ignore_adverts cannot be cleared for an address owner - setting"
                ),
            );
        }
        self.strict || wanted.map_or(defaults.owner_ignore_adverts, |at| at.value)
    }
}

/// Addresses that fit into one advert: the MTU less Ethernet, IP and VRRP headers and the password's room, 255 at most.
fn capacity(mtu: u32, family: Family, version: Version, proof: &Authentication) -> usize {
    let (headers, size) = match (family, version) {
        (Family::V4, Version::V2) => (14 + 20 + 8 + 8, 4),
        (Family::V4, Version::V3) => (14 + 20 + 8, 4),
        (Family::V6, _) => (14 + 40 + 8, 16),
    };
    let proof = match proof {
        Authentication::None | Authentication::Pass(_) => 0,
        Authentication::Ah(_) => 24,
        Authentication::Hmac(hmac) if hmac.mode == HmacMode::ReceiveOnly => 0,
        Authentication::Hmac(_) => 28,
    };
    usize::try_from((mtu.saturating_sub(headers + proof) / size).min(255)).unwrap_or(255)
}

pub(super) fn address(draft: &AddressDraft, interface: IfName) -> VirtualAddress {
    let v6 = draft.prefix.family() == Family::V6;
    // An address that is the only one of its prefix is not chosen as a source.
    let natural = if v6 && draft.prefix.length() == 128 {
        PreferredLifetime::Seconds(0)
    } else {
        PreferredLifetime::Forever
    };
    VirtualAddress {
        prefix: draft.prefix,
        interface,
        scope: draft.scope,
        label: draft.label.as_deref().map(Into::into),
        broadcast: draft.broadcast,
        peer: draft.peer,
        dad: v6 && draft.dad,
        home: draft.home,
        mngtmpaddr: draft.mngtmpaddr,
        noprefixroute: draft.noprefixroute,
        autojoin: draft.autojoin,
        preferred_lft: draft.preferred_lft.unwrap_or(natural),
        no_track: draft.no_track,
        use_vmac: draft.use_vmac,
    }
}

pub(super) const fn is_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_into_an_advert() {
        assert_eq!(
            capacity(1500, Family::V4, Version::V2, &Authentication::None),
            255
        );
        assert_eq!(
            capacity(1500, Family::V6, Version::V3, &Authentication::None),
            89
        );
        assert_eq!(
            capacity(100, Family::V4, Version::V2, &Authentication::None),
            12
        );
        assert_eq!(
            capacity(100, Family::V4, Version::V3, &Authentication::None),
            14
        );
        assert_eq!(
            capacity(10, Family::V4, Version::V2, &Authentication::None),
            0
        );
    }
}

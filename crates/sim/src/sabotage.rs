//! Hosts that are broken on purpose: an oracle that cannot fail proves nothing.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use types::{Claim, Family, Priority, Version, Vrid};
use vrrp::{Action, RoutingChange};
use wire::vrrp::{Advert, CHECKSUM_OFFSET, Message, auth_type};

use crate::network::Frame;
use crate::scenario::{LANS, own_address};

/// What is wrong with one node's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// It never hears an advert.
    Deaf,
    /// It hears adverts until everybody has agreed.
    DeafOnceAgreed,
    /// It never takes an address off an interface.
    KeepsAddresses,
    /// It filters nothing.
    NeverBlocks,
    /// It makes no route and no rule.
    LosesRoutes,
    /// It removes no route and no rule.
    KeepsRoutes,
    /// It never puts an address on an interface.
    LosesAddresses,
    /// The same, and it announces none.
    HoldsNothing,
    /// It is woken so much later than it asked for.
    SleepsLate(Duration),
    /// It announces everything twice.
    Stutters,
    /// A bit of each advert is wrong.
    GarblesAdverts,
    /// Each advert says that it is leaving.
    SaysGoodbye,
    /// It takes every address twice.
    AddsTwice,
    /// Switched off, it keeps what it had.
    SurvivesTheSwitch,
    /// It does not join any group.
    NeverJoins,
    /// Each advert leaves twice.
    AdvertisesTwice,
    /// It hears every router as one of the highest priority.
    HearsBetter,
    /// Each gratuitous ARP leaves twice.
    AnnouncesTwice,
    /// It announces no address.
    NeverAnnounces,
    /// It starts each script twice.
    RunsTwice,
    /// It does not notice that a link changes.
    BlindToLinks,
    /// It says again what it said last, whatever it hears.
    Parrots,
    /// For a reload it stops everything and begins anew.
    ReloadsByRestart,
    /// For a reload it takes all addresses off and puts them back.
    ReloadsAddresses,
    /// It never tells its process about groups.
    ForgetsGroups,
    /// It sends nothing to the second node when adverts go to single routers.
    ForgetsAPeer,
}

impl Sabotage {
    /// What becomes of a packet on its way in.
    pub(crate) fn hears(self, mut frame: Frame) -> Option<Frame> {
        if self == Self::Deaf {
            return None;
        }
        if self == Self::HearsBetter {
            let between = (frame.source, frame.destination);
            // The first node has the lowest address: not even as an owner does it stand its ground, which would end in
            // two owners who answer each other for ever.
            let claim = Claim::At(Priority::OWNER);
            frame.message = with_claim(&frame.message, between, claim);
        }
        Some(frame)
    }

    /// What becomes of an action.
    #[must_use]
    pub(crate) fn doctor(self, action: Action) -> [Option<Action>; 2] {
        match (self, action) {
            (Self::KeepsAddresses, Action::RemoveAddress { .. })
            | (Self::LosesAddresses, Action::AddAddress { .. })
            | (Self::HoldsNothing, Action::AddAddress { .. } | Action::AnnounceAddress { .. })
            | (Self::NeverBlocks, Action::Block(_))
            | (Self::NeverAnnounces, Action::AnnounceAddress { .. })
            | (
                Self::LosesRoutes,
                Action::ChangeRouting(
                    RoutingChange::AddRoute { .. }
                    | RoutingChange::ReplaceRoute { .. }
                    | RoutingChange::AddRule { .. },
                ),
            )
            | (
                Self::KeepsRoutes,
                Action::ChangeRouting(
                    RoutingChange::RemoveRoute { .. } | RoutingChange::RemoveRule { .. },
                ),
            )
            | (Self::NeverJoins, Action::JoinGroup { .. }) => [None, None],
            (Self::Stutters, action @ Action::Announce(_))
            | (Self::AddsTwice, action @ Action::AddAddress { .. })
            | (Self::AdvertisesTwice, action @ Action::SendAdvert { .. })
            | (Self::AnnouncesTwice, action @ Action::AnnounceAddress { .. })
            | (Self::RunsTwice, action @ Action::RunScript { .. }) => {
                [Some(action.clone()), Some(action)]
            }
            (
                Self::GarblesAdverts,
                Action::SendAdvert {
                    interface,
                    source,
                    destination,
                    hop_limit,
                    carrier,
                    message,
                },
            ) => {
                let mut bytes = message.to_vec();
                if let Some(byte) = bytes.get_mut(CHECKSUM_OFFSET) {
                    *byte ^= 1;
                }
                let action = Action::SendAdvert {
                    interface,
                    source,
                    destination,
                    hop_limit,
                    carrier,
                    message: bytes.into(),
                };
                [Some(action), None]
            }
            (
                Self::SaysGoodbye,
                Action::SendAdvert {
                    interface,
                    source,
                    destination,
                    hop_limit,
                    carrier,
                    message,
                },
            ) => {
                let message = with_claim(&message, (source, destination), Claim::Leaving);
                let action = Action::SendAdvert {
                    interface,
                    source,
                    destination,
                    hop_limit,
                    carrier,
                    message,
                };
                [Some(action), None]
            }
            (Self::ForgetsAPeer, Action::SendAdvert { destination, .. })
                if is_second_node(destination) =>
            {
                [None, None]
            }
            (_, action) => [Some(action), None],
        }
    }
}

fn is_second_node(destination: IpAddr) -> bool {
    (0..LANS).any(|lan| own_address(1, lan, Family::of(destination)).address() == destination)
}

/// The same advert with another priority.
fn with_claim(message: &Arc<[u8]>, between: (IpAddr, IpAddr), claim: Claim) -> Arc<[u8]> {
    let family = Family::of(between.0);
    let (bare, signature) = Advert::split_trailer(family, message);
    let Ok(advert) = Advert::parse(family, bare) else {
        return Arc::clone(message);
    };
    let Ok(vrid) = Vrid::new(advert.vrid) else {
        return Arc::clone(message);
    };
    let addresses: Vec<_> = advert.addresses.iter().collect();
    let message = Message {
        version: if advert.version == 2 {
            Version::V2
        } else {
            Version::V3
        },
        vrid,
        claim,
        advert_int: advert.advert_int,
        addresses: &addresses,
        auth_pass: advert
            .auth_data
            .filter(|_| advert.auth_type == auth_type::PASS),
        family,
        between,
    };
    // A signature does not fit any more; the oracles notice before anybody else can.
    let signature = signature.map(|signature| signature.as_slice());
    [message.encode().as_slice(), signature.unwrap_or_default()]
        .concat()
        .into()
}

//! A network interface as the kernel describes it.

use types::{IfIndex, IfName, MacAddress};

use super::message::{self, Attributes, Malformed};
use super::numbers;
use super::stacked::LinkKind;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: IfIndex,
    /// Its name, now: it can be renamed.
    pub name: IfName,
    /// Switched on by an administrator.
    pub up: bool,
    /// Able to carry packets: up, with a carrier.
    pub running: bool,
    /// A loopback interface.
    pub loopback: bool,
    /// Carries multicast.
    pub multicast: bool,
    /// Has no address resolution: gratuitous ARPs and neighbour advertisements are pointless.
    pub noarp: bool,
    /// Has a broadcast address.
    pub broadcast: bool,
    /// The largest packet, in bytes.
    pub mtu: u32,
    /// The type of hardware (`ARPHRD_...`); 1 is Ethernet.
    pub hardware: u16,
    /// The hardware address, if it has one of six bytes.
    pub mac: Option<MacAddress>,
    /// The bridge, bond or VRF that it belongs to.
    pub master: Option<IfIndex>,
    /// The interface that it is built upon (VLAN, macvlan), or the other end of a veth; `None` when that is
    /// in another network namespace.
    pub lower: Option<IfIndex>,
    /// What kind of device it is.
    pub kind: LinkKind,
    /// The group that it is in; 0 is what all begin with.
    pub group: u32,
}

impl Link {
    /// Reads the payload of `RTM_NEWLINK` or `RTM_DELLINK`.
    ///
    /// `None` for what concerns only one protocol's view of an interface: `RTM_DELLINK` of the bridge
    /// family says that a port has left its bridge, not that the interface is gone.
    pub(super) fn decode(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let [family, _, h0, h1, i0, i1, i2, i3, f0, f1, f2, f3, ..] =
            *message::fixed::<{ Self::FIXED }>(payload, "a link message")?;
        if family != numbers::FAMILY_ANY {
            return Ok(None);
        }
        let number = u32::from_ne_bytes([i0, i1, i2, i3]);
        let index = IfIndex::new(number).ok_or(Malformed::Value {
            what: "an interface index",
            value: number,
        })?;
        let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
        let mut name = None;
        let mut mtu = 0;
        let mut mac = None;
        let mut master = None;
        let mut lower = None;
        let mut lower_is_elsewhere = false;
        let mut kind = LinkKind::default();
        let mut group = 0;
        for attribute in Attributes::new(message::after(payload, Self::FIXED)) {
            let attribute = attribute?;
            match attribute.kind {
                numbers::LINK_NAME => {
                    let kind = attribute.kind;
                    name = Some(
                        IfName::new(attribute.text()?).map_err(|_bad| Malformed::Text { kind })?,
                    );
                }
                numbers::LINK_MTU => mtu = attribute.u32()?,
                // Tunnels have addresses of 4 or 16 bytes here: not a MAC address, and no error.
                numbers::LINK_MAC => mac = attribute.bytes().ok().map(MacAddress),
                numbers::LINK_MASTER => master = IfIndex::new(attribute.u32()?),
                numbers::LINK_LOWER => lower = IfIndex::new(attribute.u32()?),
                numbers::LINK_LOWER_NAMESPACE => lower_is_elsewhere = true,
                // What a newer kernel says of a kind that we know and do not understand must not hide the interface.
                numbers::LINK_INFO => kind = LinkKind::decode(attribute).unwrap_or_default(),
                numbers::LINK_GROUP => group = attribute.u32()?,
                _ => {}
            }
        }
        let has = |flag| flags & flag != 0;
        Ok(Some(Self {
            index,
            name: name.ok_or(Malformed::Missing {
                what: "the name of an interface",
            })?,
            up: has(numbers::UP),
            running: has(numbers::RUNNING),
            loopback: has(numbers::LOOPBACK),
            multicast: has(numbers::MULTICAST),
            noarp: has(numbers::NO_ARP),
            broadcast: has(numbers::BROADCAST),
            mtu,
            hardware: u16::from_ne_bytes([h0, h1]),
            mac,
            master,
            lower: lower.filter(|_| !lower_is_elsewhere),
            kind,
            group,
        }))
    }

    /// Bytes in `struct ifinfomsg`.
    pub(super) const FIXED: usize = 16;
}

/// The fixed part of a request about an interface: `struct ifinfomsg`. `index` 0 leaves the choice to the
/// attributes; of `flags`, those in `change` are set.
pub(super) fn fixed_part(index: u32, flags: u32, change: u32) -> [u8; Link::FIXED] {
    let [i0, i1, i2, i3] = index.to_ne_bytes();
    let [f0, f1, f2, f3] = flags.to_ne_bytes();
    let [c0, c1, c2, c3] = change.to_ne_bytes();
    [
        numbers::FAMILY_ANY,
        0,
        0,
        0,
        i0,
        i1,
        i2,
        i3,
        f0,
        f1,
        f2,
        f3,
        c0,
        c1,
        c2,
        c3,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::message::{Messages, Request, Writer};

    fn message(index: u32, write: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
        let mut buffer = Vec::new();
        let mut writer = Writer::new(
            &mut buffer,
            Request {
                kind: numbers::NEW_LINK,
                flags: 0,
                sequence: 0,
            },
        );
        writer.fixed(&fixed_part(
            index,
            numbers::UP | numbers::RUNNING | numbers::MULTICAST,
            0,
        ));
        write(&mut writer);
        writer.finish().unwrap();
        Messages::new(&buffer)
            .next()
            .unwrap()
            .unwrap()
            .payload
            .to_vec()
    }

    fn example() -> Vec<u8> {
        message(7, |writer| {
            writer.text(numbers::LINK_NAME, "eth0.5");
            writer.attribute(9999, b"from the future");
            writer.attribute(numbers::LINK_MTU, &9000_u32.to_ne_bytes());
            writer.attribute(numbers::LINK_MAC, &[2, 0, 0, 0, 0, 7]);
            writer.attribute(numbers::LINK_MASTER, &4_u32.to_ne_bytes());
            writer.attribute(numbers::LINK_LOWER, &3_u32.to_ne_bytes());
            writer.attribute(numbers::LINK_GROUP, &9_u32.to_ne_bytes());
            writer.nested(numbers::LINK_INFO, |info| {
                info.text(numbers::INFO_KIND, "macvlan");
                info.nested(numbers::INFO_DATA, |data| {
                    data.attribute(numbers::MACVLAN_MODE, &1_u32.to_ne_bytes());
                });
            });
        })
    }

    #[test]
    fn all_fields() {
        let link = Link::decode(&example()).unwrap().unwrap();
        assert_eq!(
            link,
            Link {
                index: IfIndex::new(7).unwrap(),
                name: IfName::new("eth0.5").unwrap(),
                up: true,
                running: true,
                loopback: false,
                multicast: true,
                noarp: false,
                broadcast: false,
                mtu: 9000,
                hardware: 0,
                mac: Some(MacAddress([2, 0, 0, 0, 0, 7])),
                master: IfIndex::new(4),
                lower: IfIndex::new(3),
                kind: LinkKind::Macvlan { private: true },
                group: 9,
            }
        );
    }

    #[test]
    fn truncation_never_panics_and_never_invents_a_name() {
        let bytes = example();
        for length in 0..bytes.len() {
            if let Ok(link) = Link::decode(&bytes[..length]) {
                assert_eq!(link.unwrap().name.as_str(), "eth0.5");
            }
        }
    }

    #[test]
    fn a_bridges_view_a_foreign_lower_link_and_a_bad_name() {
        let mut bytes = example();
        bytes[0] = 7;
        assert_eq!(Link::decode(&bytes), Ok(None), "AF_BRIDGE");
        let veth = message(7, |writer| {
            writer.text(numbers::LINK_NAME, "veth0");
            writer.attribute(numbers::LINK_LOWER, &2_u32.to_ne_bytes());
            writer.attribute(numbers::LINK_LOWER_NAMESPACE, &0_u32.to_ne_bytes());
            writer.attribute(numbers::LINK_MAC, &[10, 0, 0, 1]);
        });
        let veth = Link::decode(&veth).unwrap().unwrap();
        assert_eq!((veth.lower, veth.mac), (None, None));
        let bad = message(7, |writer| writer.attribute(numbers::LINK_NAME, &[0xff, 0]));
        assert_eq!(
            Link::decode(&bad),
            Err(Malformed::Text {
                kind: numbers::LINK_NAME
            })
        );
        let none = message(0, |writer| writer.text(numbers::LINK_NAME, "eth0"));
        assert!(Link::decode(&none).is_err());
    }
}

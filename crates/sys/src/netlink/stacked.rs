//! Interfaces built upon another one: macvlan and ipvlan. Making them, and recognising them.

use types::{IfIndex, IfName, MacAddress};

use super::link::fixed_part;
use super::message::{Attribute, Malformed, Writer};
use super::numbers;
use super::route_socket::RouteSocket;
use crate::Error;

/// What kind of device an interface is (`IFLA_INFO_KIND`), as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkKind {
    /// Any other.
    #[default]
    Other,
    /// A macvlan.
    Macvlan {
        /// Nothing passes between it and the others on the same interface (`MACVLAN_MODE_PRIVATE`).
        private: bool,
    },
    /// An ipvlan.
    Ipvlan {
        /// It works at layer 2 (`IPVLAN_MODE_L2`).
        layer2: bool,
        /// How the ipvlans of one interface reach each other.
        reach: IpvlanReach,
    },
    /// A VRF: a routing table of its own for the interfaces in it.
    Vrf {
        /// The number of the table; 0 if the kernel does not say.
        table: u32,
    },
}

/// How the ipvlans of one interface reach each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IpvlanReach {
    /// Directly (no flag).
    #[default]
    Bridge,
    /// Not at all (`IPVLAN_F_PRIVATE`).
    Private,
    /// Through the switch outside (`IPVLAN_F_VEPA`).
    Vepa,
}

impl IpvlanReach {
    const fn flags(self) -> u16 {
        match self {
            Self::Bridge => 0,
            Self::Private => numbers::IPVLAN_PRIVATE,
            Self::Vepa => numbers::IPVLAN_VEPA,
        }
    }

    const fn of(flags: u16) -> Self {
        if flags & numbers::IPVLAN_VEPA != 0 {
            Self::Vepa
        } else if flags & numbers::IPVLAN_PRIVATE != 0 {
            Self::Private
        } else {
            Self::Bridge
        }
    }
}

impl LinkKind {
    /// Reads `IFLA_LINKINFO`.
    pub(super) fn decode(info: Attribute<'_>) -> Result<Self, Malformed> {
        let mut name = "";
        let mut data = None;
        for attribute in info.nested() {
            let attribute = attribute?;
            match attribute.kind {
                numbers::INFO_KIND => name = attribute.text()?,
                numbers::INFO_DATA => data = Some(attribute),
                _ => {}
            }
        }
        Ok(match name {
            "macvlan" => Self::Macvlan {
                private: number(data, numbers::MACVLAN_MODE)? == Some(numbers::MACVLAN_PRIVATE),
            },
            "ipvlan" => Self::Ipvlan {
                layer2: number(data, numbers::IPVLAN_MODE)? == Some(numbers::IPVLAN_L2.into()),
                reach: number(data, numbers::IPVLAN_FLAGS)?
                    .and_then(|flags| u16::try_from(flags).ok())
                    .map(IpvlanReach::of)
                    .unwrap_or_default(),
            },
            "vrf" => Self::Vrf {
                table: number(data, numbers::VRF_TABLE)?.unwrap_or(0),
            },
            _ => Self::Other,
        })
    }
}

/// A number of two or four bytes in the data of a device, if it is there.
fn number(data: Option<Attribute<'_>>, kind: u16) -> Result<Option<u32>, Malformed> {
    let Some(data) = data else { return Ok(None) };
    for attribute in data.nested() {
        let attribute = attribute?;
        if attribute.kind == kind {
            return match attribute.value.len() {
                2 => Ok(Some(u16::from_ne_bytes(attribute.bytes()?).into())),
                _ => attribute.u32().map(Some),
            };
        }
    }
    Ok(None)
}

impl RouteSocket {
    /// Makes a macvlan in private mode with its own hardware address. It is down.
    ///
    /// # Errors
    /// When the name or, on this base, the address is taken, the base cannot carry one, macvlan is not in the kernel, or
    /// we are not allowed to.
    pub fn add_private_macvlan(
        &mut self,
        name: &IfName,
        base: IfIndex,
        mac: MacAddress,
    ) -> Result<(), Error> {
        let own = |writer: &mut Writer<'_>| writer.attribute(numbers::LINK_MAC, &mac.0);
        self.add_above("add the macvlan", (name, "macvlan"), base, own, |data| {
            data.attribute(
                numbers::MACVLAN_MODE,
                &numbers::MACVLAN_PRIVATE.to_ne_bytes(),
            );
        })
    }

    /// Makes an ipvlan at layer 2. It is down.
    ///
    /// # Errors
    /// When the name is taken, the base cannot carry one or has ipvlans of another mode, ipvlan is not in the kernel, or
    /// we are not allowed to.
    pub fn add_ipvlan(
        &mut self,
        name: &IfName,
        base: IfIndex,
        reach: IpvlanReach,
    ) -> Result<(), Error> {
        self.add_above(
            "add the ipvlan",
            (name, "ipvlan"),
            base,
            |_| {},
            |data| {
                data.attribute(numbers::IPVLAN_MODE, &numbers::IPVLAN_L2.to_ne_bytes());
                data.attribute(numbers::IPVLAN_FLAGS, &reach.flags().to_ne_bytes());
            },
        )
    }

    /// Puts an interface into a group (`ip link ... group`).
    ///
    /// # Errors
    /// When there is no such interface, or we are not allowed to.
    pub fn set_group(&mut self, index: IfIndex, group: u32) -> Result<(), Error> {
        self.change("set the group of interface", index, 0, |writer| {
            writer.attribute(numbers::LINK_GROUP, &group.to_ne_bytes());
        })
    }

    /// Keeps the kernel from giving an interface IPv6 addresses of its own (`addrgenmode none`); those that it has stay.
    ///
    /// # Errors
    /// When there is no such interface, it has no IPv6, or we are not allowed to.
    pub fn give_no_addresses(&mut self, index: IfIndex) -> Result<(), Error> {
        const WHAT: &str = "set the address generation mode of interface";
        self.change(WHAT, index, 0, |writer| {
            writer.nested(numbers::LINK_BY_FAMILY, |families| {
                families.nested(numbers::FAMILY_V6.into(), |v6| {
                    v6.attribute(
                        numbers::ADDRESS_GENERATION,
                        &[numbers::ADDRESS_GENERATION_NONE],
                    );
                });
            });
        })
    }

    fn add_above(
        &mut self,
        what: &'static str,
        (name, kind): (&IfName, &str),
        base: IfIndex,
        own: impl FnOnce(&mut Writer<'_>),
        data: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), Error> {
        let answer = self.perform(numbers::NEW_LINK, numbers::CREATE_NEW, |writer| {
            writer.fixed(&fixed_part(0, 0, 0));
            writer.text(numbers::LINK_NAME, name.as_str());
            writer.attribute(numbers::LINK_LOWER, &base.get().to_ne_bytes());
            own(writer);
            writer.nested(numbers::LINK_INFO, |info| {
                info.text(numbers::INFO_KIND, kind);
                info.nested(numbers::INFO_DATA, data);
            });
        })?;
        answer.map_err(|reason| Error::Refused {
            what,
            object: name.to_string(),
            reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `IFLA_LINKINFO` of a device of this kind, with its data.
    fn info(kind: &str, data: &[(u16, &[u8])]) -> Vec<u8> {
        let attribute = |kind: u16, value: &[u8]| {
            let length = u16::try_from(4 + value.len()).unwrap();
            let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
            bytes.extend(value);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            bytes
        };
        let data: Vec<u8> = data
            .iter()
            .flat_map(|(kind, value)| attribute(*kind, value))
            .collect();
        let name = [kind.as_bytes(), &[0]].concat();
        [attribute(1, &name), attribute(2, &data)].concat()
    }

    fn decode(value: &[u8]) -> Result<LinkKind, Malformed> {
        LinkKind::decode(Attribute { kind: 18, value })
    }

    #[test]
    fn kinds_and_their_modes() {
        let private = LinkKind::Macvlan { private: true };
        let bridge = LinkKind::Macvlan { private: false };
        let ipvlan = |layer2, reach| LinkKind::Ipvlan { layer2, reach };
        let (one, four) = (1_u32.to_ne_bytes(), 4_u32.to_ne_bytes());
        let (short_0, short_1, short_2) = (
            0_u16.to_ne_bytes(),
            1_u16.to_ne_bytes(),
            2_u16.to_ne_bytes(),
        );
        type Data<'a> = &'a [(u16, &'a [u8])];
        let cases: [(&str, Data<'_>, LinkKind); 9] = [
            ("macvlan", &[(1, &one)], private),
            ("macvlan", &[(1, &four), (2, &short_0)], bridge),
            ("macvlan", &[], bridge),
            (
                "ipvlan",
                &[(1, &short_0), (2, &short_0)],
                ipvlan(true, IpvlanReach::Bridge),
            ),
            (
                "ipvlan",
                &[(1, &short_0), (2, &short_1)],
                ipvlan(true, IpvlanReach::Private),
            ),
            (
                "ipvlan",
                &[(1, &short_0), (2, &short_2)],
                ipvlan(true, IpvlanReach::Vepa),
            ),
            (
                "ipvlan",
                &[(1, &short_1)],
                ipvlan(false, IpvlanReach::Bridge),
            ),
            ("vrf", &[(1, &four)], LinkKind::Vrf { table: 4 }),
            ("veth", &[], LinkKind::Other),
        ];
        for (name, data, expected) in cases {
            let bytes = info(name, data);
            assert_eq!(decode(&bytes), Ok(expected), "{name} {data:?}");
            // Cut anywhere it is an error, or a device of which less is known; never a panic.
            for length in 0..bytes.len() {
                let _verdict = decode(&bytes[..length]);
            }
        }
    }
}

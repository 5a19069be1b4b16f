//! Numbers of the kernel's interface (`linux/netlink.h`, `linux/rtnetlink.h`, `linux/if_addr.h`,
//! `linux/if_link.h`, `linux/veth.h`), in the width that the messages have.

/// `NLMSG_ERROR`: the answer to a request; code 0 is an acknowledgement.
pub(crate) const ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of a dump.
pub(super) const DONE: u16 = 3;
/// `NLMSG_OVERRUN`: never sent by today's kernels, and would mean that messages were lost.
pub(super) const OVERRUN: u16 = 4;

/// `NLM_F_REQUEST`.
pub(crate) const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`.
pub(crate) const ACK: u16 = 0x4;
/// `NLM_F_DUMP_INTR`: what is being listed changed meanwhile.
pub(super) const DUMP_INTERRUPTED: u16 = 0x10;
/// `NLM_F_DUMP`.
pub(super) const DUMP: u16 = 0x300;
/// `NLM_F_CREATE | NLM_F_EXCL`: a new object, not an existing one.
pub(super) const CREATE_NEW: u16 = 0x600;
/// `NLM_F_CAPPED`: an error message repeats only the header of the request.
pub(super) const CAPPED: u16 = 0x100;
/// `NLM_F_ACK_TLVS`: an error message carries attributes.
pub(super) const ACK_ATTRIBUTES: u16 = 0x200;
/// `NLMSGERR_ATTR_MSG`: the kernel's explanation.
pub(super) const EXPLANATION: u16 = 1;

/// `RTM_NEWLINK`.
pub(super) const NEW_LINK: u16 = 16;
/// `RTM_DELLINK`.
pub(super) const DELETE_LINK: u16 = 17;
/// `RTM_GETLINK`.
pub(super) const GET_LINK: u16 = 18;
/// `RTM_NEWADDR`.
pub(super) const NEW_ADDRESS: u16 = 20;
/// `RTM_DELADDR`.
pub(super) const DELETE_ADDRESS: u16 = 21;
/// `RTM_GETADDR`.
pub(super) const GET_ADDRESS: u16 = 22;

/// `AF_UNSPEC`.
pub(super) const FAMILY_ANY: u8 = 0;
/// `AF_INET`.
pub(super) const FAMILY_V4: u8 = 2;
/// `AF_INET6`.
pub(super) const FAMILY_V6: u8 = 10;

/// `IFF_UP`.
pub(super) const UP: u32 = 0x1;
/// `IFF_BROADCAST`.
pub(super) const BROADCAST: u32 = 0x2;
/// `IFF_LOOPBACK`.
pub(super) const LOOPBACK: u32 = 0x8;
/// `IFF_RUNNING`.
pub(super) const RUNNING: u32 = 0x40;
/// `IFF_NOARP`.
pub(super) const NO_ARP: u32 = 0x80;
/// `IFF_MULTICAST`.
pub(super) const MULTICAST: u32 = 0x1000;

/// `IFLA_ADDRESS`.
pub(super) const LINK_MAC: u16 = 1;
/// `IFLA_IFNAME`.
pub(super) const LINK_NAME: u16 = 3;
/// `IFLA_MTU`.
pub(super) const LINK_MTU: u16 = 4;
/// `IFLA_LINK`: the interface beneath, or the other end of a veth.
pub(super) const LINK_LOWER: u16 = 5;
/// `IFLA_MASTER`.
pub(super) const LINK_MASTER: u16 = 10;
/// `IFLA_LINKINFO`.
pub(super) const LINK_INFO: u16 = 18;
/// `IFLA_AF_SPEC`: what each family has of its own.
pub(super) const LINK_BY_FAMILY: u16 = 26;
/// `IFLA_GROUP`.
pub(super) const LINK_GROUP: u16 = 27;
/// `IFLA_NET_NS_FD`.
pub(super) const LINK_NAMESPACE: u16 = 28;
/// `IFLA_EXT_MASK`.
pub(super) const LINK_DETAIL: u16 = 29;
/// `IFLA_LINK_NETNSID`: the interface beneath is in another network namespace.
pub(super) const LINK_LOWER_NAMESPACE: u16 = 37;
/// `IFLA_INFO_KIND`.
pub(super) const INFO_KIND: u16 = 1;
/// `IFLA_INFO_DATA`.
pub(super) const INFO_DATA: u16 = 2;
/// `IFLA_MACVLAN_MODE`.
pub(super) const MACVLAN_MODE: u16 = 1;
/// `MACVLAN_MODE_PRIVATE`.
pub(super) const MACVLAN_PRIVATE: u32 = 1;
/// `IFLA_IPVLAN_MODE`.
pub(super) const IPVLAN_MODE: u16 = 1;
/// `IPVLAN_MODE_L2`.
pub(super) const IPVLAN_L2: u16 = 0;
/// `IFLA_IPVLAN_FLAGS`.
pub(super) const IPVLAN_FLAGS: u16 = 2;
/// `IPVLAN_F_PRIVATE`.
pub(super) const IPVLAN_PRIVATE: u16 = 1;
/// `IPVLAN_F_VEPA`.
pub(super) const IPVLAN_VEPA: u16 = 2;
/// `IFLA_INET6_ADDR_GEN_MODE`, below `IFLA_AF_SPEC`.
pub(super) const ADDRESS_GENERATION: u16 = 8;
/// `IN6_ADDR_GEN_MODE_NONE`.
pub(super) const ADDRESS_GENERATION_NONE: u8 = 1;
/// `RTEXT_FILTER_SKIP_STATS`: half of every answer is counters that nobody here reads.
pub(super) const WITHOUT_STATISTICS: u32 = 0x8;
/// `VETH_INFO_PEER`.
pub(super) const VETH_PEER: u16 = 1;
/// `IFLA_BR_FORWARD_DELAY`.
pub(super) const BRIDGE_FORWARD_DELAY: u16 = 1;
/// `IFLA_BR_MCAST_SNOOPING`.
pub(super) const BRIDGE_MULTICAST_SNOOPING: u16 = 23;

/// `IFA_ADDRESS`: the address, or the other end of a point-to-point one.
pub(super) const ADDRESS_PEER: u16 = 1;
/// `IFA_LOCAL`.
pub(super) const ADDRESS_LOCAL: u16 = 2;
/// `IFA_LABEL`.
pub(super) const ADDRESS_LABEL: u16 = 3;
/// `IFA_BROADCAST`.
pub(super) const ADDRESS_BROADCAST: u16 = 4;
/// `IFA_CACHEINFO`.
pub(super) const ADDRESS_LIFETIMES: u16 = 6;
/// `IFA_FLAGS`: all 32 bits; the header has room for eight.
pub(super) const ADDRESS_FLAGS: u16 = 8;
/// `IFA_PROTO`: who put the address there (Linux 5.18).
pub(super) const ADDRESS_PROTOCOL: u16 = 11;

/// `IFA_F_SECONDARY`; the same bit is `IFA_F_TEMPORARY` for IPv6.
pub(super) const SECONDARY: u32 = 0x1;
/// `IFA_F_NODAD`.
pub(super) const NO_DAD: u32 = 0x2;
/// `IFA_F_DADFAILED`.
pub(super) const DAD_FAILED: u32 = 0x8;
/// `IFA_F_HOMEADDRESS`.
pub(super) const HOME: u32 = 0x10;
/// `IFA_F_DEPRECATED`.
pub(super) const DEPRECATED: u32 = 0x20;
/// `IFA_F_TENTATIVE`.
pub(super) const TENTATIVE: u32 = 0x40;
/// `IFA_F_MANAGETEMPADDR`.
pub(super) const MANAGE_TEMPORARY: u32 = 0x100;
/// `IFA_F_NOPREFIXROUTE`.
pub(super) const NO_PREFIX_ROUTE: u32 = 0x200;
/// `IFA_F_MCAUTOJOIN`.
pub(super) const AUTO_JOIN: u32 = 0x400;
/// A lifetime without end.
pub(super) const FOREVER: u32 = u32::MAX;

/// `RTNLGRP_LINK`, `RTNLGRP_IPV4_IFADDR` and `RTNLGRP_IPV6_IFADDR` as the bits of a bind address.
pub(super) const MONITORED_GROUPS: u32 = 1 | 1 << 4 | 1 << 8;

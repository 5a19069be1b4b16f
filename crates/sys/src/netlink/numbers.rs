//! Numbers of the kernel's interface (`linux/netlink.h`, `linux/rtnetlink.h`, `linux/if_addr.h`,
//! `linux/if_link.h`, `linux/veth.h`, `linux/fib_rules.h`, `linux/lwtunnel.h`), in the width that the messages have.

/// `NLMSG_ERROR`: the answer to a request; code 0 is an acknowledgement.
pub(crate) const ERROR: u16 = 2;
/// `NLMSG_DONE`: the end of a dump.
pub(crate) const DONE: u16 = 3;
/// `NLMSG_OVERRUN`: never sent by today's kernels, and would mean that messages were lost.
pub(super) const OVERRUN: u16 = 4;

/// `NLM_F_REQUEST`.
pub(crate) const REQUEST: u16 = 0x1;
/// `NLM_F_ACK`.
pub(crate) const ACK: u16 = 0x4;
/// `NLM_F_DUMP_INTR`: what is being listed changed meanwhile.
pub(crate) const DUMP_INTERRUPTED: u16 = 0x10;
/// `NLM_F_DUMP`.
pub(crate) const DUMP: u16 = 0x300;
/// `NLM_F_CREATE | NLM_F_EXCL`: a new object, not an existing one.
pub(super) const CREATE_NEW: u16 = 0x600;
/// `NLM_F_REPLACE`.
pub(super) const REPLACE: u16 = 0x100;
/// `NLM_F_CREATE`.
pub(super) const CREATE: u16 = 0x400;
/// `NLM_F_APPEND`.
pub(super) const APPEND: u16 = 0x800;
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

/// `RTM_NEWROUTE`.
pub(super) const NEW_ROUTE: u16 = 24;
/// `RTM_DELROUTE`.
pub(super) const DELETE_ROUTE: u16 = 25;
/// `RTM_GETROUTE`.
pub(super) const GET_ROUTE: u16 = 26;
/// `RTM_NEWRULE`.
pub(super) const NEW_RULE: u16 = 32;
/// `RTM_DELRULE`.
pub(super) const DELETE_RULE: u16 = 33;
/// `RTM_GETRULE`.
pub(super) const GET_RULE: u16 = 34;

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
/// `IFLA_VRF_TABLE`.
pub(super) const VRF_TABLE: u16 = 1;
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

/// Groups of routes and rules: `RTNLGRP_IPV4_ROUTE`, `RTNLGRP_IPV4_RULE`, `RTNLGRP_IPV6_ROUTE`, `RTNLGRP_IPV6_RULE`.
pub(super) const ROUTING_GROUPS: [i32; 4] = [7, 8, 11, 19];

/// `RTA_DST`.
pub(super) const ROUTE_DESTINATION: u16 = 1;
/// `RTA_SRC`.
pub(super) const ROUTE_FROM: u16 = 2;
/// `RTA_OIF`.
pub(super) const ROUTE_INTERFACE: u16 = 4;
/// `RTA_GATEWAY`.
pub(super) const ROUTE_VIA: u16 = 5;
/// `RTA_PRIORITY`.
pub(super) const ROUTE_METRIC: u16 = 6;
/// `RTA_PREFSRC`.
pub(super) const ROUTE_SOURCE: u16 = 7;
/// `RTA_METRICS`.
pub(super) const ROUTE_METRICS: u16 = 8;
/// `RTA_MULTIPATH`.
pub(super) const ROUTE_HOPS: u16 = 9;
/// `RTA_FLOW`.
pub(super) const ROUTE_REALMS: u16 = 11;
/// `RTA_TABLE`.
pub(super) const ROUTE_TABLE: u16 = 15;
/// `RTA_VIA`: a next router of another family.
pub(super) const ROUTE_VIA_ANY: u16 = 18;
/// `RTA_PREF`.
pub(super) const ROUTE_PREFERENCE: u16 = 20;
/// `RTA_ENCAP_TYPE`.
pub(super) const ROUTE_ENCAP_TYPE: u16 = 21;
/// `RTA_ENCAP`.
pub(super) const ROUTE_ENCAP: u16 = 22;
/// `RTA_EXPIRES`.
pub(super) const ROUTE_EXPIRES: u16 = 23;
/// `RTA_TTL_PROPAGATE`.
pub(super) const ROUTE_TTL_PROPAGATE: u16 = 26;
/// `RTAX_LOCK`.
pub(super) const METRIC_LOCK: u16 = 1;
/// `RTAX_CC_ALGO`.
pub(super) const METRIC_CONGESTION: u16 = 16;
/// `RTNH_F_ONLINK`.
pub(super) const ON_LINK: u8 = 4;
/// `RT_SCOPE_NOWHERE`: any scope, in a request to delete.
pub(super) const NOWHERE: u8 = 255;
/// `RTM_F_CLONED`: a cached entry, not one of the table.
pub(super) const CLONED: u32 = 0x200;
/// The metric that an IPv6 route gets by default (`IP6_RT_PRIO_USER`).
pub(super) const DEFAULT_METRIC_V6: u32 = 1024;

/// `LWTUNNEL_ENCAP_MPLS`.
pub(super) const ENCAP_MPLS: u16 = 1;
/// `LWTUNNEL_ENCAP_IP`.
pub(super) const ENCAP_IP: u16 = 2;
/// `LWTUNNEL_ENCAP_ILA`.
pub(super) const ENCAP_ILA: u16 = 3;
/// `LWTUNNEL_ENCAP_IP6`.
pub(super) const ENCAP_IP6: u16 = 4;
/// `LWTUNNEL_IP_ID`; the numbers of IPv6 are the same.
pub(super) const TUNNEL_ID: u16 = 1;
/// `LWTUNNEL_IP_DST`.
pub(super) const TUNNEL_DESTINATION: u16 = 2;
/// `LWTUNNEL_IP_SRC`.
pub(super) const TUNNEL_SOURCE: u16 = 3;
/// `LWTUNNEL_IP_TTL`, `LWTUNNEL_IP6_HOPLIMIT`.
pub(super) const TUNNEL_HOP_LIMIT: u16 = 4;
/// `LWTUNNEL_IP_TOS`, `LWTUNNEL_IP6_TC`.
pub(super) const TUNNEL_CLASS: u16 = 5;
/// `LWTUNNEL_IP_FLAGS`.
pub(super) const TUNNEL_FLAGS: u16 = 6;
/// `MPLS_IPTUNNEL_DST`.
pub(super) const MPLS_LABELS: u16 = 1;
/// `ILA_ATTR_LOCATOR`.
pub(super) const ILA_LOCATOR: u16 = 1;

/// `FIB_RULE_INVERT`.
pub(super) const RULE_INVERT: u32 = 2;
/// `FRA_DST`.
pub(super) const RULE_TO: u16 = 1;
/// `FRA_SRC`.
pub(super) const RULE_FROM: u16 = 2;
/// `FRA_IIFNAME`.
pub(super) const RULE_INPUT: u16 = 3;
/// `FRA_GOTO`.
pub(super) const RULE_GOTO: u16 = 4;
/// `FRA_PRIORITY`.
pub(super) const RULE_PREFERENCE: u16 = 6;
/// `FRA_FWMARK`.
pub(super) const RULE_MARK: u16 = 10;
/// `FRA_FLOW`.
pub(super) const RULE_REALMS: u16 = 11;
/// `FRA_TUN_ID`.
pub(super) const RULE_TUNNEL_ID: u16 = 12;
/// `FRA_SUPPRESS_IFGROUP`.
pub(super) const RULE_SUPPRESS_GROUP: u16 = 13;
/// `FRA_SUPPRESS_PREFIXLEN`.
pub(super) const RULE_SUPPRESS_LENGTH: u16 = 14;
/// `FRA_TABLE`.
pub(super) const RULE_TABLE: u16 = 15;
/// `FRA_FWMASK`.
pub(super) const RULE_MASK: u16 = 16;
/// `FRA_OIFNAME`.
pub(super) const RULE_OUTPUT: u16 = 17;
/// `FRA_L3MDEV`.
pub(super) const RULE_L3MDEV: u16 = 19;
/// `FRA_UID_RANGE`.
pub(super) const RULE_USERS: u16 = 20;
/// `FRA_PROTOCOL`.
pub(super) const RULE_PROTOCOL: u16 = 21;
/// `FRA_IP_PROTO`.
pub(super) const RULE_IP_PROTOCOL: u16 = 22;
/// `FRA_SPORT_RANGE`.
pub(super) const RULE_SOURCE_PORTS: u16 = 23;
/// `FRA_DPORT_RANGE`.
pub(super) const RULE_DESTINATION_PORTS: u16 = 24;

//! Numbers of the kernel's interface (`linux/genetlink.h`, `linux/ip_vs.h`), in the width that the messages have.

/// `GENL_ID_CTRL`: whom to ask for the number of a family.
pub(super) const CONTROLLER: u16 = 0x10;
/// `CTRL_CMD_GETFAMILY`.
pub(super) const CONTROL_GET_FAMILY: u8 = 3;
/// Of the controller's messages.
pub(super) const CONTROL_VERSION: u8 = 2;
/// `CTRL_ATTR_FAMILY_ID`.
pub(super) const CONTROL_FAMILY_ID: u16 = 1;
/// `CTRL_ATTR_FAMILY_NAME`.
pub(super) const CONTROL_FAMILY_NAME: u16 = 2;

/// `IPVS_GENL_NAME`.
pub(super) const FAMILY: &str = "IPVS";
/// `IPVS_GENL_VERSION`.
pub(super) const VERSION: u8 = 1;

/// `IPVS_CMD_NEW_SERVICE`.
pub(super) const NEW_SERVICE: u8 = 1;
/// `IPVS_CMD_SET_SERVICE`.
pub(super) const SET_SERVICE: u8 = 2;
/// `IPVS_CMD_DEL_SERVICE`.
pub(super) const DELETE_SERVICE: u8 = 3;
/// `IPVS_CMD_GET_SERVICE`.
pub(super) const GET_SERVICE: u8 = 4;
/// `IPVS_CMD_NEW_DEST`.
pub(super) const NEW_DESTINATION: u8 = 5;
/// `IPVS_CMD_SET_DEST`.
pub(super) const SET_DESTINATION: u8 = 6;
/// `IPVS_CMD_DEL_DEST`.
pub(super) const DELETE_DESTINATION: u8 = 7;
/// `IPVS_CMD_GET_DEST`.
pub(super) const GET_DESTINATION: u8 = 8;
/// `IPVS_CMD_NEW_DAEMON`.
pub(super) const NEW_DAEMON: u8 = 9;
/// `IPVS_CMD_DEL_DAEMON`.
pub(super) const DELETE_DAEMON: u8 = 10;
/// `IPVS_CMD_GET_DAEMON`.
pub(super) const GET_DAEMON: u8 = 11;
/// `IPVS_CMD_SET_CONFIG`.
pub(super) const SET_CONFIG: u8 = 12;
/// `IPVS_CMD_GET_CONFIG`.
pub(super) const GET_CONFIG: u8 = 13;
/// `IPVS_CMD_GET_INFO`.
pub(super) const GET_INFO: u8 = 15;
/// `IPVS_CMD_FLUSH`.
pub(super) const FLUSH: u8 = 17;

/// `IPVS_CMD_ATTR_SERVICE`.
pub(super) const SERVICE: u16 = 1;
/// `IPVS_CMD_ATTR_DEST`.
pub(super) const DESTINATION: u16 = 2;
/// `IPVS_CMD_ATTR_DAEMON`.
pub(super) const DAEMON: u16 = 3;
/// `IPVS_CMD_ATTR_TIMEOUT_TCP`.
pub(super) const TIMEOUT_TCP: u16 = 4;
/// `IPVS_CMD_ATTR_TIMEOUT_TCP_FIN`.
pub(super) const TIMEOUT_TCP_FIN: u16 = 5;
/// `IPVS_CMD_ATTR_TIMEOUT_UDP`.
pub(super) const TIMEOUT_UDP: u16 = 6;

/// `IPVS_INFO_ATTR_VERSION`.
pub(super) const INFO_VERSION: u16 = 1;
/// `IPVS_INFO_ATTR_CONN_TAB_SIZE`.
pub(super) const INFO_TABLE_SIZE: u16 = 2;

/// `IPVS_SVC_ATTR_AF`.
pub(super) const SERVICE_FAMILY: u16 = 1;
/// `IPVS_SVC_ATTR_PROTOCOL`.
pub(super) const SERVICE_PROTOCOL: u16 = 2;
/// `IPVS_SVC_ATTR_ADDR`.
pub(super) const SERVICE_ADDRESS: u16 = 3;
/// `IPVS_SVC_ATTR_PORT`.
pub(super) const SERVICE_PORT: u16 = 4;
/// `IPVS_SVC_ATTR_FWMARK`.
pub(super) const SERVICE_MARK: u16 = 5;
/// `IPVS_SVC_ATTR_SCHED_NAME`.
pub(super) const SERVICE_SCHEDULER: u16 = 6;
/// `IPVS_SVC_ATTR_FLAGS`: flags, and which of them are meant.
pub(super) const SERVICE_FLAGS: u16 = 7;
/// `IPVS_SVC_ATTR_TIMEOUT`.
pub(super) const SERVICE_TIMEOUT: u16 = 8;
/// `IPVS_SVC_ATTR_NETMASK`.
pub(super) const SERVICE_NETMASK: u16 = 9;
/// `IPVS_SVC_ATTR_STATS`.
pub(super) const SERVICE_STATISTICS: u16 = 10;
/// `IPVS_SVC_ATTR_PE_NAME`.
pub(super) const SERVICE_ENGINE: u16 = 11;
/// `IPVS_SVC_ATTR_STATS64` (Linux 4.1).
pub(super) const SERVICE_STATISTICS_64: u16 = 12;

/// `IP_VS_SVC_F_PERSISTENT`.
pub(super) const FLAG_PERSISTENT: u32 = 0x1;
/// `IP_VS_SVC_F_ONEPACKET`.
pub(super) const FLAG_ONE_PACKET: u32 = 0x4;
/// `IP_VS_SVC_F_SCHED1` to `IP_VS_SVC_F_SCHED3`.
pub(super) const FLAGS_OF_SCHEDULER: [u32; 3] = [0x8, 0x10, 0x20];

/// `IPVS_DEST_ATTR_ADDR`.
pub(super) const DESTINATION_ADDRESS: u16 = 1;
/// `IPVS_DEST_ATTR_PORT`.
pub(super) const DESTINATION_PORT: u16 = 2;
/// `IPVS_DEST_ATTR_FWD_METHOD`.
pub(super) const DESTINATION_FORWARDING: u16 = 3;
/// `IPVS_DEST_ATTR_WEIGHT`.
pub(super) const DESTINATION_WEIGHT: u16 = 4;
/// `IPVS_DEST_ATTR_U_THRESH`.
pub(super) const DESTINATION_UPPER: u16 = 5;
/// `IPVS_DEST_ATTR_L_THRESH`.
pub(super) const DESTINATION_LOWER: u16 = 6;
/// `IPVS_DEST_ATTR_ACTIVE_CONNS`.
pub(super) const DESTINATION_ACTIVE: u16 = 7;
/// `IPVS_DEST_ATTR_INACT_CONNS`.
pub(super) const DESTINATION_INACTIVE: u16 = 8;
/// `IPVS_DEST_ATTR_PERSIST_CONNS`.
pub(super) const DESTINATION_PERSISTENT: u16 = 9;
/// `IPVS_DEST_ATTR_STATS`.
pub(super) const DESTINATION_STATISTICS: u16 = 10;
/// `IPVS_DEST_ATTR_ADDR_FAMILY` (Linux 3.18).
pub(super) const DESTINATION_FAMILY: u16 = 11;
/// `IPVS_DEST_ATTR_STATS64` (Linux 4.1).
pub(super) const DESTINATION_STATISTICS_64: u16 = 12;
/// `IPVS_DEST_ATTR_TUN_TYPE` (Linux 5.2).
pub(super) const DESTINATION_TUNNEL: u16 = 13;
/// `IPVS_DEST_ATTR_TUN_PORT` (Linux 5.2).
pub(super) const DESTINATION_TUNNEL_PORT: u16 = 14;
/// `IPVS_DEST_ATTR_TUN_FLAGS` (Linux 5.3).
pub(super) const DESTINATION_TUNNEL_FLAGS: u16 = 15;

/// `IP_VS_CONN_F_MASQ`.
pub(super) const FORWARD_NAT: u32 = 0;
/// `IP_VS_CONN_F_TUNNEL`.
pub(super) const FORWARD_TUNNEL: u32 = 2;
/// `IP_VS_CONN_F_DROUTE`.
pub(super) const FORWARD_ROUTE: u32 = 3;
/// `IP_VS_CONN_F_FWD_MASK`: the bits of the method; others may stand beside them.
pub(super) const FORWARD_MASK: u32 = 7;

/// `IP_VS_CONN_F_TUNNEL_TYPE_IPIP`.
pub(super) const TUNNEL_IPIP: u8 = 0;
/// `IP_VS_CONN_F_TUNNEL_TYPE_GUE`.
pub(super) const TUNNEL_GUE: u8 = 1;
/// `IP_VS_CONN_F_TUNNEL_TYPE_GRE`.
pub(super) const TUNNEL_GRE: u8 = 2;

/// `IP_VS_TUNNEL_ENCAP_FLAG_CSUM`.
pub(super) const TUNNEL_CHECKSUM: u16 = 1;
/// `IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM`.
pub(super) const TUNNEL_REMOTE_CHECKSUM: u16 = 2;

/// `IPVS_DAEMON_ATTR_STATE`.
pub(super) const DAEMON_STATE: u16 = 1;
/// `IPVS_DAEMON_ATTR_MCAST_IFN`.
pub(super) const DAEMON_INTERFACE: u16 = 2;
/// `IPVS_DAEMON_ATTR_SYNC_ID`.
pub(super) const DAEMON_ID: u16 = 3;
/// `IPVS_DAEMON_ATTR_SYNC_MAXLEN` (Linux 4.3, as those below).
pub(super) const DAEMON_LONGEST: u16 = 4;
/// `IPVS_DAEMON_ATTR_MCAST_GROUP`.
pub(super) const DAEMON_GROUP_V4: u16 = 5;
/// `IPVS_DAEMON_ATTR_MCAST_GROUP6`.
pub(super) const DAEMON_GROUP_V6: u16 = 6;
/// `IPVS_DAEMON_ATTR_MCAST_PORT`.
pub(super) const DAEMON_PORT: u16 = 7;
/// `IPVS_DAEMON_ATTR_MCAST_TTL`.
pub(super) const DAEMON_TTL: u16 = 8;

/// `IP_VS_STATE_MASTER`.
pub(super) const STATE_MASTER: u32 = 1;
/// `IP_VS_STATE_BACKUP`.
pub(super) const STATE_BACKUP: u32 = 2;

/// `IPVS_STATS_ATTR_CONNS`.
pub(super) const COUNT_CONNECTIONS: u16 = 1;
/// `IPVS_STATS_ATTR_INPKTS`.
pub(super) const COUNT_PACKETS_IN: u16 = 2;
/// `IPVS_STATS_ATTR_OUTPKTS`.
pub(super) const COUNT_PACKETS_OUT: u16 = 3;
/// `IPVS_STATS_ATTR_INBYTES`.
pub(super) const COUNT_BYTES_IN: u16 = 4;
/// `IPVS_STATS_ATTR_OUTBYTES`.
pub(super) const COUNT_BYTES_OUT: u16 = 5;
/// `IPVS_STATS_ATTR_CPS`.
pub(super) const RATE_CONNECTIONS: u16 = 6;
/// `IPVS_STATS_ATTR_INPPS`.
pub(super) const RATE_PACKETS_IN: u16 = 7;
/// `IPVS_STATS_ATTR_OUTPPS`.
pub(super) const RATE_PACKETS_OUT: u16 = 8;
/// `IPVS_STATS_ATTR_INBPS`.
pub(super) const RATE_BYTES_IN: u16 = 9;
/// `IPVS_STATS_ATTR_OUTBPS`.
pub(super) const RATE_BYTES_OUT: u16 = 10;

/// `AF_INET`.
pub(super) const FAMILY_V4: u16 = 2;
/// `AF_INET6`.
pub(super) const FAMILY_V6: u16 = 10;

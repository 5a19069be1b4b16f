//! Numbers of the kernel's interface (`linux/netfilter/nfnetlink.h`, `linux/netfilter/nf_tables.h`), in the width that the
//! messages have, and of nft's names for types, which it keeps in the kernel so that it can print a set again.

/// `NFNL_MSG_BATCH_BEGIN`.
pub(super) const BATCH_BEGIN: u16 = 16;
/// `NFNL_MSG_BATCH_END`.
pub(super) const BATCH_END: u16 = 17;
/// `NFNL_SUBSYS_NFTABLES`: whom a batch is for.
pub(super) const SUBSYSTEM: u16 = 10;

const fn message(number: u16) -> u16 {
    SUBSYSTEM << 8 | number
}

/// `NFT_MSG_NEWTABLE`.
pub(super) const NEW_TABLE: u16 = message(0);
/// `NFT_MSG_DELTABLE`.
pub(super) const DELETE_TABLE: u16 = message(2);
/// `NFT_MSG_NEWCHAIN`.
pub(super) const NEW_CHAIN: u16 = message(3);
/// `NFT_MSG_NEWRULE`.
pub(super) const NEW_RULE: u16 = message(6);
/// `NFT_MSG_GETRULE`.
pub(super) const GET_RULE: u16 = message(7);
/// `NFT_MSG_DELRULE`: without a handle, all rules of a chain.
pub(super) const DELETE_RULE: u16 = message(8);
/// `NFT_MSG_DELSET`.
pub(super) const DELETE_SET: u16 = message(11);
/// `NFT_MSG_NEWSET`.
pub(super) const NEW_SET: u16 = message(9);
/// `NFT_MSG_NEWSETELEM`.
pub(super) const NEW_ELEMENTS: u16 = message(12);
/// `NFT_MSG_GETSETELEM`.
pub(super) const GET_ELEMENTS: u16 = message(13);
/// `NFT_MSG_DELSETELEM`.
pub(super) const DELETE_ELEMENTS: u16 = message(14);

/// `NFPROTO_IPV4`.
pub(super) const FAMILY_V4: u8 = 2;
/// `NFPROTO_IPV6`.
pub(super) const FAMILY_V6: u8 = 10;

/// `NLM_F_CREATE`.
pub(super) const CREATE: u16 = 0x400;
/// `NLM_F_APPEND`: a rule goes behind those that are there.
pub(super) const APPEND: u16 = 0x800;

/// `NFTA_LIST_ELEM`: one of a list.
pub(super) const LIST_ELEMENT: u16 = 1;

/// `NFTA_TABLE_NAME`; the same number as the table's name in messages about chains, sets, elements and rules.
pub(super) const TABLE_NAME: u16 = 1;

/// `NFTA_CHAIN_NAME`.
pub(super) const CHAIN_NAME: u16 = 3;
/// `NFTA_CHAIN_HOOK`.
pub(super) const CHAIN_HOOK: u16 = 4;
/// `NFTA_CHAIN_POLICY`.
pub(super) const CHAIN_POLICY: u16 = 5;
/// `NFTA_CHAIN_TYPE`.
pub(super) const CHAIN_TYPE: u16 = 7;
/// `NFTA_HOOK_HOOKNUM`.
pub(super) const HOOK_NUMBER: u16 = 1;
/// `NFTA_HOOK_PRIORITY`.
pub(super) const HOOK_PRIORITY: u16 = 2;
/// `NF_INET_LOCAL_IN`.
pub(super) const HOOK_INPUT: u32 = 1;
/// `NF_INET_LOCAL_OUT`.
pub(super) const HOOK_OUTPUT: u32 = 3;

/// `NFTA_SET_NAME`.
pub(super) const SET_NAME: u16 = 2;
/// `NFTA_SET_FLAGS`.
pub(super) const SET_FLAGS: u16 = 3;
/// `NFTA_SET_KEY_TYPE`.
pub(super) const SET_KEY_TYPE: u16 = 4;
/// `NFTA_SET_KEY_LEN`.
pub(super) const SET_KEY_LENGTH: u16 = 5;
/// `NFTA_SET_DATA_TYPE`.
pub(super) const SET_DATA_TYPE: u16 = 6;
/// `NFTA_SET_DATA_LEN`.
pub(super) const SET_DATA_LENGTH: u16 = 7;
/// `NFTA_SET_DESC`.
pub(super) const SET_DESCRIPTION: u16 = 9;
/// `NFTA_SET_DESC_CONCAT`: what a key is put together of.
pub(super) const DESCRIPTION_FIELDS: u16 = 2;
/// `NFTA_SET_FIELD_LEN`.
pub(super) const FIELD_LENGTH: u16 = 1;
/// `NFTA_SET_ID`: how the messages of one batch know the set.
pub(super) const SET_ID: u16 = 10;
/// `NFTA_SET_USERDATA`: what nft wants to find again.
pub(super) const SET_USER_DATA: u16 = 13;
/// `NFT_SET_CONSTANT`.
pub(super) const SET_IS_CONSTANT: u32 = 0x2;
/// `NFT_SET_INTERVAL`.
pub(super) const SET_HAS_INTERVALS: u32 = 0x4;
/// `NFT_SET_CONCAT`: there are intervals in each field of a key (Linux 5.7).
pub(super) const SET_IS_CONCATENATED: u32 = 0x80;
/// `NFT_SET_MAP`.
pub(super) const SET_IS_MAP: u32 = 0x8;

/// `NFTA_SET_ELEM_LIST_SET`.
pub(super) const ELEMENTS_SET: u16 = 2;
/// `NFTA_SET_ELEM_LIST_ELEMENTS`.
pub(super) const ELEMENTS_LIST: u16 = 3;
/// `NFTA_SET_ELEM_KEY`.
pub(super) const ELEMENT_KEY: u16 = 1;
/// `NFTA_SET_ELEM_DATA`.
pub(super) const ELEMENT_DATA: u16 = 2;

/// `NFTA_SET_ELEM_KEY_END`: the last key of an interval (Linux 5.6).
pub(super) const ELEMENT_KEY_END: u16 = 10;

/// `NFTA_DATA_VALUE`.
pub(super) const DATA_VALUE: u16 = 1;
/// `NFTA_DATA_VERDICT`.
pub(super) const DATA_VERDICT: u16 = 2;
/// `NFTA_VERDICT_CODE`.
pub(super) const VERDICT_CODE: u16 = 1;
/// `NFTA_VERDICT_CHAIN`.
pub(super) const VERDICT_CHAIN: u16 = 2;
/// `NF_DROP`.
pub(super) const DROP: u32 = 0;
/// `NF_ACCEPT`.
pub(super) const ACCEPT: u32 = 1;
/// `NFT_GOTO`, which is -4.
pub(super) const GOTO: u32 = 4_u32.wrapping_neg();
/// `NFT_RETURN`, which is -5.
pub(super) const RETURN: u32 = 5_u32.wrapping_neg();

/// `NFTA_RULE_CHAIN`.
pub(super) const RULE_CHAIN: u16 = 2;
/// `NFTA_RULE_EXPRESSIONS`.
pub(super) const RULE_EXPRESSIONS: u16 = 4;
/// `NFTA_EXPR_NAME`.
pub(super) const EXPRESSION_NAME: u16 = 1;
/// `NFTA_EXPR_DATA`.
pub(super) const EXPRESSION_DATA: u16 = 2;

/// `NFT_REG_VERDICT`: where an immediate verdict is put.
pub(super) const REGISTER_OF_VERDICT: u32 = 0;
/// `NFT_REG_1`, 16 bytes.
pub(super) const FIRST: u32 = 1;
/// `NFT_REG_2`, 16 bytes directly behind the first: together they are the key of a set of pairs.
pub(super) const SECOND: u32 = 2;

/// `NFT_REG32_01`: the four bytes behind the first four of the first register.
pub(super) const BEHIND_FOUR_BYTES: u32 = 9;

/// `NFTA_PAYLOAD_DREG`.
pub(super) const PAYLOAD_TO: u16 = 1;
/// `NFTA_PAYLOAD_BASE`.
pub(super) const PAYLOAD_BASE: u16 = 2;
/// `NFTA_PAYLOAD_OFFSET`.
pub(super) const PAYLOAD_OFFSET: u16 = 3;
/// `NFTA_PAYLOAD_LEN`.
pub(super) const PAYLOAD_LENGTH: u16 = 4;
/// `NFT_PAYLOAD_NETWORK_HEADER`.
pub(super) const NETWORK_HEADER: u32 = 1;
/// `NFT_PAYLOAD_TRANSPORT_HEADER`.
pub(super) const TRANSPORT_HEADER: u32 = 2;

/// `NFTA_META_DREG`.
pub(super) const META_TO: u16 = 1;
/// `NFTA_META_KEY`.
pub(super) const META_KEY: u16 = 2;
/// `NFTA_META_SREG`.
pub(super) const META_FROM: u16 = 3;
/// `NFT_META_MARK`.
pub(super) const META_MARK: u32 = 3;
/// `NFT_META_IIF`: index of the interface that a packet came by.
pub(super) const META_IN_INDEX: u32 = 4;
/// `NFT_META_OIF`.
pub(super) const META_OUT_INDEX: u32 = 5;
/// `NFT_META_IIFNAME`.
pub(super) const META_IN_NAME: u32 = 6;
/// `NFT_META_OIFNAME`.
pub(super) const META_OUT_NAME: u32 = 7;
/// `NFT_META_L4PROTO`.
pub(super) const META_PROTOCOL: u32 = 16;
/// `NFT_META_OIFKIND`: the kind of device that a packet leaves by (Linux 4.20).
pub(super) const META_OUT_KIND: u32 = 27;

/// `NFTA_CMP_SREG`.
pub(super) const COMPARE_FROM: u16 = 1;
/// `NFTA_CMP_OP`.
pub(super) const COMPARE_OPERATION: u16 = 2;
/// `NFTA_CMP_DATA`.
pub(super) const COMPARE_DATA: u16 = 3;
/// `NFT_CMP_EQ`.
pub(super) const EQUAL: u32 = 0;

/// `NFTA_BITWISE_SREG`.
pub(super) const BITWISE_FROM: u16 = 1;
/// `NFTA_BITWISE_DREG`.
pub(super) const BITWISE_TO: u16 = 2;
/// `NFTA_BITWISE_LEN`.
pub(super) const BITWISE_LENGTH: u16 = 3;
/// `NFTA_BITWISE_MASK`.
pub(super) const BITWISE_MASK: u16 = 4;
/// `NFTA_BITWISE_XOR`.
pub(super) const BITWISE_XOR: u16 = 5;

/// `NFTA_LOOKUP_SET`.
pub(super) const LOOKUP_SET: u16 = 1;
/// `NFTA_LOOKUP_SREG`.
pub(super) const LOOKUP_FROM: u16 = 2;
/// `NFTA_LOOKUP_DREG`.
pub(super) const LOOKUP_TO: u16 = 3;
/// `NFTA_LOOKUP_SET_ID`.
pub(super) const LOOKUP_SET_ID: u16 = 4;

/// `NFTA_IMMEDIATE_DREG`.
pub(super) const IMMEDIATE_TO: u16 = 1;
/// `NFTA_IMMEDIATE_DATA`.
pub(super) const IMMEDIATE_DATA: u16 = 2;

/// `NFTA_COUNTER_BYTES`.
pub(super) const COUNTER_BYTES: u16 = 1;
/// `NFTA_COUNTER_PACKETS`.
pub(super) const COUNTER_PACKETS: u16 = 2;

/// `NFTA_DUP_SREG_ADDR`.
pub(super) const DUPLICATE_TO: u16 = 1;
/// `NFTA_DUP_SREG_DEV`.
pub(super) const DUPLICATE_BY: u16 = 2;

/// nft's `ipv4_addr`.
pub(super) const TYPE_IPV4: u32 = 7;
/// nft's `ipv6_addr`.
pub(super) const TYPE_IPV6: u32 = 8;
/// nft's `inet_service`.
pub(super) const TYPE_PORT: u32 = 13;
/// nft's `mark`.
pub(super) const TYPE_MARK: u32 = 19;
/// nft's `iface_index`.
pub(super) const TYPE_INDEX: u32 = 20;
/// nft's `icmpv6_type`.
pub(super) const TYPE_ICMPV6: u32 = 29;
/// nft's `ifname`.
pub(super) const TYPE_NAME: u32 = 41;

/// nft's name of a pair of types.
pub(super) const fn pair(first: u32, second: u32) -> u32 {
    first << 6 | second
}

/// What nft keeps about a set: the byte order of its keys.
pub(super) const KEY_ORDER: u8 = 0;
/// The byte order of a map's values.
pub(super) const DATA_ORDER: u8 = 1;

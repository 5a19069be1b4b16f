//! `keepalived.stats`: the counters of every instance.

use vrrp::Vrrp;

/// The whole file, in configuration order. Exporters parse every value line as an integer, unknown ones too.
#[must_use]
pub fn stats(vrrp: &Vrrp) -> String {
    let mut text = String::new();
    for instance in vrrp.instances() {
        let s = instance.statistics;
        text += &format!(
            "VRRP Instance: {name}
  Advertisements:
    Received: {}
    Sent: {}
  Became master: {}
  Released master: {}
  Packet Errors:
    Length: {}
    TTL: {}
    Invalid Type: {}
    Advertisement Interval: {}
    Address List: {}
  Authentication Errors:
    Invalid Type: {}
    Type Mismatch: {}
    Failure: {}
  Authentication Extension Errors:
    Missing: {}
    Malformed: {}
    Unknown Key: {}
    Invalid HMAC: {}
    Stale: {}
    Replay: {}
  Priority Zero:
    Received: {}
    Sent: {}
",
            s.advert_rcvd,
            s.advert_sent,
            s.become_master,
            s.release_master,
            s.packet_len_err,
            s.ip_ttl_err,
            s.invalid_type_rcvd,
            s.advert_interval_err,
            s.addr_list_err,
            s.invalid_authtype,
            s.authtype_mismatch,
            s.auth_failure,
            s.auth_ext_missing,
            s.auth_ext_malformed,
            s.auth_ext_unknown_key,
            s.auth_ext_invalid_hmac,
            s.auth_ext_stale,
            s.auth_ext_replay,
            s.pri_zero_rcvd,
            s.pri_zero_sent,
            name = instance.settings.name,
        );
    }
    text
}

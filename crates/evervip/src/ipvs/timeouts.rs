//! What the kernel's timeouts were before `lvs_timeouts`, as the parent keeps it for a process that dies.

use std::collections::BTreeMap;

use anyhow::Result;
use config::settings::global::IpvsNamespace;
use sys::ipvs::Timeouts;

use super::Module;

const TCP: &str = "lvs_timeouts/tcp";
const TCP_FIN: &str = "lvs_timeouts/tcpfin";
const UDP: &str = "lvs_timeouts/udp";

/// As settings that were overridden; `None`: they are as they were.
pub(crate) fn to_overridden(before: Option<Timeouts>) -> Vec<(String, Option<i64>)> {
    let values = [
        (TCP, before.map(|before| before.tcp)),
        (TCP_FIN, before.map(|before| before.tcp_fin)),
        (UDP, before.map(|before| before.udp)),
    ];
    values
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.map(i64::from)))
        .collect()
}

/// Takes the timeouts out of the settings that were overridden, if they are among them.
pub(crate) fn take(overridden: &mut BTreeMap<String, i64>) -> Option<Timeouts> {
    let mut value = |name| overridden.remove(name).and_then(|n| u32::try_from(n).ok());
    let (tcp, tcp_fin, udp) = (value(TCP), value(TCP_FIN), value(UDP));
    Some(Timeouts {
        tcp: tcp?,
        tcp_fin: tcp_fin?,
        udp: udp?,
    })
}

/// Puts them back: nobody comes after the process that changed them.
///
/// # Errors
/// When there is no IPVS, or no way to it.
pub(crate) fn put_back(namespace: &IpvsNamespace, before: Timeouts) -> Result<()> {
    Ok(super::open(namespace, Module::Leave)?.set_timeouts(before)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_taken_again() {
        let before = Timeouts {
            tcp: 900,
            tcp_fin: 120,
            udp: u32::MAX,
        };
        let mut kept: BTreeMap<String, i64> = to_overridden(Some(before))
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        kept.insert("net/ipv4/conf/eth0/rp_filter".to_owned(), 1);
        assert_eq!(take(&mut kept), Some(before));
        assert_eq!(kept.len(), 1);
        assert_eq!(take(&mut kept), None);
        assert!(to_overridden(None).iter().all(|(_, value)| value.is_none()));
    }
}

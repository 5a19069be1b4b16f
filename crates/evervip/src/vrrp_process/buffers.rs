//! How large receive buffers are to be: those of netlink, and that of the adverts of a family.
//!
//! We have one socket for each family, keepalived one for each interface and group: ours gets the sum.

use std::collections::BTreeMap;

use config::settings::global::{AdvertBuffer, AdvertBufferPolicy};
use types::{Family, IfName, Version};
use vrrp::settings::{Authentication, InstanceSettings};

/// The MTU to reckon with where there is no interface.
const USUAL_MTU: u32 = 1500;

/// Bytes for the adverts of a family; 0: nobody asks for any.
pub(super) fn of_adverts(
    settings: &vrrp::Settings,
    family: Family,
    global: &AdvertBuffer,
    mtus: &BTreeMap<IfName, u32>,
) -> usize {
    let sum = settings
        .instances
        .iter()
        .filter(|instance| instance.family == family)
        .map(|instance| u64::from(of_instance(instance, global, mtus)))
        .sum::<u64>();
    usize::try_from(sum).unwrap_or(usize::MAX)
}

fn of_instance(
    instance: &InstanceSettings,
    global: &AdvertBuffer,
    mtus: &BTreeMap<IfName, u32>,
) -> u32 {
    if let Some(bytes) = instance.kernel_rx_buf_size {
        return bytes;
    }
    match global.policy {
        AdvertBufferPolicy::System => 0,
        AdvertBufferPolicy::Bytes(bytes) => bytes,
        AdvertBufferPolicy::Advert => advert(instance).saturating_mul(global.multiplier),
        AdvertBufferPolicy::Mtu => {
            let interface = instance.interface.as_ref();
            let mtu = interface.and_then(|interface| mtus.get(interface));
            mtu.copied()
                .unwrap_or(USUAL_MTU)
                .saturating_mul(global.multiplier)
        }
    }
}

/// Bytes of its advert, with the IP header.
fn advert(instance: &InstanceSettings) -> u32 {
    let (header, address) = match instance.family {
        Family::V4 => (20, 4),
        Family::V6 => (40, 16),
    };
    let proof = match (&instance.authentication, instance.version) {
        (Authentication::Hmac(_), _) => 28,
        (Authentication::Ah(_), _) => 24 + 8,
        (Authentication::None | Authentication::Pass(_), Version::V2) => 8,
        (Authentication::None | Authentication::Pass(_), Version::V3) => 0,
    };
    let count = u32::try_from(instance.virtual_ipaddress.len()).unwrap_or(u32::MAX);
    count
        .saturating_mul(address)
        .saturating_add(header + 8 + proof)
}

#[cfg(test)]
mod tests {
    use types::{Prefix, Vrid};
    use vrrp::settings::VirtualAddress;

    use super::*;

    fn eth(number: u8) -> IfName {
        IfName::new(&format!("eth{number}")).unwrap()
    }

    fn instance(number: u8) -> InstanceSettings {
        let mut instance = InstanceSettings::new("V", eth(number), Vrid::new(1).unwrap());
        for text in ["198.18.0.1", "198.18.0.2"] {
            let prefix = Prefix::host(text.parse().unwrap());
            instance
                .virtual_ipaddress
                .push(VirtualAddress::new(prefix, eth(number)));
        }
        instance
    }

    fn bytes(instances: Vec<InstanceSettings>, policy: AdvertBufferPolicy) -> usize {
        let settings = vrrp::Settings {
            instances,
            ..vrrp::Settings::default()
        };
        let global = AdvertBuffer {
            policy,
            multiplier: 3,
        };
        let mtus = BTreeMap::from([(eth(0), 9000)]);
        assert_eq!(of_adverts(&settings, Family::V6, &global, &mtus), 0);
        of_adverts(&settings, Family::V4, &global, &mtus)
    }

    #[test]
    fn the_sum_over_all_instances() {
        let own = InstanceSettings {
            kernel_rx_buf_size: Some(7),
            ..instance(0)
        };
        let all = || vec![instance(0), instance(1), own.clone()];
        assert_eq!(bytes(all(), AdvertBufferPolicy::System), 7);
        assert_eq!(bytes(all(), AdvertBufferPolicy::Bytes(1000)), 2007);
        assert_eq!(
            bytes(all(), AdvertBufferPolicy::Mtu),
            3 * 9000 + 3 * 1500 + 7
        );
        // Version 2: 20 + 8 + 2 * 4 + 8.
        assert_eq!(bytes(all(), AdvertBufferPolicy::Advert), 2 * 3 * 44 + 7);
    }
}

//! What somebody else did to a service of ours in the kernel's table, in words: each thing that differs, by its keyword, with
//! what is there and what was wanted.

use std::borrow::Cow;
use std::fmt::Display;

use types::ipvs::{
    DestinationOptions, Forwarding, GueChecksum, Netmask, PersistenceOptions, ServiceKey,
    ServiceOptions, Tunnel,
};

use crate::table::Held;

/// A line for each difference. `ours`: what we put there; `None`: nothing, so nobody can have changed it.
pub(crate) fn differences(
    key: &ServiceKey,
    ours: Option<&Held>,
    theirs: Option<&Held>,
) -> Vec<String> {
    let Some(ours) = ours else {
        return Vec::new();
    };
    let Some(theirs) = theirs else {
        return vec![format!(
            "IPVS service {key} was removed by somebody else: it is put back"
        )];
    };
    let mut lines = Vec::new();
    if ours.options != theirs.options {
        let what = service(&theirs.options, &ours.options);
        lines.push(format!(
            "IPVS service {key} was changed by somebody else ({what}): it is set right"
        ));
    }
    for (name, options) in &ours.destinations {
        match theirs.get(name) {
            None => lines.push(format!(
                "{name} was removed from IPVS service {key} by somebody else: it is put back"
            )),
            Some(is) if is != options => {
                let what = destination(is, options);
                lines.push(format!(
                    "{name} in IPVS service {key} was changed by somebody else ({what}): it is set right"
                ));
            }
            Some(_) => {}
        }
    }
    for (name, _) in &theirs.destinations {
        if ours.get(name).is_none() {
            lines.push(format!(
                "{name} was added to IPVS service {key} by somebody else: it is removed"
            ));
        }
    }
    lines
}

/// What differs, one after the other.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare<T: PartialEq + Display>(&mut self, keyword: &str, is: T, wanted: T) {
        if is != wanted {
            self.0.push(format!("{keyword} {is}, wanted {wanted}"));
        }
    }

    fn text(&self) -> String {
        self.0.join("; ")
    }
}

fn service(is: &ServiceOptions, wanted: &ServiceOptions) -> String {
    let mut all = Differences::default();
    all.compare("lvs_sched", &is.scheduler, &wanted.scheduler);
    all.compare("ops", on(is.one_packet), on(wanted.one_packet));
    let flags = is.scheduler_flags.iter().zip(wanted.scheduler_flags);
    for (number, (is, wanted)) in (1..).zip(flags) {
        all.compare(&format!("flag-{number}"), on(*is), on(wanted));
    }
    let persistence = |options: &ServiceOptions| {
        let kept = options.persistence.as_ref();
        kept.map_or(Cow::Borrowed("none"), |kept| kept_for(kept).into())
    };
    all.compare("persistence_timeout", persistence(is), persistence(wanted));
    all.text()
}

fn kept_for(kept: &PersistenceOptions) -> String {
    let mask = match kept.netmask {
        Netmask::V4(mask) => mask.to_string(),
        Netmask::V6(length) => length.to_string(),
    };
    let engine = kept.engine.as_ref();
    let engine = engine.map_or(String::new(), |engine| format!(" by {engine}"));
    format!("{} for {mask}{engine}", kept.timeout)
}

fn destination(is: &DestinationOptions, wanted: &DestinationOptions) -> String {
    let mut all = Differences::default();
    all.compare("weight", is.weight, wanted.weight);
    let methods = [is, wanted].map(|options| method(options.forwarding));
    let [found, meant] = methods;
    all.compare("lvs_method", found, meant);
    all.compare("uthreshold", is.upper_threshold, wanted.upper_threshold);
    all.compare("lthreshold", is.lower_threshold, wanted.lower_threshold);
    all.text()
}

const fn on(set: bool) -> &'static str {
    if set { "on" } else { "off" }
}

/// As the configuration has it.
fn method(forwarding: Forwarding) -> Cow<'static, str> {
    let checksum = |set| if set { "csum" } else { "nocsum" };
    match forwarding {
        Forwarding::Nat => "NAT".into(),
        Forwarding::DirectRouting => "DR".into(),
        Forwarding::Tunnel(Tunnel::Ipip) => "TUN".into(),
        Forwarding::Tunnel(Tunnel::Gre { checksum: sum }) => {
            format!("TUN type gre {}", checksum(sum)).into()
        }
        Forwarding::Tunnel(Tunnel::Gue {
            port,
            checksum: sum,
        }) => {
            let sum = match sum {
                GueChecksum::None => checksum(false),
                GueChecksum::Full => checksum(true),
                GueChecksum::Remote => "remcsum",
            };
            format!("TUN type gue port {port} {sum}").into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use types::ipvs::{DestinationKey, Protocol};

    use super::*;

    fn held() -> Held {
        let options = ServiceOptions {
            scheduler: "wlc".into(),
            one_packet: false,
            scheduler_flags: [false; 3],
            persistence: None,
        };
        let key = DestinationKey {
            address: IpAddr::V4(Ipv4Addr::new(10, 1, 0, 1)),
            port: 80,
        };
        let destination = DestinationOptions {
            forwarding: Forwarding::Nat,
            weight: 1,
            upper_threshold: 0,
            lower_threshold: 0,
        };
        Held::new(options, vec![(key, destination)])
    }

    /// What is said when this was done to it.
    fn said(change: impl FnOnce(&mut Held)) -> Vec<String> {
        let ours = held();
        let mut theirs = held();
        change(&mut theirs);
        let key = ServiceKey::Address {
            address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
            port: 80,
            protocol: Protocol::Tcp,
        };
        differences(&key, Some(&ours), Some(&theirs))
    }

    #[test]
    fn each_thing_that_differs_is_named() {
        assert_eq!(said(|_| ()), [""; 0]);
        for (change, wanted) in [
            (
                (|held| held.options.scheduler = "rr".into()) as fn(&mut Held),
                "lvs_sched rr, wanted wlc",
            ),
            (
                |held| {
                    held.options.one_packet = true;
                    held.options.scheduler_flags = [false, true, true];
                },
                "ops on, wanted off; flag-2 on, wanted off; flag-3 on, wanted off",
            ),
            (
                |held| {
                    held.options.persistence = Some(PersistenceOptions {
                        timeout: 360,
                        netmask: Netmask::V4(Ipv4Addr::new(255, 255, 255, 0)),
                        engine: Some("sip".into()),
                    });
                },
                "persistence_timeout 360 for 255.255.255.0 by sip, wanted none",
            ),
            (
                |held| held.destinations[0].1.weight = 9,
                "weight 9, wanted 1",
            ),
            (
                |held| held.destinations[0].1.forwarding = Forwarding::DirectRouting,
                "lvs_method DR, wanted NAT",
            ),
            (
                |held| {
                    let destination = &mut held.destinations[0].1;
                    destination.forwarding = Forwarding::Tunnel(Tunnel::Gue {
                        port: 5555,
                        checksum: GueChecksum::Remote,
                    });
                    destination.upper_threshold = 7;
                    destination.lower_threshold = 3;
                },
                "lvs_method TUN type gue port 5555 remcsum, wanted NAT; uthreshold 7, wanted 0; lthreshold 3, wanted 0",
            ),
            (
                |held| {
                    let gre = Tunnel::Gre { checksum: false };
                    held.destinations[0].1.forwarding = Forwarding::Tunnel(gre);
                },
                "lvs_method TUN type gre nocsum, wanted NAT",
            ),
        ] {
            let lines = said(change);
            assert_eq!(lines.len(), 1, "{lines:?}");
            let text = format!("was changed by somebody else ({wanted}): it is set right");
            assert!(lines[0].ends_with(&text), "{lines:?}");
        }
    }
}

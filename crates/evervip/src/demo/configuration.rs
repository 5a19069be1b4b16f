//! The configuration of the two routers: ordinary keepalived.conf files, shown before they are used.

use std::net::Ipv4Addr;
use std::time::Duration;

use types::{Centiseconds, Priority, Version};
use vrrp::timers;

use super::record::Router;

/// The address that moves, from the range for benchmarks (RFC 2544), which nobody's real network uses.
pub(super) const VIRTUAL_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 100);
/// The client's own address.
pub(super) const CLIENT_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 50);
/// The prefix length of all of them.
pub(super) const PREFIX_LENGTH: u8 = 24;
/// The one interface of each host.
pub(super) const INTERFACE: &str = "eth0";
/// How often a master says that it lives.
pub(super) const ADVERT_INTERVAL: Centiseconds = Centiseconds::new(10);
/// Adverts that have to be missing before a backup takes over (RFC 9568 6.1).
pub(super) const MISSING_ADVERTS: u8 = 3;

/// A router's own address.
pub(super) const fn address(router: Router) -> Ipv4Addr {
    match router {
        Router::Alpha => Ipv4Addr::new(198, 18, 0, 1),
        Router::Beta => Ipv4Addr::new(198, 18, 0, 2),
    }
}

/// Its priority: alpha is the better one.
pub(super) const fn priority(router: Router) -> u8 {
    match router {
        Router::Alpha => 150,
        Router::Beta => 100,
    }
}

/// Its keepalived.conf.
pub(super) fn text(router: Router) -> String {
    format!(
        "vrrp_instance DEMO {{\n    \
             interface {INTERFACE}\n    \
             version 3\n    \
             virtual_router_id 51\n    \
             priority {priority:<14} # the higher one is master\n    \
             advert_int {interval:<12} # seconds between two signs of life\n    \
             virtual_ipaddress {{\n        \
                 {VIRTUAL_ADDRESS}/{PREFIX_LENGTH}\n    \
             }}\n\
         }}\n",
        priority = priority(router),
        interval = ADVERT_INTERVAL.as_duration().as_secs_f64(),
    )
}

/// How long `router` waits after the last advert of a master that fell silent (RFC 9568 6.1, Master_Down_Interval).
pub(super) fn patience(router: Router) -> Duration {
    timers::master_down(
        Version::V3,
        typed_priority(router),
        ADVERT_INTERVAL,
        MISSING_ADVERTS,
    )
}

/// How long it waits after a master said goodbye (RFC 9568 6.1, Skew_Time).
pub(super) fn skew(router: Router) -> Duration {
    timers::skew(Version::V3, typed_priority(router), ADVERT_INTERVAL)
}

fn typed_priority(router: Router) -> Priority {
    // Neither of the two is zero, the only number that is no priority.
    Priority::new(priority(router)).unwrap_or(Priority::DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_says_what_the_demonstration_computes_with() {
        let file = text(Router::Alpha);
        assert!(file.contains("priority 150 "), "{file}");
        assert!(file.contains("advert_int 0.1 "), "{file}");
        assert!(file.contains("198.18.0.100/24\n"), "{file}");
        let different: Vec<(&str, String)> = file
            .lines()
            .zip(text(Router::Beta).lines().map(str::to_owned))
            .filter(|(alpha, beta)| alpha != beta)
            .collect();
        assert_eq!(
            different.len(),
            1,
            "only the priority differs: {different:?}"
        );
    }

    #[test]
    fn waits_are_those_of_the_standard() {
        assert_eq!(patience(Router::Beta), Duration::from_micros(360_937));
        assert_eq!(skew(Router::Beta), Duration::from_micros(60_937));
        assert_eq!(patience(Router::Alpha), Duration::from_micros(341_406));
    }
}

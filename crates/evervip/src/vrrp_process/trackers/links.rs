//! Interfaces whose link is asked for every second, because their driver does not tell the kernel (keepalived: `linkbeat`).

use std::collections::BTreeMap;
use std::time::Duration;

use log::warn;
use sys::linkbeat::{LinkQuery, Way};
use types::{IfName, Instant};
use vrrp::settings::{Linkbeat, LinkbeatMethod};

use super::Finding;

/// Between two questions (keepalived: 1 s).
const EVERY: Duration = Duration::from_secs(1);

/// The interfaces that are asked.
#[derive(Default)]
pub(super) struct Links {
    query: Option<LinkQuery>,
    asked: BTreeMap<IfName, Asked>,
    next: Option<Instant>,
}

#[derive(Default)]
struct Asked {
    /// The way that the configuration names.
    wanted: Option<Way>,
    /// The way that worked.
    works: Option<Way>,
    answer: Option<bool>,
    complained: bool,
}

impl Links {
    /// Which interfaces are to be asked from now on.
    pub(super) fn prepare(&mut self, now: Instant, settings: &vrrp::Settings) -> Vec<Finding> {
        let mut wanted: BTreeMap<IfName, Option<Way>> = BTreeMap::new();
        if settings.global.linkbeat_use_polling {
            for instance in &settings.instances {
                let tracked = instance
                    .track_interface
                    .iter()
                    .map(|track| &track.interface);
                let all = instance.interface.iter().chain(tracked);
                wanted.extend(all.map(|interface| (*interface, None)));
            }
        }
        for Linkbeat { interface, method } in &settings.linkbeat {
            let way = method.map(|method| match method {
                LinkbeatMethod::Mii => Way::Mii,
                LinkbeatMethod::Ethtool => Way::Ethtool,
                LinkbeatMethod::Ioctl => Way::Flags,
            });
            wanted.insert(*interface, way);
        }
        let mut old = std::mem::take(&mut self.asked);
        for (interface, way) in wanted {
            let asked = match old.remove(&interface) {
                Some(known) if known.wanted == way => known,
                // What counts until the new way has answered, or has not.
                other => Asked {
                    wanted: way,
                    answer: other.and_then(|known| known.answer),
                    ..Asked::default()
                },
            };
            self.asked.insert(interface, asked);
        }
        if self.asked.is_empty() {
            self.query = None;
        } else if self.query.is_none() {
            match LinkQuery::new() {
                Ok(query) => self.query = Some(query),
                Err(problem) => warn!("links are not asked, the kernel's word counts: {problem}"),
            }
        }
        // Who is no longer asked is what the kernel says.
        let forgotten = old.into_iter().filter(|(_, asked)| asked.answer.is_some());
        let mut findings: Vec<Finding> = forgotten
            .map(|(interface, _)| Finding::Link(interface, None))
            .collect();
        self.next = (!self.asked.is_empty()).then_some(now);
        findings.extend(self.tick(now));
        findings
    }

    pub(super) const fn next_wake(&self) -> Option<Instant> {
        self.next
    }

    pub(super) fn tick(&mut self, now: Instant) -> Vec<Finding> {
        if self.next.is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.next = (!self.asked.is_empty()).then(|| now + EVERY);
        let mut findings = Vec::new();
        let Some(query) = &self.query else {
            return findings;
        };
        for (interface, asked) in &mut self.asked {
            let answer = asked.ask(query, interface);
            if answer != asked.answer {
                asked.answer = answer;
                findings.push(Finding::Link(*interface, answer));
            }
        }
        findings
    }
}

impl Asked {
    /// `None`: there is no such interface, or it does not know how to answer.
    fn ask(&mut self, query: &LinkQuery, interface: &IfName) -> Option<bool> {
        let ways = match self.wanted.or(self.works) {
            Some(way) => vec![way],
            None => vec![Way::Mii, Way::Ethtool, Way::Flags],
        };
        let mut why = None;
        for way in ways {
            match query.ask(interface, way) {
                Ok(answer) => {
                    self.works = Some(way);
                    self.complained = false;
                    return Some(answer);
                }
                Err(problem) => why = Some(problem),
            }
        }
        self.works = None;
        if let Some(problem) = why.filter(|_| !self.complained) {
            warn!("linkbeat: {problem}; the kernel's word counts");
            self.complained = true;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use types::Vrid;
    use vrrp::settings::InstanceSettings;

    use super::*;

    /// What was found out about the loopback interface, which is there in every namespace.
    fn answers(findings: &[Finding]) -> Vec<Option<bool>> {
        let answer = |finding: &Finding| match finding {
            Finding::Link(interface, answer) if interface.as_str() == "lo" => Some(*answer),
            Finding::Link(..) | Finding::File(..) | Finding::Processes(..) => None,
        };
        findings.iter().filter_map(answer).collect()
    }

    #[test]
    fn who_is_asked_and_when() {
        let lo = IfName::new("lo").unwrap();
        let instance = InstanceSettings::new("VI", lo, Vrid::new(1).unwrap());
        let mut settings = vrrp::Settings {
            instances: vec![instance],
            ..vrrp::Settings::default()
        };
        let mut links = Links::default();
        let now = Instant::ZERO;
        assert!(links.prepare(now, &settings).is_empty() && links.next_wake().is_none());

        // All interfaces of instances, in the first way that works: this one has no transceiver, but it has a driver.
        settings.global.linkbeat_use_polling = true;
        assert_eq!(answers(&links.prepare(now, &settings)), [Some(true)]);
        assert_eq!(links.next_wake(), Some(now + EVERY));
        assert!(links.tick(now).is_empty(), "not yet");
        assert!(links.tick(now + EVERY).is_empty(), "the same answer");

        // Only in a way that it does not know.
        settings.global.linkbeat_use_polling = false;
        settings.linkbeat = vec![
            Linkbeat {
                interface: lo,
                method: Some(LinkbeatMethod::Mii),
            },
            Linkbeat {
                interface: IfName::new("nosuch0").unwrap(),
                method: None,
            },
        ];
        assert_eq!(answers(&links.prepare(now, &settings)), [None]);
        settings.linkbeat.clear();
        assert!(links.prepare(now, &settings).is_empty() && links.next_wake().is_none());
    }
}

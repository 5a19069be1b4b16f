//! Who is master, and how much of it the parent knows.
//!
//! The parent is told of every change, a limited number in one message. What it knows is a mark for each instance, in the
//! core's order: comparing names at every wake-up would cost more than the adverts do.

use std::collections::BTreeSet;

use vrrp::Vrrp;

/// What the parent has been told.
pub(super) struct Masters {
    /// Of each instance, whether the parent takes it for master. Stands only while `names` is empty.
    known: Vec<bool>,
    /// Names that the parent takes for masters, and no instance has.
    gone: Vec<String>,
    /// While settings change, and at the start: the names that the parent takes for masters.
    names: Option<BTreeSet<String>>,
    /// The core's count of transitions at the last comparison.
    read_at: u64,
    /// There is more to tell than went into one message.
    pending: bool,
}

/// Names of new masters, and of those that are no longer.
pub(super) type News = (Vec<String>, Vec<String>);

impl Masters {
    /// `names`: whom the parent takes for master, as its list says that it handed us.
    pub(super) fn new(names: BTreeSet<String>) -> Self {
        Self {
            known: Vec::new(),
            gone: Vec::new(),
            pending: !names.is_empty(),
            names: Some(names),
            read_at: 0,
        }
    }

    /// The core is about to get another list of instances.
    pub(super) fn settings_change(&mut self, core: &Vrrp) {
        let (known, gone) = (&self.known, &mut self.gone);
        self.names.get_or_insert_with(|| {
            let told = core.masters().zip(known).filter(|(_, known)| **known);
            let names = told.map(|((name, _), _)| name.to_owned());
            names.chain(gone.drain(..)).collect()
        });
        self.pending = true;
    }

    /// At most `most` changes that the parent does not know yet.
    pub(super) fn news(&mut self, core: &Vrrp, most: usize) -> Option<News> {
        if self.read_at == core.transitions() && !self.pending {
            return None;
        }
        self.read_at = core.transitions();
        if let Some(mut names) = self.names.take() {
            self.known = core.masters().map(|(name, _)| names.remove(name)).collect();
            self.gone = names.into_iter().collect();
        }
        let changed = |becomes: bool| {
            let changed = core.masters().zip(&self.known);
            let changed = changed.filter(move |((_, is), known)| *is == becomes && is != *known);
            changed.map(|((name, _), _)| name.to_owned())
        };
        let gained: Vec<String> = changed(true).take(most).collect();
        let gone = self.gone.iter().cloned();
        let lost: Vec<String> = gone
            .chain(changed(false))
            .take(most.saturating_sub(gained.len()))
            .collect();
        self.pending = !gained.is_empty() || !lost.is_empty();
        self.pending.then_some((gained, lost))
    }

    /// The parent has been told.
    pub(super) fn told(&mut self, core: &Vrrp, (gained, lost): &News) {
        let told: BTreeSet<&str> = gained.iter().chain(lost).map(String::as_str).collect();
        for ((name, is), known) in core.masters().zip(&mut self.known) {
            if is != *known && told.contains(name) {
                *known = is;
            }
        }
        self.gone.retain(|name| !told.contains(name.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use types::{IfIndex, IfName, Instant, Prefix, Priority, Vrid};
    use vrrp::settings::{InitialState, InstanceSettings};
    use vrrp::{Interface, InterfaceAddress};

    use super::*;

    /// A core whose instances are all owners, and so masters at once.
    fn owners(core: &mut Vrrp, names: &[&str]) {
        let eth0 = IfName::new("eth0").unwrap();
        let instances = names.iter().zip(1..).map(|(name, vrid)| InstanceSettings {
            priority: Priority::OWNER,
            state: InitialState::Master,
            ..InstanceSettings::new(name, eth0, Vrid::new(vrid).unwrap())
        });
        let settings = vrrp::Settings {
            instances: instances.collect(),
            ..vrrp::Settings::default()
        };
        core.handle_settings(Instant::ZERO, settings);
        core.handle_timeout(Instant::ZERO + std::time::Duration::from_millis(1));
        while core.poll_action().is_some() {}
    }

    fn ready() -> Vrrp {
        let mut core = Vrrp::new();
        let index = IfIndex::new(2).unwrap();
        let interface = Interface {
            index,
            name: IfName::new("eth0").unwrap(),
            usable: true,
            mac: None,
            kind: vrrp::InterfaceKind::Other,
            base: None,
            master: None,
        };
        let address = InterfaceAddress {
            interface: index,
            prefix: Prefix::host("198.18.0.1".parse().unwrap()),
            tentative: false,
        };
        core.handle_snapshot(Instant::ZERO, vec![interface], vec![address]);
        core
    }

    fn all(masters: &mut Masters, core: &Vrrp, most: usize) -> Vec<News> {
        let mut messages = Vec::new();
        while let Some(news) = masters.news(core, most) {
            assert_eq!(
                masters.news(core, most),
                Some(news.clone()),
                "until it is told"
            );
            masters.told(core, &news);
            messages.push(news);
        }
        messages
    }

    fn news(gained: &[&str], lost: &[&str]) -> News {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        (owned(gained), owned(lost))
    }

    #[test]
    fn every_change_is_told_once_and_in_portions() {
        let mut core = ready();
        let mut masters = Masters::new(BTreeSet::new());
        masters.settings_change(&core);
        owners(&mut core, &["a", "b", "c"]);
        assert_eq!(
            all(&mut masters, &core, 2),
            [news(&["a", "b"], &[]), news(&["c"], &[])]
        );
        masters.settings_change(&core);
        owners(&mut core, &["c", "d"]);
        assert_eq!(all(&mut masters, &core, 9), [news(&["d"], &["a", "b"])]);
        assert_eq!(all(&mut masters, &core, 9), []);
    }

    #[test]
    fn a_successor_knows_what_its_predecessor_said() {
        let mut core = ready();
        let mut masters = Masters::new(["b".to_owned(), "z".to_owned()].into());
        masters.settings_change(&core);
        owners(&mut core, &["a", "b"]);
        assert_eq!(all(&mut masters, &core, 9), [news(&["a"], &["z"])]);
    }
}

//! What the kernel's table should hold, as a function of what is known; and the commands that make it so.

use types::ipvs::{Command, DestinationOptions, ServiceKey};

use crate::action::Action;
use crate::entries::{self, destination};
use crate::lvs::{Lvs, ServiceState, index};
use crate::settings::VirtualServer;
use crate::table::{Destination, Held};

impl Lvs {
    /// Makes what was touched what it should be.
    pub(crate) fn converge(&mut self) {
        for key in std::mem::take(&mut self.dirty) {
            let wanted = self.wanted(&key);
            if self.watch.unmade.remove(&key) {
                // What the kernel refused to make is not there to be changed or removed.
                self.table.learn(key, None);
            }
            let actions = &mut self.actions;
            let mut removed = false;
            self.table.converge(key, wanted, |command: Command| {
                removed |= matches!(command, Command::RemoveService(_));
                actions.push_back(Action::Ipvs(command));
            });
            if removed {
                self.leaving.insert(key);
                self.watch.look_soon(self.now, key);
            }
        }
    }

    /// What the kernel should hold in a service; `None`: there should be none.
    pub(crate) fn wanted(&self, key: &ServiceKey) -> Option<Held> {
        // The first virtual server that uses it says how it is balanced, the servers of all are in it (keepalived).
        let mut users = self.users.get(key)?.iter().filter_map(|place| {
            let at = index(*place)?;
            self.settings
                .virtual_servers
                .get(at)
                .zip(self.services.get(at))
        });
        let (first, state) = users.next()?;
        let mut destinations = Vec::with_capacity(first.real_servers.len());
        add(first, state, key, &mut destinations);
        for (other, state) in users {
            add(other, state, key, &mut destinations);
        }
        Some(Held::new(entries::options(first, key), destinations))
    }
}

/// Adds the destinations that a virtual server wants in a service.
fn add(
    settings: &VirtualServer,
    state: &ServiceState,
    key: &ServiceKey,
    destinations: &mut Vec<Destination>,
) {
    for (server, state_of) in settings.real_servers.iter().zip(&state.servers) {
        let serves = state_of.is_alive() && !state.sorry_in_use;
        if !serves && !server.inhibit_on_failure {
            continue;
        }
        let place = (server.address, server.port);
        let options = DestinationOptions {
            forwarding: server.lvs_method,
            weight: if serves { state_of.weight(server) } else { 0 },
            upper_threshold: server.uthreshold,
            lower_threshold: server.lthreshold,
        };
        destinations.push((destination(key, place, server.lvs_method), options));
    }
    let Some(sorry) = settings.sorry_server else {
        return;
    };
    if state.sorry_in_use || sorry.inhibit {
        let options = DestinationOptions {
            forwarding: sorry.lvs_method,
            weight: u32::from(state.sorry_in_use),
            upper_threshold: 0,
            lower_threshold: 0,
        };
        let place = (sorry.address, sorry.port);
        destinations.push((destination(key, place, sorry.lvs_method), options));
    }
}

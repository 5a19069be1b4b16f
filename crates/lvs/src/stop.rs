//! What stays when the daemon stops, and who is told (keepalived).

use types::ipvs::Command;

use crate::action::{Action, Announcement, Subject};
use crate::health::quorum_announcement;
use crate::lvs::Lvs;
use crate::settings::global::FlushOnStop;

impl Lvs {
    /// The end. `keep`: what the kernel holds stays, and nobody is told (`--dont-release-ipvs`).
    pub fn handle_stop(&mut self, keep: bool) {
        self.timeline.clear();
        self.watch.stop();
        let busy: Vec<_> = self.checks.iter().map(|(id, _)| id).collect();
        for id in busy {
            self.abandon(id);
            self.checks.remove(id);
        }
        if keep {
            return;
        }
        let flush = self.settings.global.flush_on_stop;
        for service in 0..self.services.len() {
            self.stop_service(service, flush);
        }
        if !self.marked.is_empty() {
            self.marked.clear();
            self.actions.push_back(Action::Mark(Vec::new()));
        }
        match flush {
            FlushOnStop::Everything => {
                self.actions.push_back(Action::Ipvs(Command::Flush));
                self.table.clear();
            }
            FlushOnStop::No | FlushOnStop::VirtualServers => {
                self.dirty.extend(self.users.keys().copied());
            }
        }
        self.users.clear();
        self.finish();
        // Nobody looks after it any more.
        self.watch.stop();
        self.services.clear();
    }

    fn stop_service(&mut self, service: usize, flush: FlushOnStop) {
        let Some((settings, state)) = self
            .settings
            .virtual_servers
            .get(service)
            .zip(self.services.get(service))
        else {
            return;
        };
        let (omega, quorum_up) = (settings.omega, state.quorum_up);
        let announcement = quorum_announcement(settings, false);
        let sorry_in_use = state.sorry_in_use;
        let service_name = self.service_name(service);
        if flush == FlushOnStop::No {
            for server in 0..settings.real_servers.len() {
                self.stop_server((service, server), omega && !sorry_in_use);
            }
        }
        if omega && quorum_up {
            self.announce_quorum(announcement, service_name, false);
            if let Some(last) = self.announcements.last_mut() {
                last.stopping = true;
            }
        }
    }

    fn stop_server(&mut self, place: (usize, usize), told: bool) {
        let Some((_, settings)) = self.settings_of(place) else {
            return;
        };
        let alive = self.is_alive(place);
        let how = if settings.inhibit_on_failure && !alive {
            "(inhibited) "
        } else {
            ""
        };
        let command = settings.notify_down;
        let Some((server, service)) = self.names(place) else {
            return;
        };
        self.info(format!(
            "Shutting down {how}service {server} from VS {service}"
        ));
        if alive && told {
            self.announcements.push(Announcement {
                subject: Subject::Server {
                    server: server.into(),
                    service: service.into(),
                },
                up: false,
                command,
                before: false,
                stopping: true,
            });
        }
    }
}

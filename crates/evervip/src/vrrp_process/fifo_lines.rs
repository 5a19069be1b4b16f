//! The lines that notify FIFOs get of instances and sync groups: keepalived's; names are written as they are.

use config::Settings;
use vrrp::{Announcement, StateName, Subject, Vrrp};

use super::notify;
use crate::child::fifo::Fifos;

/// One line for an announcement. `old` has the settings of an instance that a reload removed.
pub(super) fn tell(
    fifos: &mut Fifos,
    announcement: &Announcement,
    settings: &Settings,
    old: &Settings,
) {
    if fifos.is_empty() {
        return;
    }
    let word = notify::word(announcement, settings, old);
    fifos.write(line(&announcement.subject, word, announcement.priority).as_bytes());
}

/// The state of everybody, after a reload (`fifo_write_vrrp_states_on_reload`).
pub(super) fn tell_all(fifos: &mut Fifos, core: &Vrrp) {
    for instance in core.instances() {
        let subject = Subject::Instance(instance.settings.name.as_str().into());
        let priority = instance.effective_priority.get();
        fifos.write(line(&subject, word(instance.state), priority).as_bytes());
    }
    for group in core.groups() {
        let subject = Subject::Group(group.name.into());
        fifos.write(line(&subject, word(group.state), 0).as_bytes());
    }
}

fn line(subject: &Subject, word: &str, priority: u8) -> String {
    match subject {
        Subject::Instance(name) => format!("INSTANCE \"{name}\" {word} {priority}\n"),
        Subject::Group(name) => format!("GROUP \"{name}\" {word} {priority}\n"),
    }
}

/// A state as FIFOs name it: waiting for the first result of a script is a fault to them.
const fn word(state: StateName) -> &'static str {
    match state {
        StateName::Master => "MASTER",
        StateName::Backup => "BACKUP",
        StateName::Init | StateName::Fault => "FAULT",
        StateName::Stop => "STOP",
    }
}

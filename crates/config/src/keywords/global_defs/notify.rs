//! FIFOs that changes of state are written to.

use crate::diagnostics::{Class, Diagnostic};
use crate::document::Statement;
use crate::draft::{FifoDraft, GlobalDraft};
use crate::read::Reading;
use crate::settings::global::Owner;

use super::super::arguments::optional;
use super::{FLAG, Keyword, ROW, Role, SWITCH, scripts, switch, twice};

pub(in super::super) const KEYWORDS: &[Keyword] = &[
    Keyword {
        name: "notify_fifo",
        arguments: optional("PATH [USER [GROUP]]"),
        help: "a FIFO that all changes of state are written to",
        role: Role::Set(|r, s| fifo(r, s, |d| &mut d.notify_fifo)),
        ..ROW
    },
    Keyword {
        name: "notify_fifo_script",
        shell_words: true,
        arguments: optional("COMMAND [USER [[:]GROUP]]"),
        help: "what reads notify_fifo; the path is its last argument",
        role: Role::Set(|r, s| reader(r, s, |d| &mut d.notify_fifo)),
        ..ROW
    },
    Keyword {
        name: "vrrp_notify_fifo",
        arguments: optional("PATH [USER [GROUP]]"),
        help: "a FIFO that those of instances and sync groups are written to",
        role: Role::Set(|r, s| fifo(r, s, |d| &mut d.vrrp_notify_fifo)),
        ..ROW
    },
    Keyword {
        name: "vrrp_notify_fifo_script",
        shell_words: true,
        arguments: optional("COMMAND [USER [[:]GROUP]]"),
        help: "what reads vrrp_notify_fifo; the path is its last argument",
        role: Role::Set(|r, s| reader(r, s, |d| &mut d.vrrp_notify_fifo)),
        ..ROW
    },
    Keyword {
        name: "lvs_notify_fifo",
        arguments: optional("PATH [USER [GROUP]]"),
        help: "a FIFO that those of virtual and real servers are written to",
        role: Role::Set(|r, s| fifo(r, s, |d| &mut d.lvs_notify_fifo)),
        ..ROW
    },
    Keyword {
        name: "lvs_notify_fifo_script",
        shell_words: true,
        arguments: optional("COMMAND [USER [[:]GROUP]]"),
        help: "what reads lvs_notify_fifo; the path is its last argument",
        role: Role::Set(|r, s| reader(r, s, |d| &mut d.lvs_notify_fifo)),
        ..ROW
    },
    Keyword {
        name: "vrrp_notify_priority_changes",
        help: "announce changes of priorities",
        role: Role::Set(|r, s| switch(r, s, |d| &mut d.defaults.notify_priority_changes)),
        ..SWITCH
    },
    Keyword {
        name: "fifo_write_vrrp_states_on_reload",
        help: "a reload writes the state of every instance once more",
        role: Role::Set(|r, _| r.draft.global.fifos.vrrp_states_on_reload = true),
        ..FLAG
    },
];

fn fifo(
    reading: &mut Reading<'_>,
    statement: &Statement,
    slot: fn(&mut GlobalDraft) -> &mut FifoDraft,
) {
    if slot(&mut reading.draft.globals).path.is_some() {
        twice(reading, statement);
        return;
    }
    let Some(path) = reading.text(statement, 1) else {
        return;
    };
    let name = statement.argument(0);
    if path.is_empty() {
        let message = format!("{name}: the path is empty; it is ignored");
        reading.complain(statement, 1, Diagnostic::error(Class::Uncounted, message));
        return;
    }
    let owner = match statement.word(2) {
        None => None,
        Some(user) => match reading.user(user, statement.word(3)) {
            Ok(identity) => Some(Owner {
                uid: identity.uid,
                gid: identity.gid,
                user: user.to_owned(),
                group: identity.group,
            }),
            Err(unknown) => {
                let message = format!("{name} is ignored: there is no user or group '{unknown}'");
                reading.complain(statement, 2, Diagnostic::error(Class::Uncounted, message));
                return;
            }
        },
    };
    let draft = slot(&mut reading.draft.globals);
    draft.path = Some(path);
    draft.owner = owner;
}

fn reader(
    reading: &mut Reading<'_>,
    statement: &Statement,
    slot: fn(&mut GlobalDraft) -> &mut FifoDraft,
) {
    if slot(&mut reading.draft.globals).reader.is_some() {
        twice(reading, statement);
    } else if let Some(command) = scripts::command(reading, statement, Class::Uncounted) {
        slot(&mut reading.draft.globals).reader = Some(command);
    }
}

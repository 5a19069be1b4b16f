//! Commands of services and checks: those that can run get their final numbers.

use std::collections::BTreeMap;

use lvs::settings::VirtualServer;
use lvs::settings::checkers::{CheckerKind, CommandId};

use super::super::scripts;
use crate::diagnostics::Reporter;
use crate::draft::lvs::Commands;
use crate::settings::Command;

/// Numbers the commands of services anew; hands back those that can run, in the order of their numbers.
pub(super) fn renumber(
    servers: &mut [VirtualServer],
    commands: &Commands,
    judge: &mut scripts::Judge<'_>,
    report: &mut Reporter,
) -> Vec<Command> {
    let mut numbers = Numbers {
        commands,
        known: BTreeMap::new(),
        kept: Vec::new(),
        judge,
    };
    for server in servers {
        numbers.renumber(server, report);
    }
    numbers.kept
}

/// Gives commands that can run their final numbers, and takes the others away.
struct Numbers<'a, 'b> {
    commands: &'a Commands,
    /// By the number of the draft.
    known: BTreeMap<CommandId, Option<CommandId>>,
    kept: Vec<Command>,
    judge: &'a mut scripts::Judge<'b>,
}

impl Numbers<'_, '_> {
    fn renumber(&mut self, server: &mut VirtualServer, report: &mut Reporter) {
        for slot in [&mut server.quorum_up, &mut server.quorum_down] {
            *slot = slot.and_then(|id| self.number(id, report));
        }
        for real in &mut server.real_servers {
            for slot in [&mut real.notify_up, &mut real.notify_down] {
                *slot = slot.and_then(|id| self.number(id, report));
            }
            // A check that cannot be made says nothing about the server.
            real.checkers.retain_mut(|checker| {
                let CheckerKind::Misc(misc) = &mut checker.kind else {
                    return true;
                };
                let number = self.number(misc.command, report);
                misc.command = number.unwrap_or(misc.command);
                number.is_some()
            });
        }
    }

    fn number(&mut self, id: CommandId, report: &mut Reporter) -> Option<CommandId> {
        if let Some(known) = self.known.get(&id) {
            return *known;
        }
        let command = self
            .commands
            .get(id)
            .and_then(|draft| self.judge.runnable("script", draft, report));
        let number = command.map(|command| {
            let number = CommandId(u32::try_from(self.kept.len()).unwrap_or(u32::MAX));
            self.kept.push(command);
            number
        });
        self.known.insert(id, number);
        number
    }
}

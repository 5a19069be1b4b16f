//! Which scripts an announcement runs: the specific one first, then the general one, with what happened as arguments.

use config::Settings;
use config::settings::{Command, Notify, NotifyDeleted};
use vrrp::{Announced, Announcement, Subject};

/// The commands to run, in order. `old` has the scripts of an instance that a reload removed.
pub(super) fn commands(
    announcement: &Announcement,
    settings: &Settings,
    old: &Settings,
) -> Vec<Command> {
    let (kind, name) = match &announcement.subject {
        Subject::Instance(name) => ("INSTANCE", &**name),
        Subject::Group(name) => ("GROUP", &**name),
    };
    let Some(notify) = notify_of(&announcement.subject, settings, old) else {
        return Vec::new();
    };
    let mut commands: Vec<Command> = specific(announcement.what, notify)
        .into_iter()
        .cloned()
        .collect();
    if let (Some(any), Some(word)) = (&notify.any, general_word(announcement.what, notify)) {
        let mut any = any.clone();
        any.argv.extend([
            kind.to_owned(),
            name.to_owned(),
            word.to_owned(),
            announcement.priority.to_string(),
        ]);
        commands.push(any);
    }
    commands
}

/// What a FIFO is told.
pub(super) fn word(
    announcement: &Announcement,
    settings: &Settings,
    old: &Settings,
) -> &'static str {
    let notify = notify_of(&announcement.subject, settings, old);
    match (announcement.what, notify.map(|notify| &notify.deleted)) {
        (Announced::Deleted, None | Some(NotifyDeleted::AsFault)) => Announced::Fault.word(),
        (what, _) => what.word(),
    }
}

/// The scripts of an instance or a group, which may be one that a reload removed.
fn notify_of<'s>(
    subject: &Subject,
    settings: &'s Settings,
    old: &'s Settings,
) -> Option<&'s Notify> {
    match subject {
        Subject::Instance(name) => settings
            .instance_notify
            .get(&**name)
            .or_else(|| old.instance_notify.get(&**name)),
        Subject::Group(name) => settings
            .group_notify
            .get(&**name)
            .or_else(|| old.group_notify.get(&**name)),
    }
}

fn specific(what: Announced, notify: &Notify) -> Option<&Command> {
    match what {
        Announced::Master => notify.master.as_ref(),
        Announced::Backup { .. } => notify.backup.as_ref(),
        Announced::Fault => notify.fault.as_ref(),
        Announced::Stop => notify.stop.as_ref(),
        Announced::MasterRxLowerPri => notify.master_rx_lower_pri.as_ref(),
        // keepalived: without notify_deleted a deletion is FAULT to the general script, but notify_fault does not run.
        Announced::Deleted => match &notify.deleted {
            NotifyDeleted::AsFault => None,
            NotifyDeleted::AsDeleted(script) => script.as_ref(),
        },
        Announced::MasterPriority | Announced::BackupPriority => None,
    }
}

/// The word that the general script gets; `None`: it does not run for this.
fn general_word(what: Announced, notify: &Notify) -> Option<&'static str> {
    match what {
        Announced::Master | Announced::Backup { .. } | Announced::Fault | Announced::Stop => {
            Some(what.word())
        }
        Announced::Deleted => Some(match notify.deleted {
            NotifyDeleted::AsFault => Announced::Fault.word(),
            NotifyDeleted::AsDeleted(_) => what.word(),
        }),
        // Only specific scripts and FIFOs hear of these.
        Announced::MasterRxLowerPri | Announced::MasterPriority | Announced::BackupPriority => None,
    }
}

#[cfg(test)]
mod tests {
    use config::settings::RunAs;

    use super::*;

    fn command(name: &str) -> Command {
        Command {
            argv: vec![name.to_owned(), "own".to_owned()],
            path: format!("/{name}"),
            user: RunAs {
                uid: 0,
                gid: 0,
                groups: Vec::new(),
                user: None,
                group: None,
            },
        }
    }

    fn run(what: Announced, deleted: NotifyDeleted) -> Vec<String> {
        let notify = Notify {
            master: Some(command("master")),
            backup: Some(command("backup")),
            fault: Some(command("fault")),
            stop: Some(command("stop")),
            deleted,
            master_rx_lower_pri: Some(command("lower")),
            any: Some(command("any")),
        };
        let mut settings = Settings::default();
        settings.instance_notify.insert("VI".to_owned(), notify);
        let announcement = Announcement {
            subject: Subject::Instance("VI".into()),
            what,
            priority: 150,
        };
        commands(&announcement, &settings, &Settings::default())
            .iter()
            .map(|c| c.argv.join(" "))
            .collect()
    }

    #[test]
    fn specific_first_then_general_with_four_arguments() {
        let as_fault = || NotifyDeleted::AsFault;
        assert_eq!(
            run(Announced::Master, as_fault()),
            ["master own", "any own INSTANCE VI MASTER 150"]
        );
        let backup = Announced::Backup { initial: true };
        assert_eq!(
            run(backup, as_fault()),
            ["backup own", "any own INSTANCE VI BACKUP 150"]
        );
        assert_eq!(
            run(Announced::Fault, as_fault()),
            ["fault own", "any own INSTANCE VI FAULT 150"]
        );
        assert_eq!(
            run(Announced::Stop, as_fault()),
            ["stop own", "any own INSTANCE VI STOP 150"]
        );
        assert_eq!(run(Announced::MasterRxLowerPri, as_fault()), ["lower own"]);
        assert_eq!(
            run(Announced::MasterPriority, as_fault()),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_deletion_is_a_fault_unless_somebody_asks_for_it() {
        assert_eq!(
            run(Announced::Deleted, NotifyDeleted::AsFault),
            ["any own INSTANCE VI FAULT 150"]
        );
        let deleted = NotifyDeleted::AsDeleted(Some(command("deleted")));
        assert_eq!(
            run(Announced::Deleted, deleted),
            ["deleted own", "any own INSTANCE VI DELETED 150"]
        );
    }

    #[test]
    fn a_removed_instance_is_announced_with_its_old_scripts() {
        let mut old = Settings::default();
        old.instance_notify.insert(
            "VI".to_owned(),
            Notify {
                any: Some(command("any")),
                ..Notify::default()
            },
        );
        let announcement = Announcement {
            subject: Subject::Instance("VI".into()),
            what: Announced::Deleted,
            priority: 100,
        };
        assert_eq!(commands(&announcement, &Settings::default(), &old).len(), 1);
    }
}

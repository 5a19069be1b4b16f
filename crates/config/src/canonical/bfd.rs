//! BFD sessions, also those that cannot run: whoever tracks one sees it down.

use std::collections::BTreeSet;

use bfd::settings::{MaxHops, Session};
use lvs::settings::checkers::CheckerKind;

use super::page::{Milliseconds, Page, Word};
use crate::settings::Settings;

/// The sessions in an order that both processes' lists have.
pub(super) fn write(page: &mut Page, settings: &Settings) {
    let sessions = &settings.bfd.sessions;
    let mut written: BTreeSet<&str> = sessions.iter().map(|one| one.name.as_str()).collect();
    let mut of_vrrp = settings.vrrp.bfd_sessions.iter();
    for session in sessions {
        if session.to_vrrp {
            // Those that stand before it and cannot run.
            for name in of_vrrp.by_ref().take_while(|name| **name != session.name) {
                broken(page, name, "vrrp");
                written.insert(name);
            }
        }
        of_session(page, session);
    }
    for name in of_vrrp {
        broken(page, name, "vrrp");
        written.insert(name);
    }
    let checkers = settings.lvs.virtual_servers.iter();
    let checkers = checkers.flat_map(|server| &server.real_servers);
    for checker in checkers.flat_map(|real| &real.checkers) {
        if let CheckerKind::Bfd(name) = &checker.kind
            && written.insert(name)
        {
            broken(page, name, "checker");
        }
    }
}

/// One that is known by its name, and that is all.
fn broken(page: &mut Page, name: &str, told: &str) {
    page.block(format_args!("bfd_instance {}", Word(name)), |page| {
        page.line(told)
    });
}

fn of_session(page: &mut Page, session: &Session) {
    let Session {
        name,
        neighbor,
        source,
        min_rx,
        min_tx,
        idle_tx,
        multiplier,
        passive,
        ttl,
        max_hops,
        multihop,
        to_vrrp,
        to_checker,
    } = session;
    page.block(format_args!("bfd_instance {}", Word(name)), |page| {
        page.value("neighbor_ip", neighbor);
        page.option("source_ip", source.as_ref());
        page.value("min_rx", Milliseconds(*min_rx));
        page.value("min_tx", Milliseconds(*min_tx));
        page.value("idle_tx", Milliseconds(*idle_tx));
        page.value("multiplier", multiplier);
        page.flag("passive", *passive);
        page.value("ttl", ttl);
        match max_hops {
            MaxHops::AtMost(hops) => page.value("max_hops", hops),
            MaxHops::Unlimited => page.line("max_hops -1"),
        }
        page.switch("multihop", *multihop);
        page.flag("vrrp", *to_vrrp);
        page.flag("checker", *to_checker);
    });
}

//! What single packets and moments do.

use alloc::string::{String, ToString as _};
use alloc::vec;
use alloc::vec::Vec;
use core::num::{NonZeroU8, NonZeroU32};
use core::time::Duration;
use std::format;

use types::Instant;
use wire::bfd::{ControlPacket, Diagnostic, State};

use super::{End, HERE, THERE, both_up, ms, session};
use crate::session::next_state;
use crate::settings::{MaxHops, Session};
use crate::{Consumer, SessionId};

/// What a neighbour says that has heard us.
fn packet(to: &End, state: State) -> ControlPacket {
    ControlPacket {
        diagnostic: Diagnostic::None,
        state,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        authenticated: false,
        demand: false,
        multiplier: NonZeroU8::new(3).unwrap(),
        my_discriminator: NonZeroU32::new(7).unwrap(),
        your_discriminator: to.view().local_discriminator(),
        desired_min_tx: ms(100),
        required_min_rx: ms(100),
        required_min_echo_rx: Duration::ZERO,
    }
}

/// The table of RFC 5880 section 6.8.6, cell by cell.
#[test]
fn every_cell() {
    use State::{AdminDown, Down, Init, Up};
    const TABLE: [(State, [&str; 4]); 4] = [
        // heard: AdminDown, Down, Init, Up
        (AdminDown, ["-", "-", "-", "-"]),
        (Down, ["-", "Init", "Up", "-"]),
        (
            Init,
            ["Down, Neighbor Signaled Session Down", "-", "Up", "Up"],
        ),
        (
            Up,
            [
                "Down, Neighbor Signaled Session Down",
                "Down, Neighbor Signaled Session Down",
                "-",
                "-",
            ],
        ),
    ];
    for (local, row) in TABLE {
        for (heard, expected) in State::ALL.into_iter().zip(row) {
            let found = match next_state(local, heard) {
                None => "-".to_string(),
                Some((state, Diagnostic::None)) => state.to_string(),
                Some((state, diagnostic)) => format!("{state}, {diagnostic}"),
            };
            assert_eq!(found, expected, "{local} hears {heard}");
        }
    }
}

#[test]
fn a_first_packet_leaves_at_once() {
    let mut here = End::new(1, HERE);
    let sent = here.begin(Instant::ZERO, vec![session("S", THERE)]);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].state, State::Down);
    assert_eq!(sent[0].your_discriminator, 0);
    assert_eq!(
        (sent[0].desired_min_tx, sent[0].required_min_rx),
        (ms(1000), ms(100))
    );
    let next = here.bfd.next_deadline().unwrap();
    assert!(next >= Instant::ZERO + ms(750) && next <= Instant::ZERO + ms(900));
    assert_eq!(here.told, [("S".to_string(), false)]);
}

#[test]
fn a_poll_is_asked_and_answered() {
    let mut here = End::new(1, HERE);
    let now = Instant::ZERO;
    here.begin(now, vec![session("S", THERE)]);
    let mut init = packet(&here, State::Init);
    init.desired_min_tx = ms(1000);
    let sent = here.hear(now, THERE, &init);
    assert_eq!(here.view().local_state(), State::Up);
    assert_eq!(sent.len(), 1);
    assert!(sent[0].poll && !sent[0].is_final && sent[0].state == State::Up);
    assert_eq!(sent[0].desired_min_tx, ms(100));
    // A question is answered at once, and does not end our own.
    let mut asks = packet(&here, State::Up);
    asks.poll = true;
    let sent = here.hear(now, THERE, &asks);
    assert_eq!(sent.len(), 1);
    assert!(sent[0].is_final && !sent[0].poll);
    assert!(here.view().polls());
    let mut answer = packet(&here, State::Up);
    answer.is_final = true;
    here.hear(now, THERE, &answer);
    assert!(!here.view().polls());
    // No more than what was asked for.
    assert_eq!(here.view().transmit_interval(), ms(100));
}

#[test]
fn a_neighbour_that_is_switched_off_has_not_failed() {
    for (state, told) in [(State::AdminDown, true), (State::Down, false)] {
        let (mut here, _there, now) = both_up(session("S", THERE), session("S", HERE));
        here.told.clear();
        let discriminator = here.view().local_discriminator();
        let mut says = packet(&here, state);
        says.diagnostic = Diagnostic::PathDown;
        let sent = here.hear(now, THERE, &says);
        assert_eq!(here.view().local_state(), State::Down);
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].diagnostic, Diagnostic::NeighborSignaledSessionDown);
        assert_ne!(here.view().local_discriminator(), discriminator);
        let news: Vec<bool> = here.told.iter().map(|told| told.1).collect();
        assert_eq!(news, if told { vec![] } else { vec![false] });
        assert!(here.log.iter().any(|line| line
            == "(S) Entering Down state (Local diagnostic - Neighbor Signaled Session Down, Remote diagnostic - Path Down)"));
        // Whoever asks is told the same, and so is everybody after a reload.
        here.told.clear();
        here.bfd.handle_consumer(Consumer::Vrrp);
        here.begin(now, vec![session("S", THERE)]);
        assert_eq!(here.told, vec![("S".to_string(), told); 2]);
    }
}

#[test]
fn whoever_comes_back_and_fails_has_failed() {
    let (mut here, _there, now) = both_up(session("S", THERE), session("S", HERE));
    let off = packet(&here, State::AdminDown);
    here.hear(now, THERE, &off);
    here.told.clear();
    let down = packet(&here, State::Down);
    here.hear(now, THERE, &down);
    assert_eq!(here.view().local_state(), State::Init);
    let later = now + ms(60_000);
    here.bfd.handle_timeout(later);
    here.drain(later);
    assert_eq!(here.view().local_state(), State::Down);
    assert_eq!(here.told, [("S".to_string(), false)]);
}

#[test]
fn what_expires_says_when() {
    let (mut here, _there, _now) = both_up(session("S", THERE), session("S", HERE));
    here.log.clear();
    let at = here.view().expires_at().unwrap();
    let before = Instant::from_nanos(at.as_nanos() - 1);
    here.bfd.handle_timeout(before);
    here.drain(before);
    assert_eq!(here.view().local_state(), State::Up);
    let late = at + Duration::from_micros(49);
    here.bfd.handle_timeout(late);
    let sent = here.drain(late);
    assert_eq!(
        here.log,
        [
            "(S) Expired after 300 ms (49 usec overdue)",
            "(S) Entering Down state (Local diagnostic - Control Detection Time Expired, Remote diagnostic - No Diagnostic)"
        ]
    );
    let last = sent.last().unwrap();
    assert_eq!((last.state, last.your_discriminator), (State::Down, 0));
}

#[test]
fn a_demand_is_honoured() {
    let (mut here, _there, now) = both_up(session("S", THERE), session("S", HERE));
    let mut demands = packet(&here, State::Up);
    demands.demand = true;
    here.hear(now, THERE, &demands);
    assert_eq!(here.view().transmits_at(), None);
    // It is still waited for, and its questions are answered.
    demands.poll = true;
    let sent = here.hear(now + ms(50), THERE, &demands);
    assert!(sent.len() == 1 && sent[0].is_final);
    assert_eq!(here.view().transmits_at(), None);
    let plain = packet(&here, State::Up);
    here.hear(now + ms(60), THERE, &plain);
    assert!(here.view().transmits_at().is_some());
}

#[test]
fn nothing_is_sent_to_whoever_takes_nothing() {
    let (mut here, _there, now) = both_up(session("S", THERE), session("S", HERE));
    let mut full = packet(&here, State::Up);
    full.required_min_rx = Duration::ZERO;
    here.hear(now, THERE, &full);
    assert_eq!(here.view().transmits_at(), None);
    // When it is gone somebody must begin.
    let at = here.view().expires_at().unwrap();
    here.bfd.handle_timeout(at);
    assert_eq!(here.drain(at).len(), 1);
    assert!(here.view().transmits_at().is_some());
}

#[test]
fn a_passive_end_is_silent_until_it_is_spoken_to() {
    let mut here = End::new(1, HERE);
    let now = Instant::ZERO;
    let passive = Session {
        passive: true,
        ..session("S", THERE)
    };
    assert_eq!(here.begin(now, vec![passive]), []);
    assert_eq!(here.bfd.next_deadline(), None);
    let mut first = packet(&here, State::Down);
    first.your_discriminator = 0;
    let sent = here.hear(now, THERE, &first);
    assert_eq!(sent.len(), 1);
    assert_eq!(
        (sent[0].state, sent[0].your_discriminator),
        (State::Init, 7)
    );
    let gone = here.view().expires_at().unwrap();
    here.bfd.handle_timeout(gone);
    assert_eq!(here.drain(gone), []);
    assert_eq!(here.view().transmits_at(), None);
}

#[test]
fn whose_packet_it_is() {
    let mut here = End::new(1, HERE);
    let now = Instant::ZERO;
    let other = |name: &str, source: &str| Session {
        source: Some(source.parse().unwrap()),
        ..session(name, THERE)
    };
    here.begin(
        now,
        vec![other("A", "198.18.0.9"), other("B", "198.18.0.1")],
    );
    let mut first = packet(&here, State::Down);
    first.your_discriminator = 0;
    let states = |here: &End| -> Vec<(String, State)> {
        let sessions = here.bfd.sessions();
        sessions
            .map(|session| (session.settings().name.clone(), session.local_state()))
            .collect()
    };
    // To 198.18.0.1.
    here.hear(now, THERE, &first);
    assert_eq!(
        states(&here),
        [
            ("A".to_string(), State::Down),
            ("B".to_string(), State::Init)
        ]
    );
    // From somebody else.
    here.hear(now, HERE, &first);
    // The discriminator alone decides.
    let init = packet(&here, State::Init);
    here.hear(now, HERE, &init);
    assert_eq!(
        states(&here),
        [("A".to_string(), State::Up), ("B".to_string(), State::Init)]
    );
}

#[test]
fn how_far_a_packet_may_have_come() {
    let cases = [
        (255, MaxHops::AtMost(0), Some(255), true),
        (255, MaxHops::AtMost(0), Some(254), false),
        (255, MaxHops::AtMost(0), None, false),
        (255, MaxHops::AtMost(3), Some(252), true),
        (255, MaxHops::AtMost(3), Some(251), false),
        (64, MaxHops::AtMost(64), Some(0), true),
        (64, MaxHops::AtMost(0), Some(63), false),
        (255, MaxHops::Unlimited, Some(1), true),
        (255, MaxHops::Unlimited, None, true),
    ];
    for (ttl, max_hops, hop_limit, taken) in cases {
        let mut here = End::new(1, HERE);
        let settings = Session {
            ttl: NonZeroU8::new(ttl).unwrap(),
            max_hops,
            ..session("S", THERE)
        };
        here.begin(Instant::ZERO, vec![settings]);
        let down = packet(&here, State::Down);
        here.hear_with(Instant::ZERO, THERE, &down, hop_limit);
        let found = here.view().local_state() == State::Init;
        assert_eq!(found, taken, "{ttl} {max_hops:?} {hop_limit:?}");
    }
}

#[test]
fn refusals_are_told_now_and_then() {
    let mut here = End::new(1, HERE);
    let mut now = Instant::ZERO;
    here.begin(now, vec![session("S", THERE)]);
    here.log.clear();
    let mut signed = packet(&here, State::Down);
    signed.authenticated = true;
    let mut lost = packet(&here, State::Up);
    lost.your_discriminator ^= 1;
    for _ in 0..500 {
        now = now + ms(19);
        here.hear(now, THERE, &signed);
        here.hear(now, THERE, &lost);
    }
    now = now + ms(1000);
    here.hear(now, THERE, &lost);
    let number = lost.your_discriminator;
    let lost_one = format!(
        "Discarding packet from [198.18.0.2]:50000 (session is not found - your discriminator field is {number:#x})"
    );
    assert_eq!(
        here.log,
        [
            "Discarding packet from [198.18.0.2]:50000 (auth bit is set, but no authentication is in use)".to_string(),
            lost_one.clone(),
            format!("{lost_one}; 499 more since the last such line"),
        ]
    );
}

#[test]
fn without_a_socket_it_is_tried_again() {
    let mut here = End::new(1, HERE);
    here.sockets = false;
    let mut now = Instant::ZERO;
    assert_eq!(here.begin(now, vec![session("S", THERE)]), []);
    assert_eq!(here.view().local_state(), State::AdminDown);
    let down = packet(&here, State::Down);
    assert_eq!(here.hear(now, THERE, &down), []);
    assert_eq!(here.view().local_state(), State::AdminDown);
    for _ in 0..5 {
        now = here.bfd.next_deadline().unwrap();
        here.bfd.handle_timeout(now);
        assert_eq!(here.drain(now), []);
    }
    here.sockets = true;
    now = here.bfd.next_deadline().unwrap();
    here.bfd.handle_timeout(now);
    let sent = here.drain(now);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].state, State::Down);
    assert_eq!(
        here.log
            .iter()
            .filter(|line| line.contains("socket"))
            .count(),
        3,
        "{:?}",
        here.log
    );
}

#[test]
fn failures_to_send_are_told_once() {
    let mut here = End::new(1, HERE);
    here.begin(Instant::ZERO, vec![session("S", THERE)]);
    here.log.clear();
    let id = here.view().id();
    for _ in 0..3 {
        here.bfd.handle_sent(id, Err("no route".to_string()));
    }
    assert!(here.view().sends_fail());
    for _ in 0..3 {
        here.bfd.handle_sent(id, Ok(()));
    }
    here.drain(Instant::ZERO);
    assert_eq!(
        here.log,
        [
            "(S) Error sending packet: no route",
            "(S) packets are sent again"
        ]
    );
}

#[test]
fn what_a_reload_keeps() {
    let (mut here, _there, now) = both_up(session("S", THERE), session("S", HERE));
    let same = |here: &End| {
        let view = here.view();
        (
            view.id(),
            view.local_discriminator(),
            view.local_state(),
            view.expires_at(),
            view.transmits_at(),
        )
    };
    let before = same(&here);
    assert_eq!(here.begin(now, vec![session("S", THERE)]), []);
    assert_eq!(same(&here), before);
    // What concerns both ends is the same.
    let other = Session {
        max_hops: MaxHops::Unlimited,
        multiplier: NonZeroU8::MAX,
        passive: true,
        to_checker: false,
        ..session("S", THERE)
    };
    assert_eq!(here.begin(now, vec![other]), []);
    assert_eq!(same(&here), before);
    assert!(!here.view().polls());
    // Another interval is asked for.
    let slower = Session {
        min_tx: ms(300),
        min_rx: ms(50),
        ..session("S", THERE)
    };
    here.begin(now, vec![slower.clone()]);
    assert!(here.view().polls());
    // Until that is confirmed, what was promised holds.
    assert_eq!(here.view().transmit_interval(), ms(100));
    assert_eq!(here.view().detection_time(), ms(300));
    let mut answer = packet(&here, State::Up);
    answer.is_final = true;
    here.hear(now, THERE, &answer);
    assert_eq!(here.view().transmit_interval(), ms(300));
    // Another socket, the same session.
    let id = here.view().id();
    here.begin(
        now,
        vec![Session {
            ttl: NonZeroU8::new(64).unwrap(),
            ..slower
        }],
    );
    assert_eq!(
        (here.view().id(), here.view().local_state()),
        (id, State::Up)
    );
}

#[test]
fn what_a_reload_replaces() {
    let changes: [fn(&mut Session); 3] = [
        |session| session.neighbor = "198.18.0.3".parse().unwrap(),
        |session| session.source = Some(HERE),
        |session| session.multihop = true,
    ];
    for change in changes {
        let (mut here, _there, now) = both_up(session("S", THERE), session("S", HERE));
        let id = here.view().id();
        here.told.clear();
        let mut other = session("S", THERE);
        change(&mut other);
        let sent = here.begin(now, vec![other]);
        assert_ne!(here.view().id(), id);
        assert_eq!(here.view().local_state(), State::Down);
        assert_eq!(sent.len(), 1);
        assert_eq!(here.told, [("S".to_string(), false)]);
        assert_eq!(here.bfd.settings(id), None);
    }
}

#[test]
fn a_session_that_is_gone_is_gone() {
    let (mut here, _there, now) = both_up(session("S", THERE), session("S", HERE));
    let id = here.view().id();
    let up = packet(&here, State::Up);
    here.begin(now, vec![]);
    assert_eq!(here.bfd.next_deadline(), None);
    assert_eq!(here.hear(now, THERE, &up), []);
    here.bfd.handle_sent(id, Err(String::new()));
    here.bfd.handle_socket(now, id, Ok(()));
    assert_eq!(here.drain(now), []);
    assert_eq!(id, SessionId(0));
    here.begin(now, vec![session("S", THERE)]);
    assert_eq!(here.view().id(), SessionId(1), "no number is given twice");
}

/// A core that begins with what the host of another one was told to keep, so long after that one was alive.
fn successor(
    of: &End,
    alive: Instant,
    now: Instant,
    sessions: Vec<Session>,
) -> (End, Vec<ControlPacket>) {
    let mut successor = End::new(99, of.address);
    successor.kept.clone_from(&of.kept);
    successor
        .bfd
        .handle_predecessor(of.kept.clone(), Some(alive));
    let sent = successor.begin(now, sessions);
    (successor, sent)
}

#[test]
fn a_successor_goes_on() {
    let (here, mut there, now) = both_up(session("S", THERE), session("S", HERE));
    let alive = now;
    let now = now + ms(299);
    let (mut next, sent) = successor(&here, alive, now, vec![session("S", THERE)]);
    assert_eq!(next.view().local_state(), State::Up);
    assert_eq!(next.told, [("S".to_string(), true)]);
    assert_eq!(
        next.view().local_discriminator(),
        here.view().local_discriminator()
    );
    assert_eq!(sent.len(), 1);
    assert!(sent[0].poll && sent[0].state == State::Up);
    assert!(
        next.log
            .contains(&"(S) was up before the restart and stays up".to_string())
    );
    // The neighbour notices nothing, and answers.
    there.log.clear();
    let answers = there.hear(now, HERE, &sent[0]);
    assert_eq!(there.log, Vec::<String>::new());
    assert!(answers.len() == 1 && answers[0].is_final);
    next.hear(now, THERE, &answers[0]);
    assert!(!next.view().polls());
    // What is known is when the last one lived, not when it heard; so it waits for up to one interval more. But if it dies, too,
    // before anything was heard, that does not begin again.
    let (next, _) = successor(&here, alive, now, vec![session("S", THERE)]);
    assert_eq!(next.view().expires_at(), Some(alive + ms(300)));
    let (third, _) = successor(&next, now, now, vec![session("S", THERE)]);
    assert_eq!(third.view().expires_at(), next.view().expires_at());
}

#[test]
fn a_successor_that_comes_late_or_is_another_begins_anew() {
    let (here, _there, alive) = both_up(session("S", THERE), session("S", HERE));
    let slow = |session: Session| Session {
        min_tx: ms(500),
        ..session
    };
    let elsewhere = Session {
        source: Some(HERE),
        ..session("S", THERE)
    };
    let cases = [
        (ms(300), vec![session("S", THERE)]),
        (ms(10), vec![elsewhere]),
        (ms(10), vec![session("T", THERE)]),
        (ms(10), vec![]),
    ];
    for (later, sessions) in cases {
        let too_late = later >= ms(300);
        let (next, _) = successor(&here, alive, alive + later, sessions.clone());
        for session in next.bfd.sessions() {
            assert_eq!(session.local_state(), State::Down, "{later:?} {sessions:?}");
        }
        let says_so = next.log.iter().any(|line| line.contains("is over"));
        assert_eq!(says_so, too_late);
        assert!(next.told.iter().all(|told| !told.1));
        assert!(next.kept.is_empty(), "{:?}", next.kept);
    }
    // Other intervals are told; until they are confirmed what is safe counts.
    let (next, sent) = successor(
        &here,
        alive,
        alive + ms(10),
        vec![slow(session("S", THERE))],
    );
    assert!(next.view().polls() && sent[0].desired_min_tx == ms(500));
    assert_eq!(next.view().transmit_interval(), ms(100));
    let patient = Session {
        min_rx: ms(400),
        ..session("S", THERE)
    };
    let (next, _) = successor(&here, alive, alive + ms(10), vec![patient]);
    assert_eq!(next.view().detection_time(), ms(1200));
}

#[test]
fn a_successor_knows_that_a_neighbour_is_switched_off() {
    let (mut here, _there, now) = both_up(session("S", THERE), session("S", HERE));
    let off = packet(&here, State::AdminDown);
    here.hear(now, THERE, &off);
    let (next, _) = successor(&here, now, now + ms(60_000), vec![session("S", THERE)]);
    assert_eq!(next.view().local_state(), State::Down);
    assert_eq!(next.told, [("S".to_string(), true)]);
    // What is down leaves nothing.
    let (mut here, _there, now) = both_up(session("S", THERE), session("S", HERE));
    assert_eq!(here.kept.len(), 1);
    let down = packet(&here, State::Down);
    here.hear(now, THERE, &down);
    assert!(here.kept.is_empty());
}

/// A record that another session has taken the discriminator of cannot be gone on with.
#[test]
fn a_discriminator_is_taken_once() {
    let (here, _there, now) = both_up(session("S", THERE), session("S", HERE));
    let record = here.kept.get("S").unwrap().clone();
    let mut next = End::new(5, HERE);
    let twice = [("S".to_string(), record.clone()), ("T".to_string(), record)];
    next.bfd.handle_predecessor(twice, Some(now));
    next.begin(now, vec![session("S", THERE), session("T", THERE)]);
    let states: Vec<State> = next.bfd.sessions().map(|it| it.local_state()).collect();
    assert_eq!(states, [State::Up, State::Down]);
}

#[test]
fn a_lost_socket_is_a_failure() {
    let (mut here, _there, now) = both_up(session("S", THERE), session("S", HERE));
    here.told.clear();
    let id = here.view().id();
    here.bfd.handle_socket(now, id, Err("gone".to_string()));
    here.drain(now);
    assert_eq!(here.view().local_state(), State::AdminDown);
    assert_eq!(
        here.view().local_diagnostic(),
        Diagnostic::AdministrativelyDown
    );
    assert_eq!(here.told, [("S".to_string(), false)]);
    let view = here.view();
    assert_eq!(
        (view.transmits_at(), view.expires_at(), view.forgets_at()),
        (None, None, None)
    );
}

#[test]
fn without_a_socket_nothing_is_due_to_be_sent() {
    let (mut here, _there, now) = both_up(session("S", THERE), session("S", HERE));
    let session = Session {
        ttl: NonZeroU8::new(64).unwrap(),
        ..session("S", THERE)
    };
    let sessions = vec![session];
    here.bfd.handle_settings(now, crate::Settings { sessions });
    while here.bfd.poll_action().is_some() {}
    // The host takes its time to open it.
    assert_eq!(here.view().transmits_at(), None);
    let later = now + ms(100);
    here.bfd.handle_timeout(later);
    assert_eq!(here.drain(later), []);
    let id = here.view().id();
    here.bfd.handle_socket(later, id, Ok(()));
    assert_eq!(here.drain(later).len(), 1);
}

#[test]
fn another_ttl_is_another_socket() {
    let (mut here, _there, now) = both_up(session("S", THERE), session("S", HERE));
    let id = here.view().id();
    let opened = |here: &mut End, ttl: u8| {
        let session = Session {
            ttl: NonZeroU8::new(ttl).unwrap(),
            ..session("S", THERE)
        };
        let sessions = vec![session];
        here.bfd.handle_settings(now, crate::Settings { sessions });
        let mut opened = false;
        while let Some(action) = here.bfd.poll_action() {
            opened |= action == crate::Action::Open(id);
        }
        here.bfd.handle_socket(now, id, Ok(()));
        opened
    };
    assert!(opened(&mut here, 64));
    assert!(!opened(&mut here, 64));
    assert_eq!(here.view().local_state(), State::Up);
}

/// The detection time goes by what is in force, from the last packet on.
#[test]
fn a_reload_moves_the_end_of_the_detection_time() {
    let (mut here, _there, now) = both_up(session("S", THERE), session("S", HERE));
    let heard = here.view().last_heard().unwrap();
    let patient = Session {
        min_rx: ms(400),
        ..session("S", THERE)
    };
    here.begin(now, vec![patient.clone()]);
    assert_eq!(here.view().expires_at(), Some(heard + ms(1200)));
    // While it is down, what is known of the neighbour is forgotten by the same reckoning.
    let down = packet(&here, State::Down);
    here.hear(now, THERE, &down);
    assert_eq!(here.view().forgets_at(), Some(now + ms(1200)));
    here.begin(now, vec![session("S", THERE)]);
    assert_eq!(here.view().forgets_at(), Some(now + ms(300)));
}

/// An idle session may send more often than one that is up: the neighbour must know before that changes.
#[test]
fn a_slower_session_waits_for_its_confirmation() {
    let slow = Session {
        min_tx: ms(5000),
        ..session("S", THERE)
    };
    let mut here = End::new(1, HERE);
    here.begin(Instant::ZERO, vec![slow]);
    let init = packet(&here, State::Init);
    here.hear(Instant::ZERO, THERE, &init);
    assert_eq!(here.view().local_state(), State::Up);
    assert_eq!(here.view().transmit_interval(), ms(1000));
    let mut answer = packet(&here, State::Up);
    answer.is_final = true;
    here.hear(Instant::ZERO, THERE, &answer);
    assert_eq!(here.view().transmit_interval(), ms(5000));
}

#[test]
fn a_port_has_its_own_sessions() {
    let far = Session {
        multihop: true,
        ..session("far", THERE)
    };
    let mut here = End::new(1, HERE);
    here.begin(Instant::ZERO, vec![far]);
    let mut first = packet(&here, State::Down);
    first.your_discriminator = 0;
    // It comes to the port of one hop.
    here.hear(Instant::ZERO, THERE, &first);
    assert_eq!(here.view().local_state(), State::Down);
    let not_found = |line: &String| line.contains("session is not found");
    assert!(here.log.iter().any(not_found));
}

#[test]
fn what_is_not_read_yet_is_nobodys_silence() {
    let (mut here, _there, _now) = both_up(session("S", THERE), session("S", HERE));
    let late = here.view().expires_at().unwrap() + ms(1);
    here.bfd.handle_send_times(late);
    let sent = here.drain(late);
    assert_eq!(sent.len(), 1);
    assert_eq!(here.view().local_state(), State::Up);
    assert!(here.view().transmits_at().unwrap() > late);
    assert!(here.bfd.next_deadline().unwrap() <= late, "it is still due");
    here.bfd.handle_timeout(late);
    here.drain(late);
    assert_eq!(here.view().local_state(), State::Down);
}

#[test]
fn a_session_that_is_removed_leaves_no_record() {
    let (mut here, _there, now) = both_up(session("S", THERE), session("S", HERE));
    assert!(here.kept.contains_key("S"));
    here.begin(now, vec![]);
    assert!(here.kept.is_empty());
}

/// What it heard since is its own: another crash, however much later, finds it as the first one did.
#[test]
fn a_successor_that_has_heard_something_is_like_any_other() {
    let (here, _there, now) = both_up(session("S", THERE), session("S", HERE));
    let (mut next, _) = successor(&here, now, now, vec![session("S", THERE)]);
    let mut later = now;
    for _ in 0..20 {
        later = later + ms(90);
        let up = packet(&next, State::Up);
        next.hear(later, THERE, &up);
    }
    let (third, _) = successor(&next, later, later, vec![session("S", THERE)]);
    assert_eq!(third.view().local_state(), State::Up);
    // A reload before anything is heard does not prolong what is borrowed.
    let until = third.view().expires_at();
    let patient = Session {
        min_rx: ms(400),
        ..session("S", THERE)
    };
    let mut third = third;
    third.begin(later, vec![patient]);
    assert_eq!(third.view().expires_at(), until);
}

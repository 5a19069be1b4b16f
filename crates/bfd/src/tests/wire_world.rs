//! Two cores, a wire that delays and loses, and laws that hold whatever happens on it.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;
use types::{Instant, Random};
use wire::bfd::{ControlPacket, State};

use super::{End, HERE, THERE, ms, session};
use crate::settings::Session;

/// The world.
pub(crate) struct World {
    pub(crate) ends: [End; 2],
    pub(crate) now: Instant,
    /// Packets on their way, by when they arrive: to whom.
    wire: BTreeMap<(Instant, u64), (usize, ControlPacket)>,
    count: u64,
    random: Random,
    /// Longest time on the way.
    pub(crate) delay: Duration,
    /// So many of a hundred packets are lost, by whom they are for.
    pub(crate) loss: [u64; 2],
    /// When an end sent its last packet that was no answer, and in which state.
    last_sent: [Option<(Instant, State)>; 2],
    /// Shortest and longest time between two of these while up.
    pub(crate) gaps: [Option<(Duration, Duration)>; 2],
}

impl World {
    pub(crate) fn new(seed: u64, here: Vec<Session>, there: Vec<Session>) -> Self {
        Self::with_loss(seed, here, there, [0, 0])
    }

    fn with_loss(seed: u64, here: Vec<Session>, there: Vec<Session>, loss: [u64; 2]) -> Self {
        let mut random = Random::new(seed);
        let mut ends = [
            End::new(random.next_u64(), HERE),
            End::new(random.next_u64(), THERE),
        ];
        let now = Instant::from_nanos(1);
        let mut sent = Vec::new();
        for (at, sessions) in [here, there].into_iter().enumerate() {
            sent.push(ends[at].begin(now, sessions));
        }
        let mut world = Self {
            ends,
            now,
            wire: BTreeMap::new(),
            count: 0,
            random,
            delay: ms(2),
            loss,
            last_sent: [None, None],
            gaps: [None, None],
        };
        for (from, packets) in sent.into_iter().enumerate() {
            world.put(from, packets);
        }
        world
    }

    /// What an end sends goes onto the wire.
    fn put(&mut self, from: usize, packets: Vec<ControlPacket>) {
        for packet in packets {
            if !packet.is_final {
                if let Some((before, State::Up)) = self.last_sent[from]
                    && packet.state == State::Up
                {
                    let gap = self.now.since(before);
                    let (least, most) = self.gaps[from].unwrap_or((gap, gap));
                    self.gaps[from] = Some((least.min(gap), most.max(gap)));
                }
                self.last_sent[from] = Some((self.now, packet.state));
            }
            let to = 1 - from;
            if self.random.up_to(99) < self.loss[to] {
                continue;
            }
            let most = u64::try_from(self.delay.as_micros()).unwrap();
            let at = self.now + Duration::from_micros(self.random.up_to(most));
            self.count += 1;
            self.wire.insert((at, self.count), (to, packet));
        }
    }

    /// One event: a packet arrives, or an end's time has come. False: none before `until`.
    fn step(&mut self, until: Instant) -> bool {
        let arrival = self.wire.first_key_value().map(|((at, _), _)| *at);
        let deadlines = self.ends.iter().map(|end| end.bfd.next_deadline());
        let timeout = deadlines.flatten().min();
        let next = arrival.into_iter().chain(timeout).min();
        let Some(at) = next.filter(|at| *at <= until) else {
            self.now = until;
            return false;
        };
        self.now = self.now.max(at);
        // What has arrived comes before what time brings.
        if arrival.is_some_and(|arrival| arrival <= self.now) {
            let ((_, _), (to, packet)) = self.wire.pop_first().unwrap();
            let from = self.ends[1 - to].address;
            let sent = self.ends[to].hear(self.now, from, &packet);
            self.put(to, sent);
        } else {
            for end in 0..2 {
                self.ends[end].bfd.handle_timeout(self.now);
                let sent = self.ends[end].drain(self.now);
                self.put(end, sent);
            }
        }
        true
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
    }

    fn states(&self) -> [State; 2] {
        [0, 1].map(|end| self.ends[end].view().local_state())
    }

    /// Until an end is no longer up; how long that took.
    fn until_down(&mut self, end: usize, most: Duration) -> Option<Duration> {
        let begin = self.now;
        let until = begin + most;
        while self.step(until) {
            if self.states()[end] != State::Up {
                return Some(self.now.since(begin));
            }
        }
        None
    }
}

fn any_session() -> impl Strategy<Value = Session> {
    (5_u64..500, 5_u64..500, 1000_u64..3000, 1_u8..10).prop_map(|(rx, tx, idle, multiplier)| {
        Session {
            min_rx: ms(rx),
            min_tx: ms(tx),
            idle_tx: ms(idle),
            multiplier: multiplier.try_into().unwrap(),
            ..session("S", THERE)
        }
    })
}

fn pair() -> impl Strategy<Value = (u64, Session, Session)> {
    (any::<u64>(), any_session(), any_session()).prop_map(|(seed, here, there)| {
        let there = Session {
            neighbor: HERE,
            ..there
        };
        (seed, here, there)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Two ends find one another, agree on intervals and keep to them; a dead wire is noticed within the detection time, and not
    /// before nine tenths of the packets that it takes are missing.
    #[test]
    fn sessions_come_up_and_failures_are_noticed((seed, here, there) in pair(), passive in 0..3_u8) {
        let (mut here, mut there) = (here, there);
        here.passive = passive == 1;
        there.passive = passive == 2;
        let mut world = World::new(seed, vec![here.clone()], vec![there.clone()]);
        world.run_for(ms(15_000));
        prop_assert_eq!(world.states(), [State::Up; 2]);
        // Polls are over, and each goes by what the other can take.
        let interval = |own: &Session, other: &Session| own.min_tx.max(other.min_rx);
        let settings = [(&here, &there), (&there, &here)];
        for (at, (own, other)) in settings.into_iter().enumerate() {
            let view = world.ends[at].view();
            prop_assert!(!view.polls());
            prop_assert_eq!(view.transmit_interval(), interval(own, other));
            let detection = interval(other, own) * u32::from(other.multiplier.get());
            prop_assert_eq!(view.detection_time(), detection);
        }
        world.gaps = [None, None];
        world.last_sent = [None, None];
        world.run_for(ms(20_000));
        prop_assert_eq!(world.states(), [State::Up; 2]);
        for (at, (own, other)) in settings.into_iter().enumerate() {
            let (least, most) = world.gaps[at].unwrap();
            let interval = interval(own, other);
            prop_assert!(least >= interval * 3 / 4 && most <= interval * 9 / 10, "{least:?} to {most:?} of {interval:?}");
        }
        let before = [0, 1].map(|end: usize| world.ends[end].view().local_discriminator());
        world.loss = [100, 100];
        for end in 0..2 {
            let detection = world.ends[end].view().detection_time();
            let heard = world.ends[end].view().last_heard().unwrap();
            if world.states()[end] == State::Up {
                prop_assert!(world.until_down(end, detection + ms(5)).is_some());
            }
            let silence = world.now.since(heard);
            // The last one may have been on its way when the wire broke.
            prop_assert!(silence >= detection || world.ends[end].view().last_heard() != Some(heard), "{silence:?} of {detection:?}");
        }
        for (end, before) in before.into_iter().enumerate() {
            prop_assert_ne!(world.ends[end].view().local_discriminator(), before);
            prop_assert_eq!(world.ends[end].told.last().map(|told| told.1), Some(false));
        }
        world.loss = [0, 0];
        world.run_for(ms(15_000));
        prop_assert_eq!(world.states(), [State::Up; 2]);
    }

    /// A tenth of the packets lost is nothing to a session that waits for ten.
    #[test]
    fn some_loss_is_nothing((seed, here, there) in pair()) {
        let ten = 10.try_into().unwrap();
        let here = Session { multiplier: ten, ..here };
        let there = Session { multiplier: ten, ..there };
        let mut world = World::new(seed, vec![here], vec![there]);
        world.loss = [10, 10];
        world.run_for(ms(30_000));
        prop_assert_eq!(world.states(), [State::Up; 2]);
        let told = world.ends.each_ref().map(|end| end.told.len());
        world.run_for(ms(60_000));
        prop_assert_eq!(world.states(), [State::Up; 2]);
        prop_assert_eq!(world.ends.each_ref().map(|end| end.told.len()), told, "it was never down");
    }

    /// Reloads that change intervals never make a session fail, whatever is lost meanwhile, and in the end both go by the new ones.
    #[test]
    fn other_intervals_do_no_harm((seed, here, there) in pair(), changes in prop::collection::vec((any::<bool>(), any_session(), 0_u64..3000), 1..6)) {
        let twenty = 20.try_into().unwrap();
        let mut settings = [
            Session { multiplier: twenty, ..here },
            Session { multiplier: twenty, ..there },
        ];
        let mut world = World::new(seed, vec![settings[0].clone()], vec![settings[1].clone()]);
        world.run_for(ms(20_000));
        prop_assert_eq!(world.states(), [State::Up; 2]);
        world.loss = [5, 5];
        let told = world.ends.each_ref().map(|end| end.told.iter().filter(|told| !told.1).count());
        for (first, new, pause) in changes {
            let end = usize::from(!first);
            settings[end] = Session {
                min_rx: new.min_rx,
                min_tx: new.min_tx,
                ..settings[end].clone()
            };
            let now = world.now;
            let sent = world.ends[end].begin(now, vec![settings[end].clone()]);
            world.put(end, sent);
            world.run_for(ms(pause));
        }
        world.run_for(ms(30_000));
        prop_assert_eq!(world.states(), [State::Up; 2]);
        let now_told = world.ends.each_ref().map(|end| end.told.iter().filter(|told| !told.1).count());
        prop_assert_eq!(now_told, told);
        for (at, (own, other)) in [(0, 1), (1, 0)].into_iter().enumerate() {
            let view = world.ends[at].view();
            prop_assert!(!view.polls());
            let interval = settings[own].min_tx.max(settings[other].min_rx);
            prop_assert_eq!(view.transmit_interval(), interval);
        }
    }

    /// No bytes do harm: the session stays up, and little is said of them.
    #[test]
    fn noise_does_no_harm(noise in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), any::<Option<u8>>(), any::<bool>()), 1..200)) {
        let (mut here, _there, now) = super::both_up(session("S", THERE), session("S", HERE));
        here.log.clear();
        let discriminator = here.view().local_discriminator();
        for (bytes, hop_limit, from_neighbour) in noise {
            let source = if from_neighbour { THERE } else { core::net::Ipv6Addr::LOCALHOST.into() };
            let packet = crate::Packet {
                port: types::bfd::Port::SingleHop,
                source: core::net::SocketAddr::new(source, 1),
                destination: HERE,
                hop_limit,
                length: bytes.len(),
                payload: &bytes,
            };
            here.bfd.handle_packet(now, &packet);
            prop_assert!(here.drain(now).is_empty());
        }
        prop_assert_eq!(here.view().local_state(), State::Up);
        prop_assert_eq!(here.view().local_discriminator(), discriminator);
        // One line for each reason.
        prop_assert!(here.log.len() <= 5, "{:?}", here.log);
    }
}

#[test]
fn one_way_only_is_no_way() {
    let sessions = (vec![session("S", THERE)], vec![session("S", HERE)]);
    let mut world = World::with_loss(3, sessions.0, sessions.1, [0, 100]);
    world.run_for(ms(30_000));
    let states = world.states();
    // We hear a neighbour that does not hear us: that is Init for ever, which is not up.
    assert_eq!(states, [State::Init, State::Down]);
    assert!(
        world
            .ends
            .iter()
            .all(|end| !end.told.iter().any(|told| told.1))
    );
    world.loss = [0, 0];
    world.run_for(ms(5000));
    assert_eq!(world.states(), [State::Up; 2]);
}

#[test]
fn two_that_wait_for_one_another_wait_for_ever() {
    let passive = |neighbor| Session {
        passive: true,
        ..session("S", neighbor)
    };
    let mut world = World::new(3, vec![passive(THERE)], vec![passive(HERE)]);
    world.run_for(ms(30_000));
    assert_eq!(world.states(), [State::Down; 2]);
    assert_eq!(world.count, 0);
}

//! The election: what an advert does to a Backup or a Master, and what a time-out does.
//!
//! RFC 9568 6.4.2 and 6.4.3, with keepalived's additions. `judge_*` read and return; [`Vrrp`] applies.

use core::net::IpAddr;

use types::{Centiseconds, Claim, Instant, Priority, Version};
use wire::vrrp::Advert;

use crate::action::{Announced, Event, Truce};
use crate::garp::Which;
use crate::instance::{Instance, Shared};
use crate::receive::{Packet, Recipient, Rejection, has_old_checksum, judge, judge_sender};
use crate::settings::{OldChecksum, Preempt};
use crate::state::{BackupEntry, BackupTimer, Farewell, Master, Rogue, State, StateName, Telling};
use crate::view::MasterView;
use crate::vrrp::Vrrp;

/// What a backup makes of an advert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
enum BackupVerdict {
    /// The master leaves: wait Skew_Time only.
    MasterLeaves,
    /// This is our master: wait a full Master_Down_Interval again.
    Accept {
        /// What becomes of the preemption delay.
        preempt_at: Option<Instant>,
    },
    /// A lesser router: let the timer run out and take over.
    LetTimerRun,
}

/// RFC 9568 6.4.2, (350)-(420), with `preempt_delay`.
///
/// There is no comparison of addresses here: an equal priority is accepted.
fn judge_as_backup(
    ours: Priority,
    preempt: Preempt,
    preempt_at: Option<Instant>,
    theirs: Claim,
    now: Instant,
) -> BackupVerdict {
    let Claim::At(theirs) = theirs else {
        return BackupVerdict::MasterLeaves;
    };
    if theirs >= ours {
        return BackupVerdict::Accept { preempt_at: None };
    }
    match (preempt, preempt_at) {
        (Preempt::Never, _) => BackupVerdict::Accept { preempt_at: None },
        (Preempt::Immediately, _) => BackupVerdict::LetTimerRun,
        // The delay counts from the first advert of a lesser master.
        (Preempt::After(delay), None) => BackupVerdict::Accept {
            preempt_at: Some(now + delay),
        },
        (Preempt::After(_), Some(at)) if now < at => BackupVerdict::Accept {
            preempt_at: Some(at),
        },
        (Preempt::After(_), Some(_)) => BackupVerdict::LetTimerRun,
    }
}

/// What a master makes of an advert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
enum MasterVerdict {
    /// Another master leaves: say that we are still here.
    Answer,
    /// It is better than we are.
    GiveWay,
    /// It is us, or somebody with our address and priority.
    Ourselves,
    /// We are better than it is.
    StandOurGround,
}

/// RFC 9568 6.4.3, (645)-(720): the higher priority wins, then the higher address.
fn judge_as_master(ours: (Priority, IpAddr), theirs: (Claim, IpAddr)) -> MasterVerdict {
    let (Claim::At(their_priority), their_address) = theirs else {
        return MasterVerdict::Answer;
    };
    match (their_priority, their_address).cmp(&ours) {
        core::cmp::Ordering::Greater => MasterVerdict::GiveWay,
        core::cmp::Ordering::Equal => MasterVerdict::Ourselves,
        core::cmp::Ordering::Less => MasterVerdict::StandOurGround,
    }
}

/// What has to happen beyond the instance itself: in a sync group others are concerned.
#[derive(Clone, Copy, Debug)]
#[must_use]
enum Consequence {
    Nothing,
    BecomeMaster,
    BecomeBackup(BackupEntry),
    /// The other members of the group announce their addresses, too.
    AnnounceGroup,
}

impl Vrrp {
    /// A packet of protocol 112 came in.
    pub fn handle_packet(&mut self, now: Instant, packet: &Packet<'_>) {
        let Some(id) = self.recipient(packet) else {
            return;
        };
        if self.shared.startup.holds(now) {
            return;
        }
        self.yield_if_overslept(id, now);
        let Some(instance) = self.instances.get_mut(id) else {
            return;
        };
        let consequence = instance.handle_packet(now, packet, &mut self.shared);
        self.carry_out(id, consequence, now);
        self.arm(id);
    }

    /// An instance's own deadline may have passed.
    pub(crate) fn handle_instance_timeout(&mut self, id: usize, now: Instant) {
        self.yield_if_overslept(id, now);
        let Some(instance) = self.instances.get_mut(id) else {
            return;
        };
        let consequence = instance.handle_timeout(now, &mut self.shared);
        self.carry_out(id, consequence, now);
        self.arm(id);
    }

    fn carry_out(&mut self, id: usize, consequence: Consequence, now: Instant) {
        match consequence {
            Consequence::Nothing => {}
            Consequence::BecomeMaster => self.try_master(id, now),
            Consequence::BecomeBackup(entry) => self.give_way(id, entry, now),
            Consequence::AnnounceGroup => self.announce_rest_of_group(id, now),
        }
    }
}

impl Instance {
    fn handle_packet(
        &mut self,
        now: Instant,
        packet: &Packet<'_>,
        shared: &mut Shared,
    ) -> Consequence {
        if !matches!(self.state, State::Backup(_) | State::Master(_)) {
            return Consequence::Nothing;
        }
        let recipient = Recipient {
            settings: &self.settings,
            effective: self.effective,
        };
        let time = shared.clock.at(now);
        let judgement = judge(packet, recipient, &mut self.proof, time);
        if let Some(behind) = self.proof.complaint(time) {
            let from = packet.source;
            shared.report(&self.name, Event::ClockSkew { from, behind });
        }
        match judgement {
            Ok(advert) => {
                self.statistics.advert_rcvd += 1;
                if let Err(rejection) = judge_sender(packet, &self.settings) {
                    self.refuse(packet.source, rejection, shared);
                    return Consequence::Nothing;
                }
                self.notice_old_checksum(packet, &advert, shared);
                self.handle_advert(now, packet.source, &advert, shared)
            }
            Err(rejection) => {
                self.refuse(packet.source, rejection, shared);
                Consequence::Nothing
            }
        }
    }

    fn refuse(&mut self, from: IpAddr, why: Rejection, shared: &mut Shared) {
        why.count(self.statistics.mistakes());
        let bit = why.bit();
        self.say_once(bit, shared, || Event::Rejected { from, why });
    }

    /// The first advert with an old checksum is worth a word: the sender could be brought up to date.
    fn notice_old_checksum(
        &mut self,
        packet: &Packet<'_>,
        advert: &Advert<'_>,
        shared: &mut Shared,
    ) {
        let detects = self.settings.unicast.as_deref().is_some_and(|unicast| {
            unicast.old_checksum == OldChecksum::Detect && !self.settings.v3_checksum_as_v2
        });
        if detects && !self.old_checksum_seen && has_old_checksum(packet, advert, &self.settings) {
            self.old_checksum_seen = true;
            let from = packet.source;
            shared.report(&self.name, Event::OldChecksum { from });
        }
    }

    fn handle_advert(
        &mut self,
        now: Instant,
        from: IpAddr,
        advert: &Advert<'_>,
        shared: &mut Shared,
    ) -> Consequence {
        if advert.claim == Claim::Leaving {
            self.statistics.pri_zero_rcvd += 1;
        }
        if advert.advert_int != self.settings.advert_int {
            let (theirs, ours) = (advert.advert_int, self.settings.advert_int);
            self.say_once(INTERVAL_BIT, shared, || Event::IntervalDiffers {
                from,
                theirs,
                ours,
            });
        }
        match &self.state {
            State::Backup(backup) => {
                let new_master = backup.master.is_none_or(|master| master.address != from);
                if new_master && self.changes.one_more(now) {
                    self.said = 0;
                    shared.report(
                        &self.name,
                        Event::MasterIs {
                            address: from,
                            claim: advert.claim,
                        },
                    );
                }
                if new_master || !self.settings.skip_check_adv_addr {
                    self.compare_addresses(from, advert, shared);
                }
                self.backup_hears(now, from, advert, shared);
                Consequence::Nothing
            }
            State::Master(_) => {
                self.compare_addresses(from, advert, shared);
                self.master_hears(now, from, advert, shared)
            }
            State::Init | State::Fault { .. } | State::Stop => Consequence::Nothing,
        }
    }

    fn backup_hears(
        &mut self,
        now: Instant,
        from: IpAddr,
        advert: &Advert<'_>,
        shared: &mut Shared,
    ) {
        self.reclaim_ownership(from, advert.claim);
        let State::Backup(backup) = &mut self.state else {
            return;
        };
        let heard = MasterView {
            address: from,
            claim: advert.claim,
        };
        match judge_as_backup(
            self.effective,
            self.settings.preempt,
            backup.preempt_at,
            advert.claim,
            now,
        ) {
            BackupVerdict::MasterLeaves => {
                backup.master = Some(heard);
                self.restart_backup_timer(now, BackupTimer::Skew);
            }
            BackupVerdict::Accept { preempt_at } => {
                backup.master = Some(heard);
                backup.preempt_at = preempt_at;
                self.wants = StateName::Backup;
                self.learn_interval(advert.advert_int);
                self.restart_backup_timer(now, BackupTimer::MasterDown);
            }
            BackupVerdict::LetTimerRun => {
                backup.master = Some(heard);
                if let Claim::At(theirs) = advert.claim {
                    let ours = self.effective;
                    self.say_once(LOWER_PRIORITY_BIT, shared, || Event::LowerPriority {
                        from,
                        theirs,
                        ours,
                    });
                }
            }
        }
    }

    fn master_hears(
        &mut self,
        now: Instant,
        from: IpAddr,
        advert: &Advert<'_>,
        shared: &mut Shared,
    ) -> Consequence {
        let Some(source) = self.source else {
            return Consequence::Nothing;
        };
        let both_own = self.effective.is_owner() && advert.claim == Claim::At(Priority::OWNER);
        if both_own && from != source {
            self.say_once(TWO_OWNERS_BIT, shared, || Event::TwoOwners { from });
        }
        match (
            judge_as_master((self.effective, source), (advert.claim, from)),
            advert.claim,
        ) {
            (MasterVerdict::Answer, _) | (_, Claim::Leaving) => {
                // A goodbye proves nothing: the words and announcements that end a rivalry have the rate of answers.
                if self.may_answer(now) {
                    if self.is_rival(from) {
                        self.rival_ends(Truce::TheyGaveWay, now, shared);
                    }
                    self.send_advert(now, shared);
                }
                Consequence::Nothing
            }
            (MasterVerdict::GiveWay, Claim::At(theirs)) => {
                if self.settings.higher_prio_send_advert {
                    self.send_advert(now, shared);
                }
                shared.report(
                    &self.name,
                    Event::HigherPriority {
                        from,
                        theirs,
                        ours: self.effective,
                    },
                );
                self.rival_ends(Truce::WeGaveWay, now, shared);
                self.learn_interval(advert.advert_int);
                let master = Some(MasterView {
                    address: from,
                    claim: advert.claim,
                });
                // No farewell: the better router is there already, a priority 0 would only stir up the others.
                Consequence::BecomeBackup(BackupEntry {
                    farewell: Farewell::None,
                    timer: BackupTimer::MasterDown,
                    master,
                })
            }
            (MasterVerdict::Ourselves, _) => {
                self.say_once(OURSELVES_BIT, shared, || Event::SameAddressAndPriority {
                    from,
                });
                Consequence::Nothing
            }
            (MasterVerdict::StandOurGround, Claim::At(theirs)) => {
                let counting = self.counts_down_rogue();
                let lowered = both_own && self.rogue_heard(advert.advert_int, shared);
                if lowered {
                    self.rival_ends(Truce::WeGaveWay, now, shared);
                    self.learn_interval(advert.advert_int);
                    let master = Some(MasterView {
                        address: from,
                        claim: advert.claim,
                    });
                    return Consequence::BecomeBackup(BackupEntry {
                        farewell: Farewell::None,
                        timer: BackupTimer::MasterDown,
                        master,
                    });
                }
                let ours = self.effective;
                self.say_once(LOWER_PRIORITY_BIT, shared, || Event::LowerPriority {
                    from,
                    theirs,
                    ours,
                });
                self.rival_heard(from, theirs, advert.advert_int, now, shared);
                if !self.may_answer(now) {
                    return Consequence::Nothing;
                }
                // Answering at once spares the other one its whole interval as a second master. Only an advert that
                // was really sent restarts our timer, or a stream of lesser adverts could silence us.
                if !self.settings.lower_prio_no_advert {
                    self.send_advert(now, shared);
                    // An answer postpones the periodic advert: a rogue faster than we are would never be counted out.
                    if counting {
                        self.count_down_rogue(now);
                    }
                }
                self.repeat_announcements(now, shared);
                self.tell(Announced::MasterRxLowerPri, Telling::Tell, shared);
                Consequence::AnnounceGroup
            }
        }
    }

    /// The schedule after a lower-priority advert, for this instance.
    pub(crate) fn repeat_announcements(&mut self, now: Instant, shared: &mut Shared) {
        let State::Master(master) = &mut self.state else {
            return;
        };
        let rounds = master.garp.lower_priority_heard(&self.settings.garp, now);
        self.announce_addresses(rounds, now, shared);
    }

    fn handle_timeout(&mut self, now: Instant, shared: &mut Shared) -> Consequence {
        self.rival_may_be_gone(now, shared);
        match &mut self.state {
            State::Backup(backup) if backup.master_down_at <= now => Consequence::BecomeMaster,
            State::Master(master) => {
                if let Rogue::Watching { until } = master.rogue
                    && until <= now
                {
                    master.rogue = Rogue::None;
                }
                let due = master.advert_at;
                if due <= now && self.proof.is_used_up(&self.settings) {
                    return self.give_way_for_numbers(shared);
                }
                let extra = self.settings.garp_extra_if;
                let due_garp = master
                    .garp
                    .take_due(&self.settings.garp, extra.as_ref(), now);
                if due <= now {
                    self.send_advert(now, shared);
                    self.keep_the_beat(due, now);
                    self.count_down_rogue(now);
                }
                self.announce_addresses(due_garp.rounds, now, shared);
                if due_garp.further
                    && let Some(extra) = extra
                {
                    self.announce(Which::Further { all: extra.all }, 1, now, shared);
                }
                Consequence::Nothing
            }
            State::Init | State::Backup(_) | State::Fault { .. } | State::Stop => {
                Consequence::Nothing
            }
        }
    }

    /// Nothing that we could send now would be believed. Whoever is elected next begins with 1.
    fn give_way_for_numbers(&mut self, shared: &mut Shared) -> Consequence {
        self.proof.begin_anew();
        shared.report(&self.name, Event::NumbersUsedUp);
        Consequence::BecomeBackup(BackupEntry {
            farewell: Farewell::None,
            timer: BackupTimer::MasterDown,
            master: None,
        })
    }

    /// The next advert is due one interval after the last one *was due*, so that a late wake-up does not add up, unless
    /// we are so late that a beat is lost anyway.
    fn keep_the_beat(&mut self, was_due: Instant, now: Instant) {
        if let State::Master(master) = &mut self.state {
            let next = was_due + self.settings.advert_int.as_duration();
            if next > now {
                master.advert_at = next;
            }
        }
    }

    pub(crate) fn restart_backup_timer(&mut self, now: Instant, timer: BackupTimer) {
        let wait = self.wait_of(timer);
        if let State::Backup(backup) = &mut self.state {
            backup.master_down_at = now + wait;
            backup.master_down = wait;
        }
    }

    /// RFC 9568 6.4.2 (380): a version 3 backup waits as long as its master's interval asks for.
    fn learn_interval(&mut self, theirs: Centiseconds) {
        // An interval of zero would make us take over at once, again and again; nobody can mean it.
        if self.settings.version == Version::V3 && theirs > Centiseconds::new(0) {
            self.master_advert_int = theirs;
        }
    }

    fn compare_addresses(&mut self, from: IpAddr, advert: &Advert<'_>, shared: &mut Shared) {
        let (ours, theirs) = (self.advertised().len(), advert.addresses.len());
        if self.advertised().eq(advert.addresses.iter()) {
            return;
        }
        let missing = self
            .advertised()
            .find(|ours| !advert.addresses.iter().any(|theirs| theirs == *ours));
        if missing.is_none() && ours == theirs {
            return;
        }
        let event = Event::AddressesDiffer {
            from,
            missing,
            theirs,
            ours,
        };
        self.statistics.mistakes().addr_list_err += 1;
        self.say_once(ADDRESSES_BIT, shared, || event);
    }

    fn say_once(&mut self, bit: u32, shared: &mut Shared, event: impl FnOnce() -> Event) {
        if self.said & bit == 0 {
            self.said |= bit;
            shared.report(&self.name, event());
        }
    }

    /// An owner that had lowered itself takes its priority back once the other owner is gone.
    fn reclaim_ownership(&mut self, from: IpAddr, claim: Claim) {
        let State::Backup(backup) = &self.state else {
            return;
        };
        let same_owner = claim == Claim::At(Priority::OWNER)
            && backup.master.is_none_or(|master| master.address == from);
        if self.owner_lowered && !same_owner {
            self.owner_lowered = false;
            self.effective = Priority::OWNER;
            self.forget_message();
        }
    }

    /// True when we lower ourselves to 254 and so lose.
    fn rogue_heard(&mut self, their_int: Centiseconds, shared: &mut Shared) -> bool {
        let State::Master(master) = &mut self.state else {
            return false;
        };
        match master.rogue {
            Rogue::None => {
                master.rogue = Rogue::Counting {
                    adverts: 2,
                    their_int,
                };
                false
            }
            Rogue::Counting { .. } => false,
            Rogue::Watching { .. } => {
                self.owner_lowered = true;
                self.effective = Priority::MAX_BACKUP;
                self.forget_message();
                shared.report(&self.name, Event::OwnershipLowered);
                true
            }
        }
    }

    const fn counts_down_rogue(&self) -> bool {
        matches!(
            &self.state,
            State::Master(Master {
                rogue: Rogue::Counting { .. },
                ..
            })
        )
    }

    fn count_down_rogue(&mut self, now: Instant) {
        let ours = self.settings.advert_int;
        let State::Master(master) = &mut self.state else {
            return;
        };
        if let Rogue::Counting { adverts, their_int } = master.rogue {
            master.rogue = match adverts.saturating_sub(1) {
                // 1.2 intervals of whoever is slower: a rogue that is still there must be heard in that time.
                0 => Rogue::Watching {
                    until: now + their_int.max(ours).as_duration() * 12 / 10,
                },
                adverts => Rogue::Counting { adverts, their_int },
            };
        }
    }
}

// Bits of `Instance::said` above those of `Rejection::bit`.
const INTERVAL_BIT: u32 = 1 << 27;
const ADDRESSES_BIT: u32 = 1 << 28;
const LOWER_PRIORITY_BIT: u32 = 1 << 29;
const OURSELVES_BIT: u32 = 1 << 30;
const TWO_OWNERS_BIT: u32 = 1 << 31;

#[cfg(test)]
mod tests;

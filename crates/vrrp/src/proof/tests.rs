//! Who is believed: every check, every mode, every step of a clock.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU8;

use proptest::prelude::*;
use types::{Claim, Family, IfIndex, Priority, Version};
use wire::vrrp::{Advert, Message};

use super::*;
use crate::settings::{Secret, Settings};
use crate::testbench::{Bench, instance, ip, virtual_address};
use crate::{Action, Statistics};

const OTHER: &str = "198.18.0.9";
/// The wall clock when a test begins.
const EPOCH: Duration = Duration::from_secs(1_700_000_000);

fn key(id: u8) -> HmacKey {
    HmacKey {
        id: NonZeroU8::new(id).unwrap(),
        secret: Secret::new(&[id; 32]).unwrap(),
    }
}

fn hmac(keys: &[u8], active: u8, mode: HmacMode, anti_replay: AntiReplay) -> AuthHmac {
    AuthHmac {
        keys: keys.iter().map(|id| key(*id)).collect(),
        active_key: NonZeroU8::new(active).unwrap(),
        mode,
        anti_replay,
    }
}

const TIME: AntiReplay = AntiReplay::Time { window: 5 };

fn with(authentication: Authentication) -> InstanceSettings {
    let version = match authentication {
        Authentication::Ah(_) => Version::V2,
        Authentication::None | Authentication::Pass(_) | Authentication::Hmac(_) => Version::V3,
    };
    InstanceSettings {
        version,
        authentication,
        ..instance("VI")
    }
}

fn signing(mode: HmacMode, anti_replay: AntiReplay) -> InstanceSettings {
    with(Authentication::Hmac(Box::new(hmac(
        &[1, 2],
        1,
        mode,
        anti_replay,
    ))))
}

fn ah() -> InstanceSettings {
    with(Authentication::Ah(AuthPass::new(b"secret-7")))
}

fn time(bench: &Bench, wall: Duration) -> Time {
    Time {
        now: bench.now,
        wall,
    }
}

/// Another router of the same virtual router.
struct Other {
    proof: Proof,
    settings: InstanceSettings,
    address: &'static str,
}

impl Other {
    fn new(settings: InstanceSettings) -> Self {
        Self {
            proof: Proof::default(),
            settings,
            address: OTHER,
        }
    }

    fn at(address: &'static str, settings: InstanceSettings) -> Self {
        Self {
            address,
            ..Self::new(settings)
        }
    }

    /// What it sends at this time.
    fn advert(&mut self, priority: u8, time: Time) -> (Carrier, Vec<u8>) {
        let settings = &self.settings;
        let addresses: Vec<IpAddr> = settings
            .virtual_ipaddress
            .iter()
            .map(|address| address.prefix.address())
            .collect();
        let source = ip(self.address);
        let message = Message {
            version: settings.version,
            vrid: settings.vrid,
            claim: Claim::from_wire(priority),
            advert_int: settings.advert_int,
            addresses: &addresses,
            auth_pass: None,
            family: settings.family,
            between: (source, settings.mcast_dst_ip),
        };
        let message: Arc<[u8]> = match settings.authentication {
            Authentication::Ah(_) => message.encode_behind_ah().into(),
            Authentication::None | Authentication::Pass(_) | Authentication::Hmac(_) => {
                message.encode().into()
            }
        };
        let seal = self.proof.seal(settings, source, &message, time).unwrap();
        let (carrier, bytes) = seal.put_on(&message, source, settings.mcast_dst_ip);
        (carrier, bytes.to_vec())
    }

    fn speaks(&mut self, bench: &mut Bench, priority: u8, wall: Duration) -> Vec<String> {
        let (carrier, bytes) = self.advert(priority, time(bench, wall));
        bench.packet_as(carrier, 0, self.address, 255, &bytes)
    }
}

fn started(settings: InstanceSettings) -> Bench {
    let mut bench = Bench::one(settings);
    set_clock(&mut bench, EPOCH);
    bench
}

fn set_clock(bench: &mut Bench, wall: Duration) {
    bench.vrrp.handle_wall_clock(bench.now, wall);
}

/// Everything that was counted since.
fn counted(bench: &Bench, before: &Statistics) -> Vec<&'static str> {
    let now = bench.view(0).statistics;
    [
        ("received", now.advert_rcvd, before.advert_rcvd),
        ("length", now.packet_len_err, before.packet_len_err),
        ("ttl", now.ip_ttl_err, before.ip_ttl_err),
        ("version", now.version_err, before.version_err),
        ("checksum", now.checksum_err, before.checksum_err),
        ("type", now.invalid_type_rcvd, before.invalid_type_rcvd),
        (
            "no such type",
            now.invalid_authtype,
            before.invalid_authtype,
        ),
        ("mismatch", now.authtype_mismatch, before.authtype_mismatch),
        ("failure", now.auth_failure, before.auth_failure),
        ("missing", now.auth_ext_missing, before.auth_ext_missing),
        (
            "malformed",
            now.auth_ext_malformed,
            before.auth_ext_malformed,
        ),
        (
            "unknown",
            now.auth_ext_unknown_key,
            before.auth_ext_unknown_key,
        ),
        (
            "invalid",
            now.auth_ext_invalid_hmac,
            before.auth_ext_invalid_hmac,
        ),
        ("stale", now.auth_ext_stale, before.auth_ext_stale),
        ("replay", now.auth_ext_replay, before.auth_ext_replay),
    ]
    .into_iter()
    .flat_map(|(name, now, before)| (before..now).map(move |_| name))
    .collect()
}

/// What a packet is counted as.
fn verdict(bench: &mut Bench, carrier: Carrier, from: &str, bytes: &[u8]) -> Vec<&'static str> {
    let before = bench.view(0).statistics;
    bench.packet_as(carrier, 0, from, 255, bytes);
    counted(bench, &before)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn each_check_of_a_trailer_refuses_and_counts_in_its_order() {
    type Change = fn(&mut Vec<u8>);
    let cases: [(&str, u64, Change, &str); 14] = [
        ("nothing", 0, |_| (), "received"),
        ("no trailer", 0, |b| b.truncate(b.len() - 28), "missing"),
        ("half of one", 0, |b| b.truncate(b.len() - 12), "length"),
        ("another type", 0, |b| *at(b, 0) = 2, "malformed"),
        ("reserved bytes", 0, |b| *at(b, 3) = 1, "malformed"),
        ("another type, long ago", 60, |b| *at(b, 0) = 2, "malformed"),
        ("five seconds ago", 5, |_| (), "received"),
        ("six seconds ago", 6, |_| (), "stale"),
        (
            "long ago and a key that is not ours",
            60,
            |b| *at(b, 1) = 3,
            "stale",
        ),
        ("a key that is not ours", 0, |b| *at(b, 1) = 3, "unknown"),
        ("another key of ours", 0, |b| *at(b, 1) = 2, "invalid"),
        ("the signature", 0, |b| *at(b, 27) ^= 1, "invalid"),
        ("the priority", 0, |b| b[2] ^= 1, "invalid"),
        ("the checksum", 0, |b| b[6] ^= 1, "checksum"),
    ];
    for (what, ago, change, expected) in cases {
        let mut bench = started(signing(HmacMode::Enforce, TIME));
        let mut other = Other::new(signing(HmacMode::Enforce, TIME));
        let (carrier, mut bytes) = other.advert(200, time(&bench, EPOCH - secs(ago)));
        change(&mut bytes);
        assert_eq!(
            verdict(&mut bench, carrier, OTHER, &bytes),
            [expected],
            "{what}"
        );
        if expected == "received" {
            assert_eq!(
                verdict(&mut bench, carrier, OTHER, &bytes),
                ["replay"],
                "{what}"
            );
        }
    }
    // The mark moves although the packet fails a later check: it cannot be replayed with the checksum set right.
    let mut bench = started(signing(HmacMode::Enforce, TIME));
    let mut other = Other::new(signing(HmacMode::Enforce, TIME));
    let (carrier, bytes) = other.advert(200, time(&bench, EPOCH));
    let mut wrong = bytes.clone();
    wrong[6] ^= 1;
    assert_eq!(verdict(&mut bench, carrier, OTHER, &wrong), ["checksum"]);
    assert_eq!(verdict(&mut bench, carrier, OTHER, &bytes), ["replay"]);
    // What comes before: TTL, version, another sender's packet.
    let (carrier, bytes) = other.advert(200, time(&bench, EPOCH));
    let before = bench.view(0).statistics;
    bench.packet_as(carrier, 0, OTHER, 254, &bytes);
    assert_eq!(counted(&bench, &before), ["ttl"]);
    assert_eq!(
        verdict(&mut bench, carrier, "198.18.0.10", &bytes),
        ["invalid"]
    );
    assert_eq!(verdict(&mut bench, carrier, OTHER, &bytes), ["received"]);
}

/// A byte of the trailer.
fn at(bytes: &mut [u8], offset: usize) -> &mut u8 {
    let start = bytes.len() - trailer::LENGTH;
    &mut bytes[start + offset]
}

#[test]
fn modes_say_who_signs_and_who_is_heard() {
    for (mode, signs, unsigned) in [
        (HmacMode::Enforce, true, "missing"),
        (HmacMode::Permissive, true, "received"),
        (HmacMode::ReceiveOnly, false, "received"),
    ] {
        let mut bench = started(signing(mode, TIME));
        let mut other = Other::new(signing(HmacMode::Enforce, TIME));
        let (carrier, mut bytes) = other.advert(200, time(&bench, EPOCH));
        assert_eq!(
            verdict(&mut bench, carrier, OTHER, &bytes),
            ["received"],
            "{mode:?}"
        );
        *at(&mut bytes, 20) ^= 1;
        assert_eq!(
            verdict(&mut bench, carrier, OTHER, &bytes),
            ["invalid"],
            "{mode:?}"
        );
        bytes.truncate(bytes.len() - trailer::LENGTH);
        assert_eq!(
            verdict(&mut bench, carrier, OTHER, &bytes),
            [unsigned],
            "{mode:?}"
        );

        let mut master = Bench::master(signing(mode, TIME));
        let said = master.run(1_000);
        let expected = if signs {
            "advert 150 signed"
        } else {
            "advert 150"
        };
        assert_eq!(said.len(), 1);
        assert!(said[0].ends_with(expected), "{mode:?}: {said:?}");
        let left = master.link(0, false);
        let expected = if signs { "advert 0 signed" } else { "advert 0" };
        assert!(left.contains(&String::from(expected)), "{mode:?}: {left:?}");
    }
    // Who has no key takes a trailer for bytes that do not belong there.
    let mut bench = started(with(Authentication::None));
    let mut other = Other::new(signing(HmacMode::Enforce, TIME));
    let (carrier, bytes) = other.advert(200, time(&bench, EPOCH));
    assert_eq!(verdict(&mut bench, carrier, OTHER, &bytes), ["length"]);
}

#[test]
fn what_we_send_is_what_others_accept_in_every_version_and_family() {
    for (version, family) in [
        (Version::V2, Family::V4),
        (Version::V3, Family::V4),
        (Version::V3, Family::V6),
    ] {
        let (vip, from) = match family {
            Family::V4 => ("198.18.0.100", OTHER),
            Family::V6 => ("fe80::100", "fe80::9"),
        };
        let settings = InstanceSettings {
            version,
            family,
            mcast_dst_ip: family.vrrp_group(),
            virtual_ipaddress: vec![virtual_address(vip, crate::testbench::eth(0))].into(),
            ..signing(HmacMode::Enforce, TIME)
        };
        let mut bench = started(settings.clone());
        let mut other = Other::at(from, settings);
        for wall in [EPOCH, EPOCH, EPOCH + secs(1)] {
            let (carrier, bytes) = other.advert(200, time(&bench, wall));
            assert_eq!(
                verdict(&mut bench, carrier, from, &bytes),
                ["received"],
                "{version:?}"
            );
        }
        if version == Version::V2 {
            // The authentication type is judged after the trailer, which covers it.
            let (carrier, mut bytes) = other.advert(200, time(&bench, EPOCH + secs(1)));
            bytes[4] = 1;
            assert_eq!(verdict(&mut bench, carrier, from, &bytes), ["invalid"]);
        }
    }
}

#[test]
fn sequences_follow_the_clock_and_never_repeat() {
    let base = 0x6800_0000_8000_0000_u64;
    let wall = Duration::new(0x6800_0000, 500_000_000);
    let window = 5;
    let second = 1_u64 << 32;
    for (mode, last, expected, why) in [
        (TIME, 0, base, "the first one"),
        (TIME, base - 1, base, "the clock is ahead"),
        (TIME, base, base + 1, "twice in one tick"),
        (
            TIME,
            base + 0xffff,
            base + 0x1_0000,
            "the tie-breaker carries",
        ),
        (
            TIME,
            base + window * second,
            base + window * second + 1,
            "set back within the window",
        ),
        (TIME, base + (window + 1) * second, base, "set back farther"),
        (
            AntiReplay::Monotonic,
            base + (window + 1) * second,
            base + (window + 1) * second + 1,
            "without time only the sequence counts",
        ),
        (AntiReplay::Monotonic, base - 1, base, "the clock is ahead"),
    ] {
        let proof = Proof {
            sequence: last,
            ..Proof::default()
        };
        let time = Time {
            now: Instant::ZERO,
            wall,
        };
        assert_eq!(proof.next_sequence(mode, time), expected, "{why}");
    }
    // The end of the 32-bit seconds (2106).
    let after_the_end = Time {
        now: Instant::ZERO,
        wall: Duration::from_secs(1 << 32),
    };
    let proof = Proof {
        sequence: 0xffff_ffff_ffff_0000,
        ..Proof::default()
    };
    assert_eq!(proof.next_sequence(TIME, after_the_end), 0);
    assert!(is_after(0, u64::MAX) && !is_after(u64::MAX, 0) && !is_after(7, 7));
}

#[test]
fn each_sender_has_a_mark_of_its_own_and_four_are_remembered() {
    let settings = signing(HmacMode::Enforce, TIME);
    let mut bench = started(settings.clone());
    let names = [
        "198.18.0.21",
        "198.18.0.22",
        "198.18.0.23",
        "198.18.0.24",
        "198.18.0.25",
    ];
    let adverts: Vec<_> = names
        .iter()
        .map(|name| {
            Other::at(name, settings.clone())
                .advert(200, time(&bench, EPOCH))
                .1
        })
        .collect();
    let hears =
        |bench: &mut Bench, who: usize| verdict(bench, Carrier::Vrrp, names[who], &adverts[who])[0];
    for who in 0..4 {
        assert_eq!(hears(&mut bench, who), "received");
    }
    assert!((0..4).all(|who| hears(&mut bench, who) == "replay"));
    // A new advert of the first makes the second the one that was silent longest.
    let mut first = Other::at(names[0], settings);
    let (carrier, bytes) = first.advert(200, time(&bench, EPOCH + secs(1)));
    assert_eq!(verdict(&mut bench, carrier, names[0], &bytes), ["received"]);
    assert_eq!(hears(&mut bench, 4), "received");
    assert_eq!(hears(&mut bench, 0), "replay", "still remembered");
    assert_eq!(
        hears(&mut bench, 1),
        "received",
        "forgotten; the clock has to do"
    );
    // Who has no key forgets nobody.
    for stranger in 30..60 {
        let mut forged = adverts[0].clone();
        *at(&mut forged, 20) ^= 1;
        let from = format!("198.18.0.{stranger}");
        assert_eq!(
            verdict(&mut bench, Carrier::Vrrp, &from, &forged),
            ["invalid"]
        );
    }
    assert_eq!(hears(&mut bench, 0), "replay");
}

#[test]
fn clocks_that_step() {
    let settings = signing(HmacMode::Enforce, TIME);
    let mut bench = started(settings.clone());
    let mut other = Other::new(settings);
    let mut hears = |bench: &mut Bench, wall| {
        let (carrier, bytes) = other.advert(200, time(bench, wall));
        verdict(bench, carrier, OTHER, &bytes)[0]
    };
    assert_eq!(hears(&mut bench, EPOCH), "received");
    // Its clock goes back within the window: its sequence goes on.
    assert_eq!(hears(&mut bench, EPOCH - secs(3)), "received");
    // And farther: it begins at its clock, which is refused until the clocks agree.
    assert_eq!(hears(&mut bench, EPOCH - secs(20)), "stale");
    // Ours follows. The mark is of another time now.
    set_clock(&mut bench, EPOCH - secs(20));
    assert_eq!(hears(&mut bench, EPOCH - secs(19)), "received");
    // Ours alone jumps ahead.
    set_clock(&mut bench, EPOCH + secs(1000));
    assert_eq!(hears(&mut bench, EPOCH - secs(18)), "stale");
    set_clock(&mut bench, EPOCH - secs(17));
    assert_eq!(hears(&mut bench, EPOCH - secs(17)), "received");

    // Without time a sequence that went back stays refused until it has passed the mark.
    let settings = signing(HmacMode::Enforce, AntiReplay::Monotonic);
    let mut bench = started(settings.clone());
    let hears = |bench: &mut Bench, wall| {
        let (carrier, bytes) = Other::new(settings.clone()).advert(200, time(bench, wall));
        verdict(bench, carrier, OTHER, &bytes)[0]
    };
    assert_eq!(
        hears(&mut bench, EPOCH + secs(9_999)),
        "received",
        "whatever our clock says"
    );
    assert_eq!(hears(&mut bench, EPOCH), "replay");
    assert_eq!(hears(&mut bench, EPOCH + secs(9_999)), "replay");
    assert_eq!(hears(&mut bench, EPOCH + secs(10_000)), "received");
}

#[test]
fn a_clock_that_drifts_is_mentioned_before_it_is_too_late() {
    let settings = signing(HmacMode::Enforce, TIME);
    let mut bench = started(settings.clone());
    let mut other = Other::new(settings);
    let mut hears = |bench: &mut Bench, wall| {
        let said = other.speaks(bench, 200, wall);
        let mut about_clocks = said.into_iter().filter(|said| said.contains("clock"));
        about_clocks.next().unwrap_or_default()
    };
    assert_eq!(hears(&mut bench, EPOCH - secs(2)), "", "half of the window");
    assert!(hears(&mut bench, EPOCH + secs(3)).contains("is 3 s ahead of ours"));
    assert_eq!(hears(&mut bench, EPOCH + secs(4)), "", "said a moment ago");
    bench.now = bench.now + secs(600);
    set_clock(&mut bench, EPOCH + secs(600));
    assert!(hears(&mut bench, EPOCH + secs(597)).contains("is 3 s behind ours"));
}

#[test]
fn keys_are_rotated_without_a_gap() {
    let settings = |keys: &[u8], active| {
        with(Authentication::Hmac(Box::new(hmac(
            keys,
            active,
            HmacMode::Enforce,
            TIME,
        ))))
    };
    let reload = |bench: &mut Bench, settings: InstanceSettings| {
        bench.settings(Settings {
            instances: vec![settings],
            ..Settings::default()
        });
    };
    let mut bench = started(settings(&[1], 1));
    let mut other = Other::new(settings(&[1], 1));
    let mut wall = EPOCH;
    // Ours first, then the other one, at every step.
    for (keys, active) in [(&[1_u8][..], 1), (&[1, 2], 1), (&[1, 2], 2), (&[2], 2)] {
        reload(&mut bench, settings(keys, active));
        for _ in 0..2 {
            wall += secs(1);
            set_clock(&mut bench, wall);
            let (carrier, bytes) = other.advert(200, time(&bench, wall));
            let id = bytes[bytes.len() - trailer::LENGTH + 1];
            let expected = if keys.contains(&id) {
                "received"
            } else {
                "unknown"
            };
            assert_eq!(
                verdict(&mut bench, carrier, OTHER, &bytes),
                [expected],
                "{keys:?} {id}"
            );
            assert_eq!(expected, "received", "{keys:?}: a gap");
            assert_eq!(
                verdict(&mut bench, carrier, OTHER, &bytes),
                ["replay"],
                "{keys:?}"
            );
            other.settings = settings(keys, active);
        }
        // The reload has not forgotten anything: at least one key stayed.
        let (carrier, bytes) = other.advert(200, time(&bench, wall));
        assert_eq!(verdict(&mut bench, carrier, OTHER, &bytes), ["received"]);
        reload(&mut bench, settings(&[1, 2], active));
        assert_eq!(verdict(&mut bench, carrier, OTHER, &bytes), ["replay"]);
        reload(&mut bench, settings(keys, active));
    }
    let mut late = Other::new(settings(&[1], 1));
    let (carrier, bytes) = late.advert(200, time(&bench, wall));
    assert_eq!(
        verdict(&mut bench, carrier, OTHER, &bytes),
        ["unknown"],
        "an old key"
    );
    // All keys new: nothing old can come, so a sender whose clock had run ahead is heard again.
    let (carrier, _) = other.advert(200, time(&bench, wall + secs(4)));
    reload(&mut bench, settings(&[5], 5));
    let mut anew = Other::new(settings(&[5], 5));
    let (_, bytes) = anew.advert(200, time(&bench, wall));
    assert_eq!(verdict(&mut bench, carrier, OTHER, &bytes), ["received"]);
}

#[test]
fn our_own_sequence_outlives_a_reload() {
    let mut bench = Bench::master(signing(HmacMode::Enforce, TIME));
    set_clock(&mut bench, EPOCH);
    let sequence = |bench: &mut Bench, settings: InstanceSettings| {
        let settings = Settings {
            instances: vec![settings],
            ..Settings::default()
        };
        bench.vrrp.handle_settings(bench.now, settings);
        let mut sent = Vec::new();
        while let Some(action) = bench.vrrp.poll_action() {
            if let Action::SendAdvert { message, .. } = action {
                let (_, trailer) = Advert::split_trailer(Family::V4, &message);
                sent.push(Trailer::parse(trailer.unwrap()).unwrap().sequence);
            }
        }
        assert_eq!(sent.len(), 1);
        sent[0]
    };
    let change = |priority| InstanceSettings {
        priority: Priority::new(priority).unwrap(),
        ..signing(HmacMode::Enforce, TIME)
    };
    let first = sequence(&mut bench, change(151));
    let second = sequence(&mut bench, change(152));
    assert_eq!(
        second,
        first + 1,
        "the clock stands still, the sequence does not"
    );
}

#[test]
fn forged_adverts_do_not_silence_a_master() {
    let mut bench = Bench::master(signing(HmacMode::Enforce, TIME));
    let before = bench.view(0).statistics.advert_sent;
    for _ in 0..30 {
        bench.run(100);
        bench.advert(OTHER, 255);
    }
    let statistics = bench.view(0).statistics;
    assert_eq!(statistics.advert_sent - before, 3, "one a second");
    assert_eq!(
        (statistics.auth_ext_missing, statistics.advert_rcvd),
        (30, 0)
    );
}

#[test]
fn unicast_signers_must_be_peers() {
    let peers = |addresses: &[&str]| crate::settings::Unicast {
        peers: addresses
            .iter()
            .map(|address| crate::settings::UnicastPeer {
                address: ip(address),
                min_ttl: 0,
                max_ttl: 255,
            })
            .collect(),
        check_source: false,
        ttl: None,
        old_checksum: crate::settings::OldChecksum::Never,
    };
    let names = [
        "198.18.0.21",
        "198.18.0.22",
        "198.18.0.23",
        "198.18.0.24",
        "198.18.0.25",
    ];
    let settings = InstanceSettings {
        unicast: Some(Box::new(peers(&names))),
        ..signing(HmacMode::Enforce, TIME)
    };
    let Authentication::Hmac(hmac) = &settings.authentication else {
        unreachable!("it is signed");
    };
    let mut proof = Proof::default();
    let mut judge = |from: &'static str| {
        let mut other = Other::at(from, signing(HmacMode::Enforce, TIME));
        let now = Time {
            now: Instant::ZERO,
            wall: EPOCH,
        };
        let (carrier, bytes) = other.advert(200, now);
        let packet = Packet {
            interface: IfIndex::new(2).unwrap(),
            source: ip(from),
            destination: ip("198.18.0.5"),
            hop_limit: 255,
            carrier,
            promised: bytes.len(),
            payload: &bytes,
        };
        let split = Advert::split_trailer(Family::V4, &bytes);
        proof.check_trailer(&packet, &settings, hmac, split, now)
    };
    assert_eq!(judge(OTHER), Err(Rejection::NotAPeer));
    // Each peer has a mark, however many there are.
    for name in names {
        assert_eq!(judge(name), Ok(()));
    }
    for name in names {
        assert_eq!(judge(name), Err(Rejection::Replayed));
    }
}

#[test]
fn each_check_of_an_authentication_header_refuses_and_counts() {
    type Change = fn(&mut Vec<u8>);
    let cases: [(&str, Change, &str); 10] = [
        ("nothing", |_| (), "received"),
        ("too short", |b| b.truncate(27), "length"),
        ("longer", |b| b.push(0), "length"),
        ("next header", |b| b[0] = 17, "failure"),
        ("its own length", |b| b[1] = 5, "failure"),
        ("index", |b| b[7] ^= 1, "failure"),
        ("number", |b| b[11] = 9, "failure"),
        ("check value", |b| b[23] ^= 1, "failure"),
        ("priority", |b| b[26] ^= 1, "failure"),
        ("authentication type", |b| b[28] = 1, "mismatch"),
    ];
    for (what, change, expected) in cases {
        let mut bench = started(ah());
        let mut other = Other::new(ah());
        let (carrier, mut bytes) = other.advert(200, time(&bench, EPOCH));
        change(&mut bytes);
        assert_eq!(
            verdict(&mut bench, carrier, OTHER, &bytes),
            [expected],
            "{what}"
        );
        if expected == "received" {
            assert_eq!(
                verdict(&mut bench, carrier, OTHER, &bytes),
                ["failure"],
                "twice"
            );
            let bare = &bytes[ah::LENGTH..];
            assert_eq!(
                verdict(&mut bench, Carrier::Vrrp, OTHER, bare),
                ["mismatch"]
            );
            let (_, bytes) = other.advert(200, time(&bench, EPOCH));
            assert_eq!(
                verdict(
                    &mut bench,
                    Carrier::Ah { identification: 77 },
                    OTHER,
                    &bytes
                ),
                ["failure"],
                "another packet"
            );
        }
    }
    let mut bench = started(InstanceSettings {
        version: Version::V2,
        ..instance("VI")
    });
    let (carrier, bytes) = Other::new(ah()).advert(200, time(&bench, EPOCH));
    assert_eq!(
        verdict(&mut bench, carrier, OTHER, &bytes),
        ["mismatch"],
        "we use none"
    );
    assert_eq!(
        verdict(&mut bench, carrier, OTHER, &[0; 25]),
        Vec::<&str>::new(),
        "no VRID"
    );
}

/// The numbers of the authentication headers that leave.
fn numbers(bench: &mut Bench) -> Vec<u32> {
    let mut sent = Vec::new();
    while let Some(action) = bench.vrrp.poll_action() {
        if let Action::SendAdvert {
            message, carrier, ..
        } = action
        {
            let (header, _) = ah::Header::parse(&message).unwrap();
            let low = u16::try_from(header.sequence & 0xffff).unwrap().max(1);
            assert_eq!(
                carrier,
                Carrier::Ah {
                    identification: low
                }
            );
            sent.push(header.sequence);
        }
    }
    sent
}

#[test]
fn all_routers_share_one_count_of_authentication_headers() {
    let mut bench = started(ah());
    let mut other = Other::new(ah());
    other.proof.number = 0xfffe;
    other.speaks(&mut bench, 200, EPOCH);
    // It is silent from now on. We go on from its number, past the identification 0 that the kernel would replace.
    let mut sent = Vec::new();
    for _ in 0..2 {
        bench.now = bench.vrrp.next_deadline().unwrap().max(bench.now);
        bench.vrrp.handle_timeout(bench.now);
        sent.extend(numbers(&mut bench));
    }
    assert_eq!(sent, [0x1_0000, 0x1_0001]);
    // A lesser master with a higher number is answered with a still higher one.
    other.proof.number = 0x2_0000;
    let (carrier, bytes) = other.advert(100, time(&bench, EPOCH));
    let packet = Packet {
        interface: IfIndex::new(2).unwrap(),
        source: ip(OTHER),
        destination: bench.view(0).settings.mcast_dst_ip,
        hop_limit: 255,
        carrier,
        promised: bytes.len(),
        payload: &bytes,
    };
    bench.vrrp.handle_packet(bench.now, &packet);
    assert_eq!(numbers(&mut bench), [0x2_0002]);
    // A reload forgets nothing.
    let settings = InstanceSettings {
        priority: Priority::new(151).unwrap(),
        ..ah()
    };
    bench.vrrp.handle_settings(
        bench.now,
        Settings {
            instances: vec![settings],
            ..Settings::default()
        },
    );
    assert_eq!(numbers(&mut bench), [0x2_0003]);
}

#[test]
fn whoever_runs_out_of_numbers_gives_way() {
    let mut bench = started(ah());
    let mut other = Other::new(ah());
    other.proof.number = LAST_NUMBER - 3;
    other.speaks(&mut bench, 200, EPOCH);
    let said = bench.run(20_000);
    let adverts = said
        .iter()
        .filter(|said| said.contains("advert 150"))
        .count();
    assert!(adverts > 3, "{said:?}");
    let gives_way = said
        .iter()
        .position(|said| said.contains("numbers begin again"))
        .unwrap();
    assert!(
        said[gives_way + 1..]
            .iter()
            .any(|said| said.contains("remove 198.18.0.100")),
        "{said:?}"
    );
    assert!(
        said[gives_way..]
            .iter()
            .any(|said| said.contains("Entering BACKUP")),
        "{said:?}"
    );
    assert!(!said.iter().any(|said| said.contains("advert 0")));
    let before = said[..gives_way]
        .iter()
        .filter(|said| said.contains("advert 150"))
        .count();
    assert_eq!(before, 2, "the last two numbers: {said:?}");
    assert_eq!(
        bench.state(0),
        crate::StateName::Master,
        "nobody else is there: it begins again"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_packet_with_a_changed_bit_is_heard(bit in 0_usize..320, which in 0..3) {
        let settings = match which {
            0 => signing(HmacMode::Enforce, TIME),
            1 => signing(HmacMode::Permissive, AntiReplay::Monotonic),
            _ => ah(),
        };
        let mut bench = started(settings.clone());
        let mut other = Other::new(settings);
        let (carrier, mut bytes) = other.advert(200, time(&bench, EPOCH));
        let bit = bit % (8 * bytes.len());
        bytes[bit / 8] ^= 1 << (bit % 8);
        bench.packet_as(carrier, 0, OTHER, 255, &bytes);
        prop_assert_eq!(bench.view(0).statistics.advert_rcvd, 0);
    }

    #[test]
    fn any_order_of_arrival_counts_each_advert_once_at_most(
        order in proptest::collection::vec(0_usize..8, 1..40),
        monotonic: bool,
        header: bool,
    ) {
        let settings = match (header, monotonic) {
            (true, _) => ah(),
            (false, true) => signing(HmacMode::Enforce, AntiReplay::Monotonic),
            (false, false) => signing(HmacMode::Enforce, TIME),
        };
        let mut bench = started(settings.clone());
        let mut other = Other::new(settings);
        let adverts: Vec<_> = (0..8)
            .map(|_| other.advert(200, time(&bench, EPOCH)))
            .collect();
        let mut highest = None;
        for which in order {
            let (carrier, bytes) = &adverts[which];
            let heard = verdict(&mut bench, *carrier, OTHER, bytes) == ["received"];
            // No window behind the mark: what was overtaken is not heard any more.
            prop_assert_eq!(heard, highest.is_none_or(|highest| which > highest));
            highest = highest.max(Some(which));
        }
    }
}

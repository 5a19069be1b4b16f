use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use types::Version;

use crate::StateName;
use crate::settings::{InstanceSettings, Preempt};
use crate::testbench::{Bench, instance};

fn settings(version: Version, yields_to: Option<u8>) -> InstanceSettings {
    let mut settings = instance("VI");
    settings.version = version;
    settings.preempt = Preempt::Never;
    settings.timer_expired_backup = yields_to;
    settings
}

/// Wakes a master up so many milliseconds after its last advert.
fn sleep(bench: &mut Bench, millis: u64) -> Vec<String> {
    let sent = bench.view(0).last_advert_sent.unwrap();
    bench.now = sent + Duration::from_millis(millis);
    bench.vrrp.handle_timeout(bench.now);
    bench.drain()
}

#[test]
fn it_steps_back_when_a_backup_of_that_priority_has_taken_over() {
    // Three seconds and 2/256 or 156/256 of one.
    for version in [Version::V2, Version::V3] {
        for (yields_to, in_time, late) in [(254, 3_007, 3_008), (100, 3_609, 3_610)] {
            let mut bench = Bench::master(settings(version, Some(yields_to)));
            let said = sleep(&mut bench, in_time);
            assert_eq!(said, ["advert 150"], "{version:?} {yields_to}");
            let said = sleep(&mut bench, late);
            assert_eq!(
                said,
                [
                    &*alloc::format!(
                        "log (VI) sent nothing for 3.{} s, for this process was not scheduled: giving way to whoever took \
                         over",
                        late / 100 - 30
                    ),
                    "remove 198.18.0.100",
                    "(VI) Entering BACKUP STATE",
                ],
                "{version:?} {yields_to}: without a goodbye"
            );
            // Nobody did: it takes over again.
            bench.run(3_500);
            assert_eq!(bench.state(0), StateName::Master);
        }
    }
}

/// What has arrived meanwhile is heard first: the other one's adverts must not be answered.
#[test]
fn it_steps_back_before_it_answers() {
    let mut bench = Bench::master(settings(Version::V3, Some(254)));
    bench.now = bench.view(0).last_advert_sent.unwrap() + Duration::from_secs(5);
    let said = bench.advert("198.18.0.9", 100);
    assert!(
        !said.iter().any(|what| what.starts_with("advert")),
        "{said:?}"
    );
    assert_eq!(bench.state(0), StateName::Backup);
    for _ in 0..5 {
        bench.run(1_000);
        bench.advert("198.18.0.9", 100);
    }
    assert_eq!(bench.state(0), StateName::Backup, "nopreempt");
}

#[test]
fn without_the_option_it_stays() {
    let mut bench = Bench::master(settings(Version::V3, None));
    assert_eq!(sleep(&mut bench, 60_000), ["advert 150"]);
    assert_eq!(bench.state(0), StateName::Master);
}

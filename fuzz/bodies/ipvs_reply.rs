//! What a kernel might answer about its balancer, through everything that reads it: nothing panics, no list is longer than
//! its bytes allow, and what is read a second time is the same.
//!
//! A body, not a test: the fuzz target and `crates/sys/tests/fuzz_corpus.rs` include it.

use sys::ipvs::{Acknowledgements, Listing, SyncDaemon, decode};
use types::Family;

/// The number that IPVS had when the corpus was recorded, and that of the request.
const FAMILY: u16 = 0x1e;
const SEQUENCE: u32 = 2;

/// One input: a datagram.
pub(crate) fn run(data: &[u8]) {
    answer(data);
    let mut answers = 0;
    let end = Listing::new(FAMILY, SEQUENCE).take(data, |bytes| {
        answers += 1;
        assert!(bytes.len() <= data.len());
        answer(bytes);
    });
    assert!(answers <= data.len() / 16, "a message has a header");
    if let Ok(Some(Err(errno))) = end {
        assert!(errno != 0, "success is no error");
    }
    let mut acknowledgements = Acknowledgements::new(SEQUENCE, 3);
    let read = acknowledgements.take(data).is_ok();
    let complete = acknowledgements.is_complete();
    let answers = acknowledgements.into_answers();
    assert!(answers.len() <= 3);
    assert_eq!(complete, answers.len() == 3);
    assert!(!complete || read || data.len() > 3 * 20);
}

/// What stands behind a generic header.
fn answer(bytes: &[u8]) {
    if let Ok(Some(service)) = decode::service(bytes) {
        let again = decode::service(bytes).expect("it was read before");
        assert_eq!(again, Some(service));
    }
    for family in [Family::V4, Family::V6] {
        if let Ok(Some(destination)) = decode::destination(bytes, family) {
            let again = decode::destination(bytes, family).expect("it was read before");
            assert_eq!(again, Some(destination));
        }
    }
    if let Ok(Some(daemon)) = SyncDaemon::decode(bytes) {
        assert!(!daemon.interface.as_str().is_empty());
    }
    if let Ok(timeouts) = decode::timeouts(bytes) {
        assert_eq!(decode::timeouts(bytes), Ok(timeouts));
    }
    if let Ok(id) = decode::family_id(bytes) {
        assert_eq!(decode::family_id(bytes), Ok(id));
    }
    if let Ok(info) = decode::info(bytes) {
        assert_eq!(decode::info(bytes), Ok(info));
    }
}

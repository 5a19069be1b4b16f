//! The simulated world: many nodes made of the real core, on virtual LANs and a virtual clock, all drawn from one seed.
//!
//! A run has three parts. *Trouble*: loss, duplication, delay, partitions, pauses, crashes, reloads and worse. *Calm*: all
//! of it ends, and within a computed time the nodes must agree. *Peace*: nothing may change any more. What must be true of
//! one node at all times is in `oracles.rs`, what a reload must not do in `reload.rs`, what must be true of all of them in
//! the end in `agreement.rs`.
//!
//! Nothing here depends on the machine, the time or chance: the same seed gives the same run, event for event. So nobody
//! writes a run down until it has failed; then it is run again.
//!
//! ```
//! let summary = evervip_sim::check_seed(1).unwrap();
//! assert!(summary.arrivals > 0);
//! ```
//!
//! | question | file |
//! |---|---|
//! | what a seed draws | `scenario.rs` |
//! | what can go wrong | `faults.rs`, `edits.rs` |
//! | what a packet goes through | `network.rs` |
//! | what the kernel does | `kernel.rs` |
//! | what a host does | `node.rs` |
//! | in what order things happen | `world.rs` |

#![forbid(unsafe_code)]

mod agreement;
mod edits;
mod faults;
mod kernel;
mod network;
mod node;
mod oracles;
mod random;
mod reload;
mod routing;
mod sabotage;
mod scenario;
mod trace;
mod tracked;
mod world;

pub use crate::agreement::{
    ALL_ARE_ANNOUNCED, BEST_WINS, EVERY_INTERVAL, FAULTS_ARE_FAULTS, ONE_HOLDER, ONE_MASTER,
    STAYS_SO,
};
pub use crate::faults::Fault;
pub use crate::oracles::{
    ADVERTS_ARE_RIGHT, ANNOUNCEMENTS_KEEP_DISTANCE, ANNOUNCES_WHAT_IT_HOLDS, BLOCKS_WHAT_IT_MUST,
    EVERY_PEER, GOODBYE_MEANS_LEAVING, GROUPS_ARE_ONE, KEEPS_THE_BEAT, KERNEL_IS_KNOWN, LISTENS,
    MASTER_HOLDS_ALL, MASTERS_ADVERTISE, NEVER_SAID_TWICE, ONE_RUN_AT_A_TIME, OTHERS_HOLD_NONE,
    Violation,
};
pub use crate::random::Random;
pub use crate::reload::{ADDRESSES_STAY, RELOAD_IS_INVISIBLE};
pub use crate::routing::ROUTES_FOLLOW;
pub use crate::sabotage::Sabotage;
pub use crate::trace::Trace;
pub use crate::world::{Failure, Summary, World};

/// Runs the world of a seed.
///
/// # Errors
/// The first rule that was broken, with everything that led to it.
pub fn check_seed(seed: u64) -> Result<Summary, Box<Failure>> {
    match World::new(seed).run() {
        Ok((summary, _)) => Ok(summary),
        Err(silent) => match World::new(seed).traced().run() {
            Err(traced) => Err(traced),
            // Not the same run twice: that itself is worth a report.
            Ok(_) => Err(silent),
        },
    }
}

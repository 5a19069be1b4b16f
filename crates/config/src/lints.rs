//! Lints: what is legal, and in all likelihood not what was meant.
//!
//! Only `check` asks for them; no configuration test and no start of the daemon looks. Each file has one subject. A lint that
//! cries wolf makes people stop reading, so each looks for certainty and is silent otherwise: what this file cannot tell,
//! such as how the other routers are configured, is no reason to speak.
//!
//! Where keepalived itself reports something, that report says why and what to do, and there is no lint.

use crate::diagnostics::Diagnostic;

mod addresses;
pub(crate) mod certificates;
mod passwords;
mod priorities;
mod reachability;
pub(crate) mod scripts;
pub(crate) mod secrets;
pub(crate) mod servers;
mod shell;
mod sync_groups;
mod vrids;
pub(crate) mod vrrp;

/// A kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Its name: lower case, words joined by `_`. It never changes.
    pub name: &'static str,
    /// What it finds.
    pub what: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// What to do.
    pub fix: &'static str,
}

impl Lint {
    /// A finding of this kind; the message names the objects and the values.
    pub(crate) fn found(&self, message: impl Into<String>) -> Diagnostic {
        let mut diagnostic = Diagnostic::lint(message).with_note(self.why).help(self.fix);
        diagnostic.lint = Some(self.name);
        diagnostic
    }
}

/// All lints, by name.
pub const fn lints() -> &'static [Lint] {
    ALL
}

const ALL: &[Lint] = &[
    scripts::CANNOT_FAIL,
    sync_groups::INTERVALS,
    priorities::MASTER_WITHOUT_PRIORITY,
    priorities::NOPREEMPT_WEIGHT,
    passwords::PASS,
    servers::UNCHECKED,
    secrets::READABLE,
    scripts::NO_SHELL,
    servers::SORRY_IN_POOL,
    reachability::STRICT,
    certificates::WITHOUT_NAME,
    addresses::VIP_OUTSIDE,
    addresses::VIP_TWICE,
    vrids::SAME_SEGMENT,
    priorities::WEIGHT_WITHOUT_EFFECT,
];

#[cfg(test)]
pub(crate) mod tests;

//! What stands behind a keyword.

use std::fmt;

use crate::read::{Garbage, show_decimal};

/// The arguments of a keyword: whether there must be some, and of what kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) needs: Needs,
    pub(crate) kind: Kind,
}

/// Whether something must stand behind a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    /// It may be missing, or the setter says what its absence means.
    Optional,
    /// Without it keepalived ends at once.
    Argument,
}

/// What kind of arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As a person would note them; empty: none.
    Noted(&'static str),
    /// One of keepalived's words for on and off; none means on.
    Switch,
    /// A whole number.
    Integer {
        least: i64,
        most: i64,
        garbage: Garbage,
    },
    /// A decimal number in units of `10^-places`.
    Decimal {
        least: u64,
        most: u64,
        places: u32,
        /// What the whole part counts; it is never written.
        unit: &'static str,
    },
}

/// Nothing; what stands there all the same is passed over, as in keepalived.
pub(crate) const NONE: Arguments = noted("");

/// `[BOOL]`: on when bare.
pub(crate) const SWITCH_WORD: Arguments = Arguments {
    needs: Needs::Optional,
    kind: Kind::Switch,
};

/// What stands in the block of a keyword, or arguments that keepalived does not ask for.
pub(crate) const fn noted(text: &'static str) -> Arguments {
    with_needs(text, Needs::Nothing)
}

/// Arguments that the setter takes apart by itself.
pub(crate) const fn with_needs(text: &'static str, needs: Needs) -> Arguments {
    Arguments {
        needs,
        kind: Kind::Noted(text),
    }
}

/// Arguments without which keepalived ends at once.
pub(crate) const fn required(text: &'static str) -> Arguments {
    with_needs(text, Needs::Argument)
}

/// Arguments that may be missing, or whose absence only warns.
pub(crate) const fn optional(text: &'static str) -> Arguments {
    with_needs(text, Needs::Optional)
}

/// A whole number; digits with something behind them are reported and count all the same.
pub(crate) const fn integer(least: i64, most: i64) -> Arguments {
    Arguments {
        needs: Needs::Argument,
        kind: Kind::Integer {
            least,
            most,
            garbage: Garbage::Tolerated,
        },
    }
}

/// A whole number; digits with something behind them are refused.
pub(crate) const fn strict_integer(least: i64, most: i64) -> Arguments {
    Arguments {
        needs: Needs::Argument,
        kind: Kind::Integer {
            least,
            most,
            garbage: Garbage::Refused,
        },
    }
}

/// A number of seconds with so many places; the limits are in the unit of the last place.
pub(crate) const fn decimal(least: u64, most: u64, places: u32) -> Arguments {
    Arguments {
        needs: Needs::Argument,
        kind: Kind::Decimal {
            least,
            most,
            places,
            unit: "seconds",
        },
    }
}

impl Arguments {
    /// A decimal number of milliseconds instead.
    pub(crate) const fn milliseconds(mut self) -> Self {
        if let Kind::Decimal { unit, .. } = &mut self.kind {
            *unit = "milliseconds";
        }
        self
    }

    /// The same, but its absence only warns.
    pub(crate) const fn optional(mut self) -> Self {
        self.needs = Needs::Optional;
        self
    }

    /// What the first argument may be, in words; `None`: more than a range.
    pub(crate) fn allowed(self) -> Option<String> {
        match self.kind {
            Kind::Noted(_) => None,
            Kind::Switch => Some("on, true, yes, off, false or no".to_owned()),
            Kind::Integer { least, most, .. } => Some(format!("{least} to {most}")),
            Kind::Decimal {
                least,
                most,
                places,
                unit,
            } => {
                let (least, most) = (show_decimal(least, places), show_decimal(most, places));
                Some(format!(
                    "{least} to {most} {unit}, written without the unit"
                ))
            }
        }
    }
}

impl fmt::Display for Arguments {
    /// As a manual page has it: `1..255`, `[BOOL]`, `ADDRESS`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Noted(text) => f.write_str(text),
            Kind::Switch => f.write_str("[BOOL]"),
            Kind::Integer { least, most, .. } => write!(f, "{least}..{most}"),
            Kind::Decimal {
                least,
                most,
                places,
                ..
            } => {
                let (least, most) = (show_decimal(least, places), show_decimal(most, places));
                write!(f, "{least}..{most}")
            }
        }
    }
}

//! How things look: colours and signs, as the terminal can show them.

use std::ffi::OsStr;

use super::record::Router;

/// What the output can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Style {
    /// Colours are shown.
    pub colour: bool,
    /// Signs beyond ASCII are shown.
    pub unicode: bool,
    /// It is a terminal on which a drawing can grow.
    pub animate: bool,
}

/// What a text means, and with it how it is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// As it is.
    Plain,
    /// A heading.
    Heading,
    /// Of less importance.
    Dim,
    /// Belongs to a router.
    Of(Router),
    /// The same, as an area.
    Area(Router),
    /// Something is missing.
    Alarm,
    /// The same, as an area.
    AlarmArea,
    /// A goodbye.
    Goodbye,
    /// As it should be.
    Good,
}

/// One sign of a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// No daemon runs.
    Off,
    /// It runs and does not have the address.
    Waiting,
    /// It has the address.
    Holding,
    /// An advert.
    Advert,
    /// A gratuitous ARP.
    Announcement,
    /// An advert with priority 0.
    Goodbye,
    /// An advert that was due and did not come.
    Missed,
}

impl Style {
    /// Without anything that only a terminal can show.
    pub(super) const PLAIN: Self = Self {
        colour: false,
        unicode: false,
        animate: false,
    };

    /// What a terminal can do, as its user's environment says.
    pub(super) fn of_terminal(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        let terminal = set("TERM");
        if terminal.as_deref() == Some(OsStr::new("dumb")) {
            return Self::PLAIN;
        }
        // The first of these decides (locale(7)); where none is set, terminals of today show UTF-8.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let unicode = locale.is_none_or(|locale| {
            let locale = locale.to_string_lossy().to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Self {
            // https://no-color.org
            colour: set("NO_COLOR").is_none(),
            unicode,
            animate: true,
        }
    }

    /// `text` as it is to be written.
    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        let code = match paint {
            Paint::Plain => "",
            Paint::Heading => "1",
            Paint::Dim => "2",
            Paint::Of(Router::Alpha) => "1;36",
            Paint::Of(Router::Beta) => "1;33",
            Paint::Area(Router::Alpha) => "30;46",
            Paint::Area(Router::Beta) => "30;43",
            Paint::Alarm => "1;31",
            Paint::AlarmArea => "1;37;41",
            Paint::Goodbye => "1;35",
            Paint::Good => "1;32",
        };
        if self.colour && !code.is_empty() && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// The sign as this output shows it; one column wide.
    pub(super) const fn sign(self, sign: Sign) -> char {
        match (sign, self.unicode) {
            (Sign::Off, true) => '·',
            (Sign::Off, false) => '.',
            (Sign::Waiting, true) => '─',
            (Sign::Waiting, false) => '-',
            (Sign::Holding, true) => '━',
            (Sign::Holding, false) => '=',
            (Sign::Advert, true) => '▲',
            (Sign::Advert, false) => '^',
            (Sign::Announcement, true) => '◆',
            (Sign::Announcement, false) => '#',
            (Sign::Goodbye, _) => '0',
            (Sign::Missed, true) => '✗',
            (Sign::Missed, false) => '!',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Style {
        Style::of_terminal(|name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).into())
        })
    }

    #[test]
    fn the_environment_says_what_a_terminal_can_do() {
        let all = Style {
            colour: true,
            unicode: true,
            animate: true,
        };
        assert_eq!(of(&[]), all);
        assert_eq!(
            of(&[("NO_COLOR", ""), ("LC_ALL", ""), ("LANG", "de_DE.UTF-8")]),
            all
        );
        assert!(!of(&[("NO_COLOR", "1")]).colour);
        assert!(!of(&[("LC_ALL", "C"), ("LANG", "C.UTF-8")]).unicode);
        assert!(of(&[("LANG", "C.utf8")]).unicode);
        assert_eq!(of(&[("TERM", "dumb")]), Style::PLAIN);
    }

    #[test]
    fn colours_are_taken_back() {
        let painted = of(&[]).paint(Paint::Alarm, "x");
        assert!(
            painted.starts_with("\x1b[") && painted.ends_with("mx\x1b[0m"),
            "{painted:?}"
        );
        assert_eq!(of(&[]).paint(Paint::Plain, "x"), "x");
        assert_eq!(Style::PLAIN.paint(Paint::Alarm, "x"), "x");
    }
}

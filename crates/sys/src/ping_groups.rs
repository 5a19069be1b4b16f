//! Who may open unprivileged ICMP sockets: the kernel's `net.ipv4.ping_group_range`, which counts for IPv6, too.
//!
//! By default it is a range with nobody in it, not even root. While there are PING_CHECKs its lower end is 0, the group that
//! we are in; then it is put back, unless somebody else has changed it meanwhile.

use std::io;
use std::path::PathBuf;

use crate::Error;
use crate::sysctl::Overrides;

/// Its name, as [`Overrides`] has it.
const NAME: &str = "net/ipv4/ping_group_range";

/// The range, and what has become of it.
#[derive(Debug)]
pub struct PingGroups {
    path: PathBuf,
    lowered: Option<Range>,
}

/// Groups from the one to the other; nobody when the first is above the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

impl Default for PingGroups {
    fn default() -> Self {
        Self::new()
    }
}

impl PingGroups {
    /// The range as it is.
    pub fn new() -> Self {
        Self::at(PathBuf::from("/proc/sys").join(NAME))
    }

    const fn at(path: PathBuf) -> Self {
        Self {
            path,
            lowered: None,
        }
    }

    /// Lets group 0 in. Returns what the range was if that has changed it now. `overrides` learns of it, so that a successor
    /// can put it back.
    ///
    /// # Errors
    /// When the range cannot be read or written.
    pub fn let_us_in(&mut self, overrides: &mut Overrides) -> Result<Option<Range>, Error> {
        if self.lowered.is_some() {
            return Ok(None);
        }
        let now = self.read()?;
        let before = Range {
            first: u32::try_from(overrides.begin_elsewhere(NAME, i64::from(now.first)))
                .unwrap_or(now.first),
            ..now
        };
        if before.first == 0 {
            overrides.end_elsewhere(NAME);
            return Ok(None);
        }
        if now.first != 0
            && let Err(problem) = self.write(Range { first: 0, ..now })
        {
            overrides.end_elsewhere(NAME);
            return Err(problem);
        }
        self.lowered = Some(before);
        Ok((now.first != 0).then_some(before))
    }

    /// Puts the range back, if we have changed it and nobody else has since.
    ///
    /// # Errors
    /// When it cannot be read or written; it is then no longer ours all the same.
    pub fn put_back(&mut self, overrides: &mut Overrides) -> Result<(), Error> {
        let Some(before) = self.lowered.take() else {
            return Ok(());
        };
        overrides.end_elsewhere(NAME);
        if self.read()? == (Range { first: 0, ..before }) {
            self.write(before)?;
        }
        Ok(())
    }

    fn read(&self) -> Result<Range, Error> {
        const WHAT: &str = "read the kernel's setting";
        let text = std::fs::read_to_string(&self.path).map_err(Error::object(WHAT, &NAME))?;
        let mut words = text.split_whitespace().map(str::parse);
        match (words.next(), words.next(), words.next()) {
            (Some(Ok(first)), Some(Ok(last)), None) => Ok(Range { first, last }),
            _ => {
                let reason = io::Error::from(io::ErrorKind::InvalidData);
                Err(Error::object(WHAT, &NAME)(reason))
            }
        }
    }

    fn write(&self, range: Range) -> Result<(), Error> {
        std::fs::write(&self.path, format!("{}\t{}\n", range.first, range.last))
            .map_err(Error::object("write the kernel's setting", &NAME))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;
    use crate::test_directory::TestDirectory;

    struct Case {
        directory: TestDirectory,
        overrides: Overrides,
    }

    impl Case {
        fn new(name: &str, text: &str) -> (Self, PingGroups) {
            let directory = TestDirectory::new(&format!("ping-groups-{name}"));
            let path = directory.join("range");
            fs::write(&path, text).unwrap();
            let case = Self {
                directory,
                overrides: Overrides::new(),
            };
            (case, PingGroups::at(path))
        }

        fn text(&self) -> String {
            fs::read_to_string(self.directory.join("range")).unwrap()
        }

        fn write(&self, text: &str) {
            fs::write(self.directory.join("range"), text).unwrap();
        }
    }

    const NOBODY: Range = Range { first: 1, last: 0 };

    #[test]
    fn it_is_lowered_once_and_put_back() {
        let (mut case, mut groups) = Case::new("once", "1\t0\n");
        let changed = groups.let_us_in(&mut case.overrides).unwrap();
        assert_eq!(changed, Some(NOBODY));
        assert_eq!(case.text(), "0\t0\n");
        assert_eq!(groups.let_us_in(&mut case.overrides).unwrap(), None);
        groups.put_back(&mut case.overrides).unwrap();
        assert_eq!(case.text(), "1\t0\n");
        let news = case.overrides.take_news();
        assert_eq!(news, [(NAME.to_owned(), Some(1)), (NAME.to_owned(), None)]);
    }

    #[test]
    fn the_upper_end_stays() {
        let (mut case, mut groups) = Case::new("upper", "100\t2147483647\n");
        assert!(groups.let_us_in(&mut case.overrides).unwrap().is_some());
        assert_eq!(case.text(), "0\t2147483647\n");
        groups.put_back(&mut case.overrides).unwrap();
        assert_eq!(case.text(), "100\t2147483647\n");
    }

    #[test]
    fn what_others_have_done_is_theirs() {
        let (mut case, mut groups) = Case::new("others", "0\t5\n");
        assert_eq!(groups.let_us_in(&mut case.overrides).unwrap(), None);
        groups.put_back(&mut case.overrides).unwrap();
        assert_eq!(case.text(), "0\t5\n");
        case.write("1\t0\n");
        assert!(groups.let_us_in(&mut case.overrides).unwrap().is_some());
        case.write("7\t9\n");
        groups.put_back(&mut case.overrides).unwrap();
        assert_eq!(case.text(), "7\t9\n");
    }

    #[test]
    fn a_successor_puts_back_what_was_there_before_its_predecessor() {
        let (mut case, mut groups) = Case::new("successor", "0\t0\n");
        case.overrides
            .inherit(BTreeMap::from([(NAME.to_owned(), 1)]));
        assert_eq!(groups.let_us_in(&mut case.overrides).unwrap(), None);
        groups.put_back(&mut case.overrides).unwrap();
        assert_eq!(case.text(), "1\t0\n");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "1", "1 2 3", "a b"] {
            let (mut case, mut groups) = Case::new("nonsense", text);
            let problem = groups.let_us_in(&mut case.overrides).unwrap_err();
            assert!(problem.to_string().contains(NAME), "{problem}");
            assert_eq!(case.text(), text);
        }
    }
}

//! keepalived's options, read exactly as `getopt_long` reads them, and what they ask for.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the configuration is unless `-f` says otherwise.
pub(crate) const DEFAULT_CONFIGURATION: &str = "/etc/keepalived/keepalived.conf";

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Run the daemon.
    Run(Options),
    /// Check the configuration and exit (`-t`); messages go to this file, or to standard error.
    ConfigTest(Options, Option<PathBuf>),
    /// Print the version (`-v`).
    Version,
    /// Print the options (`-h`).
    Help,
    /// Print the number of a signal (`--signum`).
    Signum(String),
}

/// How the daemon runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// `-f`: the configuration.
    pub use_file: PathBuf,
    /// `-i`: selects lines that begin with `@ID`.
    pub config_id: Option<String>,
    /// `-e`: every mistake in an include line stops the daemon.
    pub all_config: bool,
    /// `-n`: stay in the foreground.
    pub dont_fork: bool,
    /// `-d`: log the configuration.
    pub dump_conf: bool,
    /// `-P`: no checkers.
    pub vrrp_only: bool,
    /// `-C`: no VRRP.
    pub check_only: bool,
    /// `-B`: no BFD.
    pub no_bfd: bool,
    /// `-R`: a child that ends is not restarted.
    pub dont_respawn: bool,
    /// `-V`: leave the addresses when stopping.
    pub dont_release_vrrp: bool,
    /// `-I`: leave what IPVS holds when stopping.
    pub dont_release_ipvs: bool,
    /// `--ignore-sigint`.
    pub ignore_sigint: bool,
    /// `-u`: permission bits that files are made without.
    pub umask: Option<u32>,
    /// `-p`, `-r`: pid files; the other children's are accepted for their daemons to come.
    pub pid: Option<PathBuf>,
    /// See `pid`.
    pub vrrp_pid: Option<PathBuf>,
    /// See `pid`.
    pub checkers_pid: Option<PathBuf>,
    /// See `pid`.
    pub bfd_pid: Option<PathBuf>,
    /// Where log lines go.
    pub log: LogOptions,
}

/// Where log lines go, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogOptions {
    /// `-l`: to standard error, too.
    pub console: bool,
    /// Not `-G`: to syslog.
    pub syslog: bool,
    /// `-D`: more lines.
    pub detail: bool,
    /// `-S`.
    pub facility: FacilityName,
}

/// The facility of syslog messages (`-S`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FacilityName {
    /// daemon, the default.
    Daemon,
    /// user.
    User,
    /// local0 to local7.
    Local(u8),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            use_file: DEFAULT_CONFIGURATION.into(),
            config_id: None,
            all_config: false,
            dont_fork: false,
            dump_conf: false,
            vrrp_only: false,
            check_only: false,
            no_bfd: false,
            dont_respawn: false,
            dont_release_vrrp: false,
            dont_release_ipvs: false,
            ignore_sigint: false,
            umask: None,
            pid: None,
            vrrp_pid: None,
            checkers_pid: None,
            bfd_pid: None,
            log: LogOptions {
                console: false,
                syslog: true,
                detail: false,
                facility: FacilityName::Daemon,
            },
        }
    }
}

/// One option: both spellings, whether it takes a value, and what it is for.
struct OptionRow {
    short: Option<char>,
    long: &'static str,
    value: Value,
    help: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    None,
    Required(&'static str),
    /// Only attached: `-tFILE`, `--config-test=FILE`.
    Attached(&'static str),
}

const fn row(short: char, long: &'static str, value: Value, help: &'static str) -> OptionRow {
    OptionRow {
        short: Some(short),
        long,
        value,
        help,
    }
}

const fn long(long: &'static str, value: Value, help: &'static str) -> OptionRow {
    OptionRow {
        short: None,
        long,
        value,
        help,
    }
}

/// Every option that is accepted.
const OPTIONS: &[OptionRow] = &[
    row(
        'f',
        "use-file",
        Value::Required("FILE"),
        "the configuration (default /etc/keepalived/keepalived.conf)",
    ),
    row('P', "vrrp", Value::None, "run VRRP, no health checkers"),
    row('C', "check", Value::None, "run health checkers, no VRRP"),
    row('B', "no_bfd", Value::None, "run no BFD"),
    long("all", Value::None, "run every part, configured or not"),
    row(
        'l',
        "log-console",
        Value::None,
        "log to standard error, too",
    ),
    row('D', "log-detail", Value::None, "log in more detail"),
    row(
        'S',
        "log-facility",
        Value::Required("0-7"),
        "syslog facility: 0 to 7, local0 to local7, user or daemon",
    ),
    row('G', "no-syslog", Value::None, "do not log to syslog"),
    row(
        'u',
        "umask",
        Value::Required("MASK"),
        "permission bits that files are made without",
    ),
    row(
        'X',
        "release-vips",
        Value::None,
        "remove virtual addresses at every transition (always done)",
    ),
    row(
        'V',
        "dont-release-vrrp",
        Value::None,
        "leave virtual addresses in place when stopping",
    ),
    row(
        'I',
        "dont-release-ipvs",
        Value::None,
        "leave IPVS entries in place when stopping",
    ),
    row(
        'R',
        "dont-respawn",
        Value::None,
        "do not restart a part that ended",
    ),
    row('n', "dont-fork", Value::None, "stay in the foreground"),
    row(
        'd',
        "dump-conf",
        Value::None,
        "log the configuration as it was understood",
    ),
    row(
        'p',
        "pid",
        Value::Required("FILE"),
        "pid file of the parent",
    ),
    row(
        'r',
        "vrrp_pid",
        Value::Required("FILE"),
        "pid file of the VRRP process",
    ),
    row(
        'c',
        "checkers_pid",
        Value::Required("FILE"),
        "pid file of the health checkers",
    ),
    row(
        'b',
        "bfd_pid",
        Value::Required("FILE"),
        "pid file of the BFD process",
    ),
    row(
        'i',
        "config-id",
        Value::Required("ID"),
        "select configuration lines that begin with @ID",
    ),
    row(
        'e',
        "all-config",
        Value::None,
        "every mistake in an include line is an error",
    ),
    long("ignore-sigint", Value::None, "do not stop at SIGINT"),
    long(
        "signum",
        Value::Required("NAME"),
        "print the number of a signal: STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON",
    ),
    row(
        't',
        "config-test",
        Value::Attached("FILE"),
        "check the configuration and exit; messages go to FILE",
    ),
    row('v', "version", Value::None, "print the version"),
    row('h', "help", Value::None, "print this"),
];

/// A command line that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsageError {
    /// One line each; keepalived goes on after the first mistake, so that all are shown.
    pub messages: Vec<String>,
}

/// Reads the words after the program's name.
///
/// # Errors
/// All that is wrong with them.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Request, UsageError> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut reader = Reader {
        options: Options::default(),
        request: None,
        messages: Vec::new(),
    };
    loop {
        match parser.next().map(|argument| argument.map(Word::from)) {
            Ok(Some(word)) => reader.take(&word, &mut parser),
            Ok(None) => break,
            Err(error) => reader.messages.push(error.to_string()),
        }
    }
    if !reader.messages.is_empty() {
        return Err(UsageError {
            messages: reader.messages,
        });
    }
    Ok(match reader.request {
        None => Request::Run(reader.options),
        Some(Asked::Test(log)) => {
            // A test stays in the foreground and leaves syslog alone.
            let mut options = reader.options;
            options.dont_fork = true;
            options.log.syslog = false;
            Request::ConfigTest(options, log)
        }
        Some(Asked::Version) => Request::Version,
        Some(Asked::Help) => Request::Help,
        Some(Asked::Signum(name)) => Request::Signum(name),
    })
}

enum Asked {
    Test(Option<PathBuf>),
    Version,
    Help,
    Signum(String),
}

struct Reader {
    options: Options,
    request: Option<Asked>,
    messages: Vec<String>,
}

/// An argument that no longer borrows from its parser, which is asked for the value behind it.
enum Word {
    Short(char),
    Long(String),
    Other(OsString),
}

impl From<lexopt::Arg<'_>> for Word {
    fn from(argument: lexopt::Arg<'_>) -> Self {
        match argument {
            lexopt::Arg::Short(letter) => Self::Short(letter),
            lexopt::Arg::Long(name) => Self::Long(name.to_owned()),
            lexopt::Arg::Value(word) => Self::Other(word),
        }
    }
}

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Short(letter) => write!(f, "-{letter}"),
            Self::Long(name) => write!(f, "--{name}"),
            Self::Other(word) => write!(f, "{}", word.to_string_lossy()),
        }
    }
}

/// The row that a word means. A long option may be shortened as long as it is clear, as `getopt_long` has it.
fn find(word: &Word) -> Result<&'static OptionRow, String> {
    match word {
        Word::Short(letter) => OPTIONS
            .iter()
            .find(|row| row.short == Some(*letter))
            .ok_or_else(|| format!("unknown option -{letter}")),
        Word::Long(name) => {
            if let Some(exact) = OPTIONS.iter().find(|row| row.long == *name) {
                return Ok(exact);
            }
            let mut candidates = OPTIONS
                .iter()
                .filter(|row| row.long.starts_with(name.as_str()));
            match (candidates.next(), candidates.next()) {
                (Some(only), None) => Ok(only),
                (Some(first), Some(second)) => Err(format!(
                    "option --{name} is ambiguous: --{} or --{}?",
                    first.long, second.long
                )),
                (None, _) => Err(format!("unknown option --{name}")),
            }
        }
        Word::Other(_) => Err(format!("unexpected argument {word}")),
    }
}

impl Reader {
    fn take(&mut self, word: &Word, parser: &mut lexopt::Parser) {
        if let Word::Other(_) = word {
            // keepalived mentions such words and carries on.
            println!("Unexpected argument(s): {word}");
            return;
        }
        let row = match find(word) {
            Ok(row) => row,
            Err(message) => {
                self.messages.push(message);
                return;
            }
        };
        let value = match row.value {
            Value::None => None,
            Value::Required(_) => match parser.value() {
                Ok(value) if value.is_empty() => {
                    self.messages.push(format!("option {word} needs a value"));
                    return;
                }
                Ok(value) => Some(value),
                Err(error) => {
                    self.messages.push(error.to_string());
                    return;
                }
            },
            Value::Attached(_) => parser.optional_value().filter(|value| !value.is_empty()),
        };
        self.apply(row, value);
    }

    fn apply(&mut self, row: &OptionRow, value: Option<OsString>) {
        let options = &mut self.options;
        let path = || value.clone().map(PathBuf::from);
        let text = || {
            value
                .as_deref()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned()
        };
        match row.long {
            "use-file" => options.use_file = path().unwrap_or_default(),
            "vrrp" => options.vrrp_only = true,
            "check" => options.check_only = true,
            "log-console" => options.log.console = true,
            "log-detail" => options.log.detail = true,
            "log-facility" => match facility(&text()) {
                Some(facility) => options.log.facility = facility,
                None => self.messages.push(format!(
                    "invalid log facility {}: 0 to 7, local0 to local7, user or daemon expected",
                    text()
                )),
            },
            "no-syslog" => options.log.syslog = false,
            "umask" => match umask(&text()) {
                Some(mask) => options.umask = Some(mask),
                None => self
                    .messages
                    .push(format!("invalid umask {}: 0 to 0777 expected", text())),
            },
            "dont-release-vrrp" => options.dont_release_vrrp = true,
            "dont-release-ipvs" => options.dont_release_ipvs = true,
            "no_bfd" => options.no_bfd = true,
            "dont-respawn" => options.dont_respawn = true,
            "dont-fork" => options.dont_fork = true,
            "dump-conf" => options.dump_conf = true,
            "pid" => options.pid = path(),
            "vrrp_pid" => options.vrrp_pid = path(),
            "checkers_pid" => options.checkers_pid = path(),
            "bfd_pid" => options.bfd_pid = path(),
            "config-id" => options.config_id = Some(text()),
            "all-config" => options.all_config = true,
            "ignore-sigint" => options.ignore_sigint = true,
            "signum" => self.ask(Asked::Signum(text())),
            "config-test" => {
                let log = path();
                self.ask(Asked::Test(log));
            }
            "version" => self.ask(Asked::Version),
            "help" => self.ask(Asked::Help),
            // What is left selects parts that are not there yet, or asks for what is always done.
            _ => {}
        }
    }

    /// The first of these wins, as keepalived carries it out on the spot.
    fn ask(&mut self, asked: Asked) {
        self.request.get_or_insert(asked);
    }
}

fn facility(text: &str) -> Option<FacilityName> {
    let number = text.strip_prefix("local").unwrap_or(text);
    match text {
        "daemon" => Some(FacilityName::Daemon),
        "user" => Some(FacilityName::User),
        _ => number
            .parse()
            .ok()
            .filter(|number| *number <= 7)
            .map(FacilityName::Local),
    }
}

/// C notation: octal behind a 0, hexadecimal behind 0x.
fn umask(text: &str) -> Option<u32> {
    let mask = if let Some(digits) = text.strip_prefix("0x") {
        u32::from_str_radix(digits, 16)
    } else if text.starts_with('0') {
        u32::from_str_radix(text, 8)
    } else {
        text.parse()
    };
    mask.ok().filter(|mask| *mask <= 0o777)
}

/// The number that `--signum` prints; keepalived's on glibc.
pub(crate) fn signal_number(name: &str) -> Option<i32> {
    match name {
        "STOP" => Some(15),
        "RELOAD" => Some(1),
        "DATA" => Some(10),
        "STATS" => Some(12),
        "STATS_CLEAR" => Some(63),
        "JSON" => Some(36),
        _ => None,
    }
}

/// The page that `-h` prints.
pub(crate) fn help(program: &str) -> String {
    let mut page = format!("Usage: {program} [OPTION...]\n\n");
    for row in OPTIONS {
        let short = row
            .short
            .map_or_else(|| String::from("    "), |letter| format!("-{letter}, "));
        let value = match row.value {
            Value::None => String::new(),
            Value::Required(name) => format!("={name}"),
            Value::Attached(name) => format!("[={name}]"),
        };
        let words = format!("{}{value}", row.long);
        page += &format!("  {short}--{words:26} {}\n", row.help);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request, UsageError> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn run(line: &str) -> Options {
        match parsed(line) {
            Ok(Request::Run(options)) => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    /// Command lines seen in the wild.
    #[test]
    fn bundles_and_long_forms() {
        let options = run("-nlD -f /tmp/k.conf -p/run/k.pid --vrrp_pid=/run/v.pid -S 7 -P");
        assert!(
            options.dont_fork && options.log.console && options.log.detail && options.vrrp_only
        );
        assert_eq!(options.use_file, PathBuf::from("/tmp/k.conf"));
        assert_eq!(options.pid, Some(PathBuf::from("/run/k.pid")));
        assert_eq!(options.vrrp_pid, Some(PathBuf::from("/run/v.pid")));
        assert_eq!(options.log.facility, FacilityName::Local(7));
        let options =
            run("--log-console --log-detail --dont-fork --config-id=node1 --use-file=/etc/k.conf");
        assert_eq!(options.config_id.as_deref(), Some("node1"));
        assert!(run("--dont-f").dont_fork);
        assert_eq!(run("-u 022").umask, Some(0o22));
    }

    #[test]
    fn a_test_takes_its_file_only_attached() {
        let Ok(Request::ConfigTest(options, log)) = parsed("-t/tmp/log -f x.conf") else {
            panic!()
        };
        assert_eq!(
            (log, options.use_file),
            (Some("/tmp/log".into()), "x.conf".into())
        );
        assert!(!options.log.syslog);
        let Ok(Request::ConfigTest(options, log)) = parsed("--config-test -f x.conf") else {
            panic!()
        };
        assert_eq!((log, options.use_file), (None, "x.conf".into()));
    }

    #[test]
    fn mistakes_are_all_named() {
        let error = parsed("--nonsense -S 9 -Z -f").unwrap_err();
        assert_eq!(error.messages.len(), 4, "{error:?}");
        assert!(error.messages[0].contains("--nonsense"));
        assert!(parsed("--dont").unwrap_err().messages[0].contains("ambiguous"));
    }

    #[test]
    fn signals() {
        assert_eq!(parsed("--signum=JSON"), Ok(Request::Signum("JSON".into())));
        assert_eq!(parsed("--signum JSON"), Ok(Request::Signum("JSON".into())));
        assert_eq!(signal_number("JSON"), Some(36));
        assert_eq!(signal_number("TDUMP"), None);
    }

    #[test]
    fn help_names_every_option() {
        let page = help("evervip");
        for row in OPTIONS {
            assert!(page.contains(&format!("--{}", row.long)));
        }
    }
}

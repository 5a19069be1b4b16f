//! genhash's command line.

use std::ffi::{OsStr, OsString};
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt as _;

use lexopt::Arg;
use lvs::settings::Octets;
use lvs::settings::checkers::HttpVersion;

/// What is printed for whoever needs help.
pub(super) const USAGE: &str = "\
Usage: genhash COMMAND [OPTIONS]
Commands:
   -s server-address -p port -u url
   -S -s server-address -p port -u url
   -h

Options:
Either long or short options are allowed.
   --use-ssl         -S       Use SSL connection to remote server.
   --use-sni         -I       Use SNI during SSL handshake (uses virtualhost setting; see -V).
   --server          -s       Use the specified remote server address.
   --port            -p       Use the specified remote server port.
   --url             -u       Use the specified remote server url.
   --use-virtualhost -V       Use the specified virtualhost in GET query.
   --verbose         -v       Use verbose mode output.
   --help            -h       Display this short inlined help screen.
   --fwmark          -m       Use the specified FW mark.
   --protocol        -P       Use the specified HTTP protocol - '1.0', '1.0c', '1.1'.
                                1.0c means 1.0 with 'Connection: close'
   --timeout         -t       Timeout in seconds
";

/// Without `--timeout`: as long as a check could be told to wait, in seconds.
const PATIENCE: u32 = 4294;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) server: IpAddr,
    pub(super) port: u16,
    pub(super) url: Octets,
    pub(super) tls: bool,
    pub(super) sni: bool,
    pub(super) virtualhost: Option<Octets>,
    pub(super) version: HttpVersion,
    pub(super) mark: u32,
    /// In seconds.
    pub(super) timeout: u32,
    pub(super) verbose: bool,
}

/// What has been read.
#[derive(Default)]
struct Draft {
    server: Option<IpAddr>,
    port: Option<u16>,
    url: Option<Octets>,
    tls: bool,
    sni: bool,
    virtualhost: Option<Octets>,
    version: HttpVersion,
    mark: u32,
    timeout: Option<u32>,
    verbose: bool,
}

/// An option: its letter and its name.
const OPTIONS: [(char, &str); 11] = [
    ('S', "use-ssl"),
    ('I', "use-sni"),
    ('s', "server"),
    ('p', "port"),
    ('u', "url"),
    ('V', "use-virtualhost"),
    ('v', "verbose"),
    ('h', "help"),
    ('m', "fwmark"),
    ('P', "protocol"),
    ('t', "timeout"),
];

/// Reads the words behind the name.
///
/// # Errors
/// What is wrong, in lines; usage is to follow. There may be none when nobody can mean what stands there.
pub(super) fn parse(words: &[OsString]) -> Result<Options, Vec<String>> {
    // keepalived looks no further.
    if words.len() < 2 {
        return Err(Vec::new());
    }
    let mut draft = Draft::default();
    let mut messages = Vec::new();
    let mut unexpected = Vec::new();
    let mut parser = lexopt::Parser::from_args(words);
    loop {
        // A value that an option has no use for is reported with it.
        let Ok(Some(word)) = parser.next() else {
            break;
        };
        let (shown, letter) = match word {
            Arg::Value(word) => {
                unexpected.push(word.to_string_lossy().into_owned());
                continue;
            }
            Arg::Short(letter) => (
                format!("-{letter}"),
                OPTIONS.iter().find(|(known, _)| *known == letter),
            ),
            Arg::Long(name) => (format!("--{name}"), find(name)),
        };
        let Some((letter, _)) = letter else {
            messages.push(format!("Unknown option {shown}"));
            continue;
        };
        if draft.switch(*letter) {
            // The letter behind a letter is another option.
            if shown.starts_with("--")
                && let Some(value) = parser.optional_value()
            {
                let value = value.to_string_lossy();
                messages.push(format!("Unknown option {shown}={value}"));
            }
            continue;
        }
        if *letter == 'h' {
            return Err(Vec::new());
        }
        let Ok(value) = parser.value() else {
            messages.push(format!("Missing parameter for option {shown}"));
            continue;
        };
        // It ends with the first value that is none.
        if let Err(message) = draft.set(*letter, &value) {
            messages.push(message);
            return Err(messages);
        }
    }
    if !unexpected.is_empty() {
        let words = unexpected.join(" ");
        messages.push(format!("Unexpected argument(s): {words}"));
    }
    if messages.is_empty() {
        draft.finish().ok_or(messages)
    } else {
        Err(messages)
    }
}

/// The option of a name, which may be shortened as long as it is clear.
fn find(name: &str) -> Option<&'static (char, &'static str)> {
    if let Some(exact) = OPTIONS.iter().find(|(_, known)| *known == name) {
        return Some(exact);
    }
    let mut candidates = OPTIONS.iter().filter(|(_, known)| known.starts_with(name));
    let first = candidates.next()?;
    candidates.next().is_none().then_some(first)
}

impl Draft {
    /// Takes an option without a value; false: it has one, or is to be answered.
    fn switch(&mut self, letter: char) -> bool {
        match letter {
            'S' => self.tls = true,
            'I' => self.sni = true,
            'v' => self.verbose = true,
            _ => return false,
        }
        true
    }

    fn set(&mut self, letter: char, word: &OsStr) -> Result<(), String> {
        let octets = || Some(Octets::new(word.as_bytes().to_vec()));
        let value = &*word.to_string_lossy();
        match letter {
            's' => {
                let server = value.parse();
                let server = server.map_err(|_| format!("server should be an IP, not {value}"))?;
                self.server = Some(server);
            }
            'p' => {
                let port = value.parse().ok().filter(|port| *port != 0);
                let port = port.ok_or_else(|| format!("invalid port number '{value}'"))?;
                self.port = Some(port);
            }
            'u' => self.url = octets(),
            'V' => self.virtualhost = octets(),
            'm' => {
                let mark = value.parse();
                self.mark = mark.map_err(|_| format!("invalid fwmark '{value}'"))?;
            }
            'P' => {
                self.version = match value {
                    "1.0" => HttpVersion::V1_0,
                    "1.0c" | "1.0C" => HttpVersion::V1_0Close,
                    "1.1" => HttpVersion::V1_1,
                    _ => return Err(format!("invalid HTTP protocol version '{value}'")),
                }
            }
            _ => {
                let timeout = value.parse();
                let timeout = timeout.map_err(|_| format!("invalid timeout '{value}'"))?;
                self.timeout = Some(timeout);
            }
        }
        Ok(())
    }

    /// `None`: something is missing.
    fn finish(self) -> Option<Options> {
        Some(Options {
            server: self.server?,
            port: self.port?,
            url: self.url?,
            tls: self.tls,
            sni: self.sni,
            virtualhost: self.virtualhost,
            version: self.version,
            mark: self.mark,
            timeout: self.timeout.unwrap_or(PATIENCE),
            verbose: self.verbose,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of a line; `ok`: nothing.
    fn says(line: &str) -> String {
        let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        match parse(&words) {
            Ok(_) => "ok".to_owned(),
            Err(messages) => messages.join("|"),
        }
    }

    #[test]
    fn as_genhash() {
        for (line, wanted) in [
            ("", ""),
            ("-Q", ""),
            ("-s 192.0.2.1 -p 80", ""),
            ("-s 192.0.2.1 -p 80 -u / -h", ""),
            ("-s 192.0.2.1 -p 80 -u /", "ok"),
            ("--serv 2001:db8::1 --port=80 -u/", "ok"),
            ("-vs 192.0.2.1 -p +80 --url=/", "ok"),
            ("-s 192.0.2.1 -Q", "Unknown option -Q"),
            ("-s 192.0.2.1 --foo", "Unknown option --foo"),
            ("-s 192.0.2.1 --use-s", "Unknown option --use-s"),
            ("-s 192.0.2.1 -u", "Missing parameter for option -u"),
            ("-s 192.0.2.1 --url", "Missing parameter for option --url"),
            (
                "--server 192.0.2.1 --verbose=3 -Q",
                "Unknown option --verbose=3|Unknown option -Q",
            ),
            ("-s 192.0.2.1 -u / x -p 80 y", "Unexpected argument(s): x y"),
            ("-s foo -p 80 -u /", "server should be an IP, not foo"),
            (
                "-s fe80::1%lo -p 80 -u /",
                "server should be an IP, not fe80::1%lo",
            ),
            ("-s 192.0.2.1 -p 0 -u / -Q x", "invalid port number '0'"),
            ("-s 192.0.2.1 -p 0x50 -u /", "invalid port number '0x50'"),
            ("-s 192.0.2.1 -p 99999 -u /", "invalid port number '99999'"),
            (
                "-s 192.0.2.1 -p 80 -u / -P 2",
                "invalid HTTP protocol version '2'",
            ),
            ("-s 192.0.2.1 -p 80 -u / -m -1", "invalid fwmark '-1'"),
            ("-s 192.0.2.1 -p 80 -u / -t 1.5", "invalid timeout '1.5'"),
        ] {
            assert_eq!(says(line), wanted, "{line}");
        }
    }

    #[test]
    fn what_is_sent_need_not_be_text() {
        let words = [&b"-s"[..], b"::1", b"-p80", b"-u/caf\xe9", b"-V", b"m\xfcn"];
        let words = words.map(|word| OsStr::from_bytes(word).to_owned());
        let options = parse(&words).unwrap();
        assert_eq!(options.url.as_bytes(), b"/caf\xe9");
        assert_eq!(options.virtualhost.unwrap().as_bytes(), b"m\xfcn");
    }

    #[test]
    fn all_options() {
        let line = "-S -I -s 192.0.2.1 -p 443 -u /a -V www -v -m 5 -P 1.0C -t 7";
        let words: Vec<_> = line.split_whitespace().map(OsString::from).collect();
        assert_eq!(
            parse(&words),
            Ok(Options {
                server: "192.0.2.1".parse().unwrap(),
                port: 443,
                url: "/a".into(),
                tls: true,
                sni: true,
                virtualhost: Some("www".into()),
                version: HttpVersion::V1_0Close,
                mark: 5,
                timeout: 7,
                verbose: true,
            })
        );
    }
}

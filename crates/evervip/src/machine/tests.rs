//! Real files that are no configuration, or hardly one: each ends soon, with few words that say what is wrong.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Command;

use config::{LoadOptions, Loaded, load};

use super::*;

/// A directory of its own, removed in the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("evervip-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn load(&self, name: &str) -> Loaded {
        let path = self.0.join(name);
        let options = LoadOptions::default();
        load(path.to_str().unwrap(), &ThisMachine::default(), &options)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if let Err(problem) = fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {problem}", self.0.display());
        }
    }
}

fn messages(loaded: &Loaded) -> Vec<&str> {
    loaded
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.message.as_str())
        .collect()
}

fn refused(loaded: &Loaded, words: &str) {
    let said = messages(loaded);
    assert_eq!(loaded.status, 6, "{said:?}");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains(words), "{said:?}");
}

#[test]
fn what_is_no_file_is_not_read() {
    let directory = Directory::new("no-file");
    let fifo = directory.0.join("fifo");
    assert!(
        Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    refused(&directory.load("fifo"), "is not a regular file");
    refused(&directory.load("."), "is a directory");
    refused(&directory.load("../../dev/zero"), "is not a regular file");
    directory.file("x.conf", "include fifo\nincluder /dev/zero\n");
    let loaded = directory.load("x.conf");
    assert_eq!(loaded.status, 6);
    assert_eq!(
        messages(&loaded),
        [
            "included file 'fifo' is not a regular file",
            "included file '/dev/zero' is not a regular file"
        ]
    );
}

#[test]
fn a_file_of_a_gigabyte_is_not_read() {
    let directory = Directory::new("gigabyte");
    let path = directory.file("x.conf", "");
    // A hole takes no room, and the size alone shows that there is too much of it.
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(1 << 30).unwrap();
    refused(&directory.load("x.conf"), "is larger than");
}

#[test]
fn files_that_include_each_other_end() {
    let directory = Directory::new("loop");
    directory.file("a.conf", "include b.conf\ninclude b.conf\n");
    directory.file("b.conf", "include a.conf\ninclude a.conf\n");
    refused(&directory.load("a.conf"), "32 deep");
}

#[test]
fn a_pattern_that_matches_a_hundred_thousand_files_is_refused() {
    let directory = Directory::new("glob");
    fs::create_dir(directory.0.join("d")).unwrap();
    for number in 0..100_000 {
        fs::write(directory.0.join(format!("d/{number}.conf")), "").unwrap();
    }
    directory.file("x.conf", "include d/*.conf\n");
    refused(&directory.load("x.conf"), "more than 4096 files");
    refused(&directory.load("d/*.conf"), "more than 4096 files");
    directory.file(
        "y.conf",
        "include d/{1,2,3,4,5,6,7,8}*{1,2,3,4,5,6,7,8}*.none\n".repeat(100),
    );
    let loaded = directory.load("y.conf");
    assert!(
        messages(&loaded)
            .iter()
            .any(|said| said.contains("too many names")),
        "{:?}",
        messages(&loaded)
    );
}

#[test]
fn braces_may_nest_ten_thousand_deep() {
    let directory = Directory::new("braces");
    for text in [
        "{",
        "a {",
        "vrrp_instance A {",
        "virtual_server 1 2 { real_server 1 2 { ",
    ] {
        let mut nested = text.repeat(10_000);
        nested.push('\n');
        let lines = text.replace('{', "{\n").repeat(10_000);
        for content in [
            nested,
            lines.clone(),
            format!("{lines}{}", "}\n".repeat(20_000)),
        ] {
            directory.file("x.conf", content);
            assert!(!directory.load("x.conf").diagnostics.is_empty(), "{text}");
        }
    }
}

#[test]
fn a_file_that_changes_is_read_again() {
    let stamp = |size| Stamp(size, (0, 0), (0, 0));
    let attempts = |sizes: &[u64]| {
        let mut sizes = sizes.iter().copied();
        read_settled(|| {
            Ok(Attempt {
                bytes: Vec::new(),
                before: stamp(0),
                after: stamp(sizes.next().unwrap()),
            })
        })
    };
    assert_eq!(attempts(&[0]), Ok(Vec::new()));
    assert_eq!(attempts(&[1, 0]), Ok(Vec::new()), "somebody saved it");
    assert_eq!(attempts(&[1, 2, 3]), Err(FileProblem::Changing));
}

#[test]
fn a_file_that_shrinks_and_grows_while_it_is_read_does_no_harm() {
    let directory = Directory::new("shrinks");
    let path = directory.file("x.conf", "");
    let running = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut text = String::new();
            for number in 0..20_000 {
                writeln!(text, "# line {number}").unwrap();
            }
            while running.load(std::sync::atomic::Ordering::Relaxed) {
                let mut file = fs::File::create(&path).unwrap();
                for part in text.as_bytes().chunks(4096) {
                    file.write_all(part).unwrap();
                }
            }
        });
        for _ in 0..50 {
            let loaded = directory.load("x.conf");
            let said = messages(&loaded);
            assert!(
                said.iter()
                    .all(|said| said.contains("changes while it is read")),
                "{said:?}"
            );
        }
        running.store(false, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn odd_bytes_are_read() {
    let directory = Directory::new("bytes");
    // "Kommentar" in Shift-JIS has bytes that are backslashes and vertical bars in ASCII.
    let text = b"# \x83\x52\x83\x81\x83\x93\x83\x67 \x95\x5c { \" \r\nglobal_defs {\r\nrouter_id a\r\n}\r\n\xff\xfe\r\n";
    directory.file("x.conf", text);
    let loaded = directory.load("x.conf");
    let said = messages(&loaded);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("unknown keyword"), "{said:?}");
    let settings = loaded.settings.unwrap();
    assert_eq!(settings.global.router_id.as_deref(), Some("a"));
    directory.file("y.conf", "a\0b\n".repeat(100_000));
    let loaded = directory.load("y.conf");
    assert_eq!((loaded.status, loaded.diagnostics.len()), (2, 2));
}

#[test]
fn processors_are_counted() {
    for (list, expected) in [
        ("0", Some(1)),
        ("0-3", Some(4)),
        ("0-3,6,8-9", Some(7)),
        ("", None),
        ("3-0", None),
        ("0-65535", None),
        ("0-x", None),
    ] {
        assert_eq!(count_processors(list), expected, "{list:?}");
    }
    assert!(ThisMachine::default().processors() > 0);
}

#[test]
fn hosts_are_resolved() {
    let machine = ThisMachine::default();
    assert_eq!(
        machine.resolve_host("192.0.2.1"),
        Some([192, 0, 2, 1].into())
    );
    assert_eq!(machine.resolve_host(""), None);
}

//! `evervip check` and `-t` as a user meets them: what they print, and the status they end with.

#![expect(
    clippy::unwrap_used,
    reason = "what helps a test fails like one; clippy knows only the functions marked as tests"
)]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Nothing is wrong with it on any machine.
const FINE: &str = "\
global_defs {
    dynamic_interfaces
}
vrrp_instance A {
    interface absent0
    virtual_router_id 51
    priority 100
    virtual_ipaddress {
        10.0.0.1
    }
}
";

/// A directory of a test's own.
struct Place {
    path: PathBuf,
}

impl Place {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("evervip-check-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self { path }
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path.join(name), text).unwrap();
        self
    }

    /// Runs evervip in the directory.
    fn run(&self, words: &[&str]) -> Said {
        self.run_as("evervip", words)
    }

    fn run_as(&self, name: &str, words: &[&str]) -> Said {
        let output = Command::new(env!("CARGO_BIN_EXE_evervip"))
            .arg0(name)
            .args(words)
            .current_dir(&self.path)
            .env_remove("NO_COLOR")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        Said {
            status: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}

struct Said {
    status: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn last_line(&self) -> &str {
        self.out.lines().last().unwrap_or_default()
    }
}

/// The fine configuration with further lines in its instance.
fn with(lines: &str) -> String {
    FINE.replace("    priority 100\n", lines)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_fine_file_is_fine() {
    let place = Place::new("fine");
    let said = place.file("x.conf", FINE).run(&["check", "x.conf"]);
    assert_eq!(said.out, "x.conf: fine: 1 instance\n");
    assert_eq!((said.status, said.err.as_str()), (Some(0), ""));
    assert_eq!(place.run(&["check", "--strict", "x.conf"]).status, Some(0));
}

#[test]
fn an_error_shows_its_place_and_what_was_meant() {
    let place = Place::new("error");
    let text = with("    prioritty 100\n    garp_master_delay 100000\n    advert_int soon\n");
    let said = place.file("x.conf", text).run(&["check", "x.conf"]);
    insta::assert_snapshot!(said.out, @r#"
    error: unknown keyword 'prioritty' in vrrp_instance
     --> x.conf:7:5
      |
    7 |     prioritty 100
      |     ^^^^^^^^^
      |
      = help: did you mean 'priority'?

    error: garp_master_delay: 100000 is out of range
     --> x.conf:8:23
      |
    8 |     garp_master_delay 100000
      |                       ^^^^^^
      |
      = note: allowed: 0 to 4294 (default: vrrp_garp_master_delay)

    error: advert_int: 'soon' is not a number
     --> x.conf:9:16
      |
    9 |     advert_int soon
      |                ^^^^
      |
      = note: allowed: 0.01 to 255 seconds, written without the unit (default: 1)

    x.conf: 3 errors, 0 warnings, 0 lints: the daemon would start, without what is in error
    "#);
    assert_eq!((said.status, said.err.as_str()), (Some(1), ""));
}

#[test]
fn warnings_fail_only_when_asked_to() {
    let place = Place::new("warning");
    place.file(
        "x.conf",
        with("    priority 100\n    state MASTER\n    nopreempt\n"),
    );
    let said = place.run(&["check", "x.conf"]);
    insta::assert_snapshot!(said.out, @r#"
    warning: instance A: nopreempt has no effect with initial state MASTER
     --> x.conf:9:5
      |
    9 |     nopreempt
      |     ^^^^^^^^^
      |
      = note: who begins as MASTER takes over whenever it starts, which nopreempt is to prevent
      = help: set 'state BACKUP' on every router that shall not preempt

    x.conf: 0 errors, 1 warning, 0 lints: usable: 1 instance
    "#);
    assert_eq!(said.status, Some(0));
    assert_eq!(place.run(&["check", "--strict", "x.conf"]).status, Some(1));
}

#[test]
fn the_same_mistake_is_shown_once() {
    let place = Place::new("repeated");
    let text = "vrrp_instance A {\n    oddity 1\n    oddity 2\n    oddity 3\n}\n";
    let said = place.file("x.conf", text).run(&["check", "x.conf"]);
    assert_eq!(
        said.out.matches("unknown keyword 'oddity'").count(),
        1,
        "{}",
        said.out
    );
    assert!(
        said.out.contains("= note: the same in lines 3, 4\n"),
        "{}",
        said.out
    );
}

#[test]
fn what_does_not_act_yet_does_not_drown_the_rest() {
    let place = Place::new("pending");
    let text = "virtual_server 10.0.0.1 80 {\n    delay_loop 5\n    lb_algo rr\n    lb_kind NAT\n    protocol TCP\n}\n";
    place.file("x.conf", text);
    let said = place.run(&["check", "x.conf"]);
    assert!(
        said.out.matches("does not act").count() <= 1 + 1,
        "{}",
        said.out
    );
    let list = place.run(&["check", "--pending", "x.conf"]);
    let all = place.run(&["check", "--pending"]);
    assert_eq!((list.status, all.status), (Some(0), Some(0)));
    assert!(
        list.last_line().starts_with("x.conf: evervip "),
        "{}",
        list.out
    );
    assert!(
        all.last_line().starts_with("evervip acts on "),
        "{}",
        all.out
    );
    assert!(all.out.lines().count() >= list.out.lines().count());
    let missing = place.run(&["check", "--pending", "none.conf"]);
    assert_eq!(missing.status, Some(1));
    assert!(missing.out.contains("none.conf"), "{}", missing.out);
}

/// Of virtual servers nothing is pending but what needs mail or SNMP.
#[test]
fn virtual_servers_act() {
    let said = Place::new("pending_servers").run(&["check", "--pending"]);
    let mut block = "";
    let mut pending: Vec<String> = Vec::new();
    for line in said.out.lines() {
        if let Some(keywords) = line.strip_prefix("    ") {
            let is_of_servers = ["virtual_server", "SSL", "track_file"]
                .iter()
                .any(|name| block.starts_with(name));
            let keywords = keywords
                .split_once(':')
                .map_or(keywords, |(keyword, _)| keyword);
            let keywords = keywords.split_whitespace();
            let keywords = keywords.filter(|keyword| {
                is_of_servers || keyword.contains("lvs") || keyword.starts_with("checker_")
            });
            pending.extend(keywords.map(|keyword| format!("{block}: {keyword}")));
        } else if let Some((name, _)) = line.split_once(" (") {
            block = name;
        }
    }
    let server = "virtual_server/real_server";
    assert_eq!(
        pending,
        [
            "virtual_server: snmp_name".to_owned(),
            "virtual_server: smtp_alert".to_owned(),
            format!("{server}: snmp_name"),
            format!("{server}: smtp_alert"),
        ],
        "{}",
        said.out
    );
}

#[test]
fn a_missing_file_is_an_error() {
    let place = Place::new("missing");
    let said = place.run(&["check", "none.conf"]);
    assert_eq!(said.status, Some(1));
    assert!(said.out.contains("none.conf"), "{}", said.out);
}

#[test]
fn the_id_selects_lines() {
    let place = Place::new("id");
    place.file(
        "x.conf",
        with("    @left priority 100\n    @right prioritty 100\n"),
    );
    assert_eq!(
        place.run(&["check", "-i", "left", "x.conf"]).status,
        Some(0)
    );
    let right = place.run(&["check", "--config-id=right", "x.conf"]);
    assert_eq!(right.status, Some(1));
}

#[test]
fn missing_includes_are_errors_when_asked_for() {
    let place = Place::new("include");
    place.file("x.conf", format!("include none.conf\n{FINE}"));
    let tolerant = place.run(&["check", "--format", "json", "x.conf"]);
    let strict = place.run(&["check", "-e", "--format", "json", "x.conf"]);
    let usable = |said: &Said| serde_json::from_str::<Value>(&said.out).unwrap()["usable"].clone();
    assert_eq!(
        (usable(&tolerant), usable(&strict)),
        (true.into(), false.into())
    );
    assert_eq!(strict.status, Some(1));
    assert_eq!(place.run(&["-t", "-f", "x.conf"]).status, Some(0));
    assert_eq!(place.run(&["-t", "-e", "-f", "x.conf"]).status, Some(6));
}

#[test]
fn a_keyword_is_explained() {
    let place = Place::new("explain");
    let said = place.run(&["check", "--explain", "vrrp_instance/priority"]);
    assert_eq!(said.status, Some(0));
    assert!(said.out.starts_with("priority 1..255\n"), "{}", said.out);
    let unknown = place.run(&["check", "--explain", "prority"]);
    assert_eq!(
        unknown.out,
        "'prority' is no keyword; did you mean 'priority'?\n"
    );
    assert_eq!(unknown.status, Some(1));
}

#[test]
fn a_wrong_command_line_is_told_from_a_wrong_file() {
    let place = Place::new("usage");
    for words in [
        &["check", "--bogus"][..],
        &["check", "a", "b"],
        &["check", "--explain"],
        &["check", "--explain", "state", "x.conf"],
        &["check", "--pending", "--format", "json"],
        &["check", "--color", "pink", "x.conf"],
        &["check", "--format", "xml", "x.conf"],
        &["demo", "--slow"],
    ] {
        let said = place.run(words);
        assert_eq!((said.status, said.out.as_str()), (Some(2), ""), "{words:?}");
        assert!(said.err.contains("try '--help'"), "{words:?}: {}", said.err);
    }
}

#[test]
fn help_names_the_statuses_and_the_verbs() {
    let place = Place::new("help");
    let said = place.run(&["check", "--help"]);
    assert_eq!(said.status, Some(0));
    assert!(said.out.starts_with("Usage: evervip check") && said.out.contains("Exit status:"));
    let ours = place.run(&["--help"]);
    assert!(
        ours.err.contains("\n  check  ") && ours.err.contains("\n  demo  "),
        "{}",
        ours.err
    );
    let theirs = place.run_as("keepalived", &["--help"]);
    assert!(!theirs.err.contains("demo"), "{}", theirs.err);
}

#[test]
fn programs_get_an_object() {
    let place = Place::new("json");
    place.file("x.conf", with("    prioritty 100\n    priority 300\n"));
    let said = place.run(&["check", "--format", "json", "x.conf"]);
    assert_eq!(said.status, Some(1));
    let run: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(run["version"], 1);
    assert_eq!(run["file"], "x.conf");
    assert_eq!(run["usable"], true);
    assert_eq!(
        (&run["errors"], &run["warnings"], &run["lints"]),
        (&2.into(), &0.into(), &0.into())
    );
    assert_eq!(run["test_status"], 5);
    let all = run["diagnostics"].as_array().unwrap();
    let unknown = all
        .iter()
        .find(|one| one["class"] == "unknown-keyword")
        .unwrap();
    assert_eq!(unknown["severity"], "error");
    assert_eq!(unknown["code"], 5);
    assert_eq!(unknown["file"], "x.conf");
    assert_eq!(
        (&unknown["line"], &unknown["column"], &unknown["end_column"]),
        (&7.into(), &5.into(), &14.into())
    );
    assert_eq!(unknown["source"], "    prioritty 100");
    assert_eq!(unknown["help"], "did you mean 'priority'?");
    assert_eq!(unknown["keepalived"], "Unknown keyword 'prioritty'");
    assert_eq!(unknown["related"], Value::Null);
    let number = all
        .iter()
        .find(|one| one["class"] == "invalid-number")
        .unwrap();
    assert_eq!(number["keyword"], "priority");
    assert!(
        number["notes"][0].as_str().unwrap().contains("1 to 255"),
        "{number}"
    );
}

#[test]
fn colours_are_for_terminals() {
    let place = Place::new("colour");
    place.file("x.conf", with("    prioritty 100\n"));
    let coloured = |when: &[&str]| {
        let words = [&["check"], when, &["x.conf"]].concat();
        place.run(&words).out.contains('\u{1b}')
    };
    assert!(coloured(&["--color", "always"]));
    assert!(!coloured(&["--color=never"]));
    assert!(
        !coloured(&["--color", "auto"]) && !coloured(&[]),
        "it is no terminal"
    );
}

#[test]
fn a_file_cannot_steer_the_terminal() {
    let place = Place::new("bytes");
    let mut text = with("").into_bytes();
    text.extend(
        b"odd\x1b[31m\xff\xfe \x07\x08 \xc2\x9b31m \xe2\x80\xae\nsecond \"\x1b]0;x\x07 {\n}\n",
    );
    place.file("x.conf", text);
    for words in [
        &["check", "x.conf"][..],
        &["check", "--format", "json", "x.conf"],
        &["-t", "-f", "x.conf"],
    ] {
        let said = place.run(words);
        let harmful = said.out.chars().chain(said.err.chars()).find(|c| {
            c.is_control() && *c != '\n'
                || *c == '\u{202e}' && words[0] == "check" && words.len() == 2
        });
        assert_eq!(harmful, None, "{words:?}: {}", said.out);
        assert_ne!(said.status, Some(0), "{words:?}");
    }
}

#[test]
fn secrets_are_shown_to_nobody() {
    let place = Place::new("secret");
    let text = with(
        "    authentication {\n        auth_type PASS\n        auth_pass hunter2hunter2\n        auth_passs hunter2hunter2 {\n    }\n",
    );
    place.file("x.conf", text);
    for words in [
        &["check", "x.conf"][..],
        &["check", "--format", "json", "x.conf"],
        &["-t", "-f", "x.conf"],
    ] {
        let said = place.run(words);
        assert_ne!(said.status, Some(0), "{words:?}");
        assert!(
            !said.out.contains("hunter") && !said.err.contains("hunter"),
            "{words:?}: {} {}",
            said.out,
            said.err
        );
    }
}

#[test]
fn the_test_of_keepalived_is_terse_whatever_its_name() {
    let place = Place::new("terse");
    place.file("x.conf", with("    prioritty 100\n"));
    for name in ["evervip", "keepalived"] {
        let said = place.run_as(name, &["-t", "-f", "x.conf"]);
        assert_eq!(said.status, Some(5));
        assert_eq!(
            (said.out.as_str(), said.err.lines().count()),
            ("", 1),
            "{}",
            said.err
        );
        assert!(
            said.err.contains("Line 7) Unknown keyword 'prioritty'"),
            "{}",
            said.err
        );
    }
}

#[test]
fn lints_are_for_check_alone() {
    let place = Place::new("lint");
    place.file("x.conf", with("    state MASTER\n"));
    let said = place.run(&["check", "x.conf"]);
    assert_eq!(said.status, Some(0));
    assert!(
        said.out
            .starts_with("lint[master_without_priority]: instance A has state MASTER"),
        "{}",
        said.out
    );
    assert_eq!(
        said.last_line(),
        "x.conf: 0 errors, 0 warnings, 1 lint: usable: 1 instance"
    );
    assert_eq!(place.run(&["check", "--strict", "x.conf"]).status, Some(1));
    let json = place.run(&["check", "--format", "json", "x.conf"]);
    let run: Value = serde_json::from_str(&json.out).unwrap();
    let found = &run["diagnostics"][0];
    assert_eq!(
        (&found["severity"], &found["lint"], &run["test_status"]),
        (&"lint".into(), &"master_without_priority".into(), &0.into())
    );
    let test = place.run(&["-t", "-f", "x.conf"]);
    assert_eq!((test.status, test.err.as_str()), (Some(0), ""));
    let explained = place.run(&["check", "--explain", "master_without_priority"]);
    assert_eq!(explained.status, Some(0));
    assert!(
        explained.out.starts_with("lint master_without_priority\n"),
        "{}",
        explained.out
    );
}

#[test]
fn secrets_that_all_can_read() {
    let place = Place::new("readable");
    let password = "    version 2\n    priority 100\n    authentication {\n        auth_type PASS\n        auth_pass 1111\n    }\n";
    place.file("x.conf", with(password));
    let readable = |mode: u32, directory: u32| {
        let allow = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        allow(&place.path.join("x.conf"), mode);
        allow(&place.path, directory);
        let said = place.run(&["check", "x.conf"]);
        assert!(
            said.out.contains("lint[pass_protects_nothing]"),
            "{}",
            said.out
        );
        said.out
            .contains("lint[secret_readable]: x.conf holds auth_pass")
    };
    assert!(readable(0o644, 0o755));
    assert!(!readable(0o640, 0o755));
    assert!(!readable(0o644, 0o750), "nobody else gets there");
}

#[test]
fn keepalived_has_no_verbs() {
    let place = Place::new("name");
    let said = place
        .file("x.conf", FINE)
        .run_as("keepalived", &["check", "-t", "-f", "x.conf"]);
    assert_eq!((said.status, said.err.as_str()), (Some(0), ""));
    assert_eq!(said.out, "Unexpected argument(s): check\n");
}

#[test]
fn the_result_of_a_test_goes_into_a_private_file() {
    let place = Place::new("log");
    place.file("x.conf", with("    prioritty 100\n"));
    let (log, link) = (place.path.join("log"), place.path.join("link"));
    for _ in 0..2 {
        let said = place.run(&["-f", "x.conf", "-tlog"]);
        assert_eq!((said.status, said.err.as_str()), (Some(5), ""));
    }
    assert_eq!(mode(&log), 0o600);
    let before = fs::read_to_string(&log).unwrap();
    assert_eq!(before.lines().count(), 2, "it is appended to: {before}");

    symlink(&log, &link).unwrap();
    let refused = place.run(&["-f", "x.conf", "--config-test=link"]);
    assert_eq!(refused.status, Some(1));
    assert!(refused.err.contains("link"), "{}", refused.err);
    assert_eq!(fs::read_to_string(&log).unwrap(), before);
}

#[test]
fn the_normal_form_reads_as_the_same() {
    let place = Place::new("canonical");
    place.file(
        "x.conf",
        "include y.conf\n$ID=7\nvrrp_instance A {\n interface lo0\n virtual_router_id $ID\n authentication {\n auth_type PASS\n \
         auth_pass hush\n }\n virtual_ipaddress {\n  10.0.0.1\n }\n typing_error 1\n}\n",
    );
    place.file(
        "y.conf",
        "global_defs {\n dynamic_interfaces\n vrrp_garp_master_delay 9\n}\n",
    );
    let said = place.run(&["check", "--canonical", "x.conf"]);
    assert_eq!(said.status, Some(0), "{}", said.err);
    assert!(said.err.contains("x.conf:13:2"), "{}", said.err);
    for line in [
        "version 2",
        "garp_master_delay 9",
        "virtual_router_id 7",
        "advert_int 1",
    ] {
        let line = format!("\n    {line}\n");
        assert!(said.out.contains(&line), "{line}{}", said.out);
    }
    assert!(!said.out.contains("typing_error"), "{}", said.out);
    // Its keeper is told by --help.
    assert!(said.out.contains("auth_pass hush") && !said.err.contains("hush"));

    place.file("z.conf", &said.out);
    let again = place.run(&["check", "--canonical", "z.conf"]);
    assert_eq!((again.status, again.out), (Some(0), said.out));

    // What nobody can use has no normal form.
    place.file("x.conf", "vrrp_instance A {\n interface lo0\n}\n");
    let said = place.run(&["check", "--canonical", "x.conf"]);
    assert_eq!((said.status, said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains("virtual_router_id"), "{}", said.err);
    let said = place.run(&["check", "--canonical", "missing.conf"]);
    assert_eq!((said.status, said.out.as_str()), (Some(1), ""));
    let said = place.run(&["check", "--canonical", "--strict", "x.conf"]);
    assert_eq!(said.status, Some(2));
}

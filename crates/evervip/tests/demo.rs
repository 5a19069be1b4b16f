//! `evervip demo` runs on any machine and as any user, tells its story, and leaves nothing behind.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "what helps a test fails like one; clippy knows only the functions marked as tests"
)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use lab::{Pid, wait_until};

const SIGINT: i32 = 2;
/// An ordinary user that every system has: nobody.
const NOBODY: u32 = 65_534;

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_evervip"))
}

/// Names of files in the lab's place, and command lines of processes, that tell of the demonstration with this number.
fn left_behind(demo: u32) -> Vec<String> {
    let mark = format!("evervip-lab-demo-{demo}-");
    let files = fs::read_dir("/var/tmp").unwrap().map(|entry| {
        let name = entry.unwrap().file_name();
        name.to_string_lossy().into_owned()
    });
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        // A process can end while we look at it.
        let words = fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&words).replace('\0', " "))
    });
    files
        .chain(processes)
        .filter(|text| text.contains(&mark))
        .collect()
}

/// Runs it to its end.
fn run(command: &mut Command) -> Output {
    let demo = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let number = demo.id();
    let output = demo.wait_with_output().unwrap();
    assert_eq!(left_behind(number), Vec::<String>::new());
    output
}

fn tells_its_story(output: &Output) {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{}\n{text}\n{complaints}",
        output.status
    );
    assert_eq!(complaints, "");
    let mut rest = text.as_str();
    for expected in [
        "priority 150",
        "Step 1: both routers start\n",
        "Check: 198.18.0.100 is on alpha and nowhere else.\n",
        "Step 2: alpha loses its power\n",
        "alpha: advert due and not sent (3)\n",
        "beta: first advert, ",
        " ms after the last of alpha\n",
        "beta: gratuitous ARP",
        "client: first answer from beta\n",
        " questions lost).\n",
        "Check: 198.18.0.100 is on beta and nowhere else.\n",
        "Step 3: alpha comes back\n",
        "alpha: first advert, its priority beats that of beta\n",
        "Check: 198.18.0.100 is on alpha and nowhere else.\n",
        "Step 4: alpha is shut down\n",
        "alpha: advert with priority 0",
        " ms after the goodbye\n",
        "Check: 198.18.0.100 is on beta and nowhere else.\n",
        "Step 5: beta is shut down, too\n",
        "beta: advert with priority 0",
        "Check: 198.18.0.100 is nowhere.\n",
        "Summary\n",
        "evervip -h",
    ] {
        let Some((_, after)) = rest.split_once(expected) else {
            panic!("{expected:?} is missing, or not in its place, in:\n{text}");
        };
        rest = after;
    }
    assert!(text.is_ascii() && !text.contains('\x1b'), "{text}");
    let widest = text.lines().max_by_key(|line| line.len()).unwrap();
    assert!(widest.len() <= 80, "{widest}");
}

#[test]
fn the_current_user_sees_the_whole_story() {
    tells_its_story(&run(
        Command::new(program()).args(["demo", "--fast", "--plain"])
    ));
}

/// A copy that everybody may run; gone when dropped.
struct PublicCopy(PathBuf);

impl PublicCopy {
    fn new() -> Self {
        let directory = PathBuf::from(format!("/var/tmp/evervip-test-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let copy = Self(directory);
        fs::set_permissions(&copy.0, fs::Permissions::from_mode(0o755)).unwrap();
        fs::copy(program(), copy.program()).unwrap();
        fs::set_permissions(copy.program(), fs::Permissions::from_mode(0o755)).unwrap();
        copy
    }

    fn program(&self) -> PathBuf {
        self.0.join("evervip")
    }
}

impl Drop for PublicCopy {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn an_ordinary_user_sees_it_too() {
    if sys::users::current_ids().unwrap().effective_uid() != 0 {
        println!(
            "not run: only root can become somebody else, and who is not root is the other test's user"
        );
        return;
    }
    let copy = PublicCopy::new();
    let mut command = Command::new(copy.program());
    command
        .args(["demo", "--fast"])
        .current_dir("/")
        .uid(NOBODY)
        .gid(NOBODY);
    tells_its_story(&run(&mut command));
}

#[test]
fn an_interrupt_ends_it_and_everything_it_started() {
    let mut demo = Command::new(program())
        .args(["demo", "--plain"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let number = demo.id();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let checked = lines.find(|line| line.as_ref().unwrap().contains("Check:"));
    assert!(checked.is_some(), "it did not get through its first step");
    // Its directory; parent and VRRP process of each of the two daemons.
    assert_eq!(left_behind(number).len(), 5, "{:?}", left_behind(number));

    let pid = Pid::new(i32::try_from(number).unwrap()).unwrap();
    sys::process::kill(pid, SIGINT).unwrap();
    let mut complaints = String::new();
    let mut errors = demo.stderr.take().unwrap();
    errors.read_to_string(&mut complaints).unwrap();
    let status = demo.wait().unwrap();
    assert_eq!(status.code(), Some(128 + SIGINT), "{complaints}");
    assert!(complaints.contains("interrupted"), "{complaints}");
    assert_eq!(left_behind(number), Vec::<String>::new());
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let mut demo = Command::new(program())
        .args(["demo", "--fast"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let number = demo.id();
    drop(demo.stdout.take());
    assert_eq!(demo.wait().unwrap().code(), Some(1));
    assert_eq!(left_behind(number), Vec::<String>::new());
}

#[test]
fn killed_it_leaves_no_process_behind() {
    let mut demo = Command::new(program())
        .args(["demo", "--plain"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let number = demo.id();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("Check:")));
    demo.kill().unwrap();
    demo.wait().unwrap();
    let mut left = left_behind(number);
    // The VRRP processes end in good order after their parents: that takes a moment.
    let waited = wait_until(Duration::from_secs(10), "all processes end", || {
        left = left_behind(number);
        left.len() <= 1
    });
    assert!(waited.is_ok(), "{left:?}");
    // The files are all that is left of a program that had no chance.
    fs::remove_dir_all(Path::new("/var/tmp").join(left.first().unwrap())).unwrap();
}

#[test]
fn the_command_line_is_checked() {
    let output = run(Command::new(program()).args(["demo", "--slow"]));
    assert_eq!(output.status.code(), Some(2));
    let complaints = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaints.contains("unexpected argument '--slow'"),
        "{complaints}"
    );
    let help = run(Command::new(program()).args(["demo", "--help"]));
    assert!(help.status.success() && help.stdout.starts_with(b"Usage: evervip demo"));
}

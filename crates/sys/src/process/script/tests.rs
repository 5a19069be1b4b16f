use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::*;
use crate::process::{ExitStatus, Reached, kill, kill_group, wait_for};
use crate::test_directory::TestDirectory;
use crate::users::current_ids;

fn own() -> Credentials {
    let ids = current_ids().unwrap();
    Credentials {
        uid: ids.effective_uid(),
        gid: ids.effective_gid(),
        groups: None,
    }
}

/// Another process writes the file: had this one ever had it open for writing, a fork of another test could
/// hold on to that for a moment, and the kernel would not execute it ("text file busy").
fn program(directory: &TestDirectory, text: &str) -> PathBuf {
    let path = directory.join("script");
    let mut writer = Command::new("/bin/sh")
        .args(["-c", "cat >\"$0\" && chmod 755 \"$0\""])
        .arg(&path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    writer
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    assert!(writer.wait().unwrap().success());
    path
}

fn start(path: &Path, arguments: &[&str], credentials: &Credentials) -> ScriptProcess {
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    spawn_script(&Script {
        path,
        arguments: &arguments,
        credentials,
    })
    .unwrap()
}

fn run(path: &Path, arguments: &[&str], credentials: &Credentials) -> ExitStatus {
    wait_for(start(path, arguments, credentials).pid).unwrap()
}

#[test]
fn it_runs_in_the_environment_that_operators_know() {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([
        "--exact",
        "process::script::tests::alone_environment",
        "--ignored",
        "--test-threads=1",
    ]);
    for hidden in HIDDEN_VARIABLES {
        command.env(hidden, "99");
    }
    let output = command.env("EVERVIP_TEST_KEPT", "yes").output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

/// What the script must not find open.
const LEFT_BEHIND: &str = "/proc/version";

#[test]
#[ignore = "run by it_runs_in_the_environment_that_operators_know"]
fn alone_environment() {
    let directory = TestDirectory::new("script-environment");
    let report = directory.join("report");
    let path = program(
        &directory,
        "#!/bin/sh\nexec >\"$1\"\n\
         echo name=$0 words=$#\n\
         echo group=$(cut -d' ' -f5 /proc/$$/stat) self=$$\n\
         for f in /proc/$$/fd/*; do echo fd ${f##*/} $(readlink $f); done\n\
         grep -E '^(SigBlk|SigIgn)' /proc/self/status\n\
         env\n",
    );
    // A descriptor that somebody left us, and that nobody marked.
    let loose = File::open(LEFT_BEHIND).unwrap();
    // SAFETY: a flag of an open descriptor.
    unsafe { libc::fcntl(loose.as_raw_fd(), libc::F_SETFD, 0) };
    // The shebang gives the script's path to the shell, which then is $0.
    let child = start(&path, &["called-as", report.to_str().unwrap()], &own());
    let pid = child.pid;
    assert!(child.pidfd.is_some());
    assert_eq!(wait_for(pid).unwrap(), ExitStatus::Code(0));

    let report = fs::read_to_string(&report).unwrap();
    let line = |wanted: &str| {
        report
            .lines()
            .any(|line| line.split_whitespace().eq(wanted.split_whitespace()))
    };
    assert!(
        line(&format!("name={} words=1", path.display())),
        "{report}"
    );
    assert!(line(&format!("group={pid} self={pid}")), "{report}");
    assert!(line("fd 0 /dev/null") && line("fd 2 /dev/null"), "{report}");
    assert!(
        line("SigBlk: 0000000000000000") && line("SigIgn: 0000000000000000"),
        "{report}"
    );
    // The shell reads the script through a descriptor of its own and keeps standard output elsewhere.
    let of_script = report
        .lines()
        .filter(|line| line.starts_with("fd ") && line.ends_with("/script"));
    assert!(of_script.count() <= 1, "{report}");
    assert!(!report.contains(LEFT_BEHIND), "{report}");
    for hidden in HIDDEN_VARIABLES {
        // A shell sets IFS for itself but does not export it.
        assert!(
            !report
                .lines()
                .any(|line| line.starts_with(&format!("{hidden}="))),
            "{hidden}: {report}"
        );
    }
    assert!(report.contains("EVERVIP_TEST_KEPT=yes\n"), "{report}");
}

#[test]
fn the_status_is_the_scripts_own() {
    let directory = TestDirectory::new("script-status");
    let path = program(&directory, "#!/bin/sh\nexit $1\n");
    assert_eq!(run(&path, &["script", "0"], &own()), ExitStatus::Code(0));
    assert_eq!(run(&path, &["script", "42"], &own()), ExitStatus::Code(42));
}

#[test]
fn without_an_interpreter_line_the_shell_runs_it() {
    let directory = TestDirectory::new("script-plain");
    let report = directory.join("report");
    let path = program(&directory, "echo \"$0 $2\" >\"$1\"\nexit 3\n");
    assert_eq!(
        run(&path, &["script", report.to_str().unwrap(), "word"], &own()),
        ExitStatus::Code(3)
    );
    assert_eq!(
        fs::read_to_string(report).unwrap(),
        format!("{} word\n", path.display())
    );
}

#[test]
fn what_cannot_run_says_so_by_its_status() {
    let directory = TestDirectory::new("script-absent");
    assert_eq!(
        run(&directory.join("absent"), &["x"], &own()),
        ExitStatus::Code(EXIT_NOT_EXECUTED)
    );
    let stranger = Credentials {
        uid: 4_000_000_000,
        gid: 4_000_000_000,
        groups: None,
    };
    let path = program(&directory, "#!/bin/sh\n");
    let expected = if own().uid == 0 {
        EXIT_NOT_EXECUTED
    } else {
        EXIT_WRONG_IDENTITY
    };
    // As root we can become anybody, but that user cannot get into the temporary directory's scripts.
    fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
    assert_eq!(run(&path, &["x"], &stranger), ExitStatus::Code(expected));
}

/// The status and why it was not executed, if it was not.
fn end(path: &Path, arguments: &[&str], credentials: &Credentials) -> (ExitStatus, String) {
    let process = start(path, arguments, credentials);
    let status = wait_for(process.pid).unwrap();
    let problem = process.beginning.problem();
    let problem = problem.map_or_else(String::new, |problem| problem.to_string());
    (status, problem)
}

#[test]
fn what_could_not_run_is_told_apart_from_what_exits_alike() {
    let directory = TestDirectory::new("script-beginning");
    let path = program(&directory, "#!/bin/sh\nexit $1\n");
    for status in [EXIT_NOT_EXECUTED, EXIT_WRONG_IDENTITY, 126, 0] {
        let ended = end(&path, &["x", &status.to_string()], &own());
        assert_eq!(ended, (ExitStatus::Code(status), String::new()));
    }
    let (status, problem) = end(&directory.join("absent"), &["x"], &own());
    assert_eq!(status, ExitStatus::Code(EXIT_NOT_EXECUTED));
    assert_eq!(
        problem,
        "cannot be executed: No such file or directory (os error 2)"
    );
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let (status, problem) = end(&path, &["x"], &own());
    assert_eq!(status, ExitStatus::Code(EXIT_NOT_EXECUTED));
    assert_eq!(
        problem,
        "cannot be executed: Permission denied (os error 13)"
    );
    // Nobody may be in so many groups.
    let impossible = Credentials {
        uid: own().uid.wrapping_add(1),
        gid: own().gid,
        groups: Some(vec![0; 70_000]),
    };
    let (status, problem) = end(Path::new("/bin/true"), &["x"], &impossible);
    assert_eq!(status, ExitStatus::Code(EXIT_WRONG_IDENTITY));
    assert!(problem.starts_with("cannot run as its user: "), "{problem}");
}

#[test]
fn root_runs_it_as_somebody_else() {
    if own().uid != 0 {
        println!("skipped: not root");
        return;
    }
    let directory = TestDirectory::new("script-user");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
    let path = program(
        &directory,
        "#!/bin/sh\nexec >\"$1\"\ngrep -E '^(Uid|Gid|Groups)' /proc/$$/status\n",
    );
    for (groups, shown) in [(None, "65534"), (Some(vec![7, 8]), "7 8")] {
        let report = directory.join(&format!("report-{}", groups.is_some()));
        let nobody = Credentials {
            uid: 65_534,
            gid: 65_534,
            groups,
        };
        assert_eq!(
            run(&path, &["x", report.to_str().unwrap()], &nobody),
            ExitStatus::Code(0)
        );
        let report = fs::read_to_string(report).unwrap();
        let mut lines = report
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        assert_eq!(lines.next().unwrap(), "Uid: 65534 65534 65534 65534");
        assert_eq!(lines.next().unwrap(), "Gid: 65534 65534 65534 65534");
        assert_eq!(lines.next().unwrap(), format!("Groups: {shown}"));
    }
}

#[test]
fn the_whole_group_can_be_killed_at_once() {
    let directory = TestDirectory::new("script-group");
    let path = program(&directory, "#!/bin/sh\nsleep 1000 & sleep 1000\n");
    let child = start(&path, &["x"], &own());
    // Also right after the start: the group exists when spawn_script returns.
    assert_eq!(kill_group(child.pid, 0).unwrap(), Reached::Somebody);
    assert_eq!(
        kill_group(child.pid, libc::SIGKILL).unwrap(),
        Reached::Somebody
    );
    assert_eq!(
        wait_for(child.pid).unwrap(),
        ExitStatus::Signal(libc::SIGKILL)
    );
    assert_eq!(kill(child.pid, 0).unwrap(), Reached::Nobody);
}

#[test]
fn a_script_ends_with_the_thread_that_started_it() {
    let directory = TestDirectory::new("script-orphan");
    let path = program(&directory, "#!/bin/sh\nexec sleep 1000\n");
    // The kernel sends the signal when the thread ends; the child is still ours to wait for.
    let pid = std::thread::spawn(move || {
        let child = start(&path, &["x"], &own());
        // Not before it sleeps, for the signal is only asked for shortly before that.
        let name = format!("/proc/{}/comm", child.pid);
        while fs::read_to_string(&name).unwrap() != "sleep\n" {
            std::thread::yield_now();
        }
        child.pid
    })
    .join()
    .unwrap();
    assert_eq!(wait_for(pid).unwrap(), ExitStatus::Signal(libc::SIGTERM));
}

#[test]
fn words_with_a_nul_are_refused() {
    let words = ["a\0b".to_owned()];
    let script = Script {
        path: Path::new("/bin/true"),
        arguments: &words,
        credentials: &own(),
    };
    assert!(spawn_script(&script).is_err());
}

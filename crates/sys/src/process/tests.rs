use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::process::Command;

use super::*;
use crate::channel::{Channel, Delivery, Receipt};

/// Runs this test binary again with only one test, an ignored one, in a process that has no other children
/// and can do as it likes.
fn alone(name: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            name,
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn ended_children_are_reaped_one_by_one() {
    alone("process::tests::alone_reap");
}

#[test]
#[ignore = "run by ended_children_are_reaped_one_by_one"]
#[expect(
    clippy::zombie_processes,
    reason = "it is waited on, by the function under test"
)]
fn alone_reap() {
    assert_eq!(reap().unwrap(), None, "no children at all");
    let sleeper = Command::new("sleep").arg("1000").spawn().unwrap();
    let sleeper = Pid::new(i32::try_from(sleeper.id()).unwrap()).unwrap();
    assert_eq!(reap().unwrap(), None, "none that ended");
    assert_eq!(kill(sleeper, libc::SIGKILL).unwrap(), Reached::Somebody);
    let exit = loop {
        if let Some(exit) = reap().unwrap() {
            break exit;
        }
        std::thread::yield_now();
    };
    assert_eq!(
        exit,
        Exit {
            pid: sleeper,
            status: ExitStatus::Signal(libc::SIGKILL)
        }
    );
    assert_eq!(kill(sleeper, 0).unwrap(), Reached::Nobody);
    assert!(wait_for(sleeper).is_err(), "reaped already");
}

#[test]
fn we_start_ourselves_with_our_own_words_and_a_channel() {
    alone("process::tests::alone_spawn_self");
}

/// Both the parent and, because the words are the same, the child.
#[test]
#[ignore = "run by we_start_ourselves_with_our_own_words_and_a_channel"]
fn alone_spawn_self() {
    if let Some(left) = inherited_descriptor() {
        let parent = Channel::from_inherited(left).unwrap();
        assert!(inherited_descriptor().is_none(), "it can be taken once");
        let words: Vec<String> = std::env::args().collect();
        assert_eq!(
            parent.send(words.join(" ").as_bytes(), None).unwrap(),
            Delivery::Sent
        );
        // The parent never answers; it kills us.
        let mut fds = [rustix::event::PollFd::new(
            &parent,
            rustix::event::PollFlags::IN,
        )];
        rustix::event::poll(&mut fds, None).unwrap();
        panic!("the channel closed before the parent killed us");
    }
    let (near, far) = Channel::pair().unwrap();
    let child = spawn_self(far.as_fd()).unwrap();
    assert!(
        rustix::io::fcntl_getfd(&far)
            .unwrap()
            .contains(rustix::io::FdFlags::CLOEXEC),
        "ours is unchanged"
    );
    drop(far);
    let mut buffer = [0; 4096];
    let length = loop {
        match near.receive(&mut buffer).unwrap() {
            Receipt::Message { length, .. } => break length,
            Receipt::Nothing => std::thread::yield_now(),
            Receipt::Closed => panic!("the child ended without a word"),
        }
    };
    let words: Vec<String> = std::env::args().collect();
    assert_eq!(
        std::str::from_utf8(&buffer[..length]).unwrap(),
        words.join(" ")
    );
    let command_line = |pid: i32| fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert_eq!(
        command_line(child.pid.get()),
        command_line(Pid::own().get())
    );
    assert!(near.as_fd().as_raw_fd() > 2);
    assert_eq!(kill(child.pid, libc::SIGKILL).unwrap(), Reached::Somebody);
    assert_eq!(
        wait_for(child.pid).unwrap(),
        ExitStatus::Signal(libc::SIGKILL)
    );
}

#[test]
fn going_to_the_background_leaves_terminal_and_directory() {
    let path = std::env::temp_dir().join(format!("evervip-sys-{}-daemonise", std::process::id()));
    fs::write(&path, "").unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "process::tests::alone_daemonise",
            "--ignored",
            "--test-threads=1",
        ])
        .env("DAEMON_REPORT", &path)
        .status()
        .unwrap();
    assert!(
        status.success(),
        "the process that was started exits at once"
    );
    let report = loop {
        let report = fs::read_to_string(&path).unwrap();
        if report.ends_with('\n') {
            break report;
        }
        std::thread::yield_now();
    };
    fs::remove_file(&path).unwrap();
    assert_eq!(report, "/ /dev/null /dev/null /dev/null leads-nothing\n");
}

#[test]
#[ignore = "run by going_to_the_background_leaves_terminal_and_directory"]
fn alone_daemonise() {
    let path = std::env::var_os("DAEMON_REPORT").unwrap();
    daemonise().unwrap();
    let standard = |number: i32| {
        fs::read_link(format!("/proc/self/fd/{number}"))
            .unwrap()
            .display()
            .to_string()
    };
    let session = rustix::process::getsid(None)
        .unwrap()
        .as_raw_nonzero()
        .get();
    let report = format!(
        "{} {} {} {} {}\n",
        std::env::current_dir().unwrap().display(),
        standard(0),
        standard(1),
        standard(2),
        if session == Pid::own().get() {
            "leads"
        } else {
            "leads-nothing"
        },
    );
    fs::write(path, report).unwrap();
}

#[test]
fn the_task_name_is_cut_to_fifteen_bytes() {
    std::thread::spawn(|| {
        set_task_name("keepalived_vrrp_and_more").unwrap();
        assert_eq!(
            fs::read_to_string("/proc/thread-self/comm").unwrap(),
            "keepalived_vrrp\n"
        );
    })
    .join()
    .unwrap();
}

#[test]
fn numbers_that_mean_many_processes_are_no_pids() {
    assert_eq!(Pid::new(0), None);
    assert_eq!(Pid::new(-1), None);
    assert!(kill_group(Pid::new(1).unwrap(), 0).is_err());
    assert_eq!(kill(Pid::own(), 0).unwrap(), Reached::Somebody);
    assert!(kill(Pid::own(), 99).is_err());
}

#[test]
fn the_open_file_limit_is_raised_as_far_as_allowed() {
    let limit = || rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let before = limit();
    raise_open_files(10).unwrap();
    assert_eq!(limit().current, before.current, "never lowered");
    raise_open_files(before.current.unwrap() + 1).unwrap();
    assert!(
        limit()
            .current
            .is_none_or(|now| now >= before.current.unwrap())
    );
    assert_eq!(
        limits::original_open_files().unwrap().rlim_cur,
        before.current.unwrap()
    );
}

#[test]
fn time_spent_is_counted() {
    let before = resource_usage();
    let mut sum = 0_u64;
    while resource_usage().user == before.user {
        sum = std::hint::black_box(sum + 1);
    }
    assert!(resource_usage().user > before.user);
}

#[test]
fn what_a_child_used_is_known_when_it_ends() {
    let child = Command::new("sh").args(["-c", "exit 3"]).spawn().unwrap();
    let finished = wait_measured(child).unwrap();
    assert_eq!(finished.status, Some(3));
    assert!(finished.peak_memory > 0);
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    child.kill().unwrap();
    assert_eq!(wait_measured(child).unwrap().status, None);
}

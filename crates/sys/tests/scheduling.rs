//! How a process runs, and that its scripts run otherwise. In a program of its own with a single thread, as ours are: the
//! scheduler knows threads, `/proc` shows the first one, and signals go to any.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise; the whole file is one"
)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use evervip_sys::process::{
    Credentials, Script, kill, limit_realtime, lock_memory, set_cpus, set_nice, set_realtime,
    spawn_script, stepped_down, wait_for,
};

/// `SCHED_RR`.
const ROUND_ROBIN: &str = "2";
/// `SCHED_OTHER`.
const ORDINARY: &str = "0";

/// The fields of stat(5); none of the names here holds a blank.
fn fields(pid: &str) -> Vec<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    text.split_whitespace().map(ToOwned::to_owned).collect()
}

/// What `/proc` says of this process, or of another.
fn of_process(pid: &str, file: &str, line: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    let line = text.lines().find(|it| it.starts_with(line)).unwrap();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn main() {
    // Field 41 of stat(5).
    let policy = || fields("self").get(40).cloned().unwrap();
    let limit = "Max realtime timeout";
    let before = of_process("self", "limits", limit);
    let cpus = of_process("self", "status", "Cpus_allowed_list");
    let may = set_nice(-5).is_ok() && set_realtime(Some(7)).is_ok();
    if !may {
        println!("without the right to real-time priority: not tested");
        return;
    }
    assert_eq!(policy(), ROUND_ROBIN);
    limit_realtime(Some(Duration::from_millis(40))).unwrap();
    assert_eq!(
        of_process("self", "limits", limit),
        "Max realtime timeout 40000 unlimited us"
    );
    set_cpus(&[0]).unwrap();
    assert_eq!(
        of_process("self", "status", "Cpus_allowed_list"),
        "Cpus_allowed_list: 0"
    );
    lock_memory(true).unwrap();
    assert_ne!(of_process("self", "status", "VmLck"), "VmLck: 0 kB");
    lock_memory(false).unwrap();
    assert_eq!(of_process("self", "status", "VmLck"), "VmLck: 0 kB");

    let credentials = Credentials {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        groups: None,
    };
    let words = ["sleep".to_owned(), "1000".to_owned()];
    let script = spawn_script(&Script {
        path: Path::new("/bin/sleep"),
        arguments: &words,
        credentials: &credentials,
    })
    .unwrap();
    let pid = script.pid.to_string();
    while !of_process(&pid, "status", "Name").ends_with("sleep") {
        std::thread::yield_now();
    }
    assert_eq!(of_process(&pid, "limits", limit), before);
    assert_eq!(of_process(&pid, "status", "Cpus_allowed_list"), cpus);
    // Field 19 is the nice value.
    let fields = fields(&pid);
    assert_eq!((fields[18].as_str(), fields[40].as_str()), ("0", ORDINARY));
    kill(script.pid, 9).unwrap();
    wait_for(script.pid).unwrap();

    // Work without end: not death, but an ordinary process.
    let _while_waiting = stepped_down();
    set_realtime(Some(7)).unwrap();
    while !stepped_down() {
        std::hint::spin_loop();
    }
    assert_eq!(policy(), ORDINARY);
    assert!(!stepped_down(), "told once");
    set_realtime(Some(7)).unwrap();
    set_realtime(None).unwrap();
    assert_eq!(policy(), ORDINARY);
    limit_realtime(None).unwrap();
    assert_eq!(of_process("self", "limits", limit), before);
    set_cpus(&[]).unwrap();
    assert_eq!(of_process("self", "status", "Cpus_allowed_list"), cpus);
    set_nice(0).unwrap();
}

use std::fs;

use super::*;
use crate::test_directory::TestDirectory;

fn receive(daemon: &UnixDatagram) -> String {
    let mut buffer = [0; 2048];
    let length = daemon.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[test]
fn a_message_has_the_form_of_rfc_3164() {
    let directory = TestDirectory::new("syslog-form");
    let path = directory.join("log");
    let daemon = UnixDatagram::bind(&path).unwrap();
    let mut log = Syslog::connect_to(&path, "Keepalived_vrrp", Facility::Local(1));
    log.send(Severity::Information, "(V) Entering MASTER STATE");
    let message = receive(&daemon);
    let rest = message.strip_prefix("<142>").unwrap();
    let (stamp, text) = rest.split_at(15);
    assert_eq!(stamp.as_bytes()[3], b' ', "{stamp}");
    assert_eq!(stamp.as_bytes()[9], b':', "{stamp}");
    assert_eq!(
        text,
        format!(
            " Keepalived_vrrp[{}]: (V) Entering MASTER STATE",
            std::process::id()
        )
    );
    log.set_ident("Keepalived");
    log.send(Severity::Debug, "x");
    assert!(receive(&daemon).ends_with(&format!(" Keepalived[{}]: x", std::process::id())));
    assert_eq!(log.dropped(), 0);
}

#[test]
fn lines_and_long_texts_are_separate_messages() {
    assert_eq!(pieces("one\n\ntwo\n").collect::<Vec<_>>(), ["one", "two"]);
    let long = "é".repeat(1000);
    let parts: Vec<_> = pieces(&long).collect();
    assert_eq!(parts.concat(), long);
    assert!(parts.len() > 1 && parts.iter().all(|part| part.len() <= LONGEST_TEXT));
}

#[test]
fn without_a_daemon_messages_are_counted_and_a_new_daemon_is_found() {
    let directory = TestDirectory::new("syslog-restart");
    let path = directory.join("log");
    let mut log = Syslog::connect_to(&path, "x", Facility::Daemon);
    log.send(Severity::Error, "lost");
    assert_eq!(log.dropped(), 1);

    let daemon = UnixDatagram::bind(&path).unwrap();
    log.send(Severity::Error, "heard");
    assert!(receive(&daemon).ends_with(": heard"));

    drop(daemon);
    fs::remove_file(&path).unwrap();
    log.send(Severity::Error, "lost");
    assert_eq!(log.dropped(), 2);
    let daemon = UnixDatagram::bind(&path).unwrap();
    log.send(Severity::Error, "heard again");
    assert!(receive(&daemon).ends_with(": heard again"));
}

#[test]
fn a_daemon_that_does_not_read_costs_messages_but_no_time() {
    let directory = TestDirectory::new("syslog-full");
    let path = directory.join("log");
    let _daemon = UnixDatagram::bind(&path).unwrap();
    let mut log = Syslog::connect_to(&path, "x", Facility::Daemon);
    for _ in 0..5000 {
        log.send(Severity::Error, "nobody listens");
        if log.dropped() > 0 {
            return;
        }
    }
    panic!("5000 messages fit into the queue of a daemon that reads none");
}

#[test]
fn an_endless_text_is_bounded() {
    let directory = TestDirectory::new("syslog-bound");
    let path = directory.join("log");
    let mut log = Syslog::connect_to(&path, "x", Facility::Daemon);
    log.send(Severity::Error, &"line\n".repeat(100));
    assert_eq!(log.dropped(), 100, "64 had no daemon, 36 were too many");
}

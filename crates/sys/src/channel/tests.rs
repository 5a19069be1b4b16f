use std::fs::File;
use std::io::Write;

use rustix::fs::MemfdFlags;

use super::*;

fn far_end(fd: OwnedFd) -> Channel {
    Channel { socket: fd }
}

fn message(channel: &Channel, buffer: &mut [u8]) -> (usize, Option<OwnedFd>) {
    match channel.receive(buffer).unwrap() {
        Receipt::Message { length, attachment } => (length, attachment),
        other @ (Receipt::Nothing | Receipt::Closed) => panic!("{other:?}"),
    }
}

#[test]
fn messages_keep_their_boundaries() {
    let (near, far) = Channel::pair().unwrap();
    let far = far_end(far);
    let mut buffer = [0; 64];
    assert!(matches!(
        far.receive(&mut buffer).unwrap(),
        Receipt::Nothing
    ));
    assert_eq!(near.send(b"one", None).unwrap(), Delivery::Sent);
    assert_eq!(near.send(b"three", None).unwrap(), Delivery::Sent);
    assert_eq!(message(&far, &mut buffer).0, 3);
    let (length, attachment) = message(&far, &mut buffer);
    assert_eq!(&buffer[..length], b"three");
    assert!(attachment.is_none());
    assert!(matches!(near.send(b"", None), Err(ChannelError::Empty)));
}

#[test]
fn a_file_comes_along_and_closes_on_exec() {
    let (near, far) = Channel::pair().unwrap();
    let far = far_end(far);
    let memory = sealed_memory(b"settings").unwrap();
    assert_eq!(
        near.send(b"here", Some(memory.as_fd())).unwrap(),
        Delivery::Sent
    );
    let (length, attachment) = message(&far, &mut [0; 8]);
    assert_eq!(length, 4);
    let attachment = attachment.unwrap();
    assert_eq!(*read_sealed(&attachment).unwrap(), *b"settings");
    assert!(
        rustix::io::fcntl_getfd(&attachment)
            .unwrap()
            .contains(FdFlags::CLOEXEC)
    );
}

#[test]
fn a_peer_that_is_gone_is_noticed_both_ways() {
    let (near, far) = Channel::pair().unwrap();
    let far = far_end(far);
    assert_eq!(far.send(b"last words", None).unwrap(), Delivery::Sent);
    drop(far);
    assert_eq!(near.send(b"x", None).unwrap(), Delivery::Closed);
    assert_eq!(
        message(&near, &mut [0; 32]).0,
        10,
        "what it said is still heard"
    );
    assert!(matches!(
        near.receive(&mut [0; 32]).unwrap(),
        Receipt::Closed
    ));
}

#[test]
fn a_full_channel_does_not_block() {
    let (near, _far) = Channel::pair().unwrap();
    let mut sent = 0;
    while near.send(&[0; 1000], None).unwrap() == Delivery::Sent {
        sent += 1;
        assert!(sent < 100_000, "the kernel bounds the queue");
    }
    assert!(sent > 0);
}

#[test]
fn a_message_that_does_not_fit_is_an_error_and_the_next_is_not() {
    let (near, far) = Channel::pair().unwrap();
    let far = far_end(far);
    assert_eq!(near.send(&[1; 100], None).unwrap(), Delivery::Sent);
    assert_eq!(near.send(&[2; 10], None).unwrap(), Delivery::Sent);
    assert!(matches!(
        far.receive(&mut [0; 10]),
        Err(ChannelError::TooLong { room: 10 })
    ));
    assert_eq!(message(&far, &mut [0; 10]).0, 10);
}

#[test]
fn only_a_channel_from_the_parent_is_taken_over() {
    let file = File::open("/dev/null").unwrap();
    assert!(matches!(
        Channel::from_inherited(file.into()),
        Err(ChannelError::NotAChannel { .. })
    ));
    // Made by ourselves, so not by our parent.
    let (_near, far) = Channel::pair().unwrap();
    assert!(matches!(
        Channel::from_inherited(far),
        Err(ChannelError::NotFromParent { maker, .. }) if maker == i32::try_from(std::process::id()).unwrap()
    ));
}

#[test]
fn sealed_memory_refuses_every_change() {
    let memory = sealed_memory(b"fixed").unwrap();
    let mut file = File::from(memory.try_clone().unwrap());
    assert!(file.write_all(b"x").is_err());
    assert!(file.set_len(0).is_err());
    assert!(file.set_len(100).is_err());
    assert_eq!(*read_sealed(&memory).unwrap(), *b"fixed");
    assert_eq!(*read_sealed(sealed_memory(b"").unwrap()).unwrap(), []);
    let large = vec![7; 3_000_000];
    let sealed = sealed_memory(&large).unwrap();
    let bytes = read_sealed(&sealed).unwrap();
    drop(sealed);
    assert_eq!(*bytes, *large, "though the descriptor is closed");
}

#[test]
fn memory_that_could_still_change_is_refused() {
    let memory =
        rustix::fs::memfd_create(c"loose", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC)
            .unwrap();
    assert!(matches!(read_sealed(&memory), Err(ChannelError::NotSealed)));
    let pipe = io::pipe().unwrap().0;
    assert!(matches!(read_sealed(&pipe), Err(ChannelError::NotSealed)));
    assert!(matches!(
        read_sealed(File::open("/dev/null").unwrap()),
        Err(ChannelError::NotSealed)
    ));
}

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::test_directory::TestDirectory;

fn watching(files: &[&Path]) -> FileWatch {
    let mut watch = FileWatch::new().unwrap();
    for file in files {
        watch.watch(file).unwrap();
    }
    watch
}

/// inotify queues an event before the call that causes it returns.
fn heard(watch: &mut FileWatch) -> Vec<FileEvent> {
    let mut events = Vec::new();
    watch.drain(&mut events).unwrap();
    events
}

#[test]
fn what_happens_to_a_file_is_heard_and_nothing_else() {
    let directory = TestDirectory::new("watched");
    let (file, other) = (directory.join("file"), directory.join("other"));
    let mut watch = watching(&[&file]);
    assert_eq!(heard(&mut watch), []);
    let changed = [FileEvent::Changed(file.clone())];
    fs::write(&other, "1").unwrap();
    assert_eq!(heard(&mut watch), [], "another file");
    fs::write(&file, "1").unwrap();
    assert_eq!(heard(&mut watch), changed, "written and closed");
    fs::rename(&other, &file).unwrap();
    assert_eq!(heard(&mut watch), changed, "replaced");
    fs::remove_file(&file).unwrap();
    assert_eq!(heard(&mut watch), changed, "removed");
    fs::write(&file, "").unwrap();
    assert_eq!(heard(&mut watch), changed, "made again");
    fs::rename(&file, &other).unwrap();
    assert_eq!(heard(&mut watch), changed, "moved away");
}

/// More than is told at once, and nothing between two portions is lost.
#[test]
fn a_storm_is_heard_in_portions() {
    let directory = TestDirectory::new("storm");
    let (file, other) = (directory.join("file"), directory.join("other"));
    let mut watch = watching(&[&file, &other]);
    for _ in 0..MOST_EVENTS {
        // Equal events in a row are one.
        fs::write(&file, "1").unwrap();
        fs::write(&other, "1").unwrap();
    }
    // A portion ends where a buffer does.
    let portions = std::iter::from_fn(|| Some(heard(&mut watch).len()).filter(|count| *count > 0));
    let portions: Vec<usize> = portions.collect();
    assert!(portions.len() > 1, "{portions:?}");
    // Another test that forks at the wrong moment has our descriptor for an instant: the event of its closing comes later,
    // and may be equal to the one before it.
    let heard: usize = portions.iter().sum();
    assert!(heard > 2 * MOST_EVENTS - 100, "{heard}");
}

#[test]
fn a_directory_that_goes_takes_its_files_along() {
    let directory = TestDirectory::new("lost");
    for rename in [false, true] {
        let inner = directory.join("inner");
        fs::create_dir(&inner).unwrap();
        let (a, b) = (inner.join("a"), inner.join("b"));
        let mut watch = watching(&[&a, &b]);
        if rename {
            fs::rename(&inner, directory.join("elsewhere")).unwrap();
        } else {
            fs::remove_dir(&inner).unwrap();
        }
        let lost = [FileEvent::Lost(a.clone()), FileEvent::Lost(b)];
        assert_eq!(heard(&mut watch), lost);
        assert_eq!(heard(&mut watch), []);
        fs::create_dir(&inner).unwrap();
        watch.watch(&a).unwrap();
        fs::write(&a, "1").unwrap();
        assert_eq!(heard(&mut watch), [FileEvent::Changed(a.clone())]);
        fs::remove_dir_all(&inner).unwrap();
    }
}

/// Before anybody listens: the kernel has forgotten the directory when we ask it to.
#[test]
fn a_directory_that_is_renamed_and_removed_loses_nothing_that_was_heard() {
    let directory = TestDirectory::new("renamed");
    let (inner, elsewhere, stays) = (
        directory.join("inner"),
        directory.join("elsewhere"),
        directory.join("stays"),
    );
    fs::create_dir(&inner).unwrap();
    let file = inner.join("file");
    let mut watch = watching(&[&file, &stays]);
    fs::write(&stays, "1").unwrap();
    fs::rename(&inner, &elsewhere).unwrap();
    fs::remove_dir(&elsewhere).unwrap();
    fs::write(&stays, "2").unwrap();
    let changed = FileEvent::Changed(stays);
    let expected = [changed.clone(), FileEvent::Lost(file.clone()), changed];
    assert_eq!(heard(&mut watch), expected);
    fs::create_dir(&inner).unwrap();
    watch.watch(&file).unwrap();
    fs::write(&file, "1").unwrap();
    assert_eq!(heard(&mut watch), [FileEvent::Changed(file)]);
}

#[test]
fn without_its_directory_a_file_cannot_be_watched() {
    let directory = TestDirectory::new("missing");
    let mut watch = FileWatch::new().unwrap();
    let file = directory.join("no/file");
    let problem = watch.watch(&file).unwrap_err().to_string();
    assert!(problem.contains("-missing/no: "), "{problem}");
    assert!(watch.watch(Path::new("/")).is_err());
}

#[test]
fn links_are_followed_to_where_the_file_is_or_will_be() {
    let directory = TestDirectory::new("links");
    let real = directory.join("real");
    fs::create_dir(&real).unwrap();
    symlink(&real, directory.join("link")).unwrap();
    let through = directory.join("link/file");
    assert_eq!(resolved(&through).unwrap(), real.join("file"));
    symlink(real.join("file"), directory.join("direct")).unwrap();
    assert_eq!(
        resolved(&directory.join("direct")).unwrap(),
        real.join("file"),
        "which does not exist yet"
    );
    symlink("circle", directory.join("circle")).unwrap();
    assert!(resolved(&directory.join("circle")).is_err());
    fs::write(real.join("file"), "1").unwrap();
    assert_eq!(
        resolved(&directory.join("direct")).unwrap(),
        real.join("file")
    );
    assert!(resolved(&directory.join("no/file")).is_err());
}

#[test]
fn reading_is_bounded_and_never_waits() {
    let directory = TestDirectory::new("reading");
    let file = directory.join("file");
    assert_eq!(read_start(&file, 4).unwrap(), None);
    fs::write(&file, "12345678").unwrap();
    assert_eq!(read_start(&file, 4).unwrap().unwrap(), b"1234");
    assert_eq!(read_start(&file, 40).unwrap().unwrap(), b"12345678");
    assert_eq!(read_start(directory.path(), 4).unwrap(), None);
    let pipe = directory.join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )
    .unwrap();
    assert_eq!(read_start(&pipe, 4).unwrap(), None);
    let socket = directory.join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(read_start(&socket, 4).unwrap(), None);
}

#[test]
fn first_content() {
    let directory = TestDirectory::new("initial");
    let file = directory.join("file");
    let content = || fs::read_to_string(&file).unwrap();
    assert_eq!(
        initialise(&file, b"7\n", false).unwrap(),
        Initialised::Written
    );
    assert_eq!(content(), "7\n");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "as keepalived makes it");
    assert_eq!(initialise(&file, b"8\n", false).unwrap(), Initialised::Kept);
    assert_eq!(content(), "7\n");
    fs::write(&file, "a long content").unwrap();
    assert_eq!(
        initialise(&file, b"8\n", true).unwrap(),
        Initialised::Written
    );
    assert_eq!(content(), "8\n");
}

#[test]
fn what_is_no_file_is_left_alone() {
    let directory = TestDirectory::new("no-file");
    let victim = directory.join("victim");
    fs::write(&victim, "precious").unwrap();
    let link = directory.join("link");
    symlink(&victim, &link).unwrap();
    for overwrite in [false, true] {
        let _refused_or_kept = initialise(&link, b"0\n", overwrite);
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }
    let refused = |path: &Path| initialise(path, b"0\n", true).unwrap_err();
    assert!(matches!(refused(&link), InitError::NotRegular));
    assert!(matches!(refused(directory.path()), InitError::NotRegular));
    let pipe = directory.join("pipe");
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, mode, 0).unwrap();
    assert!(matches!(refused(&pipe), InitError::NotRegular));
    for made_up in ["/proc/new", "/proc/self/comm", "/sys/new"] {
        assert!(
            matches!(refused(Path::new(made_up)), InitError::PseudoFileSystem),
            "{made_up}"
        );
    }
}

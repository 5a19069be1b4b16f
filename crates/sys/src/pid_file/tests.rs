use std::os::unix::fs::symlink;
use std::process::Command;

use super::*;
use crate::test_directory::TestDirectory;

#[test]
fn a_claimed_file_names_us_is_readable_by_all_and_goes_away() {
    let directory = TestDirectory::new("pid-claim");
    let path = directory.join("a.pid");
    let file = PidFile::claim(&path).unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("{}\n", std::process::id())
    );
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
    assert!(is_running(&path).unwrap());
    file.remove().unwrap();
    assert!(!path.exists());
    assert!(!is_running(&path).unwrap());
}

#[test]
fn a_stale_file_is_written_over_whatever_its_length() {
    let directory = TestDirectory::new("pid-stale");
    let path = directory.join("a.pid");
    fs::write(&path, "999999999999999\nand more\n").unwrap();
    assert!(!is_running(&path).unwrap());
    let _file = PidFile::claim(&path).unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!("{}\n", std::process::id())
    );
}

#[test]
fn a_second_claim_is_told_who_holds_the_lock() {
    let directory = TestDirectory::new("pid-second");
    let path = directory.join("a.pid");
    let _file = PidFile::claim(&path).unwrap();
    // Open-file-description locks exclude each other within one process too.
    match PidFile::claim(&path) {
        Err(PidFileError::AlreadyRunning { pid, .. }) => assert_eq!(pid, Some(std::process::id())),
        other => panic!("{other:?}"),
    }
}

/// Runs this test binary again with only `child_claims`, which claims the file in the environment.
#[test]
fn another_process_is_kept_out_until_the_holder_dies() {
    let directory = TestDirectory::new("pid-process");
    let path = directory.join("a.pid");
    let claim_elsewhere = || {
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "pid_file::tests::child_claims",
                "--ignored",
                "--nocapture",
            ])
            .env("PID_FILE_TO_CLAIM", &path)
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let file = PidFile::claim(&path).unwrap();
    let kept_out = claim_elsewhere();
    assert!(
        kept_out.contains(&format!("is locked by process {}", std::process::id())),
        "{kept_out}"
    );
    drop(file);
    // A child that another test forks holds a copy of the lock until it executes its program.
    let let_in = (0..100)
        .map(|_| claim_elsewhere())
        .find(|text| text.contains("claimed"));
    assert!(let_in.is_some(), "still kept out");
    assert!(
        !is_running(&path).unwrap(),
        "the other process is gone, and its lock with it"
    );
    assert_ne!(
        content(&File::open(&path).unwrap()),
        Some(std::process::id())
    );
}

#[test]
#[ignore = "the second process of another_process_is_kept_out_until_the_holder_dies"]
fn child_claims() {
    let path = PathBuf::from(std::env::var_os("PID_FILE_TO_CLAIM").unwrap());
    match PidFile::claim(&path) {
        Ok(file) => println!("claimed {}", file.path().display()),
        Err(error) => println!("{error}"),
    }
}

#[test]
fn links_and_other_things_in_its_place_are_refused() {
    let directory = TestDirectory::new("pid-links");
    let target = directory.join("target");
    fs::write(&target, "precious\n").unwrap();
    let path = directory.join("a.pid");

    symlink(&target, &path).unwrap();
    assert!(matches!(
        PidFile::claim(&path),
        Err(PidFileError::System { what: "open", .. })
    ));
    fs::remove_file(&path).unwrap();

    fs::hard_link(&target, &path).unwrap();
    assert!(matches!(
        PidFile::claim(&path),
        Err(PidFileError::NotPlain { .. })
    ));
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious\n");
    fs::remove_file(&path).unwrap();

    fs::create_dir(&path).unwrap();
    assert!(PidFile::claim(&path).is_err());
}

#[test]
fn what_took_our_place_is_not_removed() {
    let directory = TestDirectory::new("pid-replaced");
    let path = directory.join("a.pid");
    let file = PidFile::claim(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "1\n").unwrap();
    file.remove().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
}

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use super::*;
use crate::test_directory::TestDirectory;
use crate::users::current_ids;

/// A user that owns nothing, whoever runs the tests.
const STRANGER: u32 = 65_533;

fn user(uid: u32) -> Credentials {
    Credentials {
        uid,
        gid: uid,
        groups: None,
    }
}

fn file(path: &Path, mode: u32) {
    fs::write(path, "#!/bin/sh\n").unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn check(path: &Path, who: u32) -> Result<ResolvedScript, ScriptProblem> {
    script_check(path.to_str().unwrap(), &user(who), OsStr::new("/nowhere"))
}

#[test]
fn what_cannot_run_is_told_apart() {
    let directory = TestDirectory::new("script-problems");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    let script = directory.join("script");
    file(&script, 0o755);
    assert_eq!(
        check(&script, STRANGER).unwrap().violation,
        None,
        "not root, so nobody to protect"
    );

    file(&script, 0o644);
    assert!(matches!(
        check(&script, 0),
        Err(ScriptProblem::NotExecutable {
            is_directory: false,
            ..
        })
    ));
    file(&script, 0o766);
    let problem = check(&script, STRANGER).unwrap_err().to_string();
    assert_eq!(
        problem,
        format!(
            "user 65533 group 65533 may not execute {}",
            script.display()
        )
    );
    fs::set_permissions(directory.path(), Permissions::from_mode(0o700)).unwrap();
    assert!(matches!(
        check(&script, STRANGER),
        Err(ScriptProblem::NotExecutable {
            is_directory: true,
            ..
        })
    ));

    assert!(matches!(
        check(&directory.join("absent"), 0),
        Err(ScriptProblem::Missing { .. })
    ));
    assert!(matches!(
        check(&script.join("below"), 0),
        Err(ScriptProblem::Missing { .. })
    ));
    assert!(matches!(
        check(directory.path(), 0),
        Err(ScriptProblem::NotAFile { .. })
    ));
    assert!(matches!(
        script_check("", &user(0), OsStr::new("")),
        Err(ScriptProblem::Empty)
    ));
}

#[test]
fn a_bare_name_is_searched_in_order() {
    let directory = TestDirectory::new("script-search");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    for (place, mode) in [("first", 0o644), ("second", 0o755), ("third", 0o755)] {
        fs::create_dir(directory.join(place)).unwrap();
        file(&directory.join(place).join("script"), mode);
    }
    let places =
        |names: &[&str]| env::join_paths(names.iter().map(|name| directory.join(name))).unwrap();
    let found = script_check(
        "script",
        &user(STRANGER),
        &places(&["absent", "first", "second", "third"]),
    )
    .unwrap();
    assert!(found.searched);
    assert_eq!(
        found.path,
        fs::canonicalize(directory.join("second/script")).unwrap()
    );
    assert!(matches!(
        script_check("script", &user(STRANGER), &places(&["first"])),
        Err(ScriptProblem::NotExecutable { .. })
    ));
    assert!(matches!(
        script_check("script", &user(STRANGER), &places(&["absent"])),
        Err(ScriptProblem::NotInSearchPath { .. })
    ));
}

#[test]
fn links_are_followed_and_kept() {
    let directory = TestDirectory::new("script-links");
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    file(&directory.join("script"), 0o755);
    symlink("script", directory.join("link")).unwrap();
    let found = check(&directory.join("link"), STRANGER).unwrap();
    assert_eq!(
        found.path,
        fs::canonicalize(directory.join("script")).unwrap()
    );
    assert_eq!(found.configured, directory.join("link"));
    assert!(!found.searched);
}

/// What each state of a file or directory means to root. Needs root to give files away.
#[test]
fn the_table_of_violations() {
    if current_ids().unwrap().effective_uid() != 0 {
        println!("skipped: only root can make files of other users");
        return;
    }
    struct Row {
        owner: (u32, u32),
        mode: u32,
        fault: Option<Fault>,
    }
    let row = |owner, mode, fault| Row { owner, mode, fault };
    let files = [
        row((0, 0), 0o755, None),
        row((0, 0), 0o775, None),
        row((0, STRANGER), 0o755, None),
        row((0, STRANGER), 0o775, Some(Fault::WritableByGroup(STRANGER))),
        row((0, 0), 0o757, Some(Fault::WritableByAll)),
        row((0, 0), 0o1757, Some(Fault::WritableByAll)),
        row((STRANGER, 0), 0o755, Some(Fault::OwnedBy(STRANGER))),
    ];
    let directories = [
        row((0, 0), 0o755, None),
        row((0, 0), 0o1777, None),
        row((0, 0), 0o777, Some(Fault::WritableByAll)),
        row((0, STRANGER), 0o775, Some(Fault::WritableByGroup(STRANGER))),
        row((STRANGER, 0), 0o755, Some(Fault::OwnedBy(STRANGER))),
    ];
    let place = TestDirectory::new("script-violations");
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    let directory = fs::canonicalize(place.path()).unwrap().join("directory");
    fs::create_dir(&directory).unwrap();
    let script = directory.join("script");
    file(&script, 0o755);
    for (target, rows) in [(&script, &files[..]), (&directory, &directories[..])] {
        for Row {
            owner: (uid, gid),
            mode,
            fault,
        } in rows
        {
            chown(target, Some(*uid), Some(*gid)).unwrap();
            fs::set_permissions(target, Permissions::from_mode(*mode)).unwrap();
            let expected = fault.map(|fault| SecurityViolation {
                component: target.clone(),
                fault,
            });
            assert_eq!(
                check(&script, 0).unwrap().violation,
                expected,
                "{uid}:{gid} {mode:o}"
            );
        }
        chown(target, Some(0), Some(0)).unwrap();
        fs::set_permissions(target, Permissions::from_mode(0o755)).unwrap();
    }

    // What matters is as whom it runs: an ordinary user with set-id root is root.
    file(&script, 0o757);
    assert_eq!(check(&script, 1000).unwrap().violation, None);
    file(&script, 0o4757);
    assert!(check(&script, 1000).unwrap().violation.is_some());
    file(&script, 0o2757);
    assert!(check(&script, 1000).unwrap().violation.is_some());
}

/// Links of root lead on; links of others, and what lies behind a link, are judged. Needs root to give files away.
#[test]
fn links_on_the_way_are_root_s() {
    if current_ids().unwrap().effective_uid() != 0 {
        println!("skipped: only root can make files of other users");
        return;
    }
    let place = TestDirectory::new("script-ways");
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
    let top = fs::canonicalize(place.path()).unwrap();
    for name in ["good", "bad"] {
        fs::create_dir(top.join(name)).unwrap();
        fs::set_permissions(top.join(name), Permissions::from_mode(0o755)).unwrap();
        file(&top.join(name).join("script"), 0o755);
    }
    symlink("good", top.join("way")).unwrap();
    symlink("script", top.join("good/end")).unwrap();
    symlink(top.join("way"), top.join("good/back")).unwrap();
    symlink("../bad/hop", top.join("good/detour")).unwrap();
    symlink("../good/script", top.join("bad/hop")).unwrap();
    symlink("good", top.join("theirs")).unwrap();
    std::os::unix::fs::lchown(top.join("theirs"), Some(STRANGER), None).unwrap();
    chown(top.join("bad"), Some(STRANGER), None).unwrap();

    let violation = |path: &str| check(&top.join(path), 0).unwrap().violation;
    for path in [
        "way/script",
        "way/end",
        "good/back/back/end",
        "bad/../way/script",
    ] {
        let expected = path.starts_with("bad").then(|| top.join("bad"));
        assert_eq!(
            violation(path).map(|found| found.component),
            expected,
            "{path}"
        );
    }
    let found = violation("way/detour").unwrap();
    assert_eq!(
        found,
        SecurityViolation {
            component: top.join("bad"),
            fault: Fault::OwnedBy(STRANGER)
        },
        "the file is root's, but the link in the directory of somebody else decides which"
    );
    let found = violation("theirs/script").unwrap();
    assert_eq!(
        found.to_string(),
        format!(
            "{} is not owned by root but by user {STRANGER}",
            top.join("theirs").display()
        )
    );
    assert_eq!(
        check(&top.join("theirs/script"), STRANGER)
            .unwrap()
            .violation,
        None
    );
}

//! The keywords of the block.

use lvs::settings::ssl::Password;

use crate::Class;
use crate::keywords::servers::testing::{GENERAL, load};

#[test]
fn what_is_kept() {
    let rows: &[(&str, &str, &[Class])] = &[
        ("", "None None None None", &[]),
        ("password a", "Some(\"a\") None None None", &[]),
        (
            "password a\npassword b",
            "Some(\"b\") None None None",
            GENERAL,
        ),
        ("ca a", "None Some(\"a\") None None", &[]),
        ("ca a\nca b", "None Some(\"b\") None None", GENERAL),
        ("certificate a", "None None Some(\"a\") None", &[]),
        (
            "certificate a\ncertificate b",
            "None None Some(\"b\") None",
            GENERAL,
        ),
        ("key a", "None None None Some(\"a\")", &[]),
        ("key a\nkey b", "None None None Some(\"b\")", GENERAL),
        ("password", "None None None None", GENERAL),
        ("ca", "None None None None", GENERAL),
        ("certificate", "None None None None", GENERAL),
        ("key", "None None None None", GENERAL),
    ];
    for (lines, expected, classes) in rows {
        let (settings, said) = load(&format!("SSL {{\n {lines}\n}}"));
        let ssl = settings.unwrap().lvs.ssl.unwrap();
        let password = ssl.password.as_ref().map(Password::reveal);
        let shown = format!(
            "{password:?} {:?} {:?} {:?}",
            ssl.ca, ssl.certificate, ssl.key
        );
        assert_eq!(shown, *expected, "{lines}");
        assert_eq!(said, *classes, "{lines}");
    }
}

#[test]
fn a_second_block_replaces_the_first() {
    let (settings, said) = load("SSL {\n ca a\n}\nSSL {\n key b\n}");
    let ssl = settings.unwrap().lvs.ssl.unwrap();
    assert_eq!((ssl.ca, ssl.key), (None, Some("b".into())));
    assert_eq!(said, GENERAL);
    assert_eq!(load("").0.unwrap().lvs.ssl, None);
}

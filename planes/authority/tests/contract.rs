//! The contract of the plane, on the real one and on the fake.
#![allow(clippy::unwrap_used)] // helpers of tests are not marked as tests

use escale_authority::{Authorities, Authority, FakeAuthorities, Issued, KeyKind, Leaf, Purpose};
use escale_base::{Clock, Timestamp};
use escale_tls::x509;
use std::{os::unix::fs::PermissionsExt, path::Path};

const DAY: i64 = 24 * 3600 * 1000;

fn leaf(names: &[&str], key: KeyKind) -> Leaf {
    let now = Clock::machine().now();
    Leaf {
        names: names.iter().map(|n| (*n).to_owned()).collect(),
        key,
        not_before: now.plus_ms(-DAY),
        not_after: now.plus_ms(90 * DAY),
    }
}

fn real(folder: &Path) -> Authorities {
    Authorities::open(folder, "1a2b3c4d", Clock::machine()).unwrap()
}

async fn on_each(test: impl AsyncFn(&dyn Authority)) {
    let folder = tempfile::tempdir().unwrap();
    test(&real(&folder.path().join("authority"))).await;
    test(&FakeAuthorities::new().unwrap()).await;
}

fn check(issued: &Issued) {
    x509::check_key(&issued.certificate_pem, issued.key_pem.reveal()).unwrap();
    x509::check_chain(&issued.certificate_pem, &issued.chain_pem).unwrap();
}

#[tokio::test]
async fn issues_certificates_for_the_requested_names_and_time() {
    on_each(async |authority| {
        let spec = leaf(&["shop.localhost", "*.shop.localhost"], KeyKind::P256);
        let issued = authority.issue(Purpose::Browsers, spec.clone()).await.unwrap();
        check(&issued);
        let facts = x509::read(&issued.certificate_pem).unwrap();
        assert_eq!(facts.names, ["shop.localhost", "*.shop.localhost"]);
        assert_eq!(facts.subject, "CN=shop.localhost");
        assert_eq!(facts.not_after.secs(), spec.not_after.secs());
        assert_eq!(facts.not_before.secs(), spec.not_before.secs());
        assert!(!facts.is_authority);
        assert_eq!(issued.chain_pem, authority.root(Purpose::Browsers).unwrap());
        let again = authority.issue(Purpose::Browsers, spec).await.unwrap();
        assert_ne!(again.certificate_pem, issued.certificate_pem, "each has its own key");
    })
    .await;
}

#[tokio::test]
async fn refuses_invalid_names() {
    on_each(async |authority| {
        for names in [&[][..], &["b\u{fc}cher.localhost"]] {
            let refused = authority.issue(Purpose::Browsers, leaf(names, KeyKind::P256)).await;
            assert!(refused.is_err(), "{names:?}");
        }
        let late = Leaf { not_after: Timestamp(i64::MAX), ..leaf(&["a.localhost"], KeyKind::P256) };
        assert!(authority.issue(Purpose::Browsers, late).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn only_the_root_of_browsers_is_limited_to_domains() {
    on_each(async |authority| {
        let browsers = x509::read(&authority.root(Purpose::Browsers).unwrap()).unwrap();
        let workloads = x509::read(&authority.root(Purpose::Workloads).unwrap()).unwrap();
        assert!(browsers.is_authority && workloads.is_authority);
        assert_eq!(browsers.permitted, ["localhost"]);
        assert!(workloads.permitted.is_empty());
        assert_ne!(browsers.subject, workloads.subject);
    })
    .await;
}

#[tokio::test]
async fn keys_have_the_requested_kind() {
    let folder = tempfile::tempdir().unwrap();
    let authority = real(folder.path());
    for (kind, key) in [
        (KeyKind::P256, x509::Key::P256),
        (KeyKind::P384, x509::Key::P384),
        (KeyKind::Rsa2048, x509::Key::Rsa { bits: 2048 }),
    ] {
        let issued =
            authority.issue(Purpose::Workloads, leaf(&["s3.amazonaws.com", "10.0.0.1"], kind)).await.unwrap();
        check(&issued);
        assert_eq!(x509::read(&issued.certificate_pem).unwrap().key, key);
    }
}

#[tokio::test]
async fn another_process_continues_with_the_same_authority() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authority");
    let first = real(&path);
    let issued = first.issue(Purpose::Browsers, leaf(&["a.localhost"], KeyKind::P256)).await.unwrap();
    let root = real(&path).root(Purpose::Browsers).unwrap();
    assert_eq!(root, issued.chain_pem);
    let extended = real(&path).permit(&["example.com".into(), "sub.localhost".into()]).unwrap();
    let facts = x509::read(&extended).unwrap();
    assert_eq!(facts.permitted, ["localhost", "example.com"]);
    // A certificate of the earlier root is valid under the new one: subject and key are the same.
    x509::check_chain(&issued.certificate_pem, &extended).unwrap();
    assert_eq!(first.permit(&["www.example.com".into()]).unwrap(), extended, "already permitted");
}

#[tokio::test]
async fn only_the_owner_reads_the_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authority");
    let authority = real(&path);
    authority.root(Purpose::Workloads).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["browsers.key.pem", "workloads.key.pem", "workloads.pem"]);
}

use super::*;
use std::os::unix::fs::symlink;

/// A folder `site` with files and links, and a secret next to it.
fn tree() -> (tempfile::TempDir, PathBuf) {
    let top = tempfile::tempdir().unwrap();
    let site = top.path().join("site");
    std::fs::create_dir_all(site.join("css/deep")).unwrap();
    std::fs::write(top.path().join("secret"), "secret").unwrap();
    std::fs::write(site.join("page"), "page").unwrap();
    std::fs::write(site.join("css/a"), "a").unwrap();
    for (target, link) in [
        ("page", "same"),
        ("../page", "css/up"),
        ("css", "styles"),
        ("../secret", "out"),
        ("/etc/hostname", "absolute"),
        ("..", "parent"),
        ("/proc/self/fd", "magic"),
        ("missing", "dangling"),
        ("round", "round"),
    ] {
        symlink(target, site.join(link)).unwrap();
    }
    (top, site)
}

fn outcome(folder: &Folder, path: &str) -> String {
    match folder.read(path, 100) {
        Ok(bytes) => format!("reads {}", String::from_utf8_lossy(&bytes)),
        Err(FileError::LeadsOut { path, target, .. }) => {
            let name = path.rsplit('/').next().unwrap_or_default();
            format!("leads out: {name} -> {target}")
        }
        Err(FileError::Unresolvable { path, .. }) => {
            format!("a link: {}", path.rsplit('/').next().unwrap_or_default())
        }
        Err(FileError::Io { error, .. }) => format!("{:?}", error.kind()),
        Err(other) => format!("{other}"),
    }
}

#[test]
fn follows_only_links_that_stay_in_the_folder() {
    let (_top, site) = tree();
    let folder = Folder::open(&site).unwrap();
    assert_eq!(folder.resolver, Resolver::Beneath, "this kernel has openat2");
    let without = Folder { resolver: Resolver::NoLinks, ..Folder::open(&site).unwrap() };
    for (path, with_openat2, without_openat2) in [
        ("page", "reads page", "reads page"),
        ("css/a", "reads a", "reads a"),
        ("same", "reads page", "a link: same"),
        ("css/up", "reads page", "a link: up"),
        ("styles/a", "reads a", "a link: styles"),
        ("out", "leads out: out -> ../secret", "a link: out"),
        ("absolute", "leads out: absolute -> /etc/hostname", "a link: absolute"),
        ("parent/secret", "leads out: parent -> ..", "a link: parent"),
        ("magic/0", "leads out: magic -> /proc/self/fd", "a link: magic"),
        ("dangling", "NotFound", "a link: dangling"),
        ("round", "leads out: round -> round", "a link: round"),
        ("missing", "NotFound", "NotFound"),
        ("css", "IsADirectory", "IsADirectory"),
        ("page/x", "NotADirectory", "NotADirectory"),
    ] {
        assert_eq!(outcome(&folder, path), with_openat2, "{path}");
        assert_eq!(outcome(&without, path), without_openat2, "{path} without openat2");
    }
    for path in ["../secret", "css/../../secret", "/etc/hostname"] {
        assert!(folder.file(path).is_err(), "{path}");
        assert!(without.file(path).is_err(), "{path} without openat2");
    }
}

#[test]
fn refuses_pipes_devices_and_sockets_without_opening_them() {
    let top = tempfile::tempdir().unwrap();
    let at = |name: &str| top.path().join(name);
    fs::mknodat(fs::CWD, at("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    let mut cases = vec![("pipe", "named pipe"), ("socket", "socket")];
    let made = fs::mknodat(
        fs::CWD,
        at("null"),
        FileType::CharacterDevice,
        Mode::from_raw_mode(0o600),
        fs::makedev(1, 3),
    );
    // Only root may create devices.
    if made.is_ok() {
        cases.push(("null", "character device"));
    }
    let mut folder = Folder::open(top.path()).unwrap();
    for resolver in [Resolver::Beneath, Resolver::NoLinks] {
        folder.resolver = resolver;
        for (name, kind) in &cases {
            let error = folder.file(name).unwrap_err().to_string();
            assert!(error.contains(&format!("{name} is a {kind}")), "{error}");
            assert_eq!(folder.look(name, false).unwrap().kind, Kind::Special(kind));
        }
        let error = folder.files().unwrap_err();
        assert!(matches!(error, FileError::Special { .. }), "{error}");
    }
}

#[test]
fn lists_all_files_and_follows_links_that_stay() {
    let (_top, site) = tree();
    for bad in ["out", "absolute", "parent", "magic", "dangling", "round"] {
        std::fs::remove_file(site.join(bad)).unwrap();
    }
    let folder = Folder::open(&site).unwrap();
    assert_eq!(folder.files().unwrap(), ["css/a", "css/up", "page", "same", "styles/a", "styles/up"]);
    symlink("../..", site.join("css/deep/back")).unwrap();
    let error = folder.files().unwrap_err();
    assert!(matches!(&error, FileError::Circle { .. }), "{error}");
}

#[test]
fn subfolder_cannot_reach_its_parent() {
    let (_top, site) = tree();
    let folder = Folder::open(&site).unwrap();
    assert_eq!(folder.folder("css").unwrap().read("a", 10).unwrap(), b"a");
    assert_eq!(folder.folder("styles").unwrap().read("a", 10).unwrap(), b"a");
    let error = folder.folder("parent").unwrap_err();
    assert!(matches!(&error, FileError::LeadsOut { .. }), "{error}");
    // A file beneath the outer folder is outside of the inner one.
    assert!(folder.folder("css").unwrap().file("up").is_err());
}

/// Another thread swaps a file for a link, over and over: the secret is never read.
#[test]
fn swap_between_look_and_open_reads_nothing_from_outside() {
    let (_top, site) = tree();
    let folder = Folder::open(&site).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let (new, swapped) = (site.join("new"), site.join("swapped"));
                std::fs::write(&new, "page").unwrap();
                std::fs::rename(&new, &swapped).unwrap();
                symlink("../secret", &new).unwrap();
                std::fs::rename(&new, &swapped).unwrap();
            }
        });
        let mut refused = 0;
        for _ in 0..5000 {
            match folder.read("swapped", 100) {
                Ok(bytes) => assert_ne!(bytes, b"secret"),
                Err(_) => refused += 1,
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(refused > 0, "the test never met the link");
    });
}

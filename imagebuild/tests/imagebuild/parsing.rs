use escale_base::Secret;
use escale_imagebuild::{Credentials, Dockerfile, Engine, EngineLogin, Ignore, Target, build_with};
use expect_test::{Expect, expect};
use std::{collections::BTreeMap, ffi::OsStr, os::unix::fs::PermissionsExt, path::Path};

fn check(text: &str, expected: Expect) {
    let found = match Dockerfile::parse(text, "Dockerfile") {
        Ok(file) => {
            let mut lines: Vec<String> =
                file.steps.iter().map(|s| format!("{} {:?}", s.line, s.instruction)).collect();
            lines.extend(file.needs_engine().map(|n| format!("needs an engine: {n}")));
            lines.join("\n")
        }
        Err(e) => e.to_string(),
    };
    expected.assert_eq(&found);
}

#[test]
fn instructions() {
    check(
        "# syntax=docker/dockerfile:1\n\n# a comment\nARG V=1\nFROM base:$V AS b\nENV A=1 B=\"2 3\" C=a\\ b\nENV OLD some words\nLABEL a.b=c\nCOPY --chmod=0755 --chown=1:2 a b/*.txt /to/\ncopy [\"with blank\", \"/x\"]\nADD plain.txt /\nWORKDIR /srv\nUSER 65534:65534\nEXPOSE 80 53/udp\nVOLUME [\"/data\"]\nENTRYPOINT [\"/x\", \"-v\"]\nCMD run it\nSTOPSIGNAL SIGQUIT\nHEALTHCHECK --interval=1m30s --timeout=500ms --retries=5 CMD [\"/x\", \"check\"]\n",
        expect![[r#"
            4 Arg([("V", Some("1"))])
            5 From { image: "base:$V", name: Some("b"), foreign: None }
            6 Env([("A", "1"), ("B", "\"2 3\""), ("C", "a\\ b")])
            7 Env([("OLD", "some words")])
            8 Label([("a.b", "c")])
            9 Copy(CopyFiles { sources: ["a", "b/*.txt"], to: "/to/", from: None, chmod: Some("0755"), chown: Some("1:2"), foreign: None })
            10 Copy(CopyFiles { sources: ["with blank"], to: "/x", from: None, chmod: None, chown: None, foreign: None })
            11 Copy(CopyFiles { sources: ["plain.txt"], to: "/", from: None, chmod: None, chown: None, foreign: None })
            12 Workdir("/srv")
            13 User("65534:65534")
            14 Expose(["80", "53/udp"])
            15 Volume(["/data"])
            16 Entrypoint(Exec(["/x", "-v"]))
            17 Cmd(Shell("run it"))
            18 StopSignal("SIGQUIT")
            19 Healthcheck(Check { command: Exec(["/x", "check"]), interval_ns: 90000000000, timeout_ns: 500000000, start_period_ns: 0, retries: 5 })"#]],
    );
}

#[test]
fn continued_lines() {
    check(
        "FROM scratch\nENV A=1 \\\n  # in between\n\n  B=2\nLABEL x=y\n",
        expect![[r#"
            1 From { image: "scratch", name: None, foreign: None }
            2 Env([("A", "1"), ("B", "2")])
            6 Label([("x", "y")])"#]],
    );
    check(
        "# escape=`\nFROM scratch\nENV A=1 `\n  B=c:\\x\n",
        expect![[r#"
            2 From { image: "scratch", name: None, foreign: None }
            3 Env([("A", "1"), ("B", "c:\\x")])"#]],
    );
}

#[test]
fn names_instructions_that_need_an_engine() {
    check(
        "FROM debian\nRUN apt-get update\n",
        expect![[r#"
            1 From { image: "debian", name: None, foreign: None }
            2 Foreign("RUN")
            needs an engine: Dockerfile:2: RUN"#]],
    );
    check(
        "FROM rust AS b\nFROM scratch\nCOPY --from=b /x /x\n",
        expect![[r#"
            1 From { image: "rust", name: Some("b"), foreign: None }
            2 From { image: "scratch", name: None, foreign: None }
            3 Copy(CopyFiles { sources: ["/x"], to: "/x", from: Some("b"), chmod: None, chown: None, foreign: None })"#]],
    );
    check(
        "FROM scratch\nADD https://example.com/x /x\n",
        expect![[r#"
            1 From { image: "scratch", name: None, foreign: None }
            2 Copy(CopyFiles { sources: ["https://example.com/x"], to: "/x", from: None, chmod: None, chown: None, foreign: Some("ADD of `https://example.com/x` (a URL or an archive)") })
            needs an engine: Dockerfile:2: ADD of `https://example.com/x` (a URL or an archive)"#]],
    );
    check(
        "FROM scratch\nADD x.tar.gz /\n",
        expect![[r#"
            1 From { image: "scratch", name: None, foreign: None }
            2 Copy(CopyFiles { sources: ["x.tar.gz"], to: "/", from: None, chmod: None, chown: None, foreign: Some("ADD of `x.tar.gz` (a URL or an archive)") })
            needs an engine: Dockerfile:2: ADD of `x.tar.gz` (a URL or an archive)"#]],
    );
    check(
        "FROM scratch\nCOPY <<EOF /x\nRUN no instruction\nEOF\nUSER 1\n",
        expect![[r#"
            1 From { image: "scratch", name: None, foreign: None }
            2 Foreign("COPY with a here-document")
            5 User("1")
            needs an engine: Dockerfile:2: COPY with a here-document"#]],
    );
    check(
        "FROM --platform=linux/arm64 scratch\n",
        expect![[r#"
            1 From { image: "scratch", name: None, foreign: Some("FROM --platform") }
            needs an engine: Dockerfile:1: FROM --platform"#]],
    );
    check(
        "FROM scratch\nCOPY --parents --chmod=0755 --exclude=*.md --from=x /a /b\n",
        expect![[r#"
            1 From { image: "scratch", name: None, foreign: None }
            2 Copy(CopyFiles { sources: ["/a"], to: "/b", from: Some("x"), chmod: Some("0755"), chown: None, foreign: Some("COPY --parents") })
            needs an engine: Dockerfile:2: COPY --parents"#]],
    );
}

#[test]
fn lists_images_that_must_be_pulled() {
    let args = BTreeMap::from([("TAG".to_owned(), "2".to_owned())]);
    for (text, expected) in [
        ("FROM scratch\nCOPY a /a\n", vec![]),
        ("ARG R=reg:5000\nARG TAG=1\nFROM $R/base:$TAG\n", vec!["3 FROM reg:5000/base:2"]),
        (
            "FROM a AS x\nFROM x\nCOPY --from=b /b /b\nCOPY --from=0 /c /c\n",
            vec!["1 FROM a", "3 COPY --from=b"],
        ),
        // the same image twice; a stage that no other needs; a name that is defined only later
        ("FROM a\nCOPY --from=a /b /b\n", vec!["1 FROM a"]),
        ("FROM a AS unused\nFROM b\n", vec!["2 FROM b"]),
        (
            "FROM scratch\nCOPY --from=x /b /b\nFROM scratch AS x\nCOPY --from=0 / /\n",
            vec!["2 COPY --from=x"],
        ),
        // a Dockerfile that an engine builds lists them as well
        (
            "FROM --platform=linux/amd64 a AS x\nFROM b\nCOPY --from=c /c /c\nCOPY --parents --from=d /d /\nRUN y\nCOPY --from=x / /\n",
            vec!["1 FROM a", "2 FROM b", "3 COPY --from=c", "4 COPY --from=d"],
        ),
    ] {
        let outside = Dockerfile::parse(text, "Dockerfile").unwrap().outside(&args).unwrap();
        let lines: Vec<String> = outside.iter().map(|o| format!("{} {o}", o.line)).collect();
        assert_eq!(lines, expected, "{text}");
    }
}

#[test]
fn errors_have_their_place() {
    check("", expect!["Dockerfile:1: the Dockerfile has no FROM"]);
    check("COPY a b\n", expect!["Dockerfile:1: FROM must come first (only ARG may precede it)"]);
    check("FROM scratch\n\nCOYP a b\n", expect!["Dockerfile:3: unknown instruction `COYP`"]);
    check(
        "FROM scratch\nCOPY a\n",
        expect!["Dockerfile:2: COPY takes one source or more, and a destination"],
    );
    check("FROM scratch\nENV \"A\n", expect!["Dockerfile:2: a quotation mark is not closed"]);
    check("FROM scratch\nENV A\n", expect!["Dockerfile:2: ENV takes name=value, and `A` has no value"]);
    check("FROM scratch\nUSER\n", expect!["Dockerfile:2: USER needs an argument"]);
    check(
        "FROM scratch\nHEALTHCHECK --interval=x CMD y\n",
        expect!["Dockerfile:2: HEALTHCHECK: --interval cannot be `x`"],
    );
    check(
        "FROM scratch\nCOPY <<EOF /x\nfor ever\n",
        expect!["Dockerfile:2: the here-document `EOF` is not closed"],
    );
    check("# escape=x\nFROM scratch\n", expect![[r#"Dockerfile:1: escape must be \ or `, not `x`"#]]);
}

#[test]
fn dockerignore_decides_by_the_last_match() {
    let ignore = Ignore::parse("# comment\n/target\n*.md\n!README.md\n**/*.tmp\ndocs\n!docs/keep\n");
    for (path, hidden) in [
        ("target", true),
        ("target/x/y", true),
        ("src/target", false),
        ("a.md", true),
        ("README.md", false),
        ("sub/a.md", false),
        ("sub/x.tmp", true),
        ("docs/x", true),
        ("docs/keep/x", false),
    ] {
        assert_eq!(ignore.hides(path), hidden, "{path}");
    }
}

#[test]
fn finds_engines_and_makes_their_commands() {
    let needed =
        || Dockerfile::parse("FROM debian\nRUN x\n", "app/Dockerfile").unwrap().needs_engine().unwrap();
    let none = Engine::find(OsStr::new("/nowhere"), needed()).unwrap_err();
    expect!["app/Dockerfile:2: RUN needs docker (with its daemon), podman or buildah, and none of them works on this machine. Install one (apt-get install buildah), or build the image elsewhere and name it with `image:`"].assert_eq(&none.to_string());
    let folder = tempfile::tempdir().unwrap();
    // links, not scripts: a child that another test forked may still have a new script open, which then cannot be executed
    std::os::unix::fs::symlink("/bin/false", folder.path().join("docker")).unwrap();
    std::os::unix::fs::symlink("/bin/true", folder.path().join("podman")).unwrap();
    assert_eq!(Engine::find(folder.path().as_os_str(), needed()).unwrap(), Engine::Podman);
    let args = BTreeMap::from([("V".to_owned(), "1".to_owned())]);
    let lines: Vec<String> = Engine::ALL
        .iter()
        .flat_map(|e| {
            e.commands(Path::new("app/Dockerfile"), Path::new("app"), &args, "app:1", Path::new("out"))
        })
        .map(|words| words.join(" "))
        .collect();
    expect![[r#"
        docker build --file app/Dockerfile --tag app:1 --build-arg V=1 app
        docker save --output out/saved.tar app:1
        tar --extract --file out/saved.tar --directory out
        podman build --file app/Dockerfile --tag app:1 --build-arg V=1 app
        podman push app:1 oci:out:app:1
        buildah build --file app/Dockerfile --tag app:1 --build-arg V=1 app
        buildah push app:1 oci:out:app:1"#]]
    .assert_eq(&lines.join("\n"));
}

#[test]
fn engines_pull_with_a_separate_login() {
    let registry = Target {
        address: "127.0.0.1:4566".into(),
        host: None,
        repository: String::new(),
        reference: String::new(),
        credentials: Some(Credentials { user: "AWS".into(), password: Secret::new("token".into()) }),
        tls: None,
    };
    let users = tempfile::tempdir().unwrap();
    let contexts = users.path().join("contexts");
    std::fs::create_dir(&contexts).unwrap();
    std::fs::write(contexts.join("kept"), "").unwrap();
    let lines = r#"{"auths":{"elsewhere":{"auth":"eA=="}},"currentContext":"rootless"}"#;
    std::fs::write(users.path().join("config.json"), lines).unwrap();
    let login = EngineLogin::beside(Some(users.path()), &registry).unwrap();
    let lines: Vec<String> =
        Engine::ALL.iter().map(|e| e.pull("127.0.0.1:4566/base:1", &login).join(" ")).collect();
    let folder = lines[0].split_once("--config=").unwrap().1.split_once(' ').unwrap().0.to_owned();
    expect![[r#"
        docker --config=LOGIN pull 127.0.0.1:4566/base:1
        podman pull --authfile=LOGIN/config.json --tls-verify=false 127.0.0.1:4566/base:1
        buildah pull --authfile=LOGIN/config.json --tls-verify=false 127.0.0.1:4566/base:1"#]]
    .assert_eq(&lines.join("\n").replace(&folder, "LOGIN"));
    let text = std::fs::read_to_string(format!("{folder}/config.json")).unwrap();
    assert_eq!(text, r#"{"auths":{"127.0.0.1:4566":{"auth":"QVdTOnRva2Vu"}},"currentContext":"rootless"}"#);
    assert_eq!(std::fs::read_link(format!("{folder}/contexts")).unwrap(), contexts);
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "other users must not read the token");
    drop(login);
    assert!(!Path::new(&folder).exists());
    assert!(contexts.join("kept").exists(), "the user's own stay");
}

#[test]
fn failed_save_leaves_no_archive() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("out");
    let mut commands =
        Engine::Docker.commands(Path::new("x"), Path::new("x"), &BTreeMap::new(), "app:1", &to);
    // docker writes this before it fails
    let archive = commands[1][3].clone();
    commands[0] = vec!["touch".into(), archive.clone()];
    commands[1] = vec!["false".into()];
    let error = build_with(&commands, &to, "amd64", &mut |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("`false` failed"), "{error}");
    assert!(!Path::new(&archive).exists() && Path::new(&archive).starts_with(&to));
}

#[test]
fn shop_needs_no_engine() {
    for text in [
        include_str!("../../../examples/shop/frontend/Dockerfile"),
        include_str!("../../../examples/shop/backend/Dockerfile"),
    ] {
        assert_eq!(Dockerfile::parse(text, "Dockerfile").unwrap().needs_engine(), None);
    }
}

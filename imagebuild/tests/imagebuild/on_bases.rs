use super::{
    base::{Base, Member},
    building::Fixture,
};
use escale_imagebuild::Layout;
use expect_test::{Expect, expect};
use serde_json::json;
use std::collections::BTreeMap;

const PASSWD: &str = "root:x:0:0::/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n";

/// The files of a Linux distribution: links in place of folders, a world-writable folder, accounts; and a layer with whiteouts.
const SYSTEM: &[&[Member]] = &[
    &[
        ("usr/", 0o755, ""),
        ("usr/bin/", 0o755, ""),
        ("usr/bin/tool", 0o755, "the tool"),
        ("usr/bin/same", 0o755, "=> usr/bin/tool"),
        ("bin", 0o777, "-> usr/bin"),
        ("tmp/", 0o1777, ""),
        ("etc/", 0o755, ""),
        ("etc/passwd", 0o644, "root:x:0:0::/:/bin/sh\n"),
        ("etc/group", 0o644, "app:x:1001:\nextra:x:7:\n"),
        ("srv/", 0o755, ""),
        ("srv/old", 0o644, "hidden"),
        ("srv/deep/", 0o755, ""),
        ("srv/deep/older", 0o644, "hidden"),
        ("var/", 0o755, ""),
        ("var/gone", 0o644, "hidden"),
        ("loop", 0o777, "-> loop"),
        ("opt/implied/file", 0o644, "in folders without entries in the archive"),
    ],
    &[
        ("etc/passwd", 0o644, PASSWD),
        ("srv/.wh..wh..opq", 0o644, ""),
        ("srv/new", 0o640, "shown"),
        ("var/.wh.gone", 0o644, ""),
    ],
];

fn system() -> Base {
    Base::new(json!({"Env": ["PATH=/bin"], "Entrypoint": ["/bin/tool"]}), SYSTEM)
}

/// Builds with `base` as the image `base:1`.
fn build(base: &Base, dockerfile: &str) -> Result<(Fixture, Layout), String> {
    let fixture = Fixture::new();
    let layout = base.write(&fixture.folder.path().join("base"));
    let bases = BTreeMap::from([("base:1".to_owned(), layout)]);
    let built = fixture.build(dockerfile, "out", &bases)?;
    Ok((fixture, built.layout))
}

/// The files of the layers that a build added to its base.
fn check(dockerfile: &str, expected: Expect) {
    let found = match build(&system(), dockerfile) {
        Err(error) => error,
        Ok((_bench, layout)) => {
            let layers = layout.manifest["layers"].as_array().unwrap().clone();
            let own = if dockerfile.contains("FROM scratch\n") { 0 } else { 2 };
            layers[own..].iter().map(|l| Fixture::tar(&layout, l)).collect::<Vec<_>>().join("--\n")
        }
    };
    expected.assert_eq(&found);
}

#[test]
fn copy_follows_links_of_the_base_image() {
    check(
        "FROM base:1\nCOPY server /bin/\n",
        expect![[r#"
        -rw-r--r-- 0/0               6 1970-01-01 00:00 usr/bin/server
    "#]],
    );
    // a folder with an unusual mode is in the layer again: an unpacker would otherwise create it with the usual mode
    check(
        "FROM base:1\nCOPY server /tmp/x/\n",
        expect![[r#"
        drwxrwxrwt 0/0               0 1970-01-01 00:00 tmp/
        drwxr-xr-x 0/0               0 1970-01-01 00:00 tmp/x/
        -rw-r--r-- 0/0               6 1970-01-01 00:00 tmp/x/server
    "#]],
    );
    // an existing folder receives the file; a missing one becomes the name of the file
    check(
        "FROM base:1\nCOPY server /srv\nCOPY server /app\n",
        expect![[r#"
        -rw-r--r-- 0/0               6 1970-01-01 00:00 srv/server
        --
        -rw-r--r-- 0/0               6 1970-01-01 00:00 app
    "#]],
    );
    check(
        "FROM base:1\nWORKDIR /srv\nWORKDIR own\nCOPY web/a.html .\n",
        expect![[r#"
        drwxr-xr-x 0/0               0 1970-01-01 00:00 srv/own/
        --
        -rw-r--r-- 0/0               1 1970-01-01 00:00 srv/own/a.html
    "#]],
    );
    check(
        "FROM base:1\nCOPY server /opt/implied\n",
        expect![[r#"
        -rw-r--r-- 0/0               6 1970-01-01 00:00 opt/implied/server
    "#]],
    );
    check(
        "FROM base:1\nCOPY server /etc/passwd/x\n",
        expect!["Dockerfile:2: `/etc/passwd` is not a folder in the image"],
    );
    check(
        "FROM base:1\nCOPY server /loop/x\n",
        expect!["Dockerfile:2: the symbolic links at `/loop/x` form a loop"],
    );
}

#[test]
fn looks_up_names_in_the_image_s_own_accounts() {
    check(
        "FROM base:1\nCOPY --chown=app server /a\nCOPY --chown=app:extra server /b\nUSER app:extra\n",
        expect![[r#"
        -rw-r--r-- 1000/1001         6 1970-01-01 00:00 a
        --
        -rw-r--r-- 1000/7            6 1970-01-01 00:00 b
    "#]],
    );
    check(
        "FROM base:1\nCOPY --chown=nobody server /a\n",
        expect!["Dockerfile:2: the image's /etc/passwd has no user `nobody`. Use the numeric id"],
    );
    check(
        "FROM base:1\nEXPOSE 1\nUSER nobody\n",
        expect![
            "Dockerfile:3: USER nobody: the image's /etc/passwd has no user `nobody`. Use the numeric id"
        ],
    );
    check(
        "FROM base:1\nUSER app:none\n",
        expect![
            "Dockerfile:2: USER app:none: the image's /etc/group has no group `none`. Use the numeric id"
        ],
    );
    check(
        "FROM scratch\nUSER app\nCOPY --from=base:1 /etc/passwd /etc/\n",
        expect![[r#"
            drwxr-xr-x 0/0               0 1970-01-01 00:00 etc/
            -rw-r--r-- 0/0              61 1970-01-01 00:00 etc/passwd
        "#]],
    );
}

#[test]
fn copies_files_from_other_images_and_stages() {
    check(
        "FROM scratch\nCOPY --from=base:1 /bin/same /bin/tool /\nCOPY --from=base:1 /srv /srv\n",
        expect![[r#"
        -rwxr-xr-x 0/0               8 1970-01-01 00:00 same
        -rwxr-xr-x 0/0               8 1970-01-01 00:00 tool
        --
        drwxr-xr-x 0/0               0 1970-01-01 00:00 srv/
        -rw-r----- 0/0               5 1970-01-01 00:00 srv/new
    "#]],
    );
    // by name, by number, and as a base; a stage that no other needs is not built, and its image is not pulled
    let stages = "FROM absent:1 AS unused\nCOPY a /a\nFROM base:1 AS files\nCOPY --chown=5 server /made\nFROM files AS more\nCOPY web/a.html /more\nFROM scratch\nCOPY --from=FILES /m* /x/\nCOPY --from=2 --chmod=600 /more /y\n";
    check(
        stages,
        expect![[r#"
        drwxr-xr-x 0/0               0 1970-01-01 00:00 x/
        -rw-r--r-- 5/5               6 1970-01-01 00:00 x/made
        --
        -rw------- 0/0               1 1970-01-01 00:00 y
    "#]],
    );
    for hidden in ["/srv/old", "/srv/deep/older", "/var/gone", "/etc/.wh.x"] {
        let error = build(&system(), &format!("FROM scratch\nCOPY --from=base:1 {hidden} /x\n"))
            .map(drop)
            .unwrap_err();
        assert_eq!(error, format!("Dockerfile:2: --from=base:1: there is no `{hidden}` in the image"));
    }
    check(
        "FROM scratch\nCOPY --from=base:1 /srv/*.none /x/\n",
        expect!["Dockerfile:2: --from=base:1: there is no `/srv/*.none` in the image"],
    );
    check(
        "FROM scratch\nCOPY --from=other:1 /x /x\n",
        expect!["Dockerfile:2: COPY --from=other:1: it was not pulled"],
    );
}

#[test]
fn copied_file_has_the_bytes_of_the_other_image() {
    let dockerfile =
        "FROM scratch\nCOPY --from=base:1 /etc/passwd /bin/same /\nCOPY --from=base:1 /srv/new /\n";
    let (fixture, layout) = build(&system(), dockerfile).unwrap();
    let out = fixture.folder.path().join("files");
    std::fs::create_dir(&out).unwrap();
    for layer in layout.manifest["layers"].as_array().unwrap() {
        let blob = std::fs::File::open(layout.blob(layer["digest"].as_str().unwrap()).unwrap()).unwrap();
        tar::Archive::new(flate2::read::GzDecoder::new(blob)).unpack(&out).unwrap();
    }
    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    assert_eq!(
        (read("passwd"), read("same"), read("new")),
        (PASSWD.into(), "the tool".into(), "shown".into())
    );
    let blobs = std::fs::read_dir(fixture.folder.path().join("out/blobs/sha256")).unwrap().count();
    assert_eq!(blobs, 4, "two layers, configuration, manifest: nothing of the other image is left");
}

#[test]
fn image_inherits_the_configuration_of_its_base() {
    let config = json!({
        "Env": ["PATH=/bin", "A=1", "B=2"], "Entrypoint": ["/base"], "Cmd": ["x"], "User": "app", "WorkingDir": "/srv",
        "ExposedPorts": {"1/tcp": {}}, "Labels": {"a": "1", "b": "2"}, "Volumes": {"/v": {}}, "StopSignal": "SIGQUIT",
        "Shell": ["/bin/bash", "-ec"],
    });
    let table = [
        ("as it is", ""),
        ("added to", "ENV B=3 C=$A\nLABEL b=3\nEXPOSE 2\nVOLUME /w\nUSER 5\n"),
        ("CMD alone", "CMD [\"y\"]\n"),
        ("ENTRYPOINT takes CMD away", "ENTRYPOINT [\"/own\"]\n"),
        ("both", "CMD [\"y\"]\nENTRYPOINT [\"/own\"]\n"),
        ("the base's shell", "ENTRYPOINT exec it\n"),
    ];
    let lines: Vec<String> = table
        .iter()
        .map(|(what, lines)| {
            let base = Base::new(config.clone(), SYSTEM);
            let (_bench, layout) = build(&base, &format!("FROM base:1\n{lines}")).unwrap();
            format!("{what}: {}", layout.config().unwrap()["config"])
        })
        .collect();
    expect![[r#"
        as it is: {"Cmd":["x"],"Entrypoint":["/base"],"Env":["PATH=/bin","A=1","B=2"],"ExposedPorts":{"1/tcp":{}},"Labels":{"a":"1","b":"2"},"Shell":["/bin/bash","-ec"],"StopSignal":"SIGQUIT","User":"app","Volumes":{"/v":{}},"WorkingDir":"/srv"}
        added to: {"Cmd":["x"],"Entrypoint":["/base"],"Env":["PATH=/bin","A=1","B=3","C=1"],"ExposedPorts":{"1/tcp":{},"2/tcp":{}},"Labels":{"a":"1","b":"3"},"Shell":["/bin/bash","-ec"],"StopSignal":"SIGQUIT","User":"5","Volumes":{"/v":{},"/w":{}},"WorkingDir":"/srv"}
        CMD alone: {"Cmd":["y"],"Entrypoint":["/base"],"Env":["PATH=/bin","A=1","B=2"],"ExposedPorts":{"1/tcp":{}},"Labels":{"a":"1","b":"2"},"Shell":["/bin/bash","-ec"],"StopSignal":"SIGQUIT","User":"app","Volumes":{"/v":{}},"WorkingDir":"/srv"}
        ENTRYPOINT takes CMD away: {"Entrypoint":["/own"],"Env":["PATH=/bin","A=1","B=2"],"ExposedPorts":{"1/tcp":{}},"Labels":{"a":"1","b":"2"},"Shell":["/bin/bash","-ec"],"StopSignal":"SIGQUIT","User":"app","Volumes":{"/v":{}},"WorkingDir":"/srv"}
        both: {"Cmd":["y"],"Entrypoint":["/own"],"Env":["PATH=/bin","A=1","B=2"],"ExposedPorts":{"1/tcp":{}},"Labels":{"a":"1","b":"2"},"Shell":["/bin/bash","-ec"],"StopSignal":"SIGQUIT","User":"app","Volumes":{"/v":{}},"WorkingDir":"/srv"}
        the base's shell: {"Entrypoint":["/bin/bash","-ec","exec it"],"Env":["PATH=/bin","A=1","B=2"],"ExposedPorts":{"1/tcp":{}},"Labels":{"a":"1","b":"2"},"Shell":["/bin/bash","-ec"],"StopSignal":"SIGQUIT","User":"app","Volumes":{"/v":{}},"WorkingDir":"/srv"}"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn layers_and_history_continue_those_of_the_base() {
    let mut base = system();
    base.docker = true;
    base.config["history"] =
        json!([{"created_by": "one"}, {"created_by": "env", "empty_layer": true}, {"created_by": "two"}]);
    let (_bench, layout) = build(&base, "FROM base:1\nCOPY server /x\n").unwrap();
    let config = layout.config().unwrap();
    let lines: Vec<&str> =
        config["history"].as_array().unwrap().iter().map(|h| h["created_by"].as_str().unwrap()).collect();
    assert_eq!(lines, ["one", "env", "two", "COPY server /x"]);
    let diff_ids = config["rootfs"]["diff_ids"].as_array().unwrap();
    assert_eq!(diff_ids[..2], base.config["rootfs"]["diff_ids"].as_array().unwrap()[..]);
    let kinds: Vec<&str> = layout.manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["mediaType"].as_str().unwrap())
        .collect();
    assert_eq!((kinds, diff_ids.len()), (vec!["application/vnd.oci.image.layer.v1.tar+gzip"; 3], 3));
    // an image without history gets entries for its layers, or the next entry would describe the first layer
    let (_bench, layout) = build(&system(), "FROM base:1\nCOPY server /x\n").unwrap();
    let history = layout.config().unwrap()["history"].as_array().unwrap().clone();
    assert_eq!((history.len(), &history[2]["created_by"]), (3, &json!("COPY server /x")));
}

#[test]
fn zstd_layer_is_kept_and_read() {
    let mut base = system();
    let plain = base.layers[1].0.clone();
    let mut tar = Vec::new();
    match base.layers[1].1 {
        "gzip" => {
            tar.extend(std::io::Read::bytes(flate2::read::GzDecoder::new(&plain[..])).map(Result::unwrap))
        }
        _ => tar = plain,
    }
    let packed = zstd::encode_all(&tar[..], 1).unwrap();
    base.layers[1] = (packed.clone(), "zstd");
    let (_bench, layout) =
        build(&base, "FROM base:1\nWORKDIR /app\nCOPY --chown=app server ./\nUSER app\n").unwrap();
    let layer = &layout.manifest["layers"][1];
    assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+zstd");
    assert_eq!(std::fs::read(layout.blob(layer["digest"].as_str().unwrap()).unwrap()).unwrap(), packed);
    build(&base, "FROM scratch\nCOPY --from=base:1 /bin/tool /a\n").unwrap();
    base.layers[1].0.truncate(20);
    let error = build(&base, "FROM scratch\nCOPY --from=base:1 /bin/tool /a\n").map(drop).unwrap_err();
    assert!(error.contains("cannot be read") || error.contains("incomplete"), "{error}");
}

#[test]
fn refuses_unsuitable_base_images() {
    let with = |change: &dyn Fn(&mut Base)| {
        let mut base = system();
        change(&mut base);
        build(&base, "ARG X\nFROM base:1\n").map(drop).unwrap_err()
    };
    let lines = [
        with(&|b| b.config["architecture"] = json!("arm64")),
        with(&|b| b.config["os"] = json!("windows")),
        with(&|b| b.config["config"]["OnBuild"] = json!(["RUN x"])),
        with(&|b| b.config["rootfs"]["diff_ids"] = json!([])),
    ];
    expect![[r#"
        Dockerfile:2: FROM base:1: the image is for linux on arm64, not for linux on amd64
        Dockerfile:2: FROM base:1: the image is for windows on amd64, not for linux on amd64
        Dockerfile:2: FROM base:1: the image has ONBUILD instructions, which need docker, podman or buildah
        Dockerfile:2: FROM base:1: the image has 2 layers, but its configuration lists 0"#]]
    .assert_eq(&lines.join("\n"));
}

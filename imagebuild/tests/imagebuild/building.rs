use escale_imagebuild::{Bases, Built, Context, Dockerfile, Layout, Recipe, build};
use expect_test::expect;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
    sync::Arc,
};
use tempfile::TempDir;

/// A context with a few files, and a folder for the image.
pub(crate) struct Fixture {
    pub(crate) folder: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let context = folder.path().join("context");
        fs::create_dir_all(context.join("web/deep")).unwrap();
        for (name, text) in [
            ("server", "binary"),
            ("web/a.html", "a"),
            ("web/deep/b.html", "b"),
            ("web/x.tmp", "x"),
            (".dockerignore", "**/*.tmp\n"),
        ] {
            let path = context.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        for name in ["web", "web/deep"] {
            fs::set_permissions(context.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        symlink("a.html", context.join("web/link")).unwrap();
        Fixture { folder }
    }

    pub(crate) fn build(&self, dockerfile: &str, to: &str, bases: &dyn Bases) -> Result<Built, String> {
        let dockerfile = Dockerfile::parse(dockerfile, "Dockerfile").unwrap();
        let folder = escale_files::Folder::open(&self.folder.path().join("context")).unwrap();
        let context = Context::open(Arc::new(folder), "Dockerfile").unwrap();
        let args = BTreeMap::from([("VERSION".to_owned(), "7".to_owned())]);
        let recipe = Recipe {
            dockerfile: &dockerfile,
            context: &context,
            args,
            architecture: "amd64",
            reference: "shop/web:1",
        };
        let folder = self.folder.path().display().to_string();
        build(&recipe, bases, &self.folder.path().join(to)).map_err(|e| e.to_string().replace(&folder, ""))
    }

    /// The list of a layer's files, as tar prints it.
    pub(crate) fn tar(layout: &Layout, layer: &serde_json::Value) -> String {
        run(Command::new("tar")
            .args(["--list", "--verbose", "--gzip", "--file"])
            .arg(layout.blob(layer["digest"].as_str().unwrap()).unwrap()))
    }
}

/// No base images, for builds from scratch.
pub(crate) fn nothing() -> BTreeMap<String, Layout> {
    BTreeMap::new()
}

fn run(command: &mut Command) -> String {
    let output = command.env("TZ", "UTC").output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) const DOCKERFILE: &str = "FROM scratch
ARG VERSION=1
WORKDIR /srv
ENV VERSION=$VERSION MODE=${MODE:-fast}
COPY --chmod=0755 --chown=65534 server bin/
COPY web /srv/web
LABEL version=\"v$VERSION\"
USER 65534:65534
EXPOSE 80
ENTRYPOINT [\"/srv/bin/server\"]
CMD [\"--port\", \"80\"]
";

#[test]
fn skopeo_reads_the_image_and_its_configuration() {
    let fixture = Fixture::new();
    let built = fixture.build(DOCKERFILE, "out", &nothing()).unwrap();
    let image = format!("oci:{}:shop/web:1", fixture.folder.path().join("out").display());
    let inspected: serde_json::Value =
        serde_json::from_str(&run(Command::new("skopeo").args(["inspect", &image]))).unwrap();
    assert_eq!(inspected["Digest"], built.digest);
    let config = run(Command::new("skopeo").args(["inspect", "--config", "--raw", &image]));
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    expect![[r#"
        {
          "Cmd": [
            "--port",
            "80"
          ],
          "Entrypoint": [
            "/srv/bin/server"
          ],
          "Env": [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "VERSION=7",
            "MODE=fast"
          ],
          "ExposedPorts": {
            "80/tcp": {}
          },
          "Labels": {
            "version": "v7"
          },
          "User": "65534:65534",
          "WorkingDir": "/srv"
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&config["config"]).unwrap());
    // and it survives a copy, in which skopeo checks every digest
    let copy = format!("dir:{}", fixture.folder.path().join("copy").display());
    run(Command::new("skopeo").args(["--insecure-policy", "copy", &image, &copy]));
}

#[test]
fn layers_contain_the_files() {
    let fixture = Fixture::new();
    let built = fixture.build(DOCKERFILE, "out", &nothing()).unwrap();
    let listing: Vec<String> =
        (0..3).map(|i| Fixture::tar(&built.layout, &built.layout.manifest["layers"][i])).collect();
    expect![[r#"
        drwxr-xr-x 0/0               0 1970-01-01 00:00 srv/
        --
        drwxr-xr-x 0/0               0 1970-01-01 00:00 srv/bin/
        -rwxr-xr-x 65534/65534       6 1970-01-01 00:00 srv/bin/server
        --
        drwxr-xr-x 0/0               0 1970-01-01 00:00 srv/web/
        -rw-r--r-- 0/0               1 1970-01-01 00:00 srv/web/a.html
        drwxr-xr-x 0/0               0 1970-01-01 00:00 srv/web/deep/
        -rw-r--r-- 0/0               1 1970-01-01 00:00 srv/web/deep/b.html
        lrwxrwxrwx 0/0               0 1970-01-01 00:00 srv/web/link -> a.html
    "#]]
    .assert_eq(&listing.join("--\n"));
}

#[test]
fn equal_content_gives_an_equal_digest() {
    let (one, two) = (Fixture::new(), Fixture::new());
    let digest = |fixture: &Fixture, to| fixture.build(DOCKERFILE, to, &nothing()).unwrap().digest;
    let first = digest(&one, "out");
    assert_eq!(first, digest(&one, "again"));
    assert_eq!(first, digest(&two, "out"));
    fs::write(two.folder.path().join("context/web/a.html"), "changed").unwrap();
    assert_ne!(first, digest(&two, "changed"));
}

struct Folder<'a>(&'a Path);

impl Bases for Folder<'_> {
    fn find(&self, reference: &str) -> Result<Layout, String> {
        assert_eq!(reference, "base:7");
        Layout::open(self.0, "amd64").map_err(|e| e.to_string())
    }
}

#[test]
fn builds_on_another_image() {
    let fixture = Fixture::new();
    fixture.build(DOCKERFILE, "base", &nothing()).unwrap();
    let base = fixture.folder.path().join("base");
    let text = "ARG VERSION\nFROM base:$VERSION\nCOPY web/a.html ./\nENV MODE=slow\nENTRYPOINT [\"/srv/bin/other\"]\n";
    let built = fixture.build(text, "out", &Folder(&base)).unwrap();
    assert_eq!(built.layout.manifest["layers"].as_array().unwrap().len(), 4);
    assert!(Fixture::tar(&built.layout, &built.layout.manifest["layers"][3]).ends_with("srv/a.html\n"));
    let config = built.layout.config().unwrap();
    assert_eq!(config["config"]["User"], "65534:65534");
    assert_eq!(
        config["config"]["Cmd"],
        serde_json::Value::Null,
        "an entry point takes the old arguments away"
    );
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 4);
    let image = format!("oci:{}", fixture.folder.path().join("out").display());
    run(Command::new("skopeo").args(["inspect", &image]));
}

#[test]
fn errors_name_the_line_and_the_cause() {
    let fixture = Fixture::new();
    symlink("/etc/passwd", fixture.folder.path().join("context/outside")).unwrap();
    let texts: Vec<String> = [
        "FROM debian:12\n",
        "FROM scratch\nCOPY nothing /x\n",
        "FROM scratch\nCOPY *.nothing /x/\n",
        "FROM scratch\nCOPY web/x.tmp /x\n",
        "FROM scratch\nCOPY ../x /x\n",
        "FROM scratch\nCOPY outside /x\n",
        "FROM scratch\nCOPY server web /x\n",
        "FROM scratch\nCOPY --chown=nobody server /x\n",
        "FROM scratch\nCOPY --chmod=rwx server /x\n",
        "FROM scratch\nEXPOSE http\n",
        "FROM scratch\nENV A=${B:?x}\n",
        "FROM scratch\nRUN x\n",
    ]
    .iter()
    .map(|text| fixture.build(text, "out", &nothing()).unwrap_err())
    .collect();
    expect![[r#"
        Dockerfile:1: FROM debian:12: it was not pulled
        Dockerfile:2: there is no `nothing` in /context
        Dockerfile:2: there is no `*.nothing` in /context
        Dockerfile:2: `web/x.tmp` is excluded by .dockerignore in /context
        Dockerfile:2: `../x` is outside the build context
        Dockerfile:2: /context/outside is a symbolic link to /etc/passwd, which is outside of /context. Replace the link by a copy of what it points to, or move that into /context and link to it by a relative path
        Dockerfile:2: with more than one source the destination must end with `/`, unlike `/x`
        Dockerfile:2: the image's /etc/passwd has no user `nobody`. Use the numeric id
        Dockerfile:2: --chmod takes an octal mode, not `rwx`
        Dockerfile:2: EXPOSE takes a port like `8000` or `53/udp`, unlike `http`
        Dockerfile:2: `${B:?x}` is not supported: use ${a}, ${a:-b} or ${a:+b}
        Dockerfile:2: RUN needs docker, podman or buildah"#]]
    .assert_eq(&texts.join("\n"));
}

//! Mounts that a container takes from another one, and the volumes of images.

use crate::{
    image::ImageMaker,
    rig::{Rig, group, spec},
};
use escale_containers::spec::{Condition, ContainerSpec, DependsOn, Mount, MountSource, VolumesFrom};
use serde_json::json;

fn sh(name: &str, image: &str, script: &str) -> ContainerSpec {
    let mut c = spec(name, image);
    c.command = Some(vec!["/bin/sh".into(), "-c".into(), script.into()]);
    c
}

fn from(container: &str, readonly: bool) -> Vec<VolumesFrom> {
    vec![VolumesFrom { container: container.into(), readonly }]
}

/// An image with files at two volumes, of which one is below a link, and with a volume that it does not have.
fn image(rig: &Rig) -> String {
    let files = [("app/index", "from the image"), ("app/sub/deep", "deeper"), ("data/seed", "seeded")];
    let image = ImageMaker {
        files: files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect(),
        config: json!({"Volumes": {"/app": {}, "/data/": {}, "/absent": {}}}),
        ..Default::default()
    };
    image.manifest(&rig.machine().blobs())
}

#[tokio::test(flavor = "multi_thread")]
async fn takes_mounts_and_files_of_an_image() {
    let rig = Rig::real();
    let image = image(&rig);
    let mut app = sh("app", &image, "echo new > /app/new; echo kept > /absent/f; while :; do sleep 1; done");
    // A scratch directory at a path of the image begins with the image's files, too.
    app.mounts =
        vec![Mount { source: MountSource::Volume("v".into()), target: "/data".into(), readonly: false }];
    let script = "while ! test -s /absent/f; do sleep 0.02; done; cat /app/index; echo; cat /app/sub/deep; echo; \
                  cat /app/new /data/seed; echo; cat /absent/f; touch /app/x || echo read-only; ls -ld /app/sub";
    let mut web = sh("web", &rig.machine().image, script);
    web.volumes_from = from("app", true);
    web.depends_on = vec![DependsOn { container: "app".into(), condition: Condition::Start }];
    let mut log = sh("log", &rig.machine().image, "touch /app/y && echo writable");
    // Through another container, whose mounts are read-only; and its own mount comes first.
    log.volumes_from = from("web", false);
    log.mounts = vec![Mount {
        source: MountSource::Memory { size_bytes: 1 << 20 },
        target: "/app".into(),
        readonly: false,
    }];
    log.essential = false;
    let mut g = group("g", vec![app, web, log]);
    g.volumes = vec!["v".into()];
    rig.plane().start(g).await.unwrap();
    let lines = rig.log("g", "web").await;
    for line in ["from the image", "deeper", "new", "seeded", "kept", "read-only"] {
        assert!(lines.iter().any(|l| l == line), "{line} is not in {lines:#?}");
    }
    // Not the last line for sure: the error of `touch` comes over another pipe.
    assert!(lines.iter().any(|line| line.starts_with("drwxr-xr-x")), "{lines:#?}");
    assert!(rig.log("g", "log").await.contains(&"writable".to_owned()));
    rig.done().await;
}

/// Files in a scratch directory win over those of the image: another container may have written them.
#[tokio::test(flavor = "multi_thread")]
async fn does_not_overwrite_files_of_others() {
    let rig = Rig::real();
    let image = image(&rig);
    let mount = Mount { source: MountSource::Volume("v".into()), target: "/data".into(), readonly: false };
    let mut first = sh("first", &rig.machine().image, "echo first > /data/own");
    first.mounts = vec![mount.clone()];
    first.essential = false;
    let mut app = sh("app", &image, "cat /data/own; cat /data/seed");
    app.mounts = vec![mount];
    app.depends_on = vec![DependsOn { container: "first".into(), condition: Condition::Success }];
    let mut g = group("g", vec![first, app]);
    g.volumes = vec!["v".into()];
    rig.plane().start(g).await.unwrap();
    let lines = rig.log("g", "app").await;
    assert!(lines.contains(&"first".to_owned()) && !lines.contains(&"seeded".to_owned()), "{lines:#?}");
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refuses_sources_that_do_not_fit() {
    let rig = Rig::fake();
    for (source, why) in [("nobody", "not in the group"), ("a", "its own mounts"), ("b", "its own mounts")] {
        let mut a = rig.container("a", Default::default());
        a.volumes_from = from(source, false);
        let mut b = rig.container("b", Default::default());
        b.volumes_from = from("a", false);
        let error = rig.plane().start(group("g", vec![a, b])).await.unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

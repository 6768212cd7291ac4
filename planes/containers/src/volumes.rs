//! The mounts of a container: its own, those that it takes from other containers, and the volumes of images.
//!
//! An image can declare paths as volumes. It matters in two cases only. If another container takes the mounts of the image's container,
//! each of these paths becomes a scratch directory of the group. And a scratch directory that is mounted at such a path begins
//! with the image's files, as with Docker and Fargate. Otherwise the files stay in the container's own layer.

use crate::{
    image,
    spec::{ContainerSpec, GroupSpec, Mount, MountSource},
    unpack,
};
use escale_base::PlaneError;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fs, io,
    os::fd::{AsFd, AsRawFd},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The configuration of an image, by its digest.
pub(crate) type Images<'a> = &'a dyn Fn(&str) -> Result<image::Config, PlaneError>;

/// A scratch directory that begins with the files below a path of the image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seed {
    pub(crate) path: PathBuf,
    pub(crate) volume: PathBuf,
}

/// The scratch directories that the images of a group need beside the group's own.
pub(crate) fn of_images(group: &GroupSpec, images: Images<'_>) -> Result<Vec<String>, PlaneError> {
    let mut all = Vec::new();
    for c in &group.containers {
        all.extend(declared(group, c, images)?.into_iter().filter_map(|mount| match mount.source {
            MountSource::Volume(name) => Some(name),
            MountSource::Host(_) | MountSource::Memory { .. } => None,
        }));
    }
    Ok(all)
}

/// All mounts of a container, parents before what is mounted below them. Its own come before those of others at the same path.
pub(crate) fn of_container(
    group: &GroupSpec,
    c: &ContainerSpec,
    images: Images<'_>,
) -> Result<Vec<Mount>, PlaneError> {
    let mut all = own(group, c, images)?;
    for from in &c.volumes_from {
        // The spec's check excludes cycles.
        let Some(source) = group.container(&from.container) else { continue };
        for mut mount in of_container(group, source, images)? {
            mount.readonly |= from.readonly;
            if !all.iter().any(|known| known.target == mount.target) {
                all.push(mount);
            }
        }
    }
    all.sort_by_key(|mount| Path::new(&mount.target).components().count());
    Ok(all)
}

/// The scratch directories of a container that begin with its image's files.
pub(crate) fn seeds(
    group: &GroupSpec,
    c: &ContainerSpec,
    volumes: &Path,
    images: Images<'_>,
) -> Result<Vec<Seed>, PlaneError> {
    let declared: BTreeSet<String> = images(&c.image)?.volume_paths().collect();
    let seed = |mount: Mount| match mount.source {
        MountSource::Volume(name) if declared.contains(trimmed(&mount.target)) => {
            Some(Seed { path: mount.target.into(), volume: volumes.join(name) })
        }
        _ => None,
    };
    Ok(own(group, c, images)?.into_iter().filter_map(seed).collect())
}

/// The mounts of the spec, and the image's volumes at other paths if another container takes them.
fn own(group: &GroupSpec, c: &ContainerSpec, images: Images<'_>) -> Result<Vec<Mount>, PlaneError> {
    let mut all = c.mounts.clone();
    all.extend(declared(group, c, images)?);
    Ok(all)
}

fn declared(group: &GroupSpec, c: &ContainerSpec, images: Images<'_>) -> Result<Vec<Mount>, PlaneError> {
    let is_source = |other: &ContainerSpec| other.volumes_from.iter().any(|from| from.container == c.name);
    if !group.containers.iter().any(is_source) {
        return Ok(Vec::new());
    }
    let image = images(&c.image)?;
    let free = image.volume_paths().filter(|path| !c.mounts.iter().any(|m| trimmed(&m.target) == path));
    // The dot keeps these names apart from those of the spec's volumes.
    let mount = |(n, path): (usize, String)| Mount {
        source: MountSource::Volume(format!("{}.{n}", c.name)),
        target: path,
        readonly: false,
    };
    Ok(free.enumerate().map(mount).collect())
}

fn trimmed(path: &str) -> &str {
    path.trim_end_matches('/')
}

/// Copies the image's files, owners and modes included, unless the directory has files already. Called by the shim in the folder of
/// the container, whose root is mounted. A shim that was killed leaves the mark of an incomplete copy, which the next one
/// repeats.
pub(crate) fn fill(root: impl AsFd, number: usize, seed: &Seed) -> io::Result<()> {
    let mark = PathBuf::from(format!("seed-{number}"));
    match fs::read_to_string(&mark) {
        Ok(state) if state == "complete" => return Ok(()),
        Ok(_) => {}
        Err(_) if fs::read_dir(&seed.volume)?.next().is_some() => return Ok(()),
        Err(_) => fs::write(&mark, "begun")?,
    }
    let below = seed.path.strip_prefix("/").unwrap_or(&seed.path);
    match unpack::open_in(root, below, OFlags::DIRECTORY | OFlags::RDONLY) {
        Ok(folder) => copy(folder.as_fd().as_raw_fd(), &seed.volume)?,
        // An image may declare a path that it does not have.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::write(&mark, "complete")
}

/// `cp` of any system keeps owners, modes, links and attributes. The source is named by its descriptor, so that no link of the image
/// leads out of its root.
fn copy(folder: i32, target: &Path) -> io::Result<()> {
    let source = format!("/proc/{}/fd/{folder}/.", std::process::id());
    let output = Command::new("cp").args(["-a", &source]).arg(target).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn container(name: &str, mounts: Value, from: Value) -> Value {
        json!({
            "name": name, "image": name, "entrypoint": null, "command": null, "env": {}, "user": null, "workdir": null,
            "mounts": mounts, "volumes_from": from, "limits": {}, "security": {
                "readonly_root": false, "add_capabilities": [], "drop_capabilities": [], "no_new_privileges": true,
            },
            "ulimits": [], "essential": true, "depends_on": [], "health": null, "start_timeout_ms": 1, "stop_timeout_ms": 1,
            "stop_signal": null,
        })
    }

    fn group(containers: &[Value]) -> GroupSpec {
        let group = json!({
            "id": "g", "zone": "z", "network": "None", "hostname": "h", "hosts": [], "limits": {},
            "dns": {"nameservers": [], "search": [], "options": []}, "volumes": ["v"], "containers": containers,
        });
        serde_json::from_value(group).unwrap()
    }

    fn volume(name: &str, target: &str) -> Value {
        json!({"source": {"Volume": name}, "target": target, "readonly": false})
    }

    /// The image of `php` declares two volumes, the others none.
    fn images(digest: &str) -> Result<image::Config, PlaneError> {
        let volumes =
            if digest == "php" { json!({"/app/": {}, "/data": {}, "relative": {}}) } else { json!({}) };
        Ok(serde_json::from_value(json!({ "Volumes": volumes })).unwrap())
    }

    fn shown(group: &GroupSpec, name: &str) -> Vec<String> {
        let mounts = of_container(group, group.container(name).unwrap(), &images).unwrap();
        let show = |mount: Mount| {
            let MountSource::Volume(volume) = mount.source else { panic!("not a volume") };
            format!("{volume} {}{}", mount.target, if mount.readonly { " ro" } else { "" })
        };
        mounts.into_iter().map(show).collect()
    }

    #[test]
    fn takes_mounts_and_volumes_of_images() {
        let from = |name: &str, readonly: bool| json!([{"container": name, "readonly": readonly}]);
        let group = group(&[
            container("php", json!([volume("v", "/data/")]), json!([])),
            container("web", json!([volume("v", "/app/static")]), from("php", true)),
            container("log", json!([volume("v", "/app")]), from("web", false)),
        ]);
        assert_eq!(shown(&group, "php"), ["v /data/", "php.0 /app"]);
        assert_eq!(shown(&group, "web"), ["v /data/ ro", "php.0 /app ro", "v /app/static"]);
        assert_eq!(shown(&group, "log"), ["v /app", "v /data/ ro", "v /app/static"]);
        assert_eq!(of_images(&group, &images).unwrap(), ["php.0"]);
        let php = seeds(&group, group.container("php").unwrap(), Path::new("/volumes"), &images).unwrap();
        let paths: Vec<_> = php.iter().map(|seed| (seed.path.to_str(), seed.volume.to_str())).collect();
        assert_eq!(paths, [(Some("/data/"), Some("/volumes/v")), (Some("/app"), Some("/volumes/php.0"))]);
    }

    #[test]
    fn volumes_of_images_are_nothing_if_nobody_takes_them() {
        let group = group(&[container("php", json!([]), json!([]))]);
        assert_eq!(shown(&group, "php"), Vec::<String>::new());
        assert_eq!(of_images(&group, &images).unwrap(), Vec::<String>::new());
    }
}

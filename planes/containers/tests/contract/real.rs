//! Behaviour that needs a real kernel.

use crate::{
    image::{ImageMaker, blob, here, index},
    rig::{Rig, group, spec},
};
use escale_base::{Secret, error::Fault};
use escale_containers::{
    ExitReason, StopReason, Stream,
    spec::{ContainerSpec, GroupSpec, Limits, Mount, MountSource, Network, Ulimit},
};
use std::{collections::BTreeMap, fs, path::Path, time::Duration};

fn sh(rig: &Rig, name: &str, script: &str) -> ContainerSpec {
    let mut c = spec(name, &rig.machine().image);
    c.command = Some(vec!["/bin/sh".into(), "-c".into(), script.into()]);
    c
}

/// Runs a group of one container to its end: returns its lines and the exit code.
async fn output(rig: &Rig, g: GroupSpec) -> (Vec<String>, Option<i32>) {
    let (id, name) = (g.id.clone(), g.containers[0].name.clone());
    rig.plane().start(g).await.unwrap();
    let lines = rig.log(&id, &name).await;
    let exit = rig.exit(&id, &name).await;
    assert_eq!(exit.reason, ExitReason::Ended, "{lines:?}");
    (lines, exit.code)
}

#[tokio::test(flavor = "multi_thread")]
async fn environment_user_and_directory() {
    let rig = Rig::real();
    let image = ImageMaker {
        config: serde_json::json!({"Env": ["FROM_IMAGE=1", "BOTH=image"], "User": "app", "WorkingDir": "/made/here",
            "Entrypoint": ["/bin/sh", "-c"], "Cmd": ["echo not this"]}),
        ..Default::default()
    };
    let mut c = spec("main", &image.manifest(&rig.machine().blobs()));
    c.command = Some(vec![
        "id; pwd; echo $FROM_IMAGE $BOTH $HOME; hostname; cat /etc/hosts /etc/resolv.conf; ls -d /gone"
            .into(),
    ]);
    c.env.insert("BOTH".into(), Secret::new("container".into()));
    let mut g = group("g", vec![c]);
    g.hosts = vec![("10.1.2.3".parse().unwrap(), "db".into())];
    g.dns.nameservers = vec!["10.0.0.2".parse().unwrap()];
    g.dns.search = vec!["shop.internal".into()];
    let (lines, code) = output(&rig, g).await;
    assert_eq!(lines[0], "uid=1000(app) gid=1000(app) groups=77(extra)");
    assert_eq!(&lines[1..4], ["/made/here", "1 container /home/app", "test-host"]);
    for line in [
        "10.1.2.3\tdb",
        "nameserver 10.0.0.2",
        "search shop.internal",
        "ls: /gone: No such file or directory",
    ] {
        assert!(lines.iter().any(|l| l == line), "{line} is not in {lines:#?}");
    }
    assert_eq!(code, Some(1));
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_container_killed_for_memory() {
    let rig = Rig::real();
    let mut c = sh(&rig, "main", "exec dd if=/dev/zero of=/dev/null bs=200M count=1");
    c.limits.memory_bytes = Some(32 * 1024 * 1024);
    rig.plane().start(group("g", vec![c])).await.unwrap();
    let exit = rig.exit("g", "main").await;
    assert!(exit.oom && exit.signal == Some(9), "{exit:?}");
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_written_to_the_cgroup() {
    let rig = Rig::real();
    let mut c = sh(&rig, "main", "echo up; while :; do :; done");
    c.limits =
        Limits { cpu_millis: Some(250), memory_bytes: Some(64 << 20), pids: Some(50), ..Limits::default() };
    let mut g = group("g", vec![c]);
    g.limits = Limits { cpu_millis: Some(500), memory_bytes: Some(128 << 20), ..Limits::default() };
    rig.plane().start(g).await.unwrap();
    rig.running("g", "main").await;
    let stats = rig.plane().stats("g").await.unwrap();
    assert_eq!(stats.group.memory_limit_bytes, Some(128 << 20));
    assert_eq!(stats.containers["main"].memory_limit_bytes, Some(64 << 20));
    let path = format!("{}/g", rig.machine().tag);
    let quota = |path: &str| {
        let v1 = fs::read_to_string(format!("/sys/fs/cgroup/cpu/{path}/cpu.cfs_quota_us"));
        let text = v1.or_else(|_| fs::read_to_string(format!("/sys/fs/cgroup/{path}/cpu.max"))).unwrap();
        text.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!((quota(&path), quota(&format!("{path}/main"))), (50_000, 25_000));
    for (path, bytes) in [(path.clone(), 128_u64 << 20), (format!("{path}/main"), 64 << 20)] {
        assert_eq!(most_swap(&path, bytes), Some(0), "{path}");
    }
    // A busy loop uses CPU: the count goes up.
    let busy = async {
        while rig.plane().stats("g").await.unwrap().containers["main"].cpu_us < 50_000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), busy).await.unwrap();
    rig.done().await;
}

/// How much of its memory a cgroup with this limit may swap; `None` where this kernel cannot limit it.
fn most_swap(path: &str, limit: u64) -> Option<u64> {
    let v1 = fs::read_to_string(format!("/sys/fs/cgroup/memory/{path}/memory.memsw.limit_in_bytes"));
    let number = |text: String| text.trim().parse::<u64>().unwrap();
    if let Ok(both) = v1 {
        return Some(number(both) - limit);
    }
    fs::read_to_string(format!("/sys/fs/cgroup/{path}/memory.swap.max")).ok().map(number)
}

#[tokio::test(flavor = "multi_thread")]
async fn open_files_limit_defaults_to_that_of_fargate() {
    let rig = Rig::real();
    let limits = |c: ContainerSpec| async {
        let g = group(&c.name.clone(), vec![c]);
        let (lines, _) = output(&rig, g).await;
        let line = lines.iter().find(|l| l.starts_with("Max open files")).unwrap();
        line.split_whitespace().skip(3).take(2).map(|n| n.parse().unwrap()).collect::<Vec<u64>>()
    };
    // As in a login: a soft limit far below the hard one. Containers must not inherit it.
    let own = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let login = rustix::process::Rlimit { current: Some(2_048), ..own };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, login).unwrap();
    let table = fs::read_to_string("/proc/self/limits").unwrap();
    let own = table.lines().find(|l| l.starts_with("Max open files")).unwrap();
    let hard: u64 = own.split_whitespace().nth(4).unwrap().parse().unwrap();
    let most = hard.min(65_535);
    assert_eq!(limits(sh(&rig, "default", "cat /proc/self/limits")).await, [most, most]);
    let mut asked = sh(&rig, "asked", "cat /proc/self/limits");
    asked.ulimits = vec![Ulimit { name: "nofile".into(), soft: 512, hard: 1024 }];
    assert_eq!(limits(asked).await, [512, 1024]);
    rig.done().await;
}

/// The children of a process, as `pid (name) state`.
fn children(pid: i32) -> Vec<String> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let stat = |pid: &str| fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let short = |text: String| text.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    list.split_whitespace().filter_map(stat).map(short).collect()
}

/// The shim of a container's first process. Its parent is the runtime until that has ended.
async fn shim_of(pid: i32) -> i32 {
    let shim = async {
        loop {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let parent: i32 =
                status.lines().find_map(|l| l.strip_prefix("PPid:")).unwrap().trim().parse().unwrap();
            let called = fs::read_to_string(format!("/proc/{parent}/cmdline")).unwrap_or_default();
            if called.contains("container-shim") {
                return parent;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), shim).await.expect("a shim adopts the process")
}

#[tokio::test(flavor = "multi_thread")]
async fn shim_reaps_zombies() {
    let rig = Rig::real();
    rig.plane().start(group("g", vec![sh(&rig, "main", "while :; do sleep 1; done")])).await.unwrap();
    let pid = rig.running("g", "main").await;
    let shim = shim_of(pid).await;
    // A command in the container leaves no zombie either.
    rig.plane()
        .exec("g", "main", &["/bin/test".into(), "-e".into(), "/".into()], Duration::from_secs(10))
        .await
        .unwrap();
    let only_the_container = async {
        loop {
            let left = children(shim);
            assert!(left.iter().any(|c| c.starts_with(&format!("{pid} "))), "{left:?}");
            if left.len() == 1 {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let reaped = tokio::time::timeout(Duration::from_secs(10), only_the_container).await;
    assert!(reaped.is_ok(), "{:?}", children(shim));
    rig.done().await;
}

/// A file without a name takes space as long as a process has it open; a volume counts as a root does.
#[tokio::test(flavor = "multi_thread")]
async fn counts_unnamed_files_and_volumes() {
    let rig = Rig::real();
    let unnamed = "exec 3>/f; rm /f; dd if=/dev/zero bs=1M count=8 >&3; while :; do sleep 1; done";
    let to_volume = "dd if=/dev/zero of=/shared/f bs=1M count=8; while :; do sleep 1; done";
    for (id, script) in [("unnamed", unnamed), ("volume", to_volume)] {
        let mut c = sh(&rig, "main", script);
        c.mounts = vec![Mount {
            source: MountSource::Volume("v".into()),
            target: "/shared".into(),
            readonly: false,
        }];
        let mut g = group(id, vec![c]);
        g.volumes = vec!["v".into()];
        g.limits.storage_bytes = Some(4 << 20);
        rig.plane().start(g).await.unwrap();
    }
    for id in ["unnamed", "volume"] {
        let stop = rig.stopped(id).await.stop.clone();
        assert!(matches!(stop, Some(StopReason::StorageFull { .. })), "{id}: {stop:?}");
    }
    rig.done().await;
}

/// Without an open plane, as on a machine whose disk is full.
#[tokio::test(flavor = "multi_thread")]
async fn clears_what_another_daemon_left_running() {
    let mut rig = Rig::real();
    let mut c = sh(&rig, "main", "trap '' TERM; echo up; while :; do sleep 1; done");
    c.stop_timeout_ms = 60_000;
    rig.plane().start(group("g", vec![c])).await.unwrap();
    let pid = rig.running("g", "main").await;
    let (state, tag) = (rig.machine().state(), rig.machine().tag.clone());
    let error = escale_containers::clear(&state, &tag).await.unwrap_err();
    assert!(error.to_string().contains("in use by a daemon"), "{error}");
    rig.plane = None;
    escale_containers::clear(&state, &tag).await.unwrap();
    assert!(!std::path::Path::new(&format!("/proc/{pid}/exe")).exists(), "it is killed");
    assert!(!state.join("groups").exists() && !state.join("layers").exists());
    escale_containers::clear(&state, &tag).await.unwrap();
    rig.restart();
    assert!(rig.plane().list().is_empty());
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_are_shared_and_roots_are_not() {
    let rig = Rig::real();
    let mount =
        |readonly| Mount { source: MountSource::Volume("v".into()), target: "/shared".into(), readonly };
    let mut writer = sh(&rig, "writer", "touch /own; echo hello > /shared/f; while :; do sleep 1; done");
    writer.mounts = vec![mount(false)];
    let mut reader = sh(
        &rig,
        "reader",
        "while ! test -s /shared/f; do sleep 0.02; done; cat /shared/f; touch /shared/g || echo read-only; ls /own; touch /x; echo $?",
    );
    reader.mounts = vec![mount(true)];
    reader.security.readonly_root = true;
    let mut g = group("g", vec![writer, reader]);
    g.volumes = vec!["v".into()];
    rig.plane().start(g).await.unwrap();
    let lines = rig.log("g", "reader").await;
    for line in ["hello", "read-only", "ls: /own: No such file or directory", "1"] {
        assert!(lines.iter().any(|l| l == line), "{line} is not in {lines:#?}");
    }
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_are_confined() {
    let rig = Rig::real();
    let script = "mount -t tmpfs none /mnt 2>&1; cat /proc/self/status; cat /proc/kcore 2>&1 | tail -c 10; \
                  echo x > /proc/sys/kernel/hostname; /bin/busybox mknod /m b 8 0; cat /m 2>&1";
    let (lines, _) = output(&rig, group("g", vec![sh(&rig, "main", script)])).await;
    let has = |text: &str| assert!(lines.iter().any(|l| l.contains(text)), "{text} is not in {lines:#?}");
    has("mount: permission denied");
    has("CapEff:\t00000000a80425fb");
    has("NoNewPrivs:\t1");
    has("Seccomp:\t2");
    has("can't create /proc/sys/kernel/hostname: Read-only file system");
    has("can't open '/m': Operation not permitted");
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_distinguish_streams_and_cut_long_lines() {
    let rig = Rig::real();
    let c = sh(&rig, "main", "echo out; echo err >&2; printf '%040000d' 0");
    rig.plane().start(group("g", vec![c])).await.unwrap();
    rig.exit("g", "main").await;
    let mut cursor = 0;
    let mut lines = vec![];
    loop {
        let chunk = rig.plane().logs("g", "main", cursor, 1 << 20, true).await.unwrap();
        cursor = chunk.next;
        lines.extend(chunk.lines);
        if chunk.end {
            break;
        }
    }
    let stdout: Vec<_> =
        lines.iter().filter(|l| l.stream == Stream::Stdout).map(|l| (l.text.len(), l.partial)).collect();
    assert_eq!(stdout, [(3, false), (16384, true), (16384, true), (7232, false)]);
    assert!(lines.iter().any(|l| l.stream == Stream::Stderr && l.text == b"err"));
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_runs_commands_inside_the_container() {
    let rig = Rig::real();
    let mut c = sh(&rig, "main", "while :; do sleep 1; done");
    c.env.insert("WHO".into(), Secret::new("me".into()));
    rig.plane().start(group("g", vec![c])).await.unwrap();
    rig.running("g", "main").await;
    let run = |argv: &[&str], ms: u64| {
        let argv: Vec<String> = argv.iter().map(|a| a.to_string()).collect();
        let plane = rig.plane();
        async move { plane.exec("g", "main", &argv, Duration::from_millis(ms)).await }
    };
    let out = run(&["/bin/sh", "-c", "echo $WHO; echo bad >&2; exit 3"], 20_000).await.unwrap();
    assert_eq!((out.code, out.stdout.as_slice(), out.stderr.as_slice()), (3, &b"me\n"[..], &b"bad\n"[..]));
    let e = run(&["/nope"], 20_000).await.unwrap_err();
    assert!(e.fault == Fault::Asked && e.to_string().contains("/nope"), "{e}");
    let e = run(&["/bin/sleep", "1000"], 500).await.unwrap_err();
    assert!(e.to_string().contains("had not ended"), "{e}");
    let quick = async {
        loop {
            let out =
                run(&["/bin/sh", "-c", "/bin/busybox ps | /bin/busybox grep -c '[s]leep 1000'"], 20_000)
                    .await
                    .unwrap();
            if out.stdout == b"0\n" {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), quick).await.expect("the command was not killed");
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_shim_is_reported_and_its_container_killed() {
    let rig = Rig::real();
    rig.plane().start(group("g", vec![sh(&rig, "main", "while :; do sleep 1; done")])).await.unwrap();
    let pid = rig.running("g", "main").await;
    let shim = shim_of(pid).await;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(shim), nix::sys::signal::Signal::SIGKILL).unwrap();
    let exit = rig.exit("g", "main").await;
    assert!(matches!(exit.reason, ExitReason::Lost(_)), "{exit:?}");
    assert!(!Path::new(&format!("/proc/{pid}/root/bin")).exists());
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_images_are_refused_by_name() {
    let rig = Rig::real();
    let blobs = rig.machine().blobs();
    let other = if here() == "amd64" { "arm64" } else { "amd64" };
    let foreign = ImageMaker { architecture: Some(other), ..Default::default() }.manifest(&blobs);
    let only_foreign = index(&blobs, &BTreeMap::from([(other, foreign.clone())]));
    let config = blob(
        &blobs,
        format!(r#"{{"os":"linux","architecture":"{}","rootfs":{{"diff_ids":["a"]}}}}"#, here()).as_bytes(),
    );
    let with_layer = |kind: &str, digest: &str| {
        let m = serde_json::json!({"config": {"digest": config}, "layers": [{"mediaType": kind, "digest": digest}]});
        blob(&blobs, m.to_string().as_bytes())
    };
    let xz = with_layer("application/vnd.oci.image.layer.v1.tar+xz", &config);
    let gone = with_layer("application/vnd.oci.image.layer.v1.tar", &format!("sha256:{}", "1".repeat(64)));
    for (image, says) in [
        (foreign.clone(), other),
        (only_foreign, other),
        (xz, "tar+xz"),
        (gone, "sha256:1111"),
        (config.clone(), "so it is not an image"),
    ] {
        let mut c = spec("main", &image);
        c.command = Some(vec!["/x".into()]);
        let e = rig.plane().start(group("g", vec![c])).await.unwrap_err();
        assert!(e.fault == Fault::Asked && e.to_string().contains(says), "{e}");
    }
    let own = index(&blobs, &BTreeMap::from([(other, foreign), (here(), rig.machine().image.clone())]));
    let mut c = spec("main", &own);
    c.command = Some(vec!["/bin/echo".into(), "chosen".into()]);
    assert_eq!(output(&rig, group("g", vec![c])).await, (vec!["chosen".to_string()], Some(0)));
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_in_zstd_are_unpacked() {
    let rig = Rig::real();
    let image = ImageMaker { zstd: true, ..Default::default() }.manifest(&rig.machine().blobs());
    let mut c = spec("main", &image);
    c.command = Some(vec!["/bin/sh".into(), "-c".into(), "cat /etc/group; ls -d /gone".into()]);
    let (lines, code) = output(&rig, group("g", vec![c])).await;
    assert_eq!(
        (&lines[..2], code),
        (&["root:x:0:".to_owned(), "app:x:1000:".to_owned()][..], Some(1)),
        "{lines:?}"
    );
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_hostile_layer_is_refused() {
    let rig = Rig::real();
    let blobs = rig.machine().blobs();
    let config = blob(
        &blobs,
        format!(r#"{{"os":"linux","architecture":"{}","rootfs":{{"diff_ids":["a"]}}}}"#, here()).as_bytes(),
    );
    let outside = rig.machine().dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let mut climbing = tar::Builder::new(Vec::new());
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    link.set_uid(0);
    link.set_gid(0);
    link.set_mtime(1);
    link.set_mode(0o755);
    climbing.append_link(&mut link, "way-out", &outside).unwrap();
    let mut file = tar::Header::new_gnu();
    file.set_size(1);
    file.set_uid(0);
    file.set_gid(0);
    file.set_mtime(1);
    file.set_mode(0o755);
    file.set_mode(0o644);
    climbing.append_data(&mut file, "way-out/escaped", &b"x"[..]).unwrap();
    let linked = blob(&blobs, &climbing.into_inner().unwrap());
    let mut climbing = tar::Builder::new(Vec::new());
    let mut dots = tar::Header::new_gnu();
    dots.set_size(1);
    dots.set_uid(0);
    dots.set_gid(0);
    dots.set_mtime(1);
    dots.set_mode(0o755);
    dots.as_gnu_mut().unwrap().name[..5].copy_from_slice(b"../up");
    dots.set_cksum();
    climbing.append(&dots, &b"x"[..]).unwrap();
    let climbing = blob(&blobs, &climbing.into_inner().unwrap());
    let damaged = blob(&blobs, &[0u8; 1024]);
    fs::write(blobs.join("sha256").join(&damaged[7..]), [0u8; 2048]).unwrap();
    // Few bytes, whose decoder would allocate 2 GiB.
    let mut greedy = zstd::Encoder::new(Vec::new(), 1).unwrap();
    greedy.set_parameter(zstd::zstd_safe::CParameter::WindowLog(31)).unwrap();
    std::io::Write::write_all(&mut greedy, &[0u8; 1024]).unwrap();
    let greedy = blob(&blobs, &greedy.finish().unwrap());
    let not_zstd = blob(&blobs, b"not a frame");
    for (n, (layer, packed, says)) in [
        (climbing, "", "leads out of the layer"),
        (linked, "", "is a dangling link"),
        (damaged, "", "is damaged"),
        (greedy, "+zstd", "requires too much memory"),
        (not_zstd, "+zstd", "Unknown frame descriptor"),
    ]
    .into_iter()
    .enumerate()
    {
        let m = serde_json::json!({"config": {"digest": config}, "layers": [
            {"mediaType": format!("application/vnd.oci.image.layer.v1.tar{packed}"), "digest": layer},
        ]});
        let mut c = spec("main", &blob(&blobs, m.to_string().as_bytes()));
        c.command = Some(vec!["/x".into()]);
        rig.plane().start(group(&format!("g{n}"), vec![c])).await.unwrap();
        let exit = rig.exit(&format!("g{n}"), "main").await;
        assert!(matches!(&exit.reason, ExitReason::NotStarted(why) if why.contains(says)), "{exit:?}");
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(!rig.machine().state().join("layers/up").exists());
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_exec_is_reported_with_its_reason() {
    let rig = Rig::real();
    // The wording differs between versions of a runtime.
    let programs: [(&str, &[&str]); 2] = [
        ("/etc/not-executable", &["ermission denied", "/etc/not-executable"]),
        ("not-on-path", &["not-on-path"]),
    ];
    for (n, (program, words)) in programs.into_iter().enumerate() {
        let mut c = spec("main", &rig.machine().image);
        c.command = Some(vec![program.to_string()]);
        rig.plane().start(group(&format!("g{n}"), vec![c])).await.unwrap();
        let exit = rig.exit(&format!("g{n}"), "main").await;
        let ExitReason::NotStarted(why) = &exit.reason else { panic!("{exit:?}") };
        assert!(words.iter().any(|w| why.contains(w)), "{why}");
    }
    rig.done().await;
}

/// Removed with the test, also when it fails.
struct Netns(String);

impl Drop for Netns {
    fn drop(&mut self) {
        let done = std::process::Command::new("ip").args(["netns", "del", &self.0]).status();
        assert!(done.is_ok_and(|s| s.success()) || std::thread::panicking());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn container_runs_in_the_given_network_namespace() {
    let rig = Rig::real();
    let name = rig.machine().tag.clone();
    let netns = Netns(name.clone());
    let ip = |args: &[&str]| assert!(std::process::Command::new("ip").args(args).status().unwrap().success());
    ip(&["netns", "add", &name]);
    ip(&["-n", &name, "link", "set", "lo", "up"]);
    ip(&["-n", &name, "addr", "add", "10.99.0.1/32", "dev", "lo"]);
    let mut g = group(
        "g",
        vec![sh(
            &rig,
            "main",
            "/bin/busybox ip addr show lo; exec 2>&1; /bin/busybox nc -l -p 80 & sleep 0.1; jobs",
        )],
    );
    g.network = Network::Namespace(format!("/run/netns/{name}").into());
    let (lines, _) = output(&rig, g).await;
    drop(netns);
    assert!(lines.iter().any(|l| l.contains("10.99.0.1/32")), "{lines:#?}");
    assert!(!Path::new("/run/netns").join(&name).exists());
    let mut g = group("h", vec![sh(&rig, "main", "exit 0")]);
    g.network = Network::Namespace(format!("/run/netns/{name}").into());
    let e = rig.plane().start(g).await.unwrap_err();
    assert!(e.to_string().contains(&name), "{e}");
    rig.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wipe_leaves_nothing() {
    let mut rig = Rig::real();
    for id in ["g", "h", "i"] {
        rig.plane()
            .start(group(id, vec![sh(&rig, "main", "trap '' TERM; while :; do sleep 1; done")]))
            .await
            .unwrap();
    }
    let mut pids = vec![];
    for id in ["g", "h", "i"] {
        pids.push(rig.running(id, "main").await);
    }
    let (state, tag) = (rig.machine().state(), rig.machine().tag.clone());
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(state.to_str().unwrap()), "a mount is visible to the host");
    // Wiped by a plane that has just adopted the directory and not taken any step yet.
    rig.restart();
    rig.plane().wipe().await.unwrap();
    assert!(pids.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists()));
    for hierarchy in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        assert!(!hierarchy.path().join(&tag).exists(), "{:?}", hierarchy.path());
    }
    assert!(!Path::new("/sys/fs/cgroup").join(&tag).exists());
    assert_eq!(fs::read_dir(state.join("layers")).unwrap().count(), 0);
    assert_eq!(fs::read_dir(state.join("groups")).unwrap().count(), 0);
    rig.plane().start(group("again", vec![sh(&rig, "main", "exit 0")])).await.unwrap();
    assert_eq!(rig.exit("again", "main").await.code, Some(0));
    rig.done().await;
}

/// From the start of a group to the running process, with layers already unpacked. Prints the time; the bound only catches gross
/// regressions.
#[tokio::test(flavor = "multi_thread")]
async fn warm_start_is_fast() {
    let rig = Rig::real();
    let mut times = vec![];
    for n in 0..12 {
        let id = format!("g{n}");
        let before = std::time::Instant::now();
        rig.plane().start(group(&id, vec![sh(&rig, "main", "while :; do sleep 1; done")])).await.unwrap();
        rig.running(&id, "main").await;
        times.push(before.elapsed());
        rig.plane().remove(&id).await.unwrap();
    }
    times.remove(0);
    times.sort();
    println!(
        "warm start: min {:?}, median {:?}, max {:?}",
        times[0],
        times[times.len() / 2],
        times[times.len() - 1]
    );
    assert!(times[0] < Duration::from_secs(2), "{times:?}");
    rig.done().await;
}

//! Installs missing packages, and lists them first.

use crate::run::{output, root, run, run_command};
use anyhow::{Context, Result, bail};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A Debian package, the file that shows it is there, and what it is for.
struct Package {
    name: &'static str,
    shows: &'static str,
    why: &'static str,
}

/// Where each major version has a folder with its programs.
const POSTGRES: &str = "/usr/lib/postgresql";

/// The version in examples/shop/escale.yaml.
const SHOPS_POSTGRES: u32 = 15;

/// The packages that `escale up` needs.
const RUNTIME: &[Package] = &[
    Package { name: "nftables", shows: "/usr/sbin/nft", why: "security groups and NAT are nftables rules" },
    Package { name: "iproute2", shows: "/usr/sbin/ip", why: "the tests look at namespaces with it" },
    Package { name: "conntrack", shows: "/usr/sbin/conntrack", why: "a revoked rule ends live connections" },
    Package { name: "crun", shows: "/usr/bin/crun", why: "runs the containers" },
    Package {
        name: "libnss-myhostname",
        shows: "/usr/share/doc/libnss-myhostname",
        why: "lets every program find *.localhost, as browsers and curl do by themselves",
    },
    // Debian's and Ubuntu's own: which major version that is, differs by release.
    Package { name: "postgresql", shows: POSTGRES, why: "is the database engine of RDS" },
];

/// The additional packages of the tests.
const TESTS: &[Package] = &[
    Package { name: "python3-venv", shows: "/usr/share/doc/python3-venv", why: "holds the Python clients" },
    Package { name: "skopeo", shows: "/usr/bin/skopeo", why: "pushes images as users do" },
    Package { name: "dnsutils", shows: "/usr/bin/dig", why: "asks the DNS servers" },
    Package { name: "busybox-static", shows: "/bin/busybox", why: "is the content of test images" },
    Package { name: "curl", shows: "/usr/bin/curl", why: "is the most common client" },
    Package { name: "nodejs", shows: "/usr/bin/node", why: "runs the AWS CDK" },
    Package { name: "npm", shows: "/usr/bin/npm", why: "installs the AWS CDK" },
    Package { name: "chromium", shows: "/usr/bin/chromium", why: "opens the pages" },
    Package {
        name: "libnss3-tools",
        shows: "/usr/bin/certutil",
        why: "puts a root certificate into Chromium's database",
    },
];

/// The additional packages of `cargo xtask bench planes`: what the data plane is compared with, and the load generators.
const BENCH: &[Package] = &[
    Package {
        name: "nginx-light",
        shows: "/usr/sbin/nginx",
        why: "is compared with, and is the target of both",
    },
    Package { name: "haproxy", shows: "/usr/sbin/haproxy", why: "is compared with the load balancer" },
    Package { name: "knot", shows: "/usr/sbin/knotd", why: "is compared with the name server" },
    Package { name: "wrk", shows: "/usr/bin/wrk", why: "sends HTTP/1.1 requests" },
    Package { name: "nghttp2-client", shows: "/usr/bin/h2load", why: "sends HTTP/2 requests" },
    Package { name: "dnsperf", shows: "/usr/bin/dnsperf", why: "sends DNS queries" },
];

/// The additional packages of `cargo xtask vm`.
const VM: &[Package] = &[
    Package { name: "mmdebstrap", shows: "/usr/bin/mmdebstrap", why: "builds a Debian from its packages" },
    Package {
        name: "qemu-system-x86",
        shows: "/usr/bin/qemu-system-x86_64",
        why: "is the machine that it boots on",
    },
    Package { name: "e2fsprogs", shows: "/usr/sbin/mke2fs", why: "makes the machine's disk" },
    Package { name: "openssh-client", shows: "/usr/bin/ssh", why: "logs in there" },
    Package { name: "binutils", shows: "/usr/bin/strip", why: "makes the program small enough to copy" },
];

pub(crate) fn all() -> Result<()> {
    runtime()?;
    packages(TESTS)?;
    clients()?;
    cdk()
}

pub(crate) fn runtime() -> Result<()> {
    packages(RUNTIME)
}

pub(crate) fn bench() -> Result<()> {
    packages(BENCH)
}

pub(crate) fn vm() -> Result<()> {
    packages(VM)
}

/// The newest major version of PostgreSQL whose server is installed.
pub(crate) fn postgres_major() -> Option<u32> {
    let versions = fs::read_dir(POSTGRES).ok()?.filter_map(|entry| {
        let path = entry.ok()?.path();
        let major = path.file_name()?.to_str()?.parse().ok()?;
        path.join("bin/postgres").exists().then_some(major)
    });
    versions.max()
}

/// The arguments of `up` if this machine does not have the shop's version of PostgreSQL.
pub(crate) fn postgres_setting() -> Result<Vec<String>> {
    if Path::new(POSTGRES).join(format!("{SHOPS_POSTGRES}/bin/postgres")).exists() {
        return Ok(Vec::new());
    }
    let newest = postgres_major().context("no PostgreSQL is installed")?;
    Ok(vec!["--set".to_owned(), format!("database.db.engine=postgres {newest}")])
}

/// The folder of `initdb` and the others.
pub(crate) fn postgres_programs() -> Result<PathBuf> {
    let newest = postgres_major().context("no PostgreSQL is installed")?;
    Ok(Path::new(POSTGRES).join(format!("{newest}/bin")))
}

fn packages(wanted: &[Package]) -> Result<()> {
    let there = |p: &Package| match p.shows {
        POSTGRES => postgres_major().is_some(),
        file => Path::new(file).exists(),
    };
    let missing: Vec<&Package> = wanted.iter().filter(|p| !there(p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|p| p.name).collect();
    println!("These Debian packages are missing and will be installed:");
    for package in &missing {
        println!("  {:<16} {}", package.name, package.why);
    }
    if output("apt-get", &["--version"]).is_none() {
        bail!("this system is not Debian or Ubuntu. Install these packages by hand: {}", names.join(" "));
    }
    if output("id", &["-u"]).is_none_or(|id| id.trim() != "0") {
        bail!("installing packages needs root. Run: sudo apt-get install {}", names.join(" "));
    }
    run("apt-get", &["update", "-qq"])?;
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    apt.args(["install", "-y", "-qq", "--no-install-recommends"]).args(&names).current_dir(root());
    // PostgreSQL's package would start a server, which is not needed here.
    let policy = PolicyRcD::forbid_services()?;
    let installed = run_command(&mut apt);
    drop(policy);
    installed
}

/// A `/usr/sbin/policy-rc.d` that forbids starting services, removed on drop. An existing file is not changed.
struct PolicyRcD(Option<PathBuf>);

impl PolicyRcD {
    fn forbid_services() -> Result<PolicyRcD> {
        use std::os::unix::fs::PermissionsExt;
        let path = PathBuf::from("/usr/sbin/policy-rc.d");
        if path.exists() {
            return Ok(PolicyRcD(None));
        }
        fs::write(&path, "#!/bin/sh\nexit 101\n").context("cannot write /usr/sbin/policy-rc.d")?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(PolicyRcD(Some(path)))
    }
}

impl Drop for PolicyRcD {
    fn drop(&mut self) {
        if let Some(path) = &self.0
            && let Err(error) = fs::remove_file(path)
        {
            eprintln!("cannot remove {}: {error}", path.display());
        }
    }
}

/// The virtual environment of the Python clients, made from the files below and again when one of them changes.
pub(crate) fn venv() -> PathBuf {
    root().join("target/clients")
}

/// The packages of the virtual environment, and old ones for programs in tasks, in a folder of their own.
const REQUIREMENTS: [&str; 2] = ["tests/clients/requirements.txt", "tests/clients/requirements-2022.txt"];

fn clients() -> Result<()> {
    let read = |file: &str| fs::read_to_string(root().join(file)).with_context(|| file.to_owned());
    let wanted = REQUIREMENTS.map(read).into_iter().collect::<Result<String>>()?;
    let stamp = venv().join("installed.txt");
    if fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    println!("These Python packages will be installed into target/clients:");
    wanted.lines().filter(|l| !l.starts_with('#')).for_each(|l| println!("  {l}"));
    let place = venv();
    let place = place.to_str().context("the workspace's path is not UTF-8")?;
    run("python3", &["-m", "venv", "--clear", place])?;
    let pip = format!("{place}/bin/pip");
    let [usual, of_2022] = REQUIREMENTS;
    let install = ["install", "--quiet", "--disable-pip-version-check", "-r"];
    run(&pip, &[&install[..], &[usual]].concat())?;
    let folder = format!("{place}/sdk-2022");
    run(&pip, &[&install[..], &[of_2022, "--target", &folder]].concat())?;
    fs::write(stamp, wanted)?;
    Ok(())
}

/// The AWS CDK in target/cdk, made from the lock file in tests/clients/cdk and again when that changes.
fn cdk() -> Result<()> {
    let (from, place) = (root().join("tests/clients/cdk"), root().join("target/cdk"));
    let lock = "package-lock.json";
    let wanted = fs::read_to_string(from.join(lock)).context("tests/clients/cdk/package-lock.json")?;
    let stamp = place.join("installed.json");
    if fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    println!("The npm packages of tests/clients/cdk/package.json will be installed into target/cdk.");
    fs::create_dir_all(&place)?;
    for file in ["package.json", lock] {
        fs::copy(from.join(file), place.join(file)).with_context(|| format!("tests/clients/cdk/{file}"))?;
    }
    run_command(Command::new("npm").args(["ci", "--silent", "--no-audit", "--no-fund"]).current_dir(&place))?;
    fs::write(stamp, wanted)?;
    Ok(())
}

/// Generates models/*.json from the packages that the tests use. Not part of `cargo xtask check`, since they come from the network.
pub(crate) fn models(arguments: &[&str]) -> Result<()> {
    clients()?;
    let python = venv().join("bin/python");
    run_command(Command::new(python).arg("models/trim.py").args(arguments).current_dir(root()))
}

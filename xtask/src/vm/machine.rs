//! A virtual machine that runs: QEMU is a child of this process, logins go through a forwarded port of 127.0.0.1.

use super::image::Image;
use anyhow::{Context, Result, bail};
use std::{
    fs::File,
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// From power-on to the first login, on an emulated processor that others use as well.
const BOOT_WITHIN: Duration = Duration::from_secs(600);

/// The user of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum User {
    Root,
    /// An ordinary user who may use sudo.
    Dev,
}

impl User {
    fn name(self) -> &'static str {
        match self {
            User::Root => "root",
            User::Dev => "dev",
        }
    }
}

/// The output of a script, and how it ended.
pub(super) struct Done {
    pub(super) output: String,
    pub(super) end: End,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    Passed,
    /// By its own decision, whose reason is the last line of the output.
    Failed,
    /// Before it could decide, for this reason.
    Broken(String),
}

pub(super) struct Machine {
    qemu: Child,
    key: PathBuf,
    serial_log: PathBuf,
    port: u16,
    booted: Duration,
}

impl Machine {
    /// Boots and waits for the first login. The machine's writes are discarded when it ends.
    pub(super) fn boot(image: &Image, payload: &Path) -> Result<Machine> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let disk = |file: &Path, rest: &str| format!("file={},format=raw,if=virtio,{rest}", file.display());
        // setpriv: QEMU ends with this process, however that ends.
        let mut qemu = Command::new("setpriv");
        qemu.args(["--pdeathsig", "KILL", "qemu-system-x86_64", "-M", "q35", "-smp", "2", "-m", "3072"]);
        qemu.args([
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-display",
            "none",
            "-nodefaults",
            "-no-user-config",
        ]);
        qemu.arg("-kernel").arg(image.kernel()).arg("-initrd").arg(image.initrd());
        qemu.args(["-append", "root=/dev/vda rw console=ttyS0 quiet"]);
        qemu.args([
            "-drive",
            &disk(&image.disk(), "snapshot=on,cache=unsafe"),
            "-drive",
            &disk(payload, "readonly=on"),
        ]);
        // restrict: it reaches nothing, neither the Internet nor this machine.
        qemu.args(["-netdev", &format!("user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22")]);
        qemu.args(["-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci"]);
        qemu.arg("-serial").arg(format!("file:{}", image.serial_log().display()));
        let log = File::create(image.scratch().join("qemu.log"))?;
        qemu.env("TMPDIR", image.scratch()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let qemu = qemu.spawn().context("cannot start qemu-system-x86_64")?;
        let (key, serial_log) = (image.key(), image.serial_log());
        let mut machine = Machine { qemu, key, serial_log, port, booted: Duration::ZERO };
        machine.booted = machine.wait_for_login(None)?.1;
        let unpacked = machine.script(User::Root, UNPACK, Duration::from_secs(120))?;
        match unpacked.end {
            End::Passed => Ok(machine),
            end => bail!("cannot unpack the files in the machine ({end:?}): {}", unpacked.output),
        }
    }

    pub(super) fn booted_s(&self) -> u64 {
        self.booted.as_secs()
    }

    pub(super) fn serial_log(&self) -> &Path {
        &self.serial_log
    }

    /// Runs a shell script in a login of its own, for at most `limit`.
    pub(super) fn script(&self, user: User, script: &str, limit: Duration) -> Result<Done> {
        let mut ssh = self.ssh(user, limit);
        let mut child = ssh
            .arg("bash -s 2>&1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut input = child.stdin.take().context("ssh has no input")?;
        // A failed login reads nothing. Its exit status says more than the broken pipe, so the write's error is ignored.
        let _ = input.write_all(script.as_bytes());
        drop(input);
        let done = child.wait_with_output()?;
        let output = String::from_utf8_lossy(&done.stdout).into_owned();
        let end = match done.status.code() {
            Some(0) => End::Passed,
            Some(1) => End::Failed,
            Some(124 | 137) => End::Broken(format!("it took longer than {} s", limit.as_secs())),
            Some(255) => End::Broken("the login failed or broke off".to_owned()),
            _ => End::Broken(format!("the script ended with {}", done.status)),
        };
        Ok(Done { output, end })
    }

    /// Reboots the machine; returns the time until a login works again.
    pub(super) fn reboot(&mut self) -> Result<Duration> {
        let before = self.boot_id().context("the machine does not answer before the reboot")?;
        // The login may break off before systemctl has ended.
        let _ = self.script(User::Root, "systemctl reboot", Duration::from_secs(60))?;
        Ok(self.wait_for_login(Some(&before))?.1)
    }

    fn wait_for_login(&mut self, not: Option<&str>) -> Result<(String, Duration)> {
        let started = Instant::now();
        while started.elapsed() < BOOT_WITHIN {
            if let Some(ended) = self.qemu.try_wait()? {
                bail!("QEMU ended ({ended}). See qemu.log beside {}", self.serial_log.display());
            }
            match self.boot_id() {
                Some(id) if Some(id.as_str()) != not => return Ok((id, started.elapsed())),
                _ => wait_a_second(),
            }
        }
        bail!("no login succeeded within {} s. See {}", BOOT_WITHIN.as_secs(), self.serial_log.display());
    }

    fn boot_id(&self) -> Option<String> {
        let mut ssh = self.ssh(User::Root, Duration::from_secs(30));
        let out = ssh.arg("cat /proc/sys/kernel/random/boot_id").stderr(Stdio::null()).output().ok()?;
        out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
    }

    fn ssh(&self, user: User, limit: Duration) -> Command {
        let mut ssh = Command::new("timeout");
        ssh.args(["--kill-after=5", &limit.as_secs().to_string(), "ssh", "-q", "-F", "none", "-i"])
            .arg(&self.key);
        ssh.args(["-p", &self.port.to_string(), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"]);
        ssh.args([
            "-o",
            "UserKnownHostsFile=/dev/null",
            "-o",
            "ConnectTimeout=20",
            "-o",
            "ServerAliveInterval=20",
        ]);
        ssh.arg(format!("{}@127.0.0.1", user.name()));
        ssh
    }
}

const UNPACK: &str = "set -e; mkdir /tmp/payload; tar -xf /dev/vdb -C /tmp/payload
    if [ -e /tmp/payload/escale.deb ]; then dpkg -i /tmp/payload/escale.deb; else install -m 755 /tmp/payload/escale /usr/local/bin/escale; fi
    cp -a /tmp/payload/shop /tmp/payload/eater /root/; cp -a /tmp/payload/shop /home/dev/; chown -R dev: /home/dev/shop
    cp /bin/busybox /root/eater/web/; rm -r /tmp/payload; sync";

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// Polls, because a booting machine sends no notification.
#[allow(clippy::disallowed_methods)]
fn wait_a_second() {
    std::thread::sleep(Duration::from_secs(1));
}

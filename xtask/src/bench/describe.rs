//! How long a describe call takes over one kept connection, here and with what answers the same calls from memory.

use super::{finished, free_port};
use crate::run::{root, run};
use anyhow::{Context, Result, bail};
use std::{
    net::TcpStream,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const CALLS: usize = 300;
const BODY: &str = "Action=DescribeVpcs&Version=2016-11-15";
const MOTO: &str = "moto[server,ec2,s3]==5.2.5";

/// The median time from a request sent to the first byte of its answer.
pub(super) fn median(endpoint: &str) -> Result<Duration> {
    let mut curl = Command::new("curl");
    curl.args(["-s", "--aws-sigv4", "aws:amz:eu-west-3:ec2", "--user", "test:test", "-d", BODY]);
    curl.args(["-w", "%{http_code} %{time_pretransfer} %{time_starttransfer}\\n"]);
    for _ in 0..CALLS {
        curl.args(["-o", "/dev/null", endpoint]);
    }
    let out = String::from_utf8(finished(&mut curl)?.stdout)?;
    let mut times = out.lines().map(took).collect::<Result<Vec<f64>>>()?;
    times.sort_by(f64::total_cmp);
    let middle = times.get(times.len() / 2).context("curl has made no call")?;
    Ok(Duration::from_secs_f64(*middle))
}

fn took(line: &str) -> Result<f64> {
    let mut words = line.split(' ');
    let mut next = || words.next().with_context(|| format!("curl says '{line}'"));
    if next()? != "200" {
        bail!("a describe call failed: {line}");
    }
    let (sent, answered): (f64, f64) = (next()?.parse()?, next()?.parse()?);
    Ok(answered - sent)
}

/// moto's server, which pretends: rows in Python's memory.
pub(super) struct Moto {
    child: Child,
    pub(super) endpoint: String,
}

impl Moto {
    pub(super) fn start() -> Result<Moto> {
        let place = root().join("target/bench-clients");
        if !place.join("bin/moto_server").exists() {
            run("python3", &["-m", "venv", "--clear", &place.to_string_lossy()])?;
            run(&place.join("bin/pip").to_string_lossy(), &["install", "--quiet", MOTO])?;
        }
        let port = free_port()?;
        let program: PathBuf = place.join("bin/moto_server");
        let mut command = Command::new(program);
        command.args(["-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let moto = Moto {
            child: command.spawn().context("start moto_server")?,
            endpoint: format!("http://127.0.0.1:{port}/"),
        };
        let deadline = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                bail!("moto_server does not answer");
            }
            std::thread::yield_now();
        }
        Ok(moto)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! `cargo xtask bench s3`: objects over HTTP with unmodified clients, beside the server that answers the same calls from memory.

use super::{cloud::Cloud, describe::Moto, finished, load, report};
use crate::{setup, test};
use anyhow::{Context, Result};
use std::{fs, path::Path, process::Command};

/// Runs of each kind; the median counts.
const ROUNDS: usize = 5;
const LARGE_BYTES: usize = 256 << 20;
const SMALL_BYTES: usize = 4 << 10;

pub(super) fn measure_s3() -> Result<()> {
    setup::bench()?;
    setup::all()?;
    test::release()?;
    let cloud = Cloud::new()?;
    let measured = cloud.make_home().and_then(|()| measure(&cloud));
    let cleaned = cloud.escale(&["reset", "--yes"]);
    let _ = fs::remove_dir_all(&cloud.home);
    let rows = measured?;
    cleaned?;
    report::write(
        "s3",
        "Medians of five alternating runs. PUT is one upload by curl with a signed head; GET is a presigned URL, over 32 \
         connections for three seconds. Both servers share the processors with their clients.",
        &rows,
    )
}

/// What a client needs to reach one of the two servers.
struct Server<'a> {
    cloud: &'a Cloud,
    endpoint: String,
}

fn measure(cloud: &Cloud) -> Result<report::Rows> {
    cloud.escale(&["start"])?;
    let moto = Moto::start()?;
    let (large, small) = (cloud.home.join("large"), cloud.home.join("small"));
    fs::write(&large, vec![b'x'; LARGE_BYTES])?;
    fs::write(&small, vec![b'x'; SMALL_BYTES])?;
    let servers = [format!("http://{}", cloud.endpoint), moto.endpoint.trim_end_matches('/').to_owned()]
        .map(|endpoint| Server { cloud, endpoint });
    let mut urls = Vec::new();
    for server in &servers {
        server.aws(&["s3", "mb", "s3://bench"])?;
        server.put(&small, "small")?;
        urls.push(server.aws(&["s3", "presign", "s3://bench/small"])?.trim().to_owned());
    }
    let put = medians(|at| servers[at].put(&large, "large"))?;
    let get = medians(|at| load::get(&urls[at]))?;
    let mut rows = report::Rows::new(&["what", "Escale", "moto", "ratio", "wish"]);
    let mut row = |what: &str, [ours, theirs]: [f64; 2], unit: &str, wish: &str| {
        let cell = |value: f64| format!("{value:.0} {unit}");
        rows.add(&[
            what.to_owned(),
            cell(ours),
            cell(theirs),
            format!("{:.1}", ours / theirs),
            wish.to_owned(),
        ]);
    };
    row("PUT of 256 MiB, one stream", put.map(|bytes| bytes / 1e6), "MB/s", "450 MB/s");
    row("GET of 4 KiB", get, "1/s", "30000 1/s");
    Ok(rows)
}

fn medians(mut run: impl FnMut(usize) -> Result<f64>) -> Result<[f64; 2]> {
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (at, values) in all.iter_mut().enumerate() {
            values.push(run(at)?);
        }
    }
    Ok(all.map(|mut values| {
        values.sort_by(f64::total_cmp);
        values[ROUNDS / 2]
    }))
}

impl Server<'_> {
    fn aws(&self, arguments: &[&str]) -> Result<String> {
        let mut aws = self.cloud.command(&setup::venv().join("bin/aws"));
        let out = finished(aws.env("AWS_ENDPOINT_URL", &self.endpoint).args(arguments))?;
        Ok(String::from_utf8(out.stdout)?)
    }

    /// Uploads a file; returns the bytes per second.
    fn put(&self, file: &Path, key: &str) -> Result<f64> {
        let mut curl = Command::new("curl");
        curl.args(["-sf", "--aws-sigv4", "aws:amz:eu-west-3:s3", "--user", "test:test"]);
        curl.args([
            "-H",
            "x-amz-content-sha256: UNSIGNED-PAYLOAD",
            "-w",
            "%{speed_upload}",
            "-o",
            "/dev/null",
        ]);
        curl.arg("-T").arg(file).arg(format!("{}/bench/{key}", self.endpoint));
        let text = String::from_utf8(finished(&mut curl)?.stdout)?;
        text.trim().parse().with_context(|| format!("curl shows the speed '{text}'"))
    }
}

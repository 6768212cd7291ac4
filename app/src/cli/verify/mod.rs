//! `escale verify`: black-box checks of a deployed application, and the differences between two deployments of it.
//!
//! `expect` reads what the manifest promises, `facts` what the account's APIs report, `visit` what the site answers. The checks
//! themselves are in `escale_proof::verify`, which is pure.

mod expect;
mod facts;
mod headers;
mod text;
mod visit;

use super::{
    Output,
    application::{Application, LOCAL, manifest_path, read_manifest},
    client::Client,
    remote::connect,
};
use crate::{home::Home, settings::Settings};
use anyhow::{Context, Result, bail};
use clap::Args;
use escale_network::{Namespaces, Place};
use escale_proof::{
    survey::Setting,
    verify::{Observation, Side, differences, observe, visits},
};
use escale_service::Config;
use escale_tls::client::Trust;
use facts::{Outside, Stack};
use serde_json::json;
use std::{
    net::{Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};
use visit::{Detour, Way};

#[derive(Args)]
pub(crate) struct Verify {
    /// The folder of an escale.yaml, or the file itself.
    #[arg(default_value = ".")]
    manifest: PathBuf,
    /// The environment whose deployment is checked.
    #[arg(long, default_value = LOCAL)]
    environment: String,
    /// Check this environment's deployment, too, and print how both differ.
    #[arg(long, value_name = "ENVIRONMENT")]
    against: Option<String>,
    /// The profile of ~/.aws/config, for an environment on AWS.
    #[arg(long)]
    profile: Option<String>,
    /// The name of the stack of an environment on AWS. The default is that of `escale deploy`: `shop-prod`.
    #[arg(long)]
    stack: Option<String>,
    /// Connect to this host instead of the one that the site's name resolves to: for an environment on AWS before its domain leads
    /// there. The default ports are 80 and 443.
    #[arg(long, value_name = "HOST[:HTTP-PORT:HTTPS-PORT]", value_parser = visit::detour)]
    connect_to: Option<Detour>,
    /// Override one value of the manifest, as for `escale up`.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
}

/// A side with its observations.
struct Verified {
    side: Side,
    observations: Vec<Observation>,
}

pub(crate) async fn run(home: &Home, out: &Output, args: &Verify) -> Result<ExitCode> {
    let path = manifest_path(&args.manifest)?;
    refuse_without_effect(args)?;
    let first = verified(home, args, &path, &args.environment).await?;
    let second = match &args.against {
        Some(environment) => Some(verified(home, args, &path, environment).await?),
        None => None,
    };
    let differing = second.as_ref().map(|second| differences(&first.observations, &second.observations));
    let sides: Vec<&Verified> = std::iter::once(&first).chain(&second).collect();
    let failed = sides.iter().flat_map(|side| &side.observations).any(Observation::is_failed)
        || differing.iter().flatten().any(|difference| !difference.is_configured);
    let shown: Vec<_> = sides.iter().map(|v| text::as_json(&v.side, &v.observations)).collect();
    let value = json!({"passed": !failed, "sides": shown, "differences": differing});
    let mut lines: Vec<String> = sides.iter().flat_map(|v| text::of_side(&v.side, &v.observations)).collect();
    if let (Some(second), Some(differing)) = (&second, &differing) {
        lines.extend(text::of_differences(&first.side.name, &second.side.name, differing));
    }
    out.say(&lines.join("\n"), &value);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn verified(home: &Home, args: &Verify, path: &Path, environment: &str) -> Result<Verified> {
    let (side, trust) = match environment {
        LOCAL => local(home, args, path).await?,
        other => remote(args, path, other).await?,
    };
    let detour = args.connect_to.as_ref().filter(|_| environment != LOCAL);
    let way = Way { site: &side.url, detour, trust: &trust };
    let answers = way.all(&visits(&side)).await;
    let observations = observe(&side, &answers);
    Ok(Verified { side, observations })
}

/// Options of AWS have no effect on the local side.
fn refuse_without_effect(args: &Verify) -> Result<()> {
    if args.against.as_ref() == Some(&args.environment) {
        bail!("--against {0} compares {0} with itself. Name another environment", args.environment);
    }
    let of_one = args.stack.is_some() || args.connect_to.is_some();
    let remote =
        [Some(&args.environment), args.against.as_ref()].into_iter().flatten().filter(|name| *name != LOCAL);
    match remote.count() {
        0 if of_one || args.profile.is_some() => {
            bail!(
                "--profile, --stack and --connect-to are for an environment on AWS. Name it with --environment"
            )
        }
        2.. if of_one => bail!("--stack and --connect-to are for one environment on AWS, and two are named"),
        _ => Ok(()),
    }
}

/// An environment on AWS.
async fn remote(args: &Verify, path: &Path, environment: &str) -> Result<(Side, Arc<Trust>)> {
    let found = connect(path, environment, args.profile.as_deref(), &args.set).await?;
    let name = args.stack.clone().unwrap_or_else(|| found.stack());
    let setting = setting(&found.region, &found.account, &name);
    let bucket_url = found.remote.bucket_url();
    let mut stack =
        Stack::read(&found.client, &found.manifest, setting, Outside::Machine, bucket_url).await?;
    let url = stack.url().with_context(|| {
        format!("the stack {name} has neither SiteUrl nor DistributionDomain among its outputs")
    })?;
    let host = args.connect_to.as_ref().map_or_else(|| visit::host(&url), |detour| detour.host.as_str());
    if visit::address(host, 443).await.is_ok_and(|address| address.ip().is_loopback()) {
        let why = "the site is on this machine, in a cloud whose addresses this machine does not reach";
        stack.outside = Outside::None(why.to_owned());
    }
    let mut side = stack.side(environment, &found.region, url.clone()).await?;
    side.http_url = with_scheme(&url, "http");
    side.https_url = with_scheme(&url, "https");
    Ok((side, Arc::clone(found.remote.trust())))
}

fn setting(region: &str, account: &str, stack: &str) -> Setting {
    Setting {
        region: region.to_owned(),
        zones: Config::zones_of(region),
        account: account.to_owned(),
        stack: stack.to_owned(),
    }
}

/// The same site with a scheme. `None`: it names the port of the other one.
fn with_scheme(url: &str, scheme: &str) -> Option<String> {
    let (own, rest) = url.split_once("://")?;
    if own == scheme {
        return Some(url.to_owned());
    }
    (!rest.contains(':')).then(|| format!("{scheme}://{rest}"))
}

/// The application on this cloud.
async fn local(home: &Home, args: &Verify, path: &Path) -> Result<(Side, Arc<Trust>)> {
    let manifest = read_manifest(path, LOCAL, &args.set)?;
    let known = Application::all(home)?.into_iter().find(|application| application.manifest == path);
    let application = known.with_context(|| {
        format!("{} is not deployed here from {}. Run `escale up` first", manifest.app, path.display())
    })?;
    let settings = Settings::of(home)?;
    let client = Client::new(home, &settings);
    let outside = if nix::unistd::geteuid().is_root() {
        Outside::Cloud(Namespaces::of(&home.plane("network")).open(&Place::Internet)?)
    } else {
        Outside::None("entering the cloud's network needs root: run this command with sudo".to_owned())
    };
    let bucket_url = format!("{}/BUCKET", settings.endpoint_url());
    let config = &settings.config;
    let setting = setting(&config.region, &config.account, &application.stack);
    let stack = Stack::read(&client, &manifest, setting, outside, bucket_url).await?;
    let mut side = stack.side(LOCAL, &config.region, application.url.clone()).await?;
    side.http_url = Some(application.url.clone());
    side.https_url = Some(application.https_url(config.https_port));
    side.api_listens_at = Some(listening(&config.endpoint)?);
    Ok((side, Arc::new(Trust::new(vec![home.root_certificate()]))))
}

/// The addresses other than loopback at which a program of this machine listens at the port of the API.
fn listening(endpoint: &str) -> Result<Vec<String>> {
    let (_, port) = visit::name_and_port(endpoint, false)?;
    let mut found = Vec::new();
    for file in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // A kernel without IPv6 has no second file.
        let Ok(table) = std::fs::read_to_string(file) else { continue };
        found.extend(table.lines().filter_map(|line| listener(line, port)));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The address of a line of `/proc/net/tcp` for a listening socket at this port, unless it is a loopback address.
fn listener(line: &str, port: u16) -> Option<String> {
    /// `TCP_LISTEN` of `include/net/tcp_states.h`.
    const LISTEN: &str = "0A";
    let mut words = line.split_whitespace().skip(1);
    let (local, state) = (words.next()?, words.nth(1)?);
    let (address, at) = local.split_once(':')?;
    if state != LISTEN || u16::from_str_radix(at, 16).ok()? != port {
        return None;
    }
    let is_loopback = match address.len() {
        // The kernel prints words in the byte order of the machine.
        8 => Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?.to_ne_bytes()).is_loopback(),
        _ => {
            let mut bytes = [0; 16];
            for (word, four) in bytes.chunks_exact_mut(4).zip(0..) {
                let hex = address.get(four * 8..four * 8 + 8)?;
                word.copy_from_slice(&u32::from_str_radix(hex, 16).ok()?.to_ne_bytes());
            }
            let address = Ipv6Addr::from(bytes);
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|a| a.is_loopback())
        }
    };
    (!is_loopback)
        .then(|| format!("{}:{port}", if address.len() == 8 { "an IPv4 address" } else { "an IPv6 address" }))
}

#[cfg(test)]
mod tests {
    use super::{listener, with_scheme};

    #[test]
    fn the_other_scheme_of_a_site_with_a_port_is_not_known() {
        assert_eq!(with_scheme("https://a.example", "http").as_deref(), Some("http://a.example"));
        assert_eq!(with_scheme("https://a.example:8443", "https").as_deref(), Some("https://a.example:8443"));
        assert_eq!(with_scheme("https://a.example:8443", "http"), None);
    }

    #[test]
    fn finds_listeners_that_are_not_on_loopback() {
        let line =
            |local: &str, state: &str| format!("   0: {local} 00000000:0000 {state} 00000000:00000000 00:0");
        assert_eq!(listener(&line("0100007F:11D6", "0A"), 4566), None);
        assert_eq!(listener(&line("00000000:11D6", "0A"), 4566).as_deref(), Some("an IPv4 address:4566"));
        assert_eq!(listener(&line("00000000:11D6", "01"), 4566), None);
        assert_eq!(listener(&line("00000000:11D7", "0A"), 4566), None);
        let six = |address: &str| listener(&line(&format!("{address}:11D6"), "0A"), 4566);
        assert_eq!(six("00000000000000000000000001000000"), None);
        assert_eq!(six("00000000000000000000000000000000").as_deref(), Some("an IPv6 address:4566"));
        assert_eq!(listener("  sl  local_address rem_address   st", 4566), None);
    }
}

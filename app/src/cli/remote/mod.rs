//! AWS as a target: which account and region, with whose credentials, over which endpoint.
//!
//! [`connect`] is the entry point: it gives a [`Client`] of the account that the manifest's environment names, and refuses any other.
//! Nothing here is called without `--environment`, and no credentials are guessed.
//!
//! ```text
//! connect ─ credentials ─▶ Provider ─┐
//!         ─ endpoints ───▶ Wire ─────┴▶ Remote ─▶ Client: json, query, rest
//! ```

mod credentials;
mod endpoints;
mod profiles;
mod wire;

use super::{
    application::{Application, LOCAL, manifest_path, read_manifest},
    client::{Answer, Call, Client, is_code},
};
use anyhow::{Context, Result, bail};
use clap::Args;
use credentials::{Provider, Wanted};
use endpoints::Endpoints;
pub(crate) use endpoints::GLOBAL_REGION;
use escale_blueprint::Manifest;
use escale_tls::client::Trust;
use profiles::Profiles;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use wire::Wire;

/// The options of commands that work on AWS as well as here.
#[derive(Args, Clone, Debug)]
pub(crate) struct On {
    /// The environment of the manifest, on AWS: with the credentials of the environment variables or of a profile, which AWS's
    /// own tools use, too.
    #[arg(long)]
    pub(crate) environment: Option<String>,
    /// The profile of ~/.aws/config.
    #[arg(long, requires = "environment")]
    pub(crate) profile: Option<String>,
}

/// The same for commands that find the application by its name here, and by its manifest on AWS.
#[derive(Args, Clone, Debug)]
pub(crate) struct There {
    #[command(flatten)]
    on: On,
    /// With --environment: the folder of an escale.yaml, or the file itself.
    #[arg(long, default_value = ".", requires = "environment")]
    manifest: PathBuf,
}

impl There {
    /// The environment on AWS; `None` for this machine. `app` is a name that only has a meaning here.
    pub(crate) async fn connect(&self, app: Option<&str>) -> Result<Option<Environment>> {
        if let (Some(app), Some(_)) = (app, &self.on.environment) {
            bail!(
                "`{app}` names an application of this machine. With --environment, name its folder: --manifest FOLDER"
            );
        }
        self.on.connect(&self.manifest).await
    }
}

impl On {
    /// The environment on AWS; `None` for this machine.
    pub(crate) async fn connect(&self, manifest: &Path) -> Result<Option<Environment>> {
        match &self.environment {
            Some(name) => connect(manifest, name, self.profile.as_deref(), &[]).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Requests to AWS with a user's credentials.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    wire: Wire,
    provider: Provider,
}

impl Remote {
    pub(crate) async fn send(&self, call: Call) -> Result<Answer> {
        let keys = self.provider.keys(&self.wire).await?;
        self.wire.send(&keys, call).await
    }

    /// The same account in another region.
    pub(crate) fn in_region(&self, region: &str) -> Remote {
        let wire = Wire { region: region.to_owned(), ..self.wire.clone() };
        Remote { wire, provider: self.provider.clone() }
    }

    pub(crate) fn region(&self) -> &str {
        &self.wire.region
    }

    /// What verifies the servers' certificates.
    pub(crate) fn trust(&self) -> &Arc<Trust> {
        &self.wire.trust
    }

    /// The URL of a bucket, with `BUCKET` for its name.
    pub(crate) fn bucket_url(&self) -> String {
        match &self.wire.endpoints {
            Endpoints::Aws => format!("https://BUCKET.s3.{}.amazonaws.com", self.wire.region),
            Endpoints::One { is_tls, host, port } => {
                format!("{}://{host}:{port}/BUCKET", if *is_tls { "https" } else { "http" })
            }
        }
    }

    /// Whether requests are encrypted. Only an endpoint on this machine's loopback interface may be without TLS.
    pub(crate) fn is_tls(&self) -> bool {
        !matches!(self.wire.endpoints, Endpoints::One { is_tls: false, .. })
    }
}

/// An environment of a manifest on AWS, and a client for it.
pub(crate) struct Environment {
    pub(crate) manifest: Manifest,
    /// The folder of the manifest.
    pub(crate) folder: PathBuf,
    pub(crate) client: Client,
    pub(crate) remote: Remote,
    /// 12 digits.
    pub(crate) account: String,
    /// The ARN of the caller.
    pub(crate) caller: String,
    pub(crate) region: String,
}

impl Environment {
    /// The application as the commands know it. `url` is that of the stack's outputs; empty if it is not deployed.
    pub(crate) async fn application(&self) -> Result<Application> {
        let stack = self.stack();
        let described = self
            .client
            .query("cloudformation", "DescribeStacks", &[("StackName".into(), stack.clone())])
            .await;
        let url = match described {
            Ok(found) => {
                let outputs = found.list("Stacks").first().map(|stack| stack.list("Outputs").to_vec());
                let outputs = outputs.unwrap_or_default();
                let url = outputs.iter().find(|output| output.text_of("OutputKey") == "SiteUrl");
                url.map(|output| output.text_of("OutputValue").to_owned()).unwrap_or_default()
            }
            Err(error) if is_code(&error, "ValidationError") => {
                bail!(
                    "{stack} is not deployed ({}). Deploy it with `escale deploy --environment {}`",
                    self.place(),
                    self.manifest.environment.name
                )
            }
            Err(error) => return Err(error),
        };
        Ok(Application {
            app: self.manifest.app.clone(),
            registry_stack: self.manifest.registry_stack_name(),
            manifest: self.folder.join("escale.yaml"),
            stack,
            url,
        })
    }

    /// `shop-prod`
    pub(crate) fn stack(&self) -> String {
        self.manifest.stack_name()
    }

    /// `account 123456789012, region eu-west-3`
    pub(crate) fn place(&self) -> String {
        format!("account {}, region {}", self.account, self.region)
    }
}

/// Reads the manifest for the environment, and asks STS which account the credentials belong to. Another account than the
/// environment's is refused; nothing else is requested before.
pub(crate) async fn connect(
    given: &Path,
    environment: &str,
    profile: Option<&str>,
    settings: &[String],
) -> Result<Environment> {
    if environment == LOCAL {
        bail!(
            "the environment `{LOCAL}` runs on this machine. Use the command without --environment, or name another one"
        );
    }
    let path = manifest_path(given)?;
    let manifest = read_manifest(&path, environment, settings)?;
    let remote = open(manifest.environment.region.as_deref(), profile)?;
    let region = remote.wire.region.clone();
    let client = Client::remote(remote.clone());
    let caller = client.query("sts", "GetCallerIdentity", &[]).await;
    let caller = caller.context("cannot find out which AWS account the credentials belong to")?;
    let account = caller.text_of("Account").to_owned();
    let arn = caller.text_of("Arn").to_owned();
    if let Some(wanted) = manifest.environment.account.as_ref().filter(|wanted| **wanted != account) {
        bail!(
            "the environment {environment} is for the account {wanted}, but the credentials are those of {arn} in the account \
             {account}. Nothing was changed. Use credentials of {wanted}, or correct `account` in {}",
            path.display()
        );
    }
    let folder = path.parent().context("a file has a folder")?.to_owned();
    Ok(Environment { manifest, folder, client, remote, account, caller: arn, region })
}

/// `region` is the manifest's; without one, that of the environment variables or of the profile.
fn open(region: Option<&str>, profile: Option<&str>) -> Result<Remote> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    refuse_unread(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
    let profiles = Profiles::read(&variable)?;
    let wanted = Wanted { profile, variable: &variable, profiles: &profiles };
    let own = profiles.get(&wanted.profile_name());
    let of_profile = |key: &str| own.and_then(|profile| profile.get(key)).cloned();
    if of_profile("services").is_some() {
        bail!(
            "the AWS profile {} has `services`, which is not read. Set one `endpoint_url` for all services instead",
            wanted.profile_name()
        );
    }
    let region = region.map(str::to_owned).or_else(|| variable("AWS_REGION"));
    let region = region.or_else(|| variable("AWS_DEFAULT_REGION")).or_else(|| of_profile("region"));
    let region = region.context(
        "no region is known. Name it in the manifest (`region` of the environment), in AWS_REGION, or in the profile",
    )?;
    endpoints::check_region(&region)?;
    let url = variable("AWS_ENDPOINT_URL").or_else(|| of_profile("endpoint_url"));
    let bundle = variable("AWS_CA_BUNDLE").or_else(|| of_profile("ca_bundle")).map(PathBuf::from);
    if let Some(missing) = bundle.as_ref().filter(|path| !path.exists()) {
        bail!(
            "the file of certificates {} does not exist: correct AWS_CA_BUNDLE or `ca_bundle`",
            missing.display()
        );
    }
    let wire = Wire {
        endpoints: Endpoints::new(url.as_deref())?,
        region,
        trust: Arc::new(Trust::new(bundle.into_iter().collect())),
    };
    Ok(Remote { wire, provider: Provider::new(wanted.source()?) })
}

/// Refuses variables that change where requests go in AWS's tools, and that are not read here.
fn refuse_unread(mut names: impl Iterator<Item = String>) -> Result<()> {
    let unread = |name: &str| {
        name.starts_with("AWS_ENDPOINT_URL_")
            || ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"].contains(&name)
    };
    match names.find(|name| unread(name)) {
        Some(name) => bail!(
            "the variable {name} is not read. Unset it; AWS_ENDPOINT_URL sets one endpoint for all services"
        ),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_variables_that_are_not_read() {
        let of = |name: &str| refuse_unread([name.to_owned()].into_iter()).is_ok();
        assert!(of("AWS_ENDPOINT_URL"));
        assert!(!of("AWS_ENDPOINT_URL_S3"));
        assert!(!of("AWS_USE_FIPS_ENDPOINT"));
    }
}

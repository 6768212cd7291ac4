//! `escale template`: prints the CloudFormation template of a manifest, for any environment.

use super::{
    Output,
    application::{LOCAL, manifest_path, read_manifest},
};
use anyhow::Result;
use clap::Args;
use escale_blueprint::{registry_template, template};
use std::path::PathBuf;

/// The steps of `up` with AWS's own tools: to deploy on AWS, or on this cloud from a machine without the manifest.
const STEPS: &str = "\
To deploy it with AWS's own tools, on AWS, or here after `eval \"$(escale env)\"`:
  1. Create the repositories and push the images:
     escale template --registry > registry.yaml
     aws cloudformation deploy --stack-name shop-images --template-file registry.yaml
     aws ecr get-login-password | docker login --username AWS --password-stdin REGISTRY
     docker build --tag REGISTRY/shop/frontend:v1 frontend && docker push REGISTRY/shop/frontend:v1
     (REGISTRY is the host in the stack's outputs, …RepositoryUri; skopeo and podman can push, too)
  2. Create a key pair for signed URLs, if a bucket is `signed`:
     openssl genrsa -out key.pem 2048
  3. Deploy the application; SiteUrl is its public URL, here http://shop.localhost:8080:
     escale template > shop.yaml
     aws cloudformation deploy --stack-name shop --template-file shop.yaml --capabilities CAPABILITY_NAMED_IAM \\
       --parameter-overrides FrontendImage=REGISTRY/shop/frontend:v1 SiteUrl=http://shop.localhost:8080 \\
       CdnPublicKeyPem=\"$(openssl rsa -in key.pem -pubout)\" CdnPrivateKeyPem=\"$(cat key.pem)\"
  4. Upload the folders that buckets `sync`, below the path at which they are served:
     aws s3 sync frontend/dist s3://BUCKET/static/
If a service has a `release` command, docs/manifest.md has the steps: two deployments of the template, with a task between them.
The template begins with its parameters; the stack's outputs name its buckets.";

#[derive(Args)]
#[command(after_long_help = STEPS)]
pub(crate) struct TemplateArgs {
    /// The folder of an escale.yaml, or the file itself.
    #[arg(default_value = ".")]
    manifest: PathBuf,
    /// The environment of the manifest for which the template is made.
    #[arg(long, default_value = LOCAL)]
    environment: String,
    /// Override one value of the manifest, as an environment can: `--set services.*.count=1`.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Print the template of the image repositories, which is deployed first.
    #[arg(long)]
    registry: bool,
}

pub(crate) fn run(out: &Output, args: &TemplateArgs) -> Result<()> {
    let manifest = read_manifest(&manifest_path(&args.manifest)?, &args.environment, &args.set)?;
    let made = if args.registry {
        registry_template(&manifest).ok_or_else(|| {
            anyhow::anyhow!(
                "{} has no template for repositories, because none of its services has `build:`. Run the command without \
                 --registry",
                manifest.app
            )
        })?
    } else {
        template(&manifest).map_err(|p| anyhow::anyhow!("{}", p[0]))?
    };
    if out.json {
        super::print(&format!("{}\n", made.to_json_min()))
    } else {
        super::print(&made.to_yaml())
    }
    Ok(())
}

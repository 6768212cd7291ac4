//! `escale template`: the CloudFormation template that a manifest becomes, for any environment.

use super::{
    Output,
    application::{LOCAL, manifest_path, read_manifest},
};
use anyhow::Result;
use clap::Args;
use escale_blueprint::{registry_template, template};
use std::path::PathBuf;

/// What `up` does, by hand: the road to AWS, and to this cloud from where there is no manifest.
const STEPS: &str = "\
To deploy it with AWS's own tools, on AWS, or here after `eval \"$(escale env)\"`:
  1. The repositories, and the images in them:
     escale template --registry > registry.yaml
     aws cloudformation deploy --stack-name shop-images --template-file registry.yaml
     aws ecr get-login-password | docker login --username AWS --password-stdin REGISTRY
     docker build --tag REGISTRY/shop/frontend:v1 frontend && docker push REGISTRY/shop/frontend:v1
     (REGISTRY is the first part of the stack's outputs, …RepositoryUri; skopeo and podman push as well)
  2. A key pair for signed URLs, if a bucket is `signed`:
     openssl genrsa -out key.pem 2048
  3. The application; SiteUrl is what users type, here http://shop.localhost:8080:
     escale template > shop.yaml
     aws cloudformation deploy --stack-name shop --template-file shop.yaml --capabilities CAPABILITY_NAMED_IAM \\
       --parameter-overrides FrontendImage=REGISTRY/shop/frontend:v1 SiteUrl=http://shop.localhost:8080 \\
       CdnPublicKeyPem=\"$(openssl rsa -in key.pem -pubout)\" CdnPrivateKeyPem=\"$(cat key.pem)\"
  4. What buckets `sync`, below the path that they are served at:
     aws s3 sync frontend/dist s3://BUCKET/static/
Its parameters stand on top of the template; the stack's outputs name its buckets.";

#[derive(Args)]
#[command(after_long_help = STEPS)]
pub(crate) struct TemplateArgs {
    /// The folder of an escale.yaml, or the file itself.
    #[arg(default_value = ".")]
    manifest: PathBuf,
    /// The environment whose template it is.
    #[arg(long, default_value = LOCAL)]
    environment: String,
    /// Change one value of the manifest, as an environment would: `--set services.*.count=1`.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// The small template of the image repositories, which is deployed first.
    #[arg(long)]
    registry: bool,
}

pub(crate) fn run(out: &Output, args: &TemplateArgs) -> Result<()> {
    let manifest = read_manifest(&manifest_path(&args.manifest)?, &args.environment, &args.set)?;
    let made = match args.registry {
        true => registry_template(&manifest).ok_or_else(|| {
            anyhow::anyhow!("{} builds no images, so it needs no repositories", manifest.app)
        })?,
        false => template(&manifest).map_err(|p| anyhow::anyhow!("{}", p[0]))?,
    };
    match out.json {
        true => super::print(&format!("{}\n", made.to_json_min())),
        false => super::print(&made.to_yaml()),
    }
    Ok(())
}

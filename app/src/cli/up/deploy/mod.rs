//! `escale deploy --environment prod`: the application of a manifest on AWS.
//!
//! ```text
//! account and region checked ─ images built ─ name confirmed ─ repositories, push ─ certificate ─ change set shown ─ executed ─ files
//! ```
//! Everything up to the confirmation only reads. A first deployment that fails is removed again; an update that fails is rolled back
//! by CloudFormation.

mod certificate;

use super::{
    Deployment, Given, Phases, RELEASE, Wanted, any, bases, describe, diff::compare, guard, images,
    refuse_missing_secrets, release, remove, sources, stack, static_files, stop_signals,
    template_bucket::TEMPLATE_URL_BYTES,
};
use crate::{
    cli::{
        Concluded, Output,
        ask::{ask, confirm_name},
        changes::{Changes, Kind},
        client::Client,
        history,
        remote::{self, Environment},
        up::keys,
    },
    home::Home,
    lock,
    settings::Settings,
};
use anyhow::{Context, Result, bail};
use certificate::Made;
use clap::Args;
use escale_blueprint::{Image, Purpose, Template, registry_template, template};
use escale_imagebuild::Layout;
use escale_service::ImageName;
use escale_wire::Element;
use serde_json::json;
use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

#[derive(Args)]
pub(crate) struct Deploy {
    /// The folder of an escale.yaml, or the file itself.
    #[arg(default_value = ".")]
    manifest: PathBuf,
    /// The environment of the manifest. Credentials are those of the environment variables or of a profile, as for AWS's own tools.
    #[arg(long)]
    environment: String,
    /// The profile of ~/.aws/config.
    #[arg(long)]
    profile: Option<String>,
    /// Override one value of the manifest, as an environment can: `--set services.*.count=1`.
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Do not ask for the name of the stack: this is the name, for example `shop-prod`. Any other name is refused.
    #[arg(long, value_name = "STACK")]
    yes: Option<String>,
    /// Without a terminal: agree to the deletion of data, by a resource that is replaced or removed.
    #[arg(long)]
    delete_data: bool,
}

pub(crate) async fn run(home: &Home, out: &Output, args: &Deploy) -> Result<ExitCode> {
    let env = remote::connect(&args.manifest, &args.environment, args.profile.as_deref(), &args.set).await?;
    let work = Work::new(home, out, env)?;
    let mut phases = Phases::new(out);
    let _alone = lock::alone(home)?;
    let layouts = work.build(&mut phases).await?;
    let present = work.ready().await?;
    work.confirm(args, present.as_ref(), &phases)?;
    let mut begun = Begun { existed: present.is_some(), ..Begun::default() };
    let mut stopped = stop_signals()?;
    let done = tokio::select! {
        done = work.deploy(args, layouts, present.as_ref(), &mut begun, &mut phases) => done,
        () = any(&mut stopped) => {
            phases.hide();
            let stack = work.env.stack();
            bail!(
                "interrupted. CloudFormation goes on with what has begun: see `escale status --environment {}`. Run `escale deploy` \
                 again to continue, or remove the stacks {stack} and {}",
                args.environment,
                work.env.manifest.registry_stack_name()
            );
        }
    };
    match done {
        Ok(done) => {
            phases.end();
            work.say(&done, &phases);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => Err(Concluded::of(error, work.undo(begun, &mut phases).await)),
    }
}

/// `escale diff --environment prod`: what the next `escale deploy` would change.
pub(super) async fn diff(home: &Home, out: &Output, env: Environment) -> Result<()> {
    let work = Work::new(home, out, env)?;
    let mut phases = Phases::new(out);
    let _alone = lock::alone(home)?;
    let present = work.present().await?;
    let present = present.with_context(|| {
        format!("{} is not deployed: `escale deploy` would create all of it", work.env.stack())
    })?;
    let layouts = work.build(&mut phases).await?;
    phases.begin("compare");
    let references = images::references(work.client(), &work.template, &layouts).await?;
    let site = Site::of(&present, &work.template);
    let parameters = values(&work.template, Some(&present), &references, &site)?;
    compare(work.client(), out, &work.env.manifest, &work.template, parameters, &mut phases).await
}

/// What a deployment has begun to create.
#[derive(Default)]
struct Begun {
    /// Whether the application's stack existed before.
    existed: bool,
    /// Whether this deployment created the stack of the repositories.
    registry: bool,
    certificate: Option<Made>,
}

struct Work<'a> {
    home: &'a Home,
    out: &'a Output,
    env: Environment,
    template: Template,
    text: String,
    settings: Settings,
}

impl<'a> Work<'a> {
    fn new(home: &'a Home, out: &'a Output, env: Environment) -> Result<Work<'a>> {
        let template = template(&env.manifest).map_err(|problems| anyhow::anyhow!("{}", problems[0]))?;
        let text = template.to_json_min();
        if text.len() > TEMPLATE_URL_BYTES {
            bail!(
                "the template has {} bytes, and CloudFormation takes {TEMPLATE_URL_BYTES}. Divide the manifest into two applications",
                text.len()
            );
        }
        static_files::check(&env.folder, &template)?;
        check_images(&template, &Settings::of(home)?)?;
        Ok(Work { home, out, env, template, text, settings: Settings::of(home)? })
    }

    fn client(&self) -> &Client {
        &self.env.client
    }

    /// Builds the images before anything is created.
    async fn build(&self, phases: &mut Phases) -> Result<BTreeMap<String, Layout>> {
        let sources = sources::sources(&self.env.folder, &self.template, &self.settings.config)?;
        for source in &sources {
            if let Some(base) = source.own_bases.first() {
                bail!(
                    "{}:{}: the base image {} is in the registry of this machine, which AWS's is not. Push it to another registry, \
                     and name it there",
                    source.dockerfile.file,
                    base.line,
                    base.image
                );
            }
        }
        let sources: Vec<_> = sources.iter().collect();
        let bases = bases::pull_others(self.home, &self.settings, &sources, phases).await?;
        phases.begin("build");
        images::build_all(self.home, sources, &bases, phases)
    }

    /// Checks what must exist on AWS. Returns the stack, if it is deployed.
    async fn ready(&self) -> Result<Option<Element>> {
        refuse_missing_secrets(self.client(), &self.template).await?;
        if self.takes_certificate()
            && let Some(domain) = &self.env.manifest.domain
        {
            certificate::zone(self.client(), domain).await?;
        }
        self.present().await
    }

    /// The stack, if it was created completely. One that another deployment works on is refused: this deployment could otherwise take
    /// it for its own, and remove it after a failure.
    async fn present(&self) -> Result<Option<Element>> {
        let found = describe(self.client(), &self.env.stack()).await?;
        let status = found.as_ref().map_or("", |stack| stack.text_of("StackStatus"));
        if status.ends_with("_IN_PROGRESS") && status != "REVIEW_IN_PROGRESS" {
            bail!(
                "another deployment of {} is in progress ({status}). Wait for its end: `escale status --environment {}` shows it",
                self.env.stack(),
                self.env.manifest.environment.name
            );
        }
        Ok(found.filter(|stack| is_made(stack.text_of("StackStatus"))))
    }

    fn takes_certificate(&self) -> bool {
        self.template.parameters.iter().any(|parameter| parameter.purpose == Purpose::Certificate)
    }

    /// Shows account, region and caller, and has the user type the stack's name.
    fn confirm(&self, args: &Deploy, present: Option<&Element>, phases: &Phases) -> Result<()> {
        let stack = self.env.stack();
        let verb = if present.is_some() { "Update" } else { "Create" };
        let mut lines = vec![
            format!("{verb} {stack} on AWS:"),
            format!("  account  {}", self.env.account),
            format!("  region   {}", self.env.region),
            format!("  caller   {}", self.env.caller),
        ];
        lines.extend(self.env.manifest.domain.as_ref().map(|domain| format!("  domain   {domain}")));
        for line in &lines {
            phases.line(line);
        }
        phases.pause(|| confirm_name(self.out, &stack, args.yes.as_deref()))
    }

    async fn deploy(
        &self,
        args: &Deploy,
        layouts: BTreeMap<String, Layout>,
        present: Option<&Element>,
        begun: &mut Begun,
        phases: &mut Phases,
    ) -> Result<Deployment> {
        let client = self.client();
        phases.begin("push");
        let registry_stack = self.env.manifest.registry_stack_name();
        if let Some(registry) = registry_template(&self.env.manifest) {
            begun.registry = describe(client, &registry_stack).await?.is_none();
            let text = registry.to_json_min();
            let wanted =
                Wanted { name: &registry_stack, template: &text, parameters: Vec::new(), prefix: RELEASE };
            let agree = async |changes: &Changes| self.agree(args, changes, phases).await;
            stack::deploy(client, &wanted, agree, phases).await?;
        }
        let references = images::push_all(client, &self.template.images, &layouts, phases).await?;
        let site = self.site(present, begun, phases).await?;
        phases.begin("stack");
        let name = self.env.stack();
        if present.is_none() && self.present().await?.is_some() {
            begun.existed = true;
            bail!("another deployment has created {name} meanwhile, so this one stopped");
        }
        let parameters = values(&self.template, present, &references, &site)?;
        let wanted = Wanted { name: &name, template: &self.text, parameters, prefix: RELEASE };
        let agree = async |changes: &Changes, phases: &Phases| self.agree(args, changes, phases).await;
        let done = release::deploy(client, &self.template, wanted, agree, phases).await?;
        if let Err(failure) = guard::checks_pass(client, &done.changes, phases).await {
            phases.begin("undo");
            let outcome = match history::undo(client, &name, phases).await {
                Ok(()) => "The release was undone.".to_owned(),
                Err(error) => format!("The release could not be undone: {error:#}"),
            };
            return Err(failure.context(outcome));
        }
        phases.begin("static files");
        static_files::sync_all(client, &self.env.folder, &self.template, &done.outputs).await?;
        Ok(done)
    }

    /// The domain's certificate and zone. A deployed stack keeps its own.
    async fn site(&self, present: Option<&Element>, begun: &mut Begun, phases: &mut Phases) -> Result<Site> {
        let Some(domain) = self.env.manifest.domain.as_ref().filter(|_| self.takes_certificate()) else {
            return Ok(Site::default());
        };
        let kept = |purpose: &Purpose| {
            let name = &self.template.parameters.iter().find(|p| p.purpose == *purpose)?.name;
            value(present?, name).filter(|value| !value.is_empty()).map(str::to_owned)
        };
        if let (Some(certificate), Some(zone)) = (kept(&Purpose::Certificate), kept(&Purpose::Zone)) {
            return Ok(Site { certificate, zone });
        }
        phases.begin("certificate");
        let zone = certificate::zone(self.client(), domain).await?;
        let made = &mut begun.certificate;
        let certificate = certificate::certificate(&self.env, domain, &zone, made, phases).await?;
        Ok(Site { certificate, zone: zone.id })
    }

    /// Shows the change set, and asks before an update is made.
    async fn agree(&self, args: &Deploy, changes: &Changes, phases: &Phases) -> Result<()> {
        if changes.0.iter().all(|change| change.kind == Kind::Create) {
            phases.line(&format!("  {}", changes.summary()));
            return Ok(());
        }
        for line in changes.lines(usize::MAX) {
            phases.line(&line);
        }
        let stack = self.env.stack();
        let unchanged = format!("{stack} was not changed");
        let losses = changes.losses(self.client()).await?;
        if losses.is_empty() && args.yes.is_some() {
            return Ok(());
        }
        if losses.is_empty() {
            return phases.pause(|| ask(self.out, &format!("{}:", changes.summary()), &[], &unchanged));
        }
        if args.delete_data {
            return Ok(());
        }
        if args.yes.is_some() {
            bail!(
                "this update of {stack} deletes data:\n  {}\n{unchanged}. Pass --delete-data to agree to this",
                losses.join("\n  ")
            );
        }
        phases.pause(|| ask(self.out, &format!("This update of {stack} deletes data:"), &losses, &unchanged))
    }

    /// Removes what a failed first deployment has created, and returns the outcome as text.
    async fn undo(&self, begun: Begun, phases: &mut Phases) -> String {
        let stack = self.env.stack();
        if begun.existed {
            return format!("{stack} runs as before. Fix the error above and run `escale deploy` again.");
        }
        phases.begin("remove");
        match self.remove(begun, phases).await {
            Ok(()) => format!(
                "All resources of {stack} were removed again. Fix the error above and run `escale deploy` again."
            ),
            Err(error) => format!(
                "Not all resources of {stack} could be removed again: {error:#}\nSee `escale status --environment {}`, and \
                 docs/deploy.md for how to remove them.",
                self.env.manifest.environment.name
            ),
        }
    }

    async fn remove(&self, begun: Begun, phases: &Phases) -> Result<()> {
        let client = self.client();
        let stack = self.env.stack();
        super::empty_buckets(client, &stack).await?;
        let families = super::families(client, &stack).await?;
        remove(client, &stack, phases).await?;
        super::forget_retained(client, &families).await?;
        if begun.registry {
            remove(client, &self.env.manifest.registry_stack_name(), phases).await?;
        }
        match begun.certificate {
            Some(made) => made.remove().await,
            None => Ok(()),
        }
    }

    fn say(&self, done: &Deployment, phases: &Phases) {
        let (stack, env) = (self.env.stack(), &self.env);
        let mut text = format!("\n{stack} is deployed ({}): {}", env.place(), done.changes.summary());
        for (name, value) in &done.outputs {
            text += &format!("\n  {name:<24} {value}");
        }
        let value = json!({
            "app": env.manifest.app, "stack": stack, "environment": self.env.manifest.environment.name, "account": env.account,
            "region": env.region, "caller": env.caller, "outputs": done.outputs, "changes": done.changes.json(),
            "seconds": phases.seconds(),
        });
        self.out.say(&text, &value);
    }
}

/// What the distribution of a domain needs; empty without a domain.
#[derive(Default)]
pub(super) struct Site {
    certificate: String,
    zone: String,
}

impl Site {
    /// What a deployed stack has.
    pub(super) fn of(stack: &Element, template: &Template) -> Site {
        let of = |purpose: Purpose| {
            let parameter = template.parameters.iter().find(|parameter| parameter.purpose == purpose);
            parameter.and_then(|p| value(stack, &p.name)).unwrap_or_default().to_owned()
        };
        Site { certificate: of(Purpose::Certificate), zone: of(Purpose::Zone) }
    }
}

/// The values of the template's parameters. `present` is the deployed stack, which keeps its signing keys: they exist nowhere else
/// but in AWS, and new ones would make URLs invalid that users hold.
pub(super) fn values(
    template: &Template,
    present: Option<&Element>,
    images: &BTreeMap<String, String>,
    site: &Site,
) -> Result<Vec<Given>> {
    let mut pair = None;
    let mut given = Vec::new();
    for parameter in &template.parameters {
        let name = &parameter.name;
        let is_key = matches!(parameter.purpose, Purpose::CdnPublicKey | Purpose::CdnPrivateKey);
        if is_key && present.is_some_and(|stack| value(stack, name).is_some()) {
            given.push(Given::Previous(name.clone()));
            continue;
        }
        if is_key && pair.is_none() {
            pair = Some(keys::new_pair()?);
        }
        let value = match &parameter.purpose {
            Purpose::Environment => continue,
            Purpose::Runs { .. } | Purpose::SiteUrl => None,
            Purpose::Image { service } => images.get(service).cloned(),
            Purpose::CdnPublicKey => pair.as_ref().map(|pair| pair.public_pem.clone()),
            Purpose::CdnPrivateKey => pair.as_ref().map(|pair| pair.private_pem.clone()),
            Purpose::Certificate => Some(site.certificate.clone()),
            Purpose::Zone => Some(site.zone.clone()),
        };
        let value = value.or_else(|| parameter.default.clone());
        let value = value.with_context(|| format!("the template's parameter {name} has no value"))?;
        given.push(Given::Value(name.clone(), value));
    }
    Ok(given)
}

fn value<'a>(stack: &'a Element, parameter: &str) -> Option<&'a str> {
    let mut all = stack.list("Parameters").iter();
    all.find(|p| p.text_of("ParameterKey") == parameter).map(|p| p.text_of("ParameterValue"))
}

/// Whether a stack was created completely once.
fn is_made(status: &str) -> bool {
    let unfinished = ["CREATE_IN_PROGRESS", "CREATE_FAILED", "REVIEW_IN_PROGRESS"].contains(&status);
    !unfinished && !status.starts_with("ROLLBACK_") && !status.starts_with("DELETE_")
}

/// Refuses images that tasks on AWS cannot run or pull.
fn check_images(template: &Template, settings: &Settings) -> Result<()> {
    for needed in &template.images {
        let service = &needed.service;
        match &needed.image {
            Image::Build(_) if sources::ARCHITECTURE != "amd64" => bail!(
                "the image of the service {service} would be built for {}, and the template's tasks run on x86_64. Deploy from a \
                 machine with x86_64",
                sources::ARCHITECTURE
            ),
            Image::Build(_) => {}
            Image::Reference(image) => {
                let name = ImageName::parse(image);
                let name = name
                    .with_context(|| format!("the service {service}: `{image}` is not a valid image name"))?;
                if name.is_own(&settings.config) {
                    bail!(
                        "the service {service} runs {image}, which is in the registry of this machine. Push it to another registry, \
                         and set `services.{service}.image` in the environment"
                    );
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_blueprint::Manifest;

    fn of(values: &[Given]) -> Vec<String> {
        let line = |given: &Given| match given {
            Given::Value(key, value) if value.starts_with("-----BEGIN") => format!("{key}=PEM"),
            Given::Value(key, value) => format!("{key}={value}"),
            Given::Previous(key) => format!("{key} kept"),
        };
        values.iter().map(line).collect()
    }

    #[test]
    fn deployed_stacks_keep_their_signing_keys() {
        let text = "app: web\nservices: { web: { image: nginx, port: 80, path: / } }\nbuckets: { files: { path: /files/*, signed: true } }\n\
                    environments: { prod: { domain: web.example.com } }\n";
        let manifest = Manifest::parse(text, "escale.yaml").unwrap().for_environment("prod").unwrap();
        let made = template(&manifest).unwrap();
        let images = BTreeMap::from([("web".to_owned(), "nginx".to_owned())]);
        let site = Site { certificate: "arn".into(), zone: "Z1".into() };
        let first = of(&values(&made, None, &images, &site).unwrap());
        assert_eq!(
            first,
            [
                "WebImage=nginx",
                "SiteUrl=https://web.example.com",
                "CertificateArn=arn",
                "HostedZoneId=Z1",
                "CdnPublicKeyPem=PEM",
                "CdnPrivateKeyPem=PEM"
            ]
        );
        let stack = "<Stack><Parameters><member><ParameterKey>CdnPublicKeyPem</ParameterKey><ParameterValue>x</ParameterValue></member>\
                     <member><ParameterKey>CdnPrivateKeyPem</ParameterKey><ParameterValue>****</ParameterValue></member></Parameters></Stack>";
        let stack = Element::parse(stack.as_bytes()).unwrap();
        let second = of(&values(&made, Some(&stack), &images, &site).unwrap());
        assert_eq!(second[4..], ["CdnPublicKeyPem kept", "CdnPrivateKeyPem kept"]);
    }
}

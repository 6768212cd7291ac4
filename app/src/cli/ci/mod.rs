//! `escale ci github`: writes the workflow that runs an application and its drills for each pull request, and deploys it after a merge.
//!
//! The file begins with a hash of its content. A file with another content was edited, or is not of this command, and is not overwritten.

mod role;
mod workflow;

use super::{
    Output,
    application::{LOCAL, manifest_path, read_manifest},
};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use escale_blueprint::{Manifest, Template, template};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use workflow::{Drill, Workflow};

/// The workflow, from the root of the repository.
const FILE: &str = ".github/workflows/escale.yml";

const HEADER: &str =
    "# Written by `escale ci github`, which does not overwrite it after an edit. Hash of the rest: sha256:";

#[derive(Args)]
pub(crate) struct Ci {
    #[command(subcommand)]
    on: On,
}

#[derive(Subcommand)]
enum On {
    /// Write .github/workflows/escale.yml: each pull request runs the application, its checks and its drills; a merge deploys it
    /// with a role that only this repository and branch can assume.
    Github(Github),
}

#[derive(Args)]
struct Github {
    /// The folder of an escale.yaml, or the file itself.
    #[arg(default_value = ".")]
    manifest: PathBuf,
    /// The environment that a merge deploys. The default is `prod`, or the only one of the manifest. Without any, nothing is deployed.
    #[arg(long)]
    environment: Option<String>,
    /// The branch whose pull requests are tested and whose pushes are deployed.
    #[arg(long, default_value = "main", value_parser = branch)]
    branch: String,
    /// The repository on GitHub. The default is that of the remote `origin`.
    #[arg(long, value_name = "OWNER/NAME", value_parser = repository)]
    repository: Option<String>,
    /// A command that compiles what the Dockerfiles copy. The default is `./build`, if the folder has such a program.
    #[arg(long, value_name = "COMMAND", value_parser = line)]
    build: Option<String>,
    /// A drill, and how many seconds with failed requests are allowed; may be repeated. The default is `task:5`, `db:20` if there is a
    /// database, and `az:30` if a service has two tasks and the database a standby.
    #[arg(long, value_name = "DRILL:SECONDS")]
    drill: Vec<Drill>,
    /// Print the CloudFormation template of the role that the workflow assumes, instead of writing the workflow.
    #[arg(long)]
    role: bool,
    /// Overwrite a workflow that was edited.
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(out: &Output, ci: &Ci) -> Result<()> {
    let On::Github(args) = &ci.on;
    let path = manifest_path(&args.manifest)?;
    let local = read_manifest(&path, LOCAL, &[])?;
    let target = environment(&local, args.environment.as_deref())?;
    let target = target.map(|name| read_manifest(&path, &name, &[])).transpose()?;
    let folder = path.parent().context("a file has a folder")?;
    let root = repository_root(folder);
    if args.role {
        let target = target.context(
            "the manifest has no environment to deploy, so no role is needed. Add one: `environments: { prod: { region: … } }`",
        )?;
        return print_role(out, args, &root, &target);
    }
    let template = template(&local).map_err(|p| anyhow::anyhow!("{}", p[0]))?;
    let workflow = Workflow {
        local: &local,
        target: target.as_ref(),
        branch: &args.branch,
        folder: folder.strip_prefix(&root).ok().filter(|inner| !inner.as_os_str().is_empty()),
        build: args.build.clone().or_else(|| default_build(folder)),
        drills: if args.drill.is_empty() { default_drills(&local, &template) } else { args.drill.clone() },
    };
    let text = with_hash(&workflow.text()?);
    let file = root.join(FILE);
    write(&file, &text, args.force)?;
    let steps = to_set_up(args, &root, target.as_ref());
    let shown: Vec<String> = steps.iter().zip(1..).map(|(step, n)| format!("{n}. {step}")).collect();
    let said = format!("Wrote {}. To set up once:\n{}", file.display(), shown.join("\n"));
    let environment = target.as_ref().map(|t| &t.environment.name);
    out.say(
        &said,
        &json!({"file": file, "branch": args.branch, "environment": environment, "to_set_up": steps}),
    );
    Ok(())
}

/// The environment that is deployed.
fn environment(manifest: &Manifest, named: Option<&str>) -> Result<Option<String>> {
    let remote: Vec<&String> = manifest.environments.iter().filter(|name| *name != LOCAL).collect();
    let known = || remote.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    if let Some(name) = named {
        if !remote.iter().any(|known| *known == name) {
            bail!(
                "--environment {name}: the manifest has no such environment to deploy. It has: {}",
                known()
            );
        }
        return Ok(Some(name.to_owned()));
    }
    match remote.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some((*only).clone())),
        many if many.iter().any(|name| *name == "prod") => Ok(Some("prod".to_owned())),
        _ => bail!(
            "the manifest has several environments. Name the one to deploy with --environment: {}",
            known()
        ),
    }
}

/// The folder of the Git repository, or the application's own: GitHub reads workflows from the root only.
fn repository_root(folder: &Path) -> PathBuf {
    let found = folder.ancestors().find(|above| above.join(".git").exists());
    found.unwrap_or(folder).to_owned()
}

fn default_build(folder: &Path) -> Option<String> {
    folder.join("build").is_file().then(|| "./build".to_owned())
}

/// A zone can only be lost without loss where everything has a second place.
fn default_drills(manifest: &Manifest, template: &Template) -> Vec<Drill> {
    let drill = |kind: &str, max_error_seconds| Drill { kind: kind.to_owned(), max_error_seconds };
    let mut drills = vec![drill("task", 5)];
    if !manifest.databases.is_empty() {
        drills.push(drill("db", 20));
    }
    let single = |kind: &str, property: &str, value: serde_json::Value| {
        let mut all = template.resources().values().filter(|r| r["Type"] == kind);
        all.any(|r| r["Properties"][property] == value)
    };
    let has_second = !single("AWS::ECS::Service", "DesiredCount", json!(1))
        && !single("AWS::RDS::DBInstance", "MultiAZ", json!(false));
    if has_second {
        drills.push(drill("az", 30));
    }
    drills
}

fn print_role(out: &Output, args: &Github, root: &Path, target: &Manifest) -> Result<()> {
    let repository = args.repository.clone().map_or_else(|| origin(root), Ok)?;
    let made = role::Role { manifest: target, repository: &repository, branch: &args.branch };
    let text = made.template()?;
    out.say(
        text.trim_end(),
        &json!({"template": text, "role": made.name(), "repository": repository, "branch": args.branch}),
    );
    Ok(())
}

/// The repository of the remote `origin`.
fn origin(root: &Path) -> Result<String> {
    const FIX: &str = "Name the repository with --repository OWNER/NAME";
    let asked =
        Command::new("git").arg("-C").arg(root).args(["config", "--get", "remote.origin.url"]).output();
    let url = asked.map(|done| String::from_utf8_lossy(&done.stdout).trim().to_owned()).unwrap_or_default();
    if url.is_empty() {
        bail!("the Git repository of {} has no remote `origin`. {FIX}", root.display());
    }
    let path = url.strip_suffix(".git").unwrap_or(&url).trim_end_matches('/');
    let name =
        path.strip_prefix("git@github.com:").or_else(|| path.split_once("github.com/").map(|(_, rest)| rest));
    name.and_then(|name| repository(name).ok())
        .with_context(|| format!("the remote `origin` is {url}, which is no repository on github.com. {FIX}"))
}

fn with_hash(rest: &str) -> String {
    format!("{HEADER}{}\n{rest}", hash(rest))
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the text is as this command wrote it, with whatever options.
fn is_unedited(text: &str) -> bool {
    let parts = text.strip_prefix(HEADER).and_then(|rest| rest.split_once('\n'));
    parts.is_some_and(|(of, rest)| of == hash(rest))
}

fn write(file: &Path, text: &str, force: bool) -> Result<()> {
    match fs::read_to_string(file) {
        Ok(there) if !force && !is_unedited(&there) => bail!(
            "{} was edited, or was not written by this command. Keep your changes elsewhere and run the command again with --force, \
             which overwrites them",
            file.display()
        ),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot read {}", file.display()));
        }
        _ => {}
    }
    let folder = file.parent().context("a file has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// What only the owner of the repository and of the account can do.
fn to_set_up(args: &Github, root: &Path, target: Option<&Manifest>) -> Vec<String> {
    let mut steps = vec![
        "Set the repository's variables ESCALE_PACKAGE_URL (where runners download Escale's Debian package) and ESCALE_PACKAGE_SHA256 \
         (its hash): `gh variable set NAME --body VALUE`."
            .to_owned(),
    ];
    if let Some(target) = target {
        let options =
            |known: Option<&String>| known.map_or(" --repository OWNER/NAME".to_owned(), |_| String::new());
        let repository = args.repository.clone().or_else(|| origin(root).ok());
        let stack = role::stack_name(target);
        steps.push(format!(
            "Create the role that the deployment assumes, in the account{}: `escale ci github --role --environment {}{} > role.yaml`, \
             then `aws cloudformation deploy --stack-name {stack} --template-file role.yaml --capabilities CAPABILITY_NAMED_IAM`. \
             Only workflows of {} on the branch {} can assume it.",
            target.environment.account.as_ref().map_or(String::new(), |account| format!(" {account}")),
            target.environment.name,
            args.repository.as_ref().map_or_else(|| options(repository.as_ref()), |name| format!(" --repository {name}")),
            repository.as_deref().unwrap_or("the repository"),
            args.branch,
        ));
        if target.environment.account.is_none() {
            steps.push(
                "Set the repository's variable AWS_ROLE_ARN to the stack's output RoleArn: the manifest does not name the account."
                    .to_owned(),
            );
        }
        if target.environment.region.is_none() {
            steps.push(
                "Set the repository's variable AWS_REGION: the manifest does not name the region.".to_owned(),
            );
        }
    }
    steps.push(format!(
        "Protect the branch {}, and require the check `Application` before a merge.",
        args.branch
    ));
    steps
}

/// A branch's name is written into expressions of the workflow and into the trust policy, where `*` would admit others.
fn branch(text: &str) -> Result<String, String> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    let fits = !text.is_empty() && text.bytes().all(is_plain) && !text.starts_with(['-', '/']);
    fits.then(|| text.to_owned()).ok_or_else(|| "expected letters, digits and `._-/`".to_owned())
}

fn repository(text: &str) -> Result<String, String> {
    let is_name = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let fits = text.split_once('/').is_some_and(|(owner, name)| is_name(owner) && is_name(name));
    fits.then(|| text.to_owned()).ok_or_else(|| "expected OWNER/NAME".to_owned())
}

fn line(text: &str) -> Result<String, String> {
    let fits = !text.trim().is_empty() && !text.contains(['\n', '\r']) && !text.contains("${{");
    fits.then(|| text.trim().to_owned()).ok_or_else(|| "expected one line without `${{`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{branch, is_unedited, line, repository, with_hash};

    #[test]
    fn an_edit_is_recognized() {
        let text = with_hash("on: push\n");
        assert!(is_unedited(&text));
        assert!(!is_unedited(&text.replace("push", "pull_request")));
        assert!(!is_unedited("on: push\n") && !is_unedited(""));
    }

    #[test]
    fn what_would_widen_the_trust_policy_is_refused() {
        assert!(repository("owner/shop.web").is_ok() && branch("release/1.x").is_ok());
        for bad in ["*", "owner/*", "owner", "owner/name/more", "/name", "o wner/name"] {
            assert!(repository(bad).is_err(), "{bad}");
        }
        for bad in ["", "*", "ma?n", "a b", "a'b", "${{x}}", "-f"] {
            assert!(branch(bad).is_err(), "{bad}");
        }
        assert!(line("make all").is_ok() && line("a\nb").is_err() && line("${{ secrets.X }}").is_err());
    }
}

//! The text of the workflow.

use super::role::role_name;
use anyhow::{Result, anyhow, bail};
use escale_blueprint::Manifest;
use std::{collections::BTreeSet, path::Path, str::FromStr};

/// Actions are pinned to commits: a tag can be moved to other code, which would get the deployment's token.
const CHECKOUT: &str = "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2";
const UPLOAD: &str = "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2";
const CREDENTIALS: &str =
    "aws-actions/configure-aws-credentials@ececac1a45f3b08a01d2dd070d28d111c5fe6722 # v4.1.0";

/// The runner has root without a password, four processors and cgroups v2.
const RUNNER: &str = "ubuntu-24.04";

/// A drill and its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Drill {
    pub(super) kind: String,
    pub(super) max_error_seconds: u32,
}

impl FromStr for Drill {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Drill> {
        const KINDS: [&str; 6] = ["task", "az", "db", "nat", "deploy-bad", "load"];
        let (kind, seconds) = text
            .split_once(':')
            .ok_or_else(|| anyhow!("'{text}': expected DRILL:SECONDS, for example db:20"))?;
        if !KINDS.contains(&kind) {
            bail!("'{kind}' is not a drill. The drills are: {}", KINDS.join(", "));
        }
        let max_error_seconds =
            seconds.parse().map_err(|_| anyhow!("'{seconds}' is not a number of seconds"))?;
        Ok(Drill { kind: kind.to_owned(), max_error_seconds })
    }
}

pub(super) struct Workflow<'a> {
    pub(super) local: &'a Manifest,
    /// The environment that is deployed.
    pub(super) target: Option<&'a Manifest>,
    pub(super) branch: &'a str,
    /// The application's folder below the root of the repository.
    pub(super) folder: Option<&'a Path>,
    pub(super) build: Option<String>,
    pub(super) drills: Vec<Drill>,
}

impl Workflow<'_> {
    pub(super) fn text(&self) -> Result<String> {
        let branch = self.branch;
        let folder = self.folder.map(folder).transpose()?;
        let working = folder.map_or_else(String::new, |folder| format!("    working-directory: {folder}\n"));
        let jobs = format!("{}{}", self.application(), self.deploy());
        Ok(format!(
            r#"name: Escale

on:
  pull_request:
    branches: ['{branch}']
  push:
    branches: ['{branch}']

permissions:
  contents: read

# A newer commit of a pull request replaces a run. A run that deploys is never cancelled.
concurrency:
  group: escale-${{{{ github.ref }}}}
  cancel-in-progress: ${{{{ github.event_name == 'pull_request' }}}}

defaults:
  run:
    shell: bash
{working}
jobs:
{jobs}"#
        ))
    }

    fn application(&self) -> String {
        let app = &self.local.app;
        let mut text = format!(
            r#"  application:
    name: Application
    runs-on: {RUNNER}
    timeout-minutes: 60
    env:
      ESCALE_HOME: /var/tmp/escale
    steps:
"#
        );
        text.push_str(&self.prepared(&postgres(self.local)));
        text.push_str(&step("Check the template", "escale check ."));
        if let Some(target) = self.target {
            text.push_str(&self.checked(target));
        }
        text.push_str(&step("Run the application", "sudo -E escale up . --yes"));
        text.push_str(&measured(
            "Review what runs, and probe its ports",
            "review",
            &format!("review {app} --live"),
        ));
        text.push_str(&measured("Verify it from outside", "verify", "verify"));
        for drill in &self.drills {
            let Drill { kind, max_error_seconds } = drill;
            let file = format!("drill-{kind}");
            let command = format!("drill {kind} --max-error-seconds {max_error_seconds}");
            text.push_str(&measured(&format!("Drill: {kind}"), &file, &command));
        }
        text.push_str(&self.reported());
        text
    }

    /// The repository, Escale, and what the Dockerfiles copy. `postgres`: the packages of PostgreSQL.
    fn prepared(&self, postgres: &str) -> String {
        // The versions of PostgreSQL that Ubuntu does not have are in the PostgreSQL project's own repository.
        let repository = if postgres.is_empty() {
            ""
        } else {
            "          sudo /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y\n"
        };
        let build = self.build.as_ref().map_or_else(String::new, |command| step("Build", command));
        format!(
            r#"      - uses: {CHECKOUT}
        with:
          persist-credentials: false
      - name: Install Escale
        env:
          URL: ${{{{ vars.ESCALE_PACKAGE_URL }}}}
          SHA256: ${{{{ vars.ESCALE_PACKAGE_SHA256 }}}}
        run: |
          : "${{URL:?Set the repository variable ESCALE_PACKAGE_URL: where the Debian package of Escale is}}"
          : "${{SHA256:?Set the repository variable ESCALE_PACKAGE_SHA256: the hash of that package}}"
          curl --fail --silent --show-error --location --output "$RUNNER_TEMP/escale.deb" "$URL"
          echo "$SHA256  $RUNNER_TEMP/escale.deb" | sha256sum --check
{repository}          sudo apt-get install --yes "$RUNNER_TEMP/escale.deb"{postgres}
{build}"#
        )
    }

    /// What will be deployed. Its rules admit its own account and region only.
    fn checked(&self, target: &Manifest) -> String {
        let environment = &target.environment;
        let variable = |name: &str, value: Option<&String>| {
            value.map_or_else(String::new, |value| format!("          {name}: '{value}'\n"))
        };
        let set = variable("ESCALE_ACCOUNT", environment.account.as_ref())
            + &variable("ESCALE_REGION", environment.region.as_ref());
        let set = if set.is_empty() { set } else { format!("        env:\n{set}") };
        let name = &environment.name;
        format!(
            r#"      - name: Check and review what will be deployed
{set}        run: |
          mkdir -p "$RUNNER_TEMP/escale-report"
          escale check . --environment {name}
          escale review . --environment {name} | tee "$RUNNER_TEMP/escale-report/review-{name}.txt"
"#
        )
    }

    /// What stays: the report with its evidence, or what explains the failure.
    fn reported(&self) -> String {
        let app = &self.local.app;
        let evidence: String = std::iter::once("review".to_owned())
            .chain(self.drills.iter().map(|drill| format!("drill-{}", drill.kind)))
            .map(|name| format!(" {name}.json"))
            .collect();
        format!(
            r#"      - name: Write the report
        run: |
          app=$PWD
          cd "$RUNNER_TEMP/escale-report"
          sudo -E escale report {app} --live --output report.html --evidence{evidence}
          escale diagram "$app" --output architecture.md
          cat architecture.md >> "$GITHUB_STEP_SUMMARY"
      - name: Keep what explains the failure
        if: failure()
        run: |
          mkdir -p "$RUNNER_TEMP/escale-report"
          sudo -E escale status {app} > "$RUNNER_TEMP/escale-report/status.txt" || true
          sudo -E escale logs --app {app} > "$RUNNER_TEMP/escale-report/logs.txt" || true
          sudo cat "$ESCALE_HOME/daemon.log" > "$RUNNER_TEMP/escale-report/daemon.log" || true
      - name: Remove the application
        if: always()
        run: sudo -E escale reset --yes
      - uses: {UPLOAD}
        if: always()
        with:
          name: escale-report
          path: ${{{{ runner.temp }}}}/escale-report
          if-no-files-found: ignore
"#
        )
    }

    fn deploy(&self) -> String {
        let Some(target) = self.target else { return String::new() };
        let environment = &target.environment;
        let name = &environment.name;
        let role = match &environment.account {
            Some(account) => {
                format!("${{{{ vars.AWS_ROLE_ARN || 'arn:aws:iam::{account}:role/{}' }}}}", role_name(target))
            }
            None => "${{ vars.AWS_ROLE_ARN }}".to_owned(),
        };
        let region = environment.region.clone().unwrap_or_else(|| "${{ vars.AWS_REGION }}".to_owned());
        let stack = target.stack_name();
        let (branch, prepared, app) = (self.branch, self.prepared(""), &target.app);
        let check = step("Verify what was deployed", &format!("escale verify . --environment {name}"));
        format!(
            r#"
  deploy:
    name: Deploy {name}
    needs: application
    if: github.event_name == 'push' && github.ref == 'refs/heads/{branch}'
    runs-on: {RUNNER}
    timeout-minutes: 60
    permissions:
      contents: read
      id-token: write
    concurrency:
      group: escale-deploy-{name}
      cancel-in-progress: false
    steps:
{prepared}      - uses: {CREDENTIALS}
        with:
          role-to-assume: {role}
          role-session-name: {app}-${{{{ github.run_id }}}}
          aws-region: {region}
      - name: Deploy
        run: escale deploy . --environment {name} --yes {stack}
{check}"#
        )
    }
}

/// The packages of the versions that the manifest's databases have.
fn postgres(manifest: &Manifest) -> String {
    let majors: BTreeSet<u32> = manifest.databases.iter().map(|d| d.engine.major()).collect();
    majors.iter().map(|major| format!(" postgresql-{major}")).collect()
}

/// A path of plain characters needs no quoting in YAML, nor in the shell.
fn folder(path: &Path) -> Result<&str> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    path.to_str().filter(|text| text.bytes().all(is_plain)).ok_or_else(|| {
        anyhow!(
            "the path {} has characters other than letters, digits and `._-/`. Rename the folder",
            path.display()
        )
    })
}

fn step(name: &str, command: &str) -> String {
    format!("      - name: '{name}'\n        run: |\n          {command}\n")
}

/// A step whose result is evidence in the report. `pipefail`, which GitHub sets for `shell: bash`, keeps the exit code.
fn measured(name: &str, file: &str, command: &str) -> String {
    let report = "\"$RUNNER_TEMP/escale-report\"";
    step(
        name,
        &format!(
            "mkdir -p {report}\n          sudo -E escale {command} --json | tee {}/{file}.json\"",
            report.trim_end_matches('"')
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_drills_with_their_limits() {
        let of = |text: &str| text.parse::<Drill>();
        assert_eq!(of("db:20").unwrap(), Drill { kind: "db".into(), max_error_seconds: 20 });
        for bad in ["db", "db:", "db:-1", "disk:3", ":3"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_manifest_without_an_environment_deploys_nothing() {
        let text = "app: notes\nservices:\n  web: { image: nginx, port: 80, path: / }\n";
        let local = Manifest::parse(text, "escale.yaml").and_then(|m| m.for_environment("local")).unwrap();
        let made = Workflow {
            local: &local,
            target: None,
            branch: "main",
            folder: None,
            build: None,
            drills: Vec::new(),
        };
        let text = made.text().unwrap();
        assert!(
            !text.contains("id-token") && !text.contains("escale deploy") && !text.contains("postgresql")
        );
    }
}

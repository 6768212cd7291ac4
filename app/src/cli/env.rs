//! `escale env`: prints the environment variables with which the aws CLI, the SDKs and Terraform reach this cloud, for
//! `eval "$(escale env)"`.

use super::Output;
use crate::{home::Home, root_key, settings::Settings};
use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value};

#[derive(Args)]
pub(crate) struct Env {
    /// Name the endpoint with https, and the certificate to verify it with. Policies that deny requests without TLS
    /// (`aws:SecureTransport`) admit only those.
    #[arg(long)]
    https: bool,
}

/// Variables that would direct a client to another endpoint, or make it send another identity's credentials.
pub(crate) const UNSET: [&str; 4] =
    ["AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN"];

/// The variables with their values.
pub(crate) fn variables(home: &Home, https: bool) -> Result<Vec<(&'static str, String)>> {
    let settings = Settings::of(home)?;
    let key = root_key::find(home)?;
    let region = &settings.config.region;
    let mut variables = vec![
        ("AWS_ENDPOINT_URL", settings.endpoint_url()),
        ("AWS_REGION", region.clone()),
        ("AWS_DEFAULT_REGION", region.clone()),
        ("AWS_ACCESS_KEY_ID", key.id),
        ("AWS_SECRET_ACCESS_KEY", key.secret.reveal().clone()),
    ];
    if https {
        variables[0].1 = format!("https://{}", settings.config.endpoint);
        // The second one is for the CDK.
        for name in ["AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
            variables.push((name, home.root_certificate().display().to_string()));
        }
    }
    Ok(variables)
}

pub(crate) fn run(home: &Home, out: &Output, env: &Env) -> Result<()> {
    let variables = variables(home, env.https)?;
    let json: Map<String, Value> = variables.iter().map(|(n, v)| ((*n).into(), v.as_str().into())).collect();
    out.say(&script(&variables), &json.into());
    Ok(())
}

fn script(variables: &[(&str, String)]) -> String {
    let exports = variables.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value)));
    exports.collect::<String>() + "unset " + &UNSET.join(" ")
}

/// Quotes a word for the POSIX shell, where no character but the quote itself is special within single quotes.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn values_survive_the_shell() {
        let secret = r#"a'b"c$(d)`e`\f!g"#;
        let script = super::script(&[("AWS_SECRET_ACCESS_KEY", secret.to_owned())]);
        let mut shell = std::process::Command::new("sh");
        shell.args([
            "-c",
            r#"eval "$1"; printf %s "$AWS_SECRET_ACCESS_KEY:${AWS_PROFILE-none}""#,
            "sh",
            &script,
        ]);
        let printed = shell.env("AWS_PROFILE", "other").output().unwrap().stdout;
        assert_eq!(String::from_utf8(printed).unwrap(), format!("{secret}:none"));
    }
}

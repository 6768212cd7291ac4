//! The credentials that a user has given: environment variables or a profile, as AWS's own tools read them.
//!
//! No source is guessed: without variables and without a profile there are no credentials, and nothing is contacted. What needs a
//! login of the user (IAM Identity Center, a second factor) is done by `aws configure export-credentials`.

use super::{
    profiles::{Profile, Profiles},
    wire::Wire,
};
use anyhow::{Context, Result, bail};
use escale_base::{Clock, Secret, Timestamp};
use serde::Deserialize;
use std::{process::Stdio, sync::Arc};
use tokio::{process::Command, sync::Mutex};

/// Temporary credentials are replaced this long before they expire, so that a request in progress still ends.
const BEFORE_END_MS: i64 = 5 * 60 * 1000;

/// Longest chain of profiles, each the source of the one before.
const CHAIN: usize = 8;

/// One set of keys.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) access_key: String,
    pub(crate) secret: Secret<String>,
    pub(crate) session_token: Option<Secret<String>>,
    expires: Option<Timestamp>,
}

impl Keys {
    fn is_current(&self, now: Timestamp) -> bool {
        self.expires.is_none_or(|end| end.since_ms(now) > BEFORE_END_MS)
    }
}

/// Where keys come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Keys(Keys),
    /// AssumeRole with the keys of another source.
    Role {
        from: Box<Source>,
        role: Role,
    },
    /// A program that prints keys: `credential_process`, or the aws CLI.
    Program {
        words: Vec<String>,
        what: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Role {
    arn: String,
    session_name: String,
    external_id: Option<String>,
    duration_seconds: Option<String>,
}

/// Keys of a source, read once and again before they expire.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    source: Arc<Source>,
    current: Arc<Mutex<Option<Keys>>>,
}

impl Provider {
    pub(crate) fn new(source: Source) -> Provider {
        Provider { source: Arc::new(source), current: Arc::default() }
    }

    /// Current keys. `wire` reaches STS, in case that a role has to be assumed.
    pub(crate) async fn keys(&self, wire: &Wire) -> Result<Keys> {
        let mut current = self.current.lock().await;
        if let Some(keys) = current.as_ref().filter(|keys| keys.is_current(Clock::machine().now())) {
            return Ok(keys.clone());
        }
        let keys = keys(&self.source, wire).await?;
        *current = Some(keys.clone());
        Ok(keys)
    }
}

async fn keys(source: &Source, wire: &Wire) -> Result<Keys> {
    let (from, role) = match source {
        Source::Keys(keys) => return Ok(keys.clone()),
        Source::Program { words, what } => return run(words, what).await,
        Source::Role { from, role } => (from, role),
    };
    let own = Box::pin(keys(from, wire)).await?;
    let mut request = vec![
        ("RoleArn".to_owned(), role.arn.clone()),
        ("RoleSessionName".to_owned(), role.session_name.clone()),
    ];
    let optional = [("ExternalId", &role.external_id), ("DurationSeconds", &role.duration_seconds)];
    for (name, value) in optional {
        request.extend(value.iter().map(|value| (name.to_owned(), value.clone())));
    }
    let answer = wire.query(&own, "sts", "AssumeRole", &request).await;
    let answer = answer.with_context(|| format!("cannot assume the role {}", role.arn))?;
    let given = answer.find("Credentials").context("STS's response to AssumeRole has no credentials")?;
    Ok(Keys {
        access_key: given.text_of("AccessKeyId").to_owned(),
        secret: Secret::new(given.text_of("SecretAccessKey").to_owned()),
        session_token: Some(Secret::new(given.text_of("SessionToken").to_owned())),
        expires: Some(end(given.text_of("Expiration"))?),
    })
}

/// What such a program prints.
/// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Printed {
    version: u32,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
    expiration: Option<String>,
}

async fn run(words: &[String], what: &str) -> Result<Keys> {
    let (program, arguments) = words.split_first().with_context(|| format!("{what} is empty"))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::inherit()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    let child = command.spawn().with_context(|| format!("cannot run {what}"))?;
    let ended = child.wait_with_output().await?;
    if !ended.status.success() {
        bail!("{what} failed ({}), so there are no credentials", ended.status);
    }
    // Its output has secrets, so no error shows it.
    read(&ended.stdout).with_context(|| format!("{what} printed no credentials"))
}

fn read(output: &[u8]) -> Result<Keys> {
    let Ok(printed) = serde_json::from_slice::<Printed>(output) else {
        bail!("expected JSON with Version, AccessKeyId and SecretAccessKey");
    };
    if printed.version != 1 {
        bail!("expected Version 1, not {}", printed.version);
    }
    Ok(Keys {
        access_key: printed.access_key_id,
        secret: Secret::new(printed.secret_access_key),
        session_token: printed.session_token.map(Secret::new),
        expires: printed.expiration.as_deref().map(end).transpose()?,
    })
}

/// `2026-11-22T12:00:00Z`, or with `+00:00`.
fn end(text: &str) -> Result<Timestamp> {
    let text = text.strip_suffix("+00:00").map_or_else(|| text.to_owned(), |time| format!("{time}Z"));
    Timestamp::parse_iso8601(&text).with_context(|| format!("`{text}` is not a time in UTC"))
}

/// What `--profile` and the environment say about credentials.
pub(crate) struct Wanted<'a> {
    pub(crate) profile: Option<&'a str>,
    pub(crate) variable: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) profiles: &'a Profiles,
}

impl Wanted<'_> {
    /// The name of the profile in use. Variables with keys win over `AWS_PROFILE`, and `--profile` over both.
    pub(crate) fn profile_name(&self) -> String {
        let named = self.profile.map(str::to_owned).or_else(|| (self.variable)("AWS_PROFILE"));
        named.unwrap_or_else(|| "default".to_owned())
    }

    pub(crate) fn source(&self) -> Result<Source> {
        if self.profile.is_none()
            && let Some(keys) = self.keys_of_variables()?
        {
            return Ok(Source::Keys(keys));
        }
        let is_named = self.profile.is_some() || (self.variable)("AWS_PROFILE").is_some();
        let name = self.profile_name();
        if !is_named {
            let elsewhere = [
                "AWS_WEB_IDENTITY_TOKEN_FILE",
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            ];
            if elsewhere.iter().any(|v| (self.variable)(v).is_some()) {
                return Ok(aws_cli(None));
            }
            if self.profiles.get(&name).is_none() {
                bail!(
                    "there are no AWS credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile of \
                     ~/.aws/config with --profile or AWS_PROFILE"
                );
            }
        }
        self.of_profile(&name, CHAIN)
    }

    fn keys_of_variables(&self) -> Result<Option<Keys>> {
        let Some(access_key) = (self.variable)("AWS_ACCESS_KEY_ID") else { return Ok(None) };
        let secret = (self.variable)("AWS_SECRET_ACCESS_KEY");
        let secret =
            secret.context("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not. Set both")?;
        let session_token = (self.variable)("AWS_SESSION_TOKEN").map(Secret::new);
        Ok(Some(Keys { access_key, secret: Secret::new(secret), session_token, expires: None }))
    }

    fn of_profile(&self, name: &str, chain: usize) -> Result<Source> {
        let profile = self.profiles.get(name).with_context(|| {
            let known = self.profiles.names().join(", ");
            format!(
                "there is no AWS profile `{name}` in ~/.aws/config or ~/.aws/credentials. They have: {known}"
            )
        })?;
        if chain == 0 {
            bail!("the AWS profile {name} is its own source: correct `source_profile`");
        }
        let get = |key: &str| profile.get(key).filter(|value| !value.is_empty());
        if let Some(arn) = get("role_arn") {
            if get("mfa_serial").is_some() || get("web_identity_token_file").is_some() {
                return Ok(aws_cli(Some(name)));
            }
            let from = match (get("source_profile"), get("credential_source").map(String::as_str)) {
                (Some(source), _) if source == name => Source::Keys(static_keys(name, profile)?),
                (Some(source), _) => self.of_profile(source, chain - 1)?,
                (None, Some("Environment")) => {
                    let keys = self.keys_of_variables()?;
                    Source::Keys(keys.with_context(|| {
                        format!("the AWS profile {name} has `credential_source = Environment`, but AWS_ACCESS_KEY_ID is not set")
                    })?)
                }
                (None, Some(_)) => return Ok(aws_cli(Some(name))),
                (None, None) => bail!(
                    "the AWS profile {name} has `role_arn`, but neither `source_profile` nor `credential_source`"
                ),
            };
            let role = Role {
                arn: arn.clone(),
                session_name: get("role_session_name").cloned().unwrap_or_else(|| "escale".to_owned()),
                external_id: get("external_id").cloned(),
                duration_seconds: get("duration_seconds").cloned(),
            };
            return Ok(Source::Role { from: Box::new(from), role });
        }
        if ["sso_session", "sso_start_url", "login_session"].iter().any(|key| get(key).is_some()) {
            return Ok(aws_cli(Some(name)));
        }
        if get("aws_access_key_id").is_some() {
            return Ok(Source::Keys(static_keys(name, profile)?));
        }
        let command = get("credential_process").with_context(|| {
            format!(
                "the AWS profile {name} has no credentials: it has none of aws_access_key_id, role_arn, credential_process, \
                 sso_session"
            )
        })?;
        let words = ["sh", "-c", command].map(str::to_owned).to_vec();
        Ok(Source::Program { words, what: format!("the `credential_process` of the AWS profile {name}") })
    }
}

fn static_keys(name: &str, profile: &Profile) -> Result<Keys> {
    let get = |key: &str| profile.get(key).cloned();
    let missing = |key: &str| format!("the AWS profile {name} has no {key}");
    Ok(Keys {
        access_key: get("aws_access_key_id").with_context(|| missing("aws_access_key_id"))?,
        secret: Secret::new(get("aws_secret_access_key").with_context(|| missing("aws_secret_access_key"))?),
        session_token: get("aws_session_token").map(Secret::new),
        expires: None,
    })
}

/// Has the aws CLI get the keys: it knows all sources of AWS, and asks the user where needed.
fn aws_cli(profile: Option<&str>) -> Source {
    let mut words =
        ["aws", "configure", "export-credentials", "--format", "process"].map(str::to_owned).to_vec();
    if let Some(name) = profile {
        words.extend(["--profile".to_owned(), name.to_owned()]);
    }
    let what = format!("`{}` (the aws CLI of version 2)", words.join(" "));
    Source::Program { words, what }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The source that variables and a config file give, in one line.
    fn shown(variables: &[(&str, &str)], profile: Option<&str>, config: &str) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), config).unwrap();
        let variable = |name: &str| match name {
            "AWS_CONFIG_FILE" => Some(file.path().display().to_string()),
            _ => variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()),
        };
        let profiles = Profiles::read(&variable).unwrap();
        let wanted = Wanted { profile, variable: &variable, profiles: &profiles };
        fn line(source: &Source) -> String {
            match source {
                Source::Keys(keys) => {
                    format!("{}{}", keys.access_key, keys.session_token.as_ref().map_or("", |_| "+"))
                }
                Source::Role { from, role } => format!("{} from {}", role.arn, line(from)),
                Source::Program { words, .. } => words.join(" "),
            }
        }
        wanted.source().map_or_else(|error| format!("error: {error}"), |source| line(&source))
    }

    #[test]
    fn finds_the_source_as_the_aws_cli_does() {
        let keys = [("AWS_ACCESS_KEY_ID", "ENV"), ("AWS_SECRET_ACCESS_KEY", "s")];
        let config = "[default]\naws_access_key_id=FILE\naws_secret_access_key=s\n[profile role]\nrole_arn=R\nsource_profile=default\n\
            [profile chain]\nrole_arn=C\nsource_profile=role\n[profile self]\nrole_arn=S\nsource_profile=self\naws_access_key_id=OWN\n\
            aws_secret_access_key=s\n[profile env]\nrole_arn=E\ncredential_source=Environment\n[profile sso]\nsso_session=x\n\
            [profile program]\ncredential_process=keys --for x\n[profile mfa]\nrole_arn=M\nsource_profile=default\nmfa_serial=m\n";
        let cli = "aws configure export-credentials --format process";
        for (variables, profile, expected) in [
            (&keys[..], None, "ENV".to_owned()),
            (&keys[..], Some("default"), "FILE".into()),
            (&[], None, "FILE".into()),
            (&[("AWS_PROFILE", "role")], None, "R from FILE".into()),
            (&[], Some("chain"), "C from R from FILE".into()),
            (&[], Some("self"), "S from OWN".into()),
            (&keys[..], Some("env"), "E from ENV".into()),
            (&[], Some("program"), "sh -c keys --for x".into()),
            (&[], Some("sso"), format!("{cli} --profile sso")),
            (&[], Some("mfa"), format!("{cli} --profile mfa")),
        ] {
            assert_eq!(shown(variables, profile, config), expected);
        }
    }

    #[test]
    fn refuses_what_gives_no_credentials() {
        let config = "[profile a]\nrole_arn=A\nsource_profile=b\n[profile b]\nrole_arn=B\nsource_profile=a\n[profile none]\nregion=x\n";
        for (variables, profile, expected) in [
            (&[][..], None, "there are no AWS credentials"),
            (&[("AWS_ACCESS_KEY_ID", "A")], None, "AWS_ACCESS_KEY_ID is set, but"),
            (&[], Some("a"), "is its own source"),
            (&[], Some("none"), "has no credentials"),
            (&[], Some("other"), "there is no AWS profile `other`"),
        ] {
            let shown = shown(variables, profile, config);
            assert!(shown.starts_with("error: ") && shown.contains(expected), "{shown}");
        }
    }

    #[test]
    fn reads_what_programs_print_and_when_it_ends() {
        let at = |text: &str| Timestamp::parse_iso8601(text).unwrap();
        let keys = read(br#"{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": "2026-11-22T12:00:00+00:00"}"#).unwrap();
        assert!(keys.is_current(at("2026-11-22T11:54:00Z")));
        assert!(!keys.is_current(at("2026-11-22T11:56:00Z")));
        for wrong in [
            &b"no"[..],
            br#"{"Version": 2, "AccessKeyId": "A", "SecretAccessKey": "s"}"#,
            br#"{"Version": 1}"#,
        ] {
            assert!(read(wrong).is_err());
        }
    }
}

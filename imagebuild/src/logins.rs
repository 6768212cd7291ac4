//! The user's own logins to registries, as docker and podman store them.
//!
//! Source: <https://docs.docker.com/reference/cli/docker/login/>

use base64::{Engine, engine::general_purpose::STANDARD};
use escale_base::Secret;
use escale_upstream::{Credentials, DOCKER_HUB};
use serde_json::Value;
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Docker's name for the login to Docker Hub.
const DOCKER_HUB_LOGIN: &str = "https://index.docker.io/v1/";

/// The content of `~/.docker/config.json`.
#[derive(Debug)]
pub struct Logins {
    path: PathBuf,
    config: Value,
}

impl Logins {
    /// Reads the file in `$DOCKER_CONFIG` or `~/.docker`. A missing file has no logins.
    pub fn of_user() -> Result<Logins, String> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = set("DOCKER_CONFIG").or_else(|| Some(set("HOME")?.join(".docker")));
        folder.map_or_else(|| Ok(Logins { path: PathBuf::new(), config: Value::Null }), |f| Logins::read(&f))
    }

    fn read(folder: &Path) -> Result<Logins, String> {
        let path = folder.join("config.json");
        let bad = |why: String| format!("the logins in {} cannot be read: {why}", path.display());
        let config = match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|e| bad(e.to_string()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Value::Null,
            Err(e) => return Err(bad(e.to_string())),
        };
        Ok(Logins { path, config })
    }

    /// The login to a registry, if there is one.
    pub fn of(&self, registry: &str) -> Result<Option<Credentials>, String> {
        let server = if registry == DOCKER_HUB { DOCKER_HUB_LOGIN } else { registry };
        let named = |server: &String| {
            let host = server.trim_start_matches("https://").split('/').next().unwrap_or_default();
            server == registry || host == registry || (registry == DOCKER_HUB && server == DOCKER_HUB_LOGIN)
        };
        let own_helper = self.config["credHelpers"].as_object().into_iter().flatten().find(|(s, _)| named(s));
        let helper = own_helper.map(|(_, helper)| helper).unwrap_or(&self.config["credsStore"]);
        if let Some(helper) = helper.as_str().filter(|helper| !helper.is_empty()) {
            return self.ask(helper, server);
        }
        let entry = self.config["auths"].as_object().into_iter().flatten().find(|(s, _)| named(s));
        let Some(auth) = entry.and_then(|(_, entry)| entry["auth"].as_str()).filter(|auth| !auth.is_empty())
        else {
            return Ok(None);
        };
        let bad = || {
            format!(
                "the login to {registry} in {} is not valid. Log in again: docker login",
                self.path.display()
            )
        };
        let text =
            STANDARD.decode(auth).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(bad)?;
        let (user, password) = text.split_once(':').ok_or_else(bad)?;
        let password = Secret::new(password.trim_end_matches('\0').to_owned());
        Ok(Some(Credentials { user: user.to_owned(), password }))
    }

    /// Runs a credential helper.
    ///
    /// Source: <https://github.com/docker/docker-credential-helpers#development>
    fn ask(&self, helper: &str, server: &str) -> Result<Option<Credentials>, String> {
        let program = format!("docker-credential-{helper}");
        let failed = |why: String| {
            format!("{program}, which {} names for the login to {server}, failed: {why}", self.path.display())
        };
        let run = || {
            let mut child = Command::new(&program)
                .arg("get")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()?;
            if let Some(mut input) = child.stdin.take() {
                input.write_all(server.as_bytes())?;
            }
            child.wait_with_output()
        };
        let output = run().map_err(|e| failed(e.to_string()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            // The words of every helper if it has no login.
            let is_missing = text.contains("credentials not found");
            return if is_missing { Ok(None) } else { Err(failed(output.status.to_string())) };
        }
        let login: Value = serde_json::from_str(&text).map_err(|e| failed(e.to_string()))?;
        match (login["Username"].as_str(), login["Secret"].as_str()) {
            (Some("<token>"), _) => {
                Err(failed("it has an identity token, which is not supported. Use a password".into()))
            }
            (Some(user), Some(password)) => {
                Ok(Some(Credentials { user: user.to_owned(), password: Secret::new(password.to_owned()) }))
            }
            _ => Err(failed("its output has no Username and Secret".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_the_login_of_a_registry() {
        let auth = |text: &str| json!({"auth": STANDARD.encode(text)});
        let config = json!({"auths": {
            DOCKER_HUB_LOGIN: auth("hub:a"), "ghcr.io": auth("cat:b:c"), "https://quay.io/v1/": auth("q:d"),
            "broken.io": {"auth": "%"}, "empty.io": {},
        }});
        let logins = Logins { path: "config.json".into(), config };
        for (registry, expected) in [
            ("docker.io", Ok(Some("hub a"))),
            ("ghcr.io", Ok(Some("cat b:c"))),
            ("quay.io", Ok(Some("q d"))),
            ("other.io", Ok(None)),
            ("empty.io", Ok(None)),
            ("broken.io", Err(())),
        ] {
            let found = logins.of(registry).map(|l| l.map(|l| format!("{} {}", l.user, l.password.reveal())));
            let found = found.as_ref().map(Option::as_deref).map_err(|_| ());
            assert_eq!(found, expected, "{registry}");
        }
        let helped =
            Logins { path: "config.json".into(), config: json!({"credHelpers": {"ghcr.io": "no-such"}}) };
        assert!(
            helped
                .of("ghcr.io")
                .unwrap_err()
                .starts_with("docker-credential-no-such, which config.json names")
        );
        assert_eq!(helped.of("quay.io"), Ok(None));
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Logins::read(folder.path()).unwrap().of("ghcr.io"), Ok(None));
        std::fs::write(folder.path().join("config.json"), "{").unwrap();
        assert!(Logins::read(folder.path()).unwrap_err().contains("cannot be read"));
    }
}

//! Logs in to the cloud's registry as docker does.

use crate::cli::client::Client;
use anyhow::{Context, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use escale_base::Secret;
use escale_imagebuild::{Credentials, Target};
use escale_tls::client::Trust;
use serde_json::json;
use std::sync::Arc;

pub(super) struct Login {
    /// Host and port.
    pub(super) address: String,
    credentials: Credentials,
    /// As the API: a token is never sent in the clear where the API is encrypted.
    tls: Option<Arc<Trust>>,
}

impl Login {
    /// Gets the registry's address and a token, as `docker login` takes them.
    pub(super) async fn new(client: &Client) -> Result<Login> {
        let answer = client.json("ecr", "GetAuthorizationToken", json!({})).await?;
        let data = &answer["authorizationData"][0];
        let token = data["authorizationToken"]
            .as_str()
            .context("ECR's response to GetAuthorizationToken has no token")?;
        let plain = String::from_utf8(STANDARD.decode(token)?)?;
        let (user, password) = plain
            .split_once(':')
            .context("the token of ECR's GetAuthorizationToken is not in the form user:password")?;
        let endpoint = data["proxyEndpoint"]
            .as_str()
            .context("ECR's response to GetAuthorizationToken has no endpoint")?;
        let address = endpoint.trim_start_matches("http://").trim_start_matches("https://").to_owned();
        let credentials = Credentials { user: user.to_owned(), password: Secret::new(password.to_owned()) };
        let tls =
            client.as_remote().filter(|remote| remote.is_tls()).map(|remote| Arc::clone(remote.trust()));
        Ok(Login { address, credentials, tls })
    }

    /// The location of an image in this registry.
    pub(super) fn image(&self, repository: &str, reference: &str) -> Target {
        Target {
            address: self.address.clone(),
            host: None,
            repository: repository.to_owned(),
            reference: reference.to_owned(),
            credentials: Some(self.credentials.clone()),
            tls: self.tls.clone(),
        }
    }
}

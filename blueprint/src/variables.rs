//! The environment variables that a service gets automatically, for its `port` and for what it `uses`.
//!
//! | for | variables |
//! | --- | --- |
//! | `port` | `PORT` |
//! | a database `db` | `DB_HOST` `DB_PORT` `DB_NAME` `DB_USER` `DB_PASSWORD` |
//! | a bucket `media` | `MEDIA_BUCKET` `MEDIA_PREFIX` (the prefix of all keys: `media/`) `MEDIA_URL` (the URL that replaces this prefix: `https://shop.example.com/media`) |
//! | another service `api` | `API_URL` (`http://api.shop.internal:8000`) |
//! | any signed bucket | `CDN_KEY_ID` `CDN_PRIVATE_KEY` (PEM), to sign URLs with |

use crate::{
    manifest::{Bucket, Database, Manifest, Service},
    template::{get_att, internal::host, pascal, reference, site_url, sub},
};
use serde_json::Value;

pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) source: Source,
}

pub(crate) enum Source {
    /// A plain value in the task definition.
    Plain(Value),
    /// From Secrets Manager: `value_from` for the container, `arn` for the policy that allows the execution role to read it.
    Secret { value_from: Value, arn: Value },
}

/// RDS's master user. RDS generates and stores its password.
pub(crate) const DATABASE_USER: &str = "app";

pub(crate) fn injected(manifest: &Manifest, service: &Service) -> Vec<Variable> {
    let mut all = Vec::new();
    if let Some(port) = service.port {
        all.push(plain("PORT", port.to_string()));
    }
    for database in service.uses.iter().filter_map(|name| manifest.database(name)) {
        all.extend(of_database(manifest, database));
    }
    let buckets: Vec<&Bucket> = service.uses.iter().filter_map(|name| manifest.bucket(name)).collect();
    for bucket in &buckets {
        let prefix = screaming(&bucket.name);
        let path = bucket.path.trim_end_matches("/*");
        all.push(plain(format!("{prefix}_BUCKET"), reference(&format!("{}Bucket", pascal(&bucket.name)))));
        all.push(plain(format!("{prefix}_PREFIX"), bucket.prefix()));
        all.push(plain(format!("{prefix}_URL"), site_url(manifest, path)));
    }
    for used in service.uses.iter().filter_map(|name| manifest.service(name)) {
        let (host, port) = (host(manifest, used), used.port.unwrap_or_default());
        all.push(plain(format!("{}_URL", screaming(&used.name)), format!("http://{host}:{port}")));
    }
    if buckets.iter().any(|b| b.signed) {
        let key = reference("CdnSigningKey");
        all.push(plain("CDN_KEY_ID", reference("CdnPublicKey")));
        let source = Source::Secret { value_from: key.clone(), arn: key };
        all.push(Variable { name: "CDN_PRIVATE_KEY".into(), source });
    }
    all
}

fn of_database(manifest: &Manifest, database: &Database) -> [Variable; 5] {
    let prefix = screaming(&database.name);
    let id = format!("{}Instance", pascal(&database.name));
    let secret = Source::Secret {
        value_from: sub(format!("${{{id}.MasterUserSecret.SecretArn}}:password::")),
        arn: get_att(&id, "MasterUserSecret.SecretArn"),
    };
    [
        plain(format!("{prefix}_HOST"), get_att(&id, "Endpoint.Address")),
        plain(format!("{prefix}_PORT"), get_att(&id, "Endpoint.Port")),
        plain(format!("{prefix}_NAME"), database_name(manifest)),
        plain(format!("{prefix}_USER"), DATABASE_USER),
        Variable { name: format!("{prefix}_PASSWORD"), source: secret },
    ]
}

/// The database inside the instance: the application's name, as PostgreSQL writes names.
pub(crate) fn database_name(manifest: &Manifest) -> String {
    manifest.app.replace('-', "_")
}

fn plain(name: impl Into<String>, value: impl Into<Value>) -> Variable {
    Variable { name: name.into(), source: Source::Plain(value.into()) }
}

fn screaming(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}

//! Temporary credentials.

use escale_base::{Secret, Timestamp, Wire, ids};
use escale_service::Cx;
use escale_tables::iam::{AccessKey, AccessKeyId, Holder, SessionOf};

#[derive(Wire)]
pub(crate) struct Credentials {
    access_key_id: AccessKeyId,
    secret_access_key: Secret<String>,
    session_token: Secret<String>,
    expiration: Timestamp,
}

/// How long an expired session is kept, so that a client learns that its token is expired rather than that its key is unknown.
const KEPT_MS: i64 = 60 * 60 * 1000;

/// How many expired sessions each new session deletes at most: more than one, so that they never accumulate.
const SWEEP_MAX: usize = 16;

/// Creates credentials and deletes expired ones.
pub(crate) fn issue(cx: &mut Cx<'_>, of: SessionOf, secs: i64) -> Credentials {
    sweep(cx);
    let expires = cx.now.plus_ms(secs * 1000);
    // AWS does not specify the form of tokens. This one is random and carries no data.
    let token = Secret::new(format!("Esc{}", ids::random_hex(160)));
    let key = AccessKey {
        id: AccessKeyId(format!("ASIA{}", ids::random_upper(16))),
        secret: Secret::new(ids::random_hex(40)),
        holder: Holder::Session { of, token: token.clone(), expires },
        active: true,
        created: cx.now,
    };
    let credentials = Credentials {
        access_key_id: key.id.clone(),
        secret_access_key: key.secret.clone(),
        session_token: token,
        expiration: expires,
    };
    cx.tx.put(key);
    credentials
}

fn sweep(cx: &mut Cx<'_>) {
    let old = |key: &AccessKey| match &key.holder {
        Holder::Session { expires, .. } => expires.plus_ms(KEPT_MS) < cx.now,
        Holder::User(_) => false,
    };
    // Only temporary credentials have this prefix, so the scan skips users' keys.
    let expired: Vec<AccessKeyId> =
        cx.tx.prefix::<AccessKey>("ASIA").filter(|k| old(k)).take(SWEEP_MAX).map(|k| k.id.clone()).collect();
    for id in expired {
        cx.tx.delete::<AccessKey>(&id);
    }
}

//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html>

use crate::{Error, rules};
use base64::{Engine, engine::general_purpose::STANDARD};
use escale_base::{Secret, Timestamp, Wire, ids};
use escale_service::Principal;
use escale_service::{Cx, Operation};
use escale_tables::ecr::{Holder, Token, TokenId};

pub(crate) struct GetAuthorizationToken;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_ids: Vec<String>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    authorization_data: Vec<Data>,
}

/// Tokens are valid for twelve hours, as on AWS.
const VALIDITY_MS: i64 = 12 * 60 * 60 * 1000;

#[derive(Wire)]
#[wire(camelCase)]
struct Data {
    authorization_token: String,
    expires_at: Timestamp,
    proxy_endpoint: String,
}

impl Operation for GetAuthorizationToken {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(_input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        Vec::new()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        for id in &input.registry_ids {
            rules::registry(cx.config, Some(id))?;
        }
        // Nothing else deletes expired tokens.
        let expired: Vec<TokenId> =
            cx.tx.scan::<Token>().filter(|t| t.expires < cx.now).map(|t| t.id.clone()).collect();
        for id in expired {
            cx.tx.delete::<Token>(&id);
        }
        let holder = match &cx.caller.principal {
            Principal::Root => Holder::Root,
            Principal::User { name } => Holder::User(name.as_str().into()),
            Principal::Role { name, session, role_id } => Holder::Role {
                name: name.as_str().into(),
                session: session.as_str().into(),
                role_id: role_id.as_str().into(),
            },
            Principal::Service(name) => Holder::Service(name.clone()),
            Principal::OnBehalf { .. } | Principal::Foreign { .. } | Principal::Anonymous => {
                let why = "a token needs a holder. Sign the request".to_owned();
                return Err(Error::Invalid { parameter: "registryIds", why });
            }
        };
        let (id, secret) = (TokenId(ids::random_hex(32)), ids::random_hex(64));
        let password = format!("AWS:{id}.{secret}");
        let expires = cx.now.plus_ms(VALIDITY_MS);
        cx.tx.put(Token { id, secret: Secret::new(secret), holder, expires });
        Ok(Output {
            authorization_data: vec![Data {
                authorization_token: STANDARD.encode(password),
                expires_at: expires,
                proxy_endpoint: format!("http://{}", cx.config.endpoint),
            }],
        })
    }
}

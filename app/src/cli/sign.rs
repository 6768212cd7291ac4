//! `escale sign`: a signed URL for a private file, as CloudFront takes it.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html>

use super::{Output, application::Application, client::Client, up};
use crate::{home::Home, settings::Settings};
use anyhow::{Context, Result, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use escale_base::Clock;
use rsa::Pkcs1v15Sign;
use serde_json::json;
use sha1::Digest;

#[derive(Args)]
pub(crate) struct Sign {
    /// The file's path or whole URL: /media/cat.png
    path: String,
    /// How long it holds: 30s, 10m, 2h, 7d.
    #[arg(long, default_value = "1h", value_parser = seconds)]
    expires: i64,
    /// The application, when several run.
    #[arg(long)]
    app: Option<String>,
}

pub(crate) async fn run(home: &Home, out: &Output, sign: &Sign) -> Result<()> {
    let application = Application::find(home, sign.app.as_deref())?;
    let client = Client::new(&Settings::of(home)?);
    let key = up::private_key(home, &application.stack)?;
    let key_id = key_id(&client, &application.stack).await?;
    let url = if sign.path.starts_with("http") {
        sign.path.clone()
    } else {
        format!("{}/{}", application.url, sign.path.trim_start_matches('/'))
    };
    let expires = Clock::machine().now().secs() + sign.expires;
    let policy = format!(
        r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#
    );
    // SHA-1 is what CloudFront verifies; the key, not the hash, is the secret.
    let hashed = sha1::Sha1::digest(policy.as_bytes());
    let signature = key.sign(Pkcs1v15Sign::new::<sha1::Sha1>(), &hashed).context("cannot sign")?;
    let signature = STANDARD.encode(signature).replace('+', "-").replace('=', "_").replace('/', "~");
    let mark = if url.contains('?') { '&' } else { '?' };
    let signed = format!("{url}{mark}Expires={expires}&Signature={signature}&Key-Pair-Id={key_id}");
    out.say(&signed, &json!({"url": signed, "expires": expires}));
    Ok(())
}

async fn key_id(client: &Client, stack: &str) -> Result<String> {
    let found =
        up::describe(client, stack).await?.with_context(|| format!("the stack {stack} is not there"))?;
    let outputs = found.list("Outputs").iter();
    let key = outputs.into_iter().find(|o| o.text_of("OutputKey") == "CdnKeyId");
    let key = key.with_context(|| format!("{stack} has no bucket with `signed: true`"))?;
    Ok(key.text_of("OutputValue").to_owned())
}

fn seconds(text: &str) -> Result<i64> {
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => bail!("'{text}' is no span of time: 30s, 10m, 2h, 7d"),
    };
    Ok(number.parse::<i64>().with_context(|| format!("'{text}' is no span of time: 30s, 10m, 2h, 7d"))?
        * unit)
}

//! Parses the source of a container's secret.

use escale_base::Arn;

/// The resource that `valueFrom` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A secret of Secrets Manager, optionally with a key of its JSON, a stage and a version.
    Secret { id: String, key: Option<String>, stage: Option<String>, version: Option<String> },
    /// A parameter of SSM, by name.
    Parameter(String),
}

/// `arn:…:secret:name-AbCdEf[:key:stage:version]`, a parameter's ARN, or its name.
///
/// Source: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html>
pub(crate) fn parse(value_from: &str) -> Result<Source, String> {
    let bad = || {
        format!("valueFrom '{value_from}' is neither the ARN of a secret nor the ARN or name of a parameter")
    };
    if !value_from.starts_with("arn:") {
        let ok = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
        let is_name = !value_from.is_empty() && value_from.chars().all(ok);
        return if is_name { Ok(Source::Parameter(value_from.to_owned())) } else { Err(bad()) };
    }
    let arn: Arn = value_from.parse().map_err(|_| bad())?;
    if arn.service == "ssm"
        && let Some(name) = arn.resource.strip_prefix("parameter")
    {
        // The ARN always has a slash after `parameter`, also for a name that does not begin with one.
        let name = name.strip_prefix('/').filter(|n| !n.contains('/')).unwrap_or(name);
        return Ok(Source::Parameter(name.to_owned()));
    }
    let rest =
        arn.resource.strip_prefix("secret:").filter(|_| arn.service == "secretsmanager").ok_or_else(bad)?;
    let parts: Vec<&str> = rest.split(':').collect();
    let part = |i: usize| parts.get(i).filter(|p| !p.is_empty()).map(|p| (*p).to_owned());
    // AWS requires all three colons as soon as one of key, stage and version is given.
    if parts.len() != 1 && parts.len() != 4 {
        return Err(bad());
    }
    let whole = Arn { resource: format!("secret:{}", parts[0]), ..arn.clone() };
    Ok(Source::Secret { id: whole.to_string(), key: part(1), stage: part(2), version: part(3) })
}

/// Whether a text is the ARN or the name of a whole secret.
pub(crate) fn is_secret(text: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
    match parse(text) {
        Ok(Source::Secret { key, stage, version, .. }) => [key, stage, version].iter().all(Option::is_none),
        _ => !text.is_empty() && text.chars().all(is_name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_secrets_and_parameters() {
        let arn = "arn:aws:secretsmanager:eu-west-3:000000000000:secret:shop/db-AbCdEf";
        let plain = Source::Secret { id: arn.into(), key: None, stage: None, version: None };
        assert_eq!(parse(arn).unwrap(), plain);
        let keyed =
            Source::Secret { id: arn.into(), key: Some("password".into()), stage: None, version: None };
        assert_eq!(parse(&format!("{arn}:password::")).unwrap(), keyed);
        assert!(parse(&format!("{arn}:password")).is_err());
        assert_eq!(parse("/shop/url").unwrap(), Source::Parameter("/shop/url".into()));
        let parameter = "arn:aws:ssm:eu-west-3:000000000000:parameter/shop/url";
        assert_eq!(parse(parameter).unwrap(), Source::Parameter("/shop/url".into()));
        assert!(parse("arn:aws:s3:::x").is_err());
        assert!(is_secret(arn) && is_secret("registries/ghcr@1"));
        for other in [&format!("{arn}:password::"), parameter, "arn:aws:s3:::x", ""] {
            assert!(!is_secret(other), "{other}");
        }
    }
}

//! AWS::CloudFront::*, in terms of this service's operations.
//!
//! Templates write lists as lists, where the API wants `{Quantity, Items}`.
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_CloudFront.html>

use crate::shapes::{self, Status};
use escale_base::{AwsError, found, ids, wire::Value};
use escale_service::{Created, Cx, Props, Readiness, ResourceType, Resources, answer};
use escale_tables::cloudfront::{Distribution, DistributionSeen};
use serde_json::{Map, json};

pub(crate) fn types() -> Resources {
    vec![
        ResourceType {
            name: "AWS::CloudFront::Distribution",
            properties: &["DistributionConfig", "Tags"],
            create: create_distribution,
            ready: |image, created| match image.get::<Distribution>(&created.physical_id) {
                None => Readiness::Failed(format!("{} was deleted", created.physical_id)),
                Some(row) if shapes::status(image, &row) == Status::Deployed => Readiness::ready(),
                Some(row) => {
                    let seen = image.get::<DistributionSeen>(&row.id);
                    let why = seen.and_then(|s| s.fault.clone());
                    Readiness::Pending(why.unwrap_or_else(|| "the edge does not have it yet".into()))
                }
            },
            delete: delete_distribution,
            gone: |image, created| match image.has::<DistributionSeen>(&created.physical_id) {
                true => Readiness::Pending("the edge still has it".into()),
                false => Readiness::ready(),
            },
        },
        ResourceType {
            name: "AWS::CloudFront::OriginAccessControl",
            properties: &["OriginAccessControlConfig"],
            create: |cx, props| create(cx, props, "OriginAccessControl"),
            ready: |_, _| Readiness::ready(),
            delete: |cx, created| delete(cx, created, "OriginAccessControl"),
            gone: |_, _| Readiness::ready(),
        },
        ResourceType {
            name: "AWS::CloudFront::PublicKey",
            properties: &["PublicKeyConfig"],
            create: |cx, props| create(cx, props, "PublicKey"),
            ready: |_, _| Readiness::ready(),
            delete: |cx, created| delete(cx, created, "PublicKey"),
            gone: |_, _| Readiness::ready(),
        },
        ResourceType {
            name: "AWS::CloudFront::KeyGroup",
            properties: &["KeyGroupConfig"],
            create: |cx, props| create(cx, props, "KeyGroup"),
            ready: |_, _| Readiness::ready(),
            delete: |cx, created| delete(cx, created, "KeyGroup"),
            gone: |_, _| Readiness::ready(),
        },
    ]
}

/// Those whose configuration has the same form in both.
fn create(cx: &mut Cx<'_>, props: &Props<'_>, kind: &str) -> Result<Created, AwsError> {
    let config = format!("{kind}Config");
    let wish = json!({ config.as_str(): props.required(&config)? });
    let made = cx.call_untyped("cloudfront", &format!("Create{kind}"), wish)?;
    let made = &made[kind];
    let id = answer::text(made, "/Id")?;
    let created = Created::new(id).with("Id", id);
    Ok(match (&made["LastModifiedTime"], &made["CreatedTime"]) {
        (Value::Null, Value::Null) => created,
        (Value::Null, time) => created.with("CreatedTime", time.to_string()),
        (time, _) => created.with("LastModifiedTime", time.to_string()),
    })
}

/// What is gone already is a success.
fn delete(cx: &mut Cx<'_>, created: &Created, kind: &str) -> Result<(), AwsError> {
    let id = &created.physical_id;
    let Some(got) = found(cx.call_untyped("cloudfront", &format!("Get{kind}"), json!({"Id": id})))? else {
        return Ok(());
    };
    cx.call_untyped("cloudfront", &format!("Delete{kind}"), json!({"Id": id, "IfMatch": got["ETag"]}))?;
    Ok(())
}

fn create_distribution(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let mut config = api_form(props.required("DistributionConfig")?);
    if let Some(config) = config.as_object_mut() {
        config.insert("CallerReference".into(), ids::random_uuid().into());
        config.entry("Comment").or_insert_with(|| "".into());
    }
    let wish = json!({"DistributionConfigWithTags": {
        "DistributionConfig": config, "Tags": {"Items": props.tags()},
    }});
    let made = cx.call_untyped("cloudfront", "CreateDistributionWithTags", wish)?;
    let made = &made["Distribution"];
    let id = answer::text(made, "/Id")?;
    Ok(Created::new(id).with("Id", id).with("DomainName", made["DomainName"].clone()))
}

/// A distribution must be disabled before; both happen here.
fn delete_distribution(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let id = &created.physical_id;
    let Some(mut got) = found(cx.call_untyped("cloudfront", "GetDistributionConfig", json!({"Id": id})))?
    else {
        return Ok(());
    };
    let mut etag = got["ETag"].clone();
    if got["DistributionConfig"]["Enabled"] == true {
        got["DistributionConfig"]["Enabled"] = false.into();
        let wish = json!({"Id": id, "IfMatch": etag, "DistributionConfig": got["DistributionConfig"]});
        etag = cx.call_untyped("cloudfront", "UpdateDistribution", wish)?["ETag"].clone();
    }
    cx.call_untyped("cloudfront", "DeleteDistribution", json!({"Id": id, "IfMatch": etag}))?;
    Ok(())
}

/// The template's form of a distribution's configuration as the API's.
fn api_form(config: &Value) -> Value {
    let Some(object) = config.as_object() else { return config.clone() };
    let one = |(name, value): (&String, &Value)| {
        let (name, value) = match name.as_str() {
            "Aliases" => ("Aliases", items(value, Value::clone)),
            "Origins" => ("Origins", items(value, origin)),
            "CacheBehaviors" => ("CacheBehaviors", items(value, behaviour)),
            "DefaultCacheBehavior" => ("DefaultCacheBehavior", behaviour(value)),
            "CustomErrorResponses" => ("CustomErrorResponses", items(value, error_response)),
            "IPV6Enabled" => ("IsIPV6Enabled", truth(value)),
            "Enabled" | "Staging" => (name.as_str(), truth(value)),
            "ViewerCertificate" => {
                ("ViewerCertificate", renamed(value, &[("SslSupportMethod", "SSLSupportMethod")]))
            }
            other => (other, value.clone()),
        };
        (name.to_owned(), value)
    };
    Value::Object(object.iter().map(one).collect())
}

fn origin(value: &Value) -> Value {
    members(value, |name, value| match name {
        "OriginCustomHeaders" => ("CustomHeaders", items(value, Value::clone)),
        "CustomOriginConfig" => ("CustomOriginConfig", custom_origin(value)),
        "ConnectionAttempts" | "ConnectionTimeout" => (name, number(value)),
        other => (other, value.clone()),
    })
}

fn custom_origin(value: &Value) -> Value {
    let mut made = members(value, |name, value| match name {
        "OriginSSLProtocols" => ("OriginSslProtocols", items(value, Value::clone)),
        "HTTPPort" | "HTTPSPort" | "OriginReadTimeout" | "OriginKeepaliveTimeout" => (name, number(value)),
        other => (other, value.clone()),
    });
    if let Some(object) = made.as_object_mut() {
        object.entry("HTTPPort").or_insert(80.into());
        object.entry("HTTPSPort").or_insert(443.into());
    }
    made
}

fn behaviour(value: &Value) -> Value {
    let mut made = members(value, |name, value| match name {
        "TrustedKeyGroups" | "TrustedSigners" => {
            let list = value.as_array().cloned().unwrap_or_default();
            (name, json!({"Enabled": !list.is_empty(), "Quantity": list.len(), "Items": list}))
        }
        "AllowedMethods" => {
            let count = value.as_array().map_or(0, Vec::len);
            (name, json!({"Quantity": count, "Items": value}))
        }
        "LambdaFunctionAssociations" | "FunctionAssociations" => (name, items(value, Value::clone)),
        "Compress" | "SmoothStreaming" => (name, truth(value)),
        other => (other, value.clone()),
    });
    // A member of its own here, of AllowedMethods there.
    let cached = made.as_object_mut().and_then(|o| o.remove("CachedMethods"));
    if let Some(cached) = cached {
        let few = json!({"Quantity": 2, "Items": ["GET", "HEAD"]});
        if made["AllowedMethods"].is_null() {
            made["AllowedMethods"] = few;
        }
        made["AllowedMethods"]["CachedMethods"] = items(&cached, Value::clone);
    }
    made
}

fn error_response(value: &Value) -> Value {
    members(value, |name, value| match (name, value) {
        ("ResponseCode", Value::Number(n)) => (name, n.to_string().into()),
        ("ErrorCode" | "ErrorCachingMinTTL", _) => (name, number(value)),
        _ => (name, value.clone()),
    })
}

fn members<'a>(value: &'a Value, change: impl Fn(&'a str, &'a Value) -> (&'a str, Value)) -> Value {
    let Some(object) = value.as_object() else { return value.clone() };
    let changed = object.iter().map(|(name, value)| {
        let (name, value) = change(name, value);
        (name.to_owned(), value)
    });
    Value::Object(changed.collect::<Map<_, _>>())
}

fn renamed(value: &Value, names: &[(&'static str, &'static str)]) -> Value {
    members(value, |name, value| {
        let to = names.iter().find(|(from, _)| *from == name).map_or(name, |(_, to)| to);
        (to, if name.starts_with("CloudFrontDefault") { truth(value) } else { value.clone() })
    })
}

fn items(value: &Value, change: impl Fn(&Value) -> Value) -> Value {
    match value {
        Value::Array(list) => {
            json!({"Quantity": list.len(), "Items": list.iter().map(change).collect::<Vec<_>>()})
        }
        other => other.clone(),
    }
}

/// Templates may write `"80"` for 80.
fn number(value: &Value) -> Value {
    let read = value.as_str().and_then(|s| s.parse::<i64>().ok());
    read.map_or_else(|| value.clone(), Value::from)
}

fn truth(value: &Value) -> Value {
    match value.as_str() {
        Some("true") => true.into(),
        Some("false") => false.into(),
        _ => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::api_form;
    use serde_json::json;

    #[test]
    fn lists_become_items() {
        let template = json!({
            "Enabled": "true",
            "Aliases": ["shop.example.com"],
            "Origins": [{"Id": "o", "DomainName": "x", "CustomOriginConfig": {"OriginProtocolPolicy": "http-only", "HTTPPort": "80"}}],
            "DefaultCacheBehavior": {
                "TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all", "TrustedKeyGroups": ["g"],
                "AllowedMethods": ["GET", "HEAD"], "CachedMethods": ["GET", "HEAD"],
            },
        });
        let api = json!({
            "Enabled": true,
            "Aliases": {"Quantity": 1, "Items": ["shop.example.com"]},
            "Origins": {"Quantity": 1, "Items": [{"Id": "o", "DomainName": "x", "CustomOriginConfig": {
                "OriginProtocolPolicy": "http-only", "HTTPPort": 80, "HTTPSPort": 443,
            }}]},
            "DefaultCacheBehavior": {
                "TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all",
                "TrustedKeyGroups": {"Enabled": true, "Quantity": 1, "Items": ["g"]},
                "AllowedMethods": {
                    "Quantity": 2, "Items": ["GET", "HEAD"],
                    "CachedMethods": {"Quantity": 2, "Items": ["GET", "HEAD"]},
                },
            },
        });
        assert_eq!(api_form(&template), api);
    }
}

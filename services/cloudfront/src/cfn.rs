//! The resource types `AWS::CloudFront::*`, implemented with this service's operations.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_CloudFront.html>

use crate::{
    ops::{
        create_distribution::CreateDistribution,
        create_distribution_with_tags::{self, CreateDistributionWithTags, Tags, WithTags},
        create_key_group::CreateKeyGroup,
        create_origin_access_control::CreateOriginAccessControl,
        create_public_key::CreatePublicKey,
        delete_distribution::DeleteDistribution,
        delete_key_group::DeleteKeyGroup,
        delete_origin_access_control::DeleteOriginAccessControl,
        delete_public_key::DeletePublicKey,
        get_distribution_config::GetDistributionConfig,
        get_key_group::GetKeyGroup,
        get_origin_access_control::GetOriginAccessControl,
        get_public_key::GetPublicKey,
        update_distribution::UpdateDistribution,
    },
    shapes::{self, Status},
};
use escale_base::{AwsError, found, ids};
use escale_service::{Created, Cx, InputDraft, Named, Props, Readiness, ResourceType, Resources};
use escale_tables::cloudfront::{Distribution, DistributionSeen, ETag};
use serde_json::{Map, Value, json};

pub(crate) fn types() -> Resources {
    vec![
        ResourceType::new(
            "AWS::CloudFront::Distribution",
            &["DistributionConfig", "Tags"],
            create_distribution,
            delete_distribution,
        )
        .ready(|image, created| match image.get::<Distribution>(&created.physical_id) {
            None => Readiness::Failed(format!("{} was deleted", created.physical_id)),
            Some(row) if shapes::status(image, &row) == Status::Deployed => Readiness::ready(),
            Some(row) => {
                let seen = image.get::<DistributionSeen>(&row.id);
                let why = seen.and_then(|s| s.fault.clone());
                Readiness::Pending(
                    why.unwrap_or_else(|| "the edge does not serve the distribution yet".into()),
                )
            }
        })
        .gone(|image, created| {
            if image.has::<DistributionSeen>(&created.physical_id) {
                Readiness::Pending("the edge still serves the distribution".into())
            } else {
                Readiness::ready()
            }
        }),
        ResourceType::new(
            "AWS::CloudFront::OriginAccessControl",
            &["OriginAccessControlConfig"],
            |cx, props| {
                let made =
                    props.input_without::<CreateOriginAccessControl>(&[]).call(cx)?.origin_access_control;
                Ok(Created::new(made.id.as_str()).with("Id", made.id.0))
            },
            |cx, created| match found(by_id::<GetOriginAccessControl>(created).call(cx))? {
                Some(got) => delete::<DeleteOriginAccessControl>(cx, created, &got.etag),
                None => Ok(()),
            },
        ),
        ResourceType::new(
            "AWS::CloudFront::PublicKey",
            &["PublicKeyConfig"],
            |cx, props| {
                let made = props.input_without::<CreatePublicKey>(&[]).call(cx)?.public_key;
                let created = Created::new(made.id.as_str()).with("Id", made.id.0);
                Ok(created.with("CreatedTime", made.created_time.iso8601()))
            },
            |cx, created| match found(by_id::<GetPublicKey>(created).call(cx))? {
                Some(got) => delete::<DeletePublicKey>(cx, created, &got.etag),
                None => Ok(()),
            },
        ),
        ResourceType::new(
            "AWS::CloudFront::KeyGroup",
            &["KeyGroupConfig"],
            |cx, props| {
                let made = props.input_without::<CreateKeyGroup>(&[]).call(cx)?.key_group;
                let created = Created::new(made.id.as_str()).with("Id", made.id.0);
                Ok(created.with("LastModifiedTime", made.last_modified_time.iso8601()))
            },
            |cx, created| match found(by_id::<GetKeyGroup>(created).call(cx))? {
                Some(got) => delete::<DeleteKeyGroup>(cx, created, &got.etag),
                None => Ok(()),
            },
        ),
    ]
}

fn by_id<O: Named>(created: &Created) -> InputDraft<O> {
    InputDraft::new().with("Id", &created.physical_id)
}

fn delete<O: Named>(cx: &mut Cx<'_>, created: &Created, etag: &ETag) -> Result<(), AwsError> {
    by_id::<O>(created).with("IfMatch", etag).call(cx).map(drop)
}

/// Members whose names differ between templates and the API.
const RENAMES: &[(&str, &str)] =
    &[("IPV6Enabled", "IsIPV6Enabled"), ("OriginCustomHeaders", "CustomHeaders")];

fn create_distribution(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let config = props.get("DistributionConfig").and_then(Value::as_object);
    let config = with_defaults(config.ok_or_else(|| props.invalid("DistributionConfig must be an object"))?);
    let input = InputDraft::<CreateDistribution>::new().with("DistributionConfig", &Value::Object(config));
    let distribution_config = input.renamed(RENAMES).read()?.distribution_config;
    let tags = Tags { items: props.tags()? };
    let made = cx.call_own::<CreateDistributionWithTags>(create_distribution_with_tags::Input {
        distribution_config_with_tags: WithTags { distribution_config, tags },
    })?;
    let made = made.distribution;
    Ok(Created::new(made.id.as_str()).with("Id", made.id.0).with("DomainName", made.domain_name.0))
}

/// Disables the distribution and deletes it: the API deletes only disabled distributions.
fn delete_distribution(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let Some(got) = found(by_id::<GetDistributionConfig>(created).call(cx))? else { return Ok(()) };
    let (mut config, mut etag) = (got.distribution_config, got.etag);
    if config.enabled {
        config.enabled = false;
        let input = by_id::<UpdateDistribution>(created).with("IfMatch", &etag);
        etag = input.with("DistributionConfig", &config).call(cx)?.etag;
    }
    delete::<DeleteDistribution>(cx, created, &etag)
}

/// Adds the members that the API requires and that are optional in templates.
fn with_defaults(config: &Map<String, Value>) -> Map<String, Value> {
    let mut config = config.clone();
    config.insert("CallerReference".into(), ids::random_uuid().into());
    config.entry("Comment").or_insert_with(|| "".into());
    for origin in items(&mut config, "Origins") {
        if let Some(Value::Object(custom)) = origin.get_mut("CustomOriginConfig") {
            custom.entry("HTTPPort").or_insert(80.into());
            custom.entry("HTTPSPort").or_insert(443.into());
        }
    }
    items(&mut config, "CacheBehaviors").for_each(cached_methods);
    if let Some(Value::Object(behaviour)) = config.get_mut("DefaultCacheBehavior") {
        cached_methods(behaviour);
    }
    config
}

/// Moves CachedMethods: templates have it in the behaviour, the API in its AllowedMethods.
fn cached_methods(behaviour: &mut Map<String, Value>) {
    let Some(cached) = behaviour.remove("CachedMethods") else { return };
    let allowed = behaviour.remove("AllowedMethods").unwrap_or_else(|| json!(["GET", "HEAD"]));
    let quantity = allowed.as_array().map_or(0, Vec::len);
    behaviour.insert(
        "AllowedMethods".into(),
        json!({"Quantity": quantity, "Items": allowed, "CachedMethods": cached}),
    );
}

fn items<'a>(
    config: &'a mut Map<String, Value>,
    list: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> + use<'a> {
    config.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use escale_base::wire::Wire;

    #[test]
    fn converts_the_configuration_of_templates() {
        let template = json!({
            "Enabled": true, "IPV6Enabled": true,
            "Aliases": ["shop.example.com"],
            "Origins": [{
                "Id": "o", "DomainName": "x", "OriginCustomHeaders": [],
                "CustomOriginConfig": {"OriginProtocolPolicy": "http-only", "OriginSSLProtocols": ["TLSv1.2"]},
            }],
            "DefaultCacheBehavior": {
                "TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all", "TrustedKeyGroups": ["g"],
                "CachedMethods": ["GET", "HEAD"],
            },
        });
        let config = with_defaults(template.as_object().unwrap());
        let input =
            InputDraft::<CreateDistribution>::new().with("DistributionConfig", &Value::Object(config));
        let config = input.renamed(RENAMES).read().unwrap().distribution_config.write();
        assert_eq!(config["Comment"], "");
        assert_eq!(config["IsIPV6Enabled"], true);
        assert_eq!(config["Aliases"], json!({"Quantity": 1, "Items": ["shop.example.com"]}));
        let origin = &config["Origins"]["Items"][0]["CustomOriginConfig"];
        assert_eq!((&origin["HTTPPort"], &origin["HTTPSPort"]), (&json!(80), &json!(443)));
        assert_eq!(origin["OriginSslProtocols"]["Items"], json!(["TLSv1.2"]));
        let behaviour = &config["DefaultCacheBehavior"];
        assert_eq!(behaviour["TrustedKeyGroups"]["Enabled"], true);
        assert_eq!(behaviour["AllowedMethods"]["CachedMethods"]["Items"], json!(["GET", "HEAD"]));
        assert_eq!(behaviour["AllowedMethods"]["Items"], json!(["GET", "HEAD"]));
    }
}

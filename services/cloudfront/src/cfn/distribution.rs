//! `AWS::CloudFront::Distribution`.

use super::{by_id, delete};
use crate::{
    ops::{
        create_distribution::CreateDistribution,
        create_distribution_with_tags::{self, CreateDistributionWithTags, Tags, WithTags},
        delete_distribution::DeleteDistribution,
        get_distribution::GetDistribution,
        get_distribution_config::GetDistributionConfig,
        list_tags_for_resource::ListTagsForResource,
        tag_resource::TagResource,
        untag_resource::{Keys, UntagResource},
        update_distribution::UpdateDistribution,
    },
    shapes::{self, Status},
};
use escale_base::{
    AwsError, found, ids,
    wire::{self, Map, Value, Wire},
};
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType, Update, properties_of};
use escale_store::Image;
use escale_tables::cloudfront::{AllowedMethods, Distribution, DistributionConfig, DistributionSeen};
use serde_json::json;

const NAME: &str = "AWS::CloudFront::Distribution";
const CONFIG: &str = "DistributionConfig";

pub(super) fn distribution() -> ResourceType {
    ResourceType::new(NAME, &[CONFIG, "Tags"], create_distribution, delete_distribution)
        .ready(ready)
        .gone(gone)
        .update(update_distribution)
        .read(read_distribution)
}

/// Each update gives the row a new ETag, so a change is complete once the edge serves that one.
fn ready(image: &Image, created: &Created) -> Readiness {
    match image.get::<Distribution>(&created.physical_id) {
        None => Readiness::Failed(format!("{} was deleted", created.physical_id)),
        Some(row) if shapes::status(image, &row) == Status::Deployed => Readiness::ready(),
        Some(row) => {
            let seen = image.get::<DistributionSeen>(&row.id);
            let why = seen.and_then(|s| s.fault.clone());
            Readiness::Pending(why.unwrap_or_else(|| "the edge does not serve the distribution yet".into()))
        }
    }
}

fn gone(image: &Image, created: &Created) -> Readiness {
    if image.has::<DistributionSeen>(&created.physical_id) {
        Readiness::Pending("the edge still serves the distribution".into())
    } else {
        Readiness::ready()
    }
}

/// Members whose names differ between templates and the API.
const RENAMES: &[(&str, &str)] =
    &[("IPV6Enabled", "IsIPV6Enabled"), ("OriginCustomHeaders", "CustomHeaders")];

fn create_distribution(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let distribution_config = config(props, &ids::random_uuid())?;
    let tags = Tags { items: props.tags()? };
    let made = cx.call_own::<CreateDistributionWithTags>(create_distribution_with_tags::Input {
        distribution_config_with_tags: WithTags { distribution_config, tags },
    })?;
    let made = made.distribution;
    Ok(Created::new(made.id.as_str()).with("Id", made.id.0).with("DomainName", made.domain_name.0))
}

/// The configuration of a template in the form of the API.
fn config(props: &Props<'_>, caller_reference: &str) -> Result<DistributionConfig, AwsError> {
    let config = props.get(CONFIG).and_then(Value::as_object);
    let config = config.ok_or_else(|| props.invalid("DistributionConfig must be an object"))?;
    let config = Value::Object(with_defaults(config, caller_reference));
    let input = InputDraft::<CreateDistribution>::new().with(CONFIG, &config);
    Ok(input.renamed(RENAMES).read()?.distribution_config)
}

fn update_distribution(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let got = by_id::<GetDistribution>(update.created).call(cx)?;
    if update.changed(CONFIG) {
        let caller_reference = &got.distribution.distribution_config.caller_reference;
        let config = config(update.after, caller_reference)?;
        let input = by_id::<UpdateDistribution>(update.created).with("IfMatch", &got.etag);
        input.with(CONFIG, &config).call(cx)?;
    }
    let (set, removed) = update.tags()?;
    let arn = got.distribution.arn;
    if !removed.is_empty() {
        let input = InputDraft::<UntagResource>::new().with("Resource", &arn);
        input.with("TagKeys", &Keys { items: removed }).call(cx)?;
    }
    if !set.is_empty() {
        let input = InputDraft::<TagResource>::new().with("Resource", &arn);
        input.with("Tags", &Tags { items: set }).call(cx)?;
    }
    Ok(update.created.clone())
}

fn read_distribution(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let Some(got) = found(by_id::<GetDistribution>(created).call(cx))? else { return Ok(None) };
    let mut properties = properties_of(NAME, &got.distribution, RENAMES);
    if let Some(Value::Object(seen)) = properties.get_mut(CONFIG) {
        add_cached_methods(seen, &got.distribution.distribution_config);
    }
    let tags = InputDraft::<ListTagsForResource>::new().with("Resource", &got.distribution.arn).call(cx)?;
    wire::put(&mut properties, "Tags", &tags.tags.items);
    Ok(Some(properties))
}

/// The reverse of [`cached_methods`].
fn add_cached_methods(properties: &mut Map<String, Value>, config: &DistributionConfig) {
    fn add(behaviour: Option<&mut Map<String, Value>>, allowed: Option<&AllowedMethods>) {
        let cached = allowed.and_then(|allowed| allowed.cached_methods.as_ref());
        if let (Some(behaviour), Some(cached)) = (behaviour, cached) {
            behaviour.insert("CachedMethods".into(), cached.0.write());
        }
    }
    let default = properties.get_mut("DefaultCacheBehavior").and_then(Value::as_object_mut);
    add(default, config.default_cache_behavior.allowed_methods.as_ref());
    let behaviours = config.cache_behaviors.iter().flat_map(|list| &list.0);
    for (seen, behaviour) in items(properties, "CacheBehaviors").zip(behaviours) {
        add(Some(seen), behaviour.allowed_methods.as_ref());
    }
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
fn with_defaults(config: &Map<String, Value>, caller_reference: &str) -> Map<String, Value> {
    let mut config = config.clone();
    config.insert("CallerReference".into(), caller_reference.into());
    config.entry("Comment").or_insert_with(|| "".into());
    if let Some(Value::Object(logging)) = config.get_mut("Logging") {
        logging.entry("Enabled").or_insert(true.into());
        logging.entry("IncludeCookies").or_insert(false.into());
        logging.entry("Prefix").or_insert("".into());
    }
    for behaviour in ["DefaultCacheBehavior", "CacheBehaviors"] {
        forwarded_cookies(config.get_mut(behaviour));
    }
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

/// Adds the cookies to legacy settings: the API requires them, and templates without them forward none.
fn forwarded_cookies(behaviours: Option<&mut Value>) {
    let list = match behaviours {
        Some(Value::Array(list)) => list.iter_mut().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    for behaviour in list {
        if let Some(Value::Object(values)) = behaviour.get_mut("ForwardedValues") {
            values.entry("Cookies").or_insert_with(|| json!({"Forward": "none"}));
        }
    }
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
        let config = with_defaults(template.as_object().unwrap(), "r");
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

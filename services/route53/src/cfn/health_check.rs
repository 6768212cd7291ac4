//! `AWS::Route53::HealthCheck`.

use crate::{
    choices::ResettableElementName,
    ops::{
        change_tags_for_resource::ChangeTagsForResource, create_health_check::CreateHealthCheck,
        delete_health_check::DeleteHealthCheck, get_health_check::GetHealthCheck,
        list_tags_for_resource::ListTagsForResource, update_health_check::UpdateHealthCheck,
    },
};
use escale_base::{
    AwsError, Tag, Wire, found,
    wire::{self, Map, Value},
};
use escale_service::{Created, Cx, InputDraft, Props, Readiness, Update};
use escale_store::Image;
use escale_tables::route53::{HealthCheck, HealthCheckConfig};

const TAGS: &str = "HealthCheckTags";
const CONFIG: &str = "HealthCheckConfig";

pub(super) fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input::<CreateHealthCheck>(&[CONFIG]);
    let made = input.with("CallerReference", &escale_base::ids::random_uuid()).call(cx)?;
    let id = made.health_check.id;
    // They include the stack's `aws:` tags.
    tag(cx, id.as_str(), &props.tags_in(TAGS)?, &[])?;
    Ok(Created::new(id.as_str()).with("HealthCheckId", id.0.clone()))
}

fn tag(cx: &mut Cx<'_>, id: &str, set: &[Tag], removed: &[String]) -> Result<(), AwsError> {
    if set.is_empty() && removed.is_empty() {
        return Ok(());
    }
    let input = InputDraft::<ChangeTagsForResource>::new().with("ResourceType", &"healthcheck".to_owned());
    let input = input.with("ResourceId", &id.to_owned()).with("AddTags", &set.to_vec());
    input.with("RemoveTagKeys", &removed.to_vec()).call(cx).map(drop)
}

pub(super) fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    if !cx.tx.has::<HealthCheck>(&created.physical_id) {
        return Ok(());
    }
    created.delete_by::<DeleteHealthCheck>(cx, "HealthCheckId")
}

pub(super) fn gone(image: &Image, created: &Created) -> Readiness {
    if image.has::<HealthCheck>(&created.physical_id) {
        Readiness::Pending("the health check still exists".into())
    } else {
        Readiness::ready()
    }
}

/// A property that the template no longer has gets AWS's default, as far as the API can reset it.
pub(super) fn update(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let id = update.created.physical_id.clone();
    if update.changed(CONFIG) {
        let config: HealthCheckConfig = update.after.read(CONFIG)?;
        let before: HealthCheckConfig = update.before.read(CONFIG)?;
        let reset = [
            (
                ResettableElementName::FullyQualifiedDomainName,
                before.fully_qualified_domain_name.is_some() && config.fully_qualified_domain_name.is_none(),
            ),
            (
                ResettableElementName::ResourcePath,
                before.resource_path.is_some() && config.resource_path.is_none(),
            ),
            (
                ResettableElementName::ChildHealthChecks,
                !before.children().is_empty() && config.children().is_empty(),
            ),
        ];
        let reset: Vec<_> = reset.into_iter().filter(|(_, is)| *is).map(|(element, _)| element).collect();
        let is_endpoint = config.request_interval.is_some() || config.port.is_some();
        let threshold = config.failure_threshold.or(is_endpoint.then_some(3));
        let input = InputDraft::<UpdateHealthCheck>::new().with("HealthCheckId", &id);
        input
            .with("IPAddress", &config.ip_address)
            .with("Port", &config.port)
            .with("ResourcePath", &config.resource_path)
            .with("FullyQualifiedDomainName", &config.fully_qualified_domain_name)
            .with("SearchString", &config.search_string)
            .with("FailureThreshold", &threshold)
            .with("Inverted", &Some(config.is_inverted()))
            .with("Disabled", &Some(config.is_disabled()))
            .with("HealthThreshold", &config.health_threshold)
            .with("ChildHealthChecks", &config.child_health_checks)
            .with("EnableSNI", &config.enable_sni)
            .with("AlarmIdentifier", &config.alarm_identifier)
            .with("InsufficientDataHealthStatus", &config.insufficient_data_health_status)
            .with("ResetElements", &reset)
            .call(cx)?;
    }
    let (set, removed) = update.tags_in(TAGS)?;
    tag(cx, &id, &set, &removed)?;
    Ok(update.created.clone())
}

pub(super) fn read(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let id = &created.physical_id;
    let got = InputDraft::<GetHealthCheck>::new().with("HealthCheckId", id).call(cx);
    let Some(got) = found(got)? else { return Ok(None) };
    let mut properties = Map::new();
    properties.insert(CONFIG.into(), got.health_check.health_check_config.write());
    let input = InputDraft::<ListTagsForResource>::new().with("ResourceType", &"healthcheck".to_owned());
    let tags = input.with("ResourceId", id).call(cx)?.resource_tag_set.tags;
    wire::put(&mut properties, TAGS, &tags);
    Ok(Some(properties))
}

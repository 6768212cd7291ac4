//! CloudFormation: the types `AWS::ServiceDiscovery::*`.

use crate::{
    ops::{
        create_http_namespace::CreateHttpNamespace, create_private_dns_namespace::CreatePrivateDnsNamespace,
        create_service::CreateService, delete_namespace::DeleteNamespace, delete_service::DeleteService,
        delete_service_attributes::DeleteServiceAttributes, deregister_instance::DeregisterInstance,
        get_instance::GetInstance, get_namespace::GetNamespace, get_service::GetService,
        get_service_attributes::GetServiceAttributes, list_tags_for_resource::ListTagsForResource,
        register_instance::RegisterInstance, tag_resource::TagResource, untag_resource::UntagResource,
        update_http_namespace::UpdateHttpNamespace, update_private_dns_namespace::UpdatePrivateDnsNamespace,
        update_service::UpdateService, update_service_attributes::UpdateServiceAttributes,
    },
    rules,
    shapes::{Accepted, PropertiesInput, SoaShape},
    status,
};
use escale_base::{
    AwsError, already_gone, found, ids,
    wire::{Map, Value, Wire},
};
use escale_service::{
    Created, Cx, InputDraft, Props, Readiness, ResourceType, Resources, Update, own_tags, properties_of,
};
use escale_store::Image;
use escale_tables::servicediscovery::{Operation, OperationId, OperationTarget};
use std::collections::BTreeMap;

const PRIVATE: &str = "AWS::ServiceDiscovery::PrivateDnsNamespace";
const HTTP: &str = "AWS::ServiceDiscovery::HttpNamespace";
const SERVICE: &str = "AWS::ServiceDiscovery::Service";
const INSTANCE: &str = "AWS::ServiceDiscovery::Instance";

/// An attribute that no template can read: the operation to wait for.
const OPERATION: &str = "OperationId";

pub(crate) fn types() -> Resources {
    vec![
        ResourceType::new(
            PRIVATE,
            &["Name", "Vpc", "Description", "Properties", "Tags"],
            create_private,
            delete_namespace,
        )
        .ready(is_complete)
        .update(update_namespace)
        .read(|cx, created| read_namespace(cx, created, PRIVATE)),
        ResourceType::new(HTTP, &["Name", "Description", "Tags"], create_http, delete_namespace)
            .update(update_namespace)
            .read(|cx, created| read_namespace(cx, created, HTTP)),
        ResourceType::new(
            SERVICE,
            &[
                "Name",
                "NamespaceId",
                "Description",
                "DnsConfig",
                "HealthCheckCustomConfig",
                "ServiceAttributes",
                "Type",
                "Tags",
            ],
            create_service,
            |cx, created| already_gone(created.delete_by::<DeleteService>(cx, "Id")).map(drop),
        )
        .ready(is_complete)
        .update(update_service)
        .read(read_service),
        ResourceType::new(
            INSTANCE,
            &["InstanceId", "ServiceId", "InstanceAttributes"],
            create_instance,
            delete_instance,
        )
        .ready(is_complete)
        .update(update_instance)
        .read(read_instance),
    ]
}

/// An operation without a row was purged, so it is complete.
fn is_complete(image: &Image, created: &Created) -> Readiness {
    let operation = created.attribute(OPERATION).ok().and_then(|id| image.get::<Operation>(id));
    match operation.map(|operation| status::operation(image, &operation)) {
        Some(crate::choices::OperationStatus::Pending) => {
            Readiness::Pending("the name servers do not serve the change yet".into())
        }
        _ => Readiness::ready(),
    }
}

/// The resource that an operation works on.
fn target(cx: &Cx<'_>, operation: &OperationId) -> Result<OperationTarget, AwsError> {
    let row = cx.tx.get::<Operation>(operation).ok_or_else(AwsError::internal)?;
    Ok(row.target.clone())
}

fn create_private(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input_without::<CreatePrivateDnsNamespace>(&["Tags", "Properties"]);
    let input = input.with("Properties", &properties(props)?);
    let accepted = input.with("Tags", &props.tags()?).call(cx)?;
    let created = namespace(cx, &accepted)?;
    let row = rules::namespace(cx.tx, &created.physical_id)?;
    let zone = row.dns.as_ref().map(|dns| dns.zone.to_string()).unwrap_or_default();
    Ok(created.with("HostedZoneId", zone))
}

/// In the schema every level below `Properties` is optional.
fn properties(props: &Props<'_>) -> Result<Option<PropertiesInput>, AwsError> {
    let ttl = props.get("Properties").and_then(|value| value.pointer("/DnsProperties/SOA"));
    let soa = ttl.map(SoaShape::read).transpose().map_err(|error| props.invalid(error))?;
    Ok(soa.map(|soa| PropertiesInput::with_ttl(soa.ttl)))
}

fn create_http(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input_without::<CreateHttpNamespace>(&["Tags"]);
    let accepted = input.with("Tags", &props.tags()?).call(cx)?;
    namespace(cx, &accepted)
}

fn namespace(cx: &Cx<'_>, accepted: &Accepted) -> Result<Created, AwsError> {
    let id = target(cx, &accepted.operation_id)?.namespace().to_string();
    let arn = rules::namespace_arn(cx, &id);
    Ok(Created::new(id.as_str())
        .with("Id", id)
        .with("Arn", arn)
        .with(OPERATION, accepted.operation_id.as_str()))
}

fn delete_namespace(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    already_gone(created.delete_by::<DeleteNamespace>(cx, "Id")).map(drop)
}

/// A template without a description or a TTL of the SOA record gets AWS's defaults.
fn update_namespace(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    change_tags(cx, update)?;
    let id = &update.created.physical_id;
    if !update.any_changed(&["Description", "Properties"]) {
        return Ok(update.created.clone());
    }
    let description = update.after.str("Description").unwrap_or_default();
    let mut change = Map::from_iter([("Description".to_owned(), Value::from(description))]);
    let accepted = if rules::namespace(cx.tx, id)?.dns.is_some() {
        let defaults = || PropertiesInput::with_ttl(crate::ops::create_private_dns_namespace::SOA_TTL_SECS);
        if update.changed("Properties") {
            let given = properties(update.after)?.unwrap_or_else(defaults);
            change.insert("Properties".to_owned(), given.write());
        }
        let input = InputDraft::<UpdatePrivateDnsNamespace>::new().with("Id", id);
        input.with("Namespace", &Value::Object(change)).call(cx)?
    } else {
        let input = InputDraft::<UpdateHttpNamespace>::new().with("Id", id);
        input.with("Namespace", &Value::Object(change)).call(cx)?
    };
    Ok(update.created.clone().with(OPERATION, accepted.operation_id.as_str()))
}

fn read_namespace(
    cx: &mut Cx<'_>,
    created: &Created,
    type_name: &str,
) -> Result<Option<Map<String, Value>>, AwsError> {
    let input = InputDraft::<GetNamespace>::new().with("Id", &created.physical_id);
    let Some(got) = found(input.call(cx))? else { return Ok(None) };
    let mut properties = properties_of(type_name, &got.namespace, &[]);
    properties.remove("Properties");
    if let Some(soa) = got.namespace.properties.dns_properties.and_then(|dns| dns.soa) {
        properties.insert("Properties".into(), PropertiesInput::with_ttl(soa.ttl).write());
    }
    properties.insert("Tags".into(), tags(cx, created)?);
    Ok(Some(properties))
}

fn create_service(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input_without::<CreateService>(&["Name", "Tags", "ServiceAttributes"]);
    let input = input.with("Name", &props.name_or_generated("Name", 127));
    let made = input.with("Tags", &props.tags()?).call(cx)?.service;
    let attributes = props.read::<BTreeMap<String, String>>("ServiceAttributes")?;
    if !attributes.is_empty() {
        let input = InputDraft::<UpdateServiceAttributes>::new().with("ServiceId", &made.id);
        input.with("Attributes", &attributes).call(cx)?;
    }
    Ok(Created::new(made.id.as_str()).with("Id", made.id.0).with("Arn", made.arn).with("Name", made.name.0))
}

fn update_service(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    change_tags(cx, update)?;
    let id = &update.created.physical_id;
    let mut created = update.created.clone();
    if update.any_changed(&["Description", "DnsConfig"]) {
        let description = update.after.str("Description").unwrap_or_default();
        let mut change = Map::from_iter([("Description".to_owned(), Value::from(description))]);
        if let Some(records) = update.after.get("DnsConfig").and_then(|dns| dns.get("DnsRecords")) {
            let dns = Map::from_iter([("DnsRecords".to_owned(), records.clone())]);
            change.insert("DnsConfig".to_owned(), Value::Object(dns));
        }
        let input = InputDraft::<UpdateService>::new().with("Id", id);
        let accepted = input.with("Service", &Value::Object(change)).call(cx)?;
        created = created.with(OPERATION, accepted.operation_id.as_str());
    }
    if update.changed("ServiceAttributes") {
        let before = update.before.read::<BTreeMap<String, String>>("ServiceAttributes")?;
        let after = update.after.read::<BTreeMap<String, String>>("ServiceAttributes")?;
        let removed: Vec<String> = before.into_keys().filter(|key| !after.contains_key(key)).collect();
        if !removed.is_empty() {
            let input = InputDraft::<DeleteServiceAttributes>::new().with("ServiceId", id);
            input.with("Attributes", &removed).call(cx)?;
        }
        if !after.is_empty() {
            let input = InputDraft::<UpdateServiceAttributes>::new().with("ServiceId", id);
            input.with("Attributes", &after).call(cx)?;
        }
    }
    Ok(created)
}

fn read_service(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let id = &created.physical_id;
    let Some(got) = found(InputDraft::<GetService>::new().with("Id", id).call(cx))? else { return Ok(None) };
    let mut properties = properties_of(SERVICE, &got.service, &[]);
    // `Type` is only for services that a DNS namespace has without DNS.
    properties.remove("Type");
    let input = InputDraft::<GetServiceAttributes>::new().with("ServiceId", id);
    let attributes = input.call(cx)?.service_attributes.attributes;
    if !attributes.is_empty() {
        properties.insert("ServiceAttributes".into(), attributes.write());
    }
    properties.insert("Tags".into(), tags(cx, created)?);
    Ok(Some(properties))
}

fn create_instance(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let id = props.str("InstanceId").map_or_else(ids::random_uuid, str::to_owned);
    let service = props.text("ServiceId")?;
    let operation = register(cx, props, &id)?;
    Ok(Created::new(id).with("ServiceId", service).with(OPERATION, operation.as_str()))
}

fn register(cx: &mut Cx<'_>, props: &Props<'_>, id: &str) -> Result<OperationId, AwsError> {
    let attributes = attributes(props)?;
    let input = props.input::<RegisterInstance>(&["ServiceId"]).with("InstanceId", &id.to_owned());
    Ok(input.with("Attributes", &attributes).call(cx)?.operation_id)
}

/// The schema has the attributes as an object or as its text. Templates write ports as numbers.
fn attributes(props: &Props<'_>) -> Result<BTreeMap<String, String>, AwsError> {
    let text = props.document("InstanceAttributes").unwrap_or_default();
    let object: Map<String, Value> = match text.parse::<Value>() {
        Ok(Value::Object(object)) => object,
        _ => return Err(props.invalid("InstanceAttributes must be an object.")),
    };
    let scalar = |(key, value): (String, Value)| match value {
        Value::String(text) => Ok((key, text)),
        Value::Number(_) | Value::Bool(_) => Ok((key, value.to_string())),
        _ => Err(props.invalid(format!("The instance attribute {key} must be a string."))),
    };
    object.into_iter().map(scalar).collect()
}

fn update_instance(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let operation = register(cx, update.after, &update.created.physical_id)?;
    Ok(update.created.clone().with(OPERATION, operation.as_str()))
}

fn read_instance(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let service = created.attribute("ServiceId")?.to_owned();
    let input = InputDraft::<GetInstance>::new().with("ServiceId", &service);
    let Some(got) = found(input.with("InstanceId", &created.physical_id).call(cx))? else { return Ok(None) };
    Ok(Some(Map::from_iter([
        ("ServiceId".to_owned(), service.into()),
        ("InstanceId".to_owned(), created.physical_id.as_str().into()),
        ("InstanceAttributes".to_owned(), got.instance.attributes.write()),
    ])))
}

fn delete_instance(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let input = InputDraft::<DeregisterInstance>::new().with("InstanceId", &created.physical_id);
    already_gone(input.with("ServiceId", &created.attribute("ServiceId")?.to_owned()).call(cx)).map(drop)
}

fn change_tags(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<(), AwsError> {
    let (set, removed) = update.tags()?;
    let arn = update.created.attribute("Arn")?.to_owned();
    if !set.is_empty() {
        InputDraft::<TagResource>::new().with("ResourceARN", &arn).with("Tags", &set).call(cx)?;
    }
    if !removed.is_empty() {
        InputDraft::<UntagResource>::new().with("ResourceARN", &arn).with("TagKeys", &removed).call(cx)?;
    }
    Ok(())
}

fn tags(cx: &mut Cx<'_>, created: &Created) -> Result<Value, AwsError> {
    let arn = created.attribute("Arn")?.to_owned();
    Ok(own_tags(&InputDraft::<ListTagsForResource>::new().with("ResourceARN", &arn).call(cx)?.tags))
}

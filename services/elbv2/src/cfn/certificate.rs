//! `AWS::ElasticLoadBalancingV2::ListenerCertificate`: additional certificates of a listener.

use super::balancer::served;
use crate::{
    certificates::CertificateShape,
    ops::{
        add_listener_certificates::AddListenerCertificates,
        describe_listener_certificates::DescribeListenerCertificates,
        remove_listener_certificates::RemoveListenerCertificates,
    },
};
use escale_base::{
    AwsError, already_gone, found, ids,
    wire::{self, Map, Value},
};
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType, Update};
use escale_store::Image;
use escale_tables::{
    acm::CertificateArn,
    elbv2::{ListenerTls, LoadBalancer},
};

const LISTENER: &str = "ListenerArn";
/// No attribute of AWS: the ARNs that this resource added.
const ADDED: &str = "CertificateArns";

pub(super) const TYPE: ResourceType = ResourceType::new(
    "AWS::ElasticLoadBalancingV2::ListenerCertificate",
    &["Certificates", LISTENER],
    create,
    delete,
)
.update(update)
.read(read)
.ready(ready);

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let listener = props.text(LISTENER)?.to_owned();
    let certificates = props.read::<Vec<CertificateShape>>("Certificates")?;
    let input = InputDraft::<AddListenerCertificates>::new().with(LISTENER, &listener);
    input.with("Certificates", &certificates).call(cx)?;
    let id = ids::random_uuid();
    Ok(with_added(Created::new(id.as_str()).with("Id", id).with(LISTENER, listener), &certificates))
}

fn with_added(created: Created, certificates: &[CertificateShape]) -> Created {
    let arns = certificates.iter().filter_map(|c| c.certificate_arn.as_ref().map(ToString::to_string));
    created.with(ADDED, arns.collect::<Vec<_>>())
}

fn listener_of(created: &Created) -> Result<String, AwsError> {
    let listener = created.attributes.get(LISTENER).and_then(Value::as_str);
    listener.map(str::to_owned).ok_or_else(AwsError::internal)
}

fn added(created: &Created) -> Vec<CertificateArn> {
    let arns = created.attributes.get(ADDED).and_then(Value::as_array);
    arns.into_iter().flatten().filter_map(Value::as_str).map(CertificateArn::from).collect()
}

fn shapes(arns: impl IntoIterator<Item = CertificateArn>) -> Vec<CertificateShape> {
    arns.into_iter().map(|arn| CertificateShape { certificate_arn: Some(arn), is_default: None }).collect()
}

fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    remove(cx, &listener_of(created)?, added(created))
}

/// A certificate that has become the default one stays.
fn remove(cx: &mut Cx<'_>, listener: &str, arns: Vec<CertificateArn>) -> Result<(), AwsError> {
    let Some(tls) = cx.tx.get::<ListenerTls>(listener) else { return Ok(()) };
    let removed = shapes(arns.into_iter().filter(|arn| tls.certificates.first() != Some(arn)));
    if removed.is_empty() {
        return Ok(());
    }
    let input = InputDraft::<RemoveListenerCertificates>::new().with(LISTENER, &listener.to_owned());
    already_gone(input.with("Certificates", &removed).call(cx))
}

/// Adds first, so that no name of both lists is without its certificate meanwhile.
fn update(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let listener = listener_of(update.created)?;
    let wanted = update.after.read::<Vec<CertificateShape>>("Certificates")?;
    let input = InputDraft::<AddListenerCertificates>::new().with(LISTENER, &listener);
    input.with("Certificates", &wanted).call(cx)?;
    let is_wanted = |arn: &CertificateArn| wanted.iter().any(|c| c.certificate_arn.as_ref() == Some(arn));
    let old = added(update.created).into_iter().filter(|arn| !is_wanted(arn)).collect();
    remove(cx, &listener, old)?;
    Ok(with_added(update.created.clone(), &wanted))
}

fn read(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let listener = listener_of(created)?;
    let input = InputDraft::<DescribeListenerCertificates>::new().with(LISTENER, &listener);
    let Some(answer) = found(input.call(cx))? else { return Ok(None) };
    let is_there = |arn: &CertificateArn| {
        answer
            .certificates
            .iter()
            .any(|c| c.certificate_arn.as_ref() == Some(arn) && c.is_default != Some(true))
    };
    let present: Vec<CertificateArn> = added(created).into_iter().filter(is_there).collect();
    if present.is_empty() {
        return Ok(None);
    }
    let mut properties = Map::new();
    wire::put(&mut properties, LISTENER, &listener);
    wire::put(&mut properties, "Certificates", &shapes(present));
    Ok(Some(properties))
}

fn ready(image: &Image, created: &Created) -> Readiness {
    let listener = created.attributes.get(LISTENER).and_then(Value::as_str).unwrap_or_default();
    let tls = image.get::<ListenerTls>(listener);
    match tls.and_then(|tls| image.get::<LoadBalancer>(&tls.load_balancer)) {
        Some(balancer) => served(image, &balancer),
        None => Readiness::Failed(format!("the listener {listener} was deleted")),
    }
}

//! CloudFormation: `AWS::CertificateManager::Certificate`. As on AWS, the resource is created once the certificate is issued,
//! and CloudFormation creates the validation records of names for which the template gives a hosted zone.
//!
//! It does not delete these records, as it does not on AWS: another certificate for the same name may need them.
//! Source: <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1603>

use crate::{
    error::invalid,
    ops::{
        add_tags_to_certificate::AddTagsToCertificate, delete_certificate::DeleteCertificate,
        describe_certificate::DescribeCertificate, list_tags_for_certificate::ListTagsForCertificate,
        remove_tags_from_certificate::RemoveTagsFromCertificate, request_certificate::RequestCertificate,
        update_certificate_options::UpdateCertificateOptions,
    },
    shapes, status, validation,
};
use escale_base::{
    AwsError, Wire, found,
    wire::{self, Map, Value},
};
use escale_requests::route53::{
    ChangeAction, ChangeBatch, ChangeResourceRecordSets, RecordChange, ResourceRecord, ResourceRecordSet,
};
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType, Update, own_tags};
use escale_store::Image;
use escale_tables::{
    acm::{Certificate, usable},
    route53::RecordType,
};
use serde_json::json;

const NAME: &str = "AWS::CertificateManager::Certificate";
const LOGGING: &str = "CertificateTransparencyLoggingPreference";
const TTL_SECS: u32 = 300;

pub(crate) fn types() -> Vec<ResourceType> {
    let properties = &[
        "DomainName",
        "SubjectAlternativeNames",
        "ValidationMethod",
        "DomainValidationOptions",
        "KeyAlgorithm",
        LOGGING,
        "CertificateExport",
        "Tags",
    ];
    let certificate = ResourceType::new(NAME, properties, create, |cx, created| {
        created.delete_by::<DeleteCertificate>(cx, "CertificateArn")
    });
    // The zones are a matter of CloudFormation, which writes the records. ACM does not know them.
    let certificate = certificate.normalize(|properties| drop(properties.remove("DomainValidationOptions")));
    vec![certificate.update(update).read(read).ready(ready)]
}

#[derive(Wire)]
struct DomainValidationOption {
    domain_name: String,
    hosted_zone_id: Option<String>,
    validation_domain: Option<String>,
}

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let input = props.input::<RequestCertificate>(&[
        "DomainName",
        "SubjectAlternativeNames",
        "ValidationMethod",
        "KeyAlgorithm",
    ]);
    let options = json!({LOGGING: props.str(LOGGING), "Export": props.str("CertificateExport")});
    let input = input.with("Options", &without_nulls(options)).with("Tags", &props.tags()?);
    let arn = input.call(cx)?.certificate_arn;
    for option in props.read::<Vec<DomainValidationOption>>("DomainValidationOptions")? {
        if option.validation_domain.is_some() {
            let what = "DomainValidationOptions.ValidationDomain";
            return Err(
                AwsError::not_supported(what).hint("It belongs to validation by email. Use HostedZoneId.")
            );
        }
        let zone = option.hosted_zone_id.as_deref();
        let zone = zone.ok_or_else(|| invalid("DomainValidationOptions must have a HostedZoneId"))?;
        prove(cx, &option.domain_name, zone)?;
    }
    Ok(Created::new(arn.as_str()).with("CertificateArn", arn.0))
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null());
    }
    value
}

/// Creates the record that proves a name.
fn prove(cx: &mut Cx<'_>, name: &str, zone: &str) -> Result<(), AwsError> {
    let proof = validation::proof(&cx.config.account, name);
    cx.call(ChangeResourceRecordSets {
        hosted_zone_id: zone.into(),
        change_batch: ChangeBatch {
            changes: vec![RecordChange {
                action: ChangeAction::Upsert,
                resource_record_set: ResourceRecordSet {
                    name: proof.name,
                    r#type: RecordType::Cname,
                    set_identifier: None,
                    weight: None,
                    multi_value_answer: None,
                    ttl: TTL_SECS,
                    resource_records: vec![ResourceRecord { value: proof.value }],
                },
            }],
        },
    })
    .map(drop)
}

/// CloudFormation waits for the validation.
fn ready(image: &Image, created: &Created) -> Readiness {
    let arn = &created.physical_id;
    let Some(row) = image.get::<Certificate>(arn) else {
        return Readiness::Failed(format!("{arn} was deleted"));
    };
    match usable(image, arn) {
        Some(_) => Readiness::ready(),
        None => Readiness::Pending(format!(
            "the certificate for {} is not issued yet. It needs the CNAME records that DescribeCertificate returns in public \
             hosted zones of this account, within {} hours",
            row.names.join(", "),
            status::VALIDATE_WITHIN_MS / 3_600_000
        )),
    }
}

fn update(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let arn = &update.created.physical_id;
    if update.changed(LOGGING) {
        let wanted = update.after.str(LOGGING).unwrap_or("ENABLED");
        let input = InputDraft::<UpdateCertificateOptions>::new().with("CertificateArn", arn);
        input.with("Options", &json!({LOGGING: wanted})).call(cx)?;
    }
    let (set, removed) = update.tags()?;
    if !set.is_empty() {
        InputDraft::<AddTagsToCertificate>::new().with("CertificateArn", arn).with("Tags", &set).call(cx)?;
    }
    if !removed.is_empty() {
        let keys: Vec<Value> = removed.iter().map(|key| json!({"Key": key})).collect();
        let input = InputDraft::<RemoveTagsFromCertificate>::new().with("CertificateArn", arn);
        input.with("Tags", &Value::from(keys)).call(cx)?;
    }
    Ok(update.created.clone())
}

/// ValidationMethod and the hosted zones are write-only.
fn read(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let arn = &created.physical_id;
    let described = found(InputDraft::<DescribeCertificate>::new().with("CertificateArn", arn).call(cx))?;
    let Some(certificate) = described.map(|answer| answer.certificate) else { return Ok(None) };
    let shapes::Detail { domain_name, subject_alternative_names, key_algorithm, options, .. } = certificate;
    let others: Vec<String> =
        subject_alternative_names.into_iter().filter(|name| *name != domain_name).collect();
    let mut properties = Map::new();
    wire::put(&mut properties, "DomainName", &domain_name);
    if !others.is_empty() {
        wire::put(&mut properties, "SubjectAlternativeNames", &others);
    }
    wire::put(&mut properties, "KeyAlgorithm", &key_algorithm);
    wire::put(&mut properties, LOGGING, &options.certificate_transparency_logging_preference);
    wire::put(&mut properties, "CertificateExport", &options.export);
    let tags = InputDraft::<ListTagsForCertificate>::new().with("CertificateArn", arn).call(cx)?.tags;
    properties.insert("Tags".into(), own_tags(&tags));
    Ok(Some(properties))
}

//! `AWS::ECR::Repository`.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecr-repository.html>

#[cfg(test)]
mod tests;

use crate::{
    choices::ImageTagMutability,
    ops::{
        create_repository::CreateRepository, delete_lifecycle_policy::DeleteLifecyclePolicy,
        delete_repository_policy::DeleteRepositoryPolicy, describe_repositories::DescribeRepositories,
        get_lifecycle_policy::GetLifecyclePolicy, get_repository_policy::GetRepositoryPolicy,
        list_tags_for_resource::ListTagsForResource,
        put_image_scanning_configuration::PutImageScanningConfiguration,
        put_image_tag_mutability::PutImageTagMutability, put_lifecycle_policy::PutLifecyclePolicy,
        set_repository_policy::SetRepositoryPolicy, tag_resource::TagResource, untag_resource::UntagResource,
    },
    rules, shapes,
};
use escale_base::{
    AwsError, Wire, already_gone, found,
    wire::{self, Map, Value},
};
use escale_service::{Created, Cx, InputDraft, Named, Props, Readiness, ResourceType, Update, properties_of};
use escale_store::Image;
use escale_tables::ecr::{Deletion, LifecyclePolicyText, Repository, RepositoryName, RepositorySeen};

pub(crate) fn types() -> Vec<ResourceType> {
    let repository = ResourceType::new(
        NAME,
        &[
            "EmptyOnDelete",
            "EncryptionConfiguration",
            "ImageScanningConfiguration",
            "ImageTagMutability",
            "LifecyclePolicy",
            "RepositoryName",
            "RepositoryPolicyText",
            "Tags",
        ],
        create,
        delete,
    );
    let repository = repository.adopt(|cx, name, _| Ok(described(cx, &name.into())));
    vec![repository.gone(gone).update(update).read(read)]
}

const NAME: &str = "AWS::ECR::Repository";

fn of<O: Named>(created: &Created) -> InputDraft<O> {
    InputDraft::new().with("repositoryName", &created.physical_id)
}

fn create(cx: &mut Cx<'_>, props: &Props<'_>) -> Result<Created, AwsError> {
    let name = props.name_or_generated("RepositoryName", 256);
    // A generated name contains the logical id, which may have capitals. Repositories cannot.
    let name =
        RepositoryName(if props.str("RepositoryName").is_some() { name } else { name.to_ascii_lowercase() });
    let members = ["EncryptionConfiguration", "ImageScanningConfiguration", "ImageTagMutability"];
    let input = props.input::<CreateRepository>(&members);
    input.with("repositoryName", &name).with("tags", &props.tags()?).call(cx)?;
    if let Some(policy) = props.document("RepositoryPolicyText") {
        let input = InputDraft::<SetRepositoryPolicy>::new().with("repositoryName", &name);
        input.with("policyText", &policy).call(cx)?;
    }
    if let Some(policy) = props.read::<Option<TemplateLifecycle>>(LIFECYCLE)? {
        let input = InputDraft::<PutLifecyclePolicy>::new().with("repositoryName", &name);
        policy.fill(input).call(cx)?;
    }
    if props.bool("EmptyOnDelete") == Some(true) {
        cx.tx.update::<Repository, ()>(&name, |r| r.empty_on_delete = true);
    }
    Ok(described(cx, &name))
}

fn described(cx: &Cx<'_>, name: &RepositoryName) -> Created {
    Created::new(name.as_str())
        .with("Arn", rules::arn(cx.config, name))
        .with("RepositoryUri", shapes::uri(name, cx.config))
}

fn update(cx: &mut Cx<'_>, update: &Update<'_>) -> Result<Created, AwsError> {
    let created = update.created;
    if update.changed("ImageTagMutability") {
        let mutability = update.after.read::<Option<ImageTagMutability>>("ImageTagMutability")?;
        let mutability = mutability.unwrap_or(ImageTagMutability::Mutable);
        of::<PutImageTagMutability>(created).with("imageTagMutability", &mutability).call(cx)?;
    }
    if update.changed("ImageScanningConfiguration") {
        let scanning = update.after.read::<Option<TemplateScanning>>("ImageScanningConfiguration")?;
        let scan_on_push = Some(scanning.and_then(|scanning| scanning.scan_on_push).unwrap_or(false));
        let input = of::<PutImageScanningConfiguration>(created);
        input.with("imageScanningConfiguration", &shapes::Scanning { scan_on_push }).call(cx)?;
    }
    if update.changed("RepositoryPolicyText") {
        match update.after.document("RepositoryPolicyText") {
            Some(text) => of::<SetRepositoryPolicy>(created).with("policyText", &text).call(cx).map(drop)?,
            None => already_gone(of::<DeleteRepositoryPolicy>(created).call(cx))?,
        }
    }
    if update.changed(LIFECYCLE) {
        match update.after.read::<Option<TemplateLifecycle>>(LIFECYCLE)? {
            Some(policy) => policy.fill(of::<PutLifecyclePolicy>(created)).call(cx).map(drop)?,
            None => already_gone(of::<DeleteLifecyclePolicy>(created).call(cx))?,
        }
    }
    if update.changed("EmptyOnDelete") {
        let empty = update.after.bool("EmptyOnDelete") == Some(true);
        cx.tx.update::<Repository, ()>(&created.physical_id, |r| r.empty_on_delete = empty);
    }
    let (set, removed) = update.tags()?;
    let arn = created.attribute("Arn")?.to_owned();
    if !removed.is_empty() {
        let input = InputDraft::<UntagResource>::new().with("resourceArn", &arn);
        input.with("tagKeys", &removed).call(cx)?;
    }
    if !set.is_empty() {
        let input = InputDraft::<TagResource>::new().with("resourceArn", &arn);
        input.with("tags", &set).call(cx)?;
    }
    Ok(created.clone())
}

const LIFECYCLE: &str = "LifecyclePolicy";

#[derive(Wire)]
struct TemplateLifecycle {
    lifecycle_policy_text: Option<LifecyclePolicyText>,
    registry_id: Option<String>,
}

impl TemplateLifecycle {
    fn fill(&self, input: InputDraft<PutLifecyclePolicy>) -> InputDraft<PutLifecyclePolicy> {
        let input = input.with("lifecyclePolicyText", &self.lifecycle_policy_text);
        input.with("registryId", &self.registry_id)
    }
}

#[derive(Wire)]
struct TemplateScanning {
    scan_on_push: Option<bool>,
}

/// `EmptyOnDelete` is not read: it belongs to the stack, and no operation returns it.
fn read(cx: &mut Cx<'_>, created: &Created) -> Result<Option<Map<String, Value>>, AwsError> {
    let names = vec![created.physical_id.clone()];
    let input = InputDraft::<DescribeRepositories>::new().with("repositoryNames", &names);
    let Some(described) = found(input.call(cx))? else { return Ok(None) };
    let Some(repository) = described.repositories.first() else { return Ok(None) };
    let mut properties = properties_of(NAME, repository, &[]);
    if let Some(policy) = found(of::<GetRepositoryPolicy>(created).call(cx))? {
        let text = policy.policy_text;
        let document = serde_json::from_str(&text).unwrap_or(Value::String(text));
        properties.insert("RepositoryPolicyText".into(), document);
    }
    if let Some(policy) = found(of::<GetLifecyclePolicy>(created).call(cx))? {
        let (text, registry) = (policy.lifecycle_policy_text, policy.registry_id);
        let lifecycle = TemplateLifecycle { lifecycle_policy_text: Some(text), registry_id: Some(registry) };
        wire::put(&mut properties, LIFECYCLE, &lifecycle);
    }
    let input = InputDraft::<ListTagsForResource>::new();
    let tags = input.with("resourceArn", &repository.repository_arn).call(cx)?.tags;
    wire::put(&mut properties, "Tags", &tags);
    Ok(Some(properties))
}

/// Marks the row, and `reconcile` deletes the repository: a CloudFormation step cannot wait for the plane, as DeleteRepository
/// does.
fn delete(cx: &mut Cx<'_>, created: &Created) -> Result<(), AwsError> {
    let name = &created.physical_id;
    // It would report the failure of an earlier deletion.
    cx.tx.delete::<RepositorySeen>(name);
    cx.tx.update::<Repository, ()>(name, |r| {
        r.deletion = if r.empty_on_delete { Deletion::WithImages } else { Deletion::IfEmpty };
    });
    Ok(())
}

fn gone(image: &Image, created: &Created) -> Readiness {
    let name = &created.physical_id;
    match (image.get::<Repository>(name), image.get::<RepositorySeen>(name)) {
        (None, _) => Readiness::ready(),
        (Some(row), _) if row.deletion != Deletion::No => {
            Readiness::Pending(format!("the repository {name} is being deleted"))
        }
        (Some(_), Some(seen)) => Readiness::Failed(seen.not_deleted.clone()),
        (Some(_), None) => {
            Readiness::Failed(format!("the repository {name} was created again while it was being deleted"))
        }
    }
}

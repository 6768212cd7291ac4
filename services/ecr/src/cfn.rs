//! `AWS::ECR::Repository`.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ecr-repository.html>

use crate::{
    ops::{create_repository::CreateRepository, set_repository_policy::SetRepositoryPolicy},
    rules, shapes,
};
use escale_base::AwsError;
use escale_service::{Created, Cx, InputDraft, Props, Readiness, ResourceType};
use escale_store::Image;
use escale_tables::ecr::{Deletion, Repository, RepositoryName, RepositorySeen};

pub(crate) fn types() -> Vec<ResourceType> {
    let repository = ResourceType::new(
        "AWS::ECR::Repository",
        &[
            "EmptyOnDelete",
            "EncryptionConfiguration",
            "ImageScanningConfiguration",
            "ImageTagMutability",
            "RepositoryName",
            "RepositoryPolicyText",
            "Tags",
        ],
        create,
        delete,
    );
    vec![repository.gone(gone)]
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
    if props.bool("EmptyOnDelete") == Some(true) {
        cx.tx.update::<Repository, ()>(&name, |r| r.empty_on_delete = true);
    }
    Ok(Created::new(name.as_str())
        .with("Arn", rules::arn(cx.config, &name))
        .with("RepositoryUri", shapes::uri(&name, cx.config)))
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

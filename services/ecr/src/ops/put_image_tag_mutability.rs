//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImageTagMutability.html>

use crate::choices::ImageTagMutability;
use crate::{Error, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::ecr::{Repository, RepositoryName};

pub(crate) struct PutImageTagMutability;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    repository_name: RepositoryName,
    image_tag_mutability: ImageTagMutability,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    registry_id: String,
    repository_name: RepositoryName,
    image_tag_mutability: ImageTagMutability,
}

impl Operation for PutImageTagMutability {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx.config, &input.repository_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        rules::row(cx, input.registry_id.as_deref(), &input.repository_name)?;
        let immutable = rules::immutable(Some(input.image_tag_mutability))?;
        let name = input.repository_name;
        // `Repositories::ready` updates the plane before the next push.
        cx.tx.update::<Repository, ()>(&name, |r| r.immutable_tags = immutable);
        let image_tag_mutability = shapes::mutability(immutable);
        Ok(Output { registry_id: cx.config.account.clone(), repository_name: name, image_tag_mutability })
    }
}

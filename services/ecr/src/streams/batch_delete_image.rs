//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html>

use crate::{
    Error, Repositories, rules,
    shapes::{ImageFailure, ImageId, failure},
};
use escale_base::Wire;
use escale_registry::Reference;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::ecr::RepositoryName;
use std::sync::Arc;

pub(crate) struct BatchDeleteImage;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    repository_name: RepositoryName,
    image_ids: Vec<ImageId>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    image_ids: Vec<ImageId>,
    failures: Vec<ImageFailure>,
}

impl StreamOperation<Repositories> for BatchDeleteImage {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &StreamCx) -> Vec<String> {
        vec![rules::arn(&cx.config, &input.repository_name)]
    }

    async fn run(
        service: Arc<Repositories>,
        cx: StreamCx,
        input: Input,
        _body: Body,
    ) -> Result<StreamReply<Output>, Error> {
        rules::ready(&service, &cx, input.registry_id.as_deref(), &input.repository_name).await?;
        let (mut image_ids, mut failures) = (Vec::new(), Vec::new());
        for id in input.image_ids {
            match delete(&service, &input.repository_name, &id).await {
                Ok(digest) => image_ids.push(ImageId { image_digest: Some(digest), ..id }),
                Err(error) => failures.push(failure(id, error)?),
            }
        }
        Ok(Output { image_ids, failures }.into())
    }
}

/// Deletes a tag, and the image with its last tag; or, by digest, the image with all its tags.
async fn delete(service: &Repositories, repository: &RepositoryName, id: &ImageId) -> Result<String, Error> {
    let at = rules::reference(id.image_digest.as_deref(), id.image_tag.as_deref())?;
    let digest = service.registry.resolve(repository, &at).await?;
    service.registry.delete_image(repository, &at).await?;
    if matches!(at, Reference::Tag(_)) {
        let images = service.registry.images(repository).await?;
        if images.iter().any(|i| i.digest == digest && i.tags.is_empty()) {
            service.registry.delete_image(repository, &Reference::Digest(digest.clone())).await?;
        }
    }
    Ok(digest.to_string())
}

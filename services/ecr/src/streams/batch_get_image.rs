//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html>

use crate::{
    Error, Repositories, rules,
    shapes::{ImageFailure, ImageId, ImageShape, failure},
};
use escale_base::Wire;
use escale_registry::Manifest;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::ecr::RepositoryName;
use std::sync::Arc;

pub(crate) struct BatchGetImage;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    repository_name: RepositoryName,
    image_ids: Vec<ImageId>,
    accepted_media_types: Vec<String>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    images: Vec<ImageShape>,
    failures: Vec<ImageFailure>,
}

impl StreamOperation<Repositories> for BatchGetImage {
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
        let (mut images, mut failures) = (Vec::new(), Vec::new());
        for id in input.image_ids {
            match get(&service, &input.repository_name, &id).await {
                Ok(found) => images.push(ImageShape {
                    registry_id: cx.config.account.clone(),
                    repository_name: input.repository_name.clone(),
                    image_id: ImageId { image_digest: Some(found.digest.to_string()), ..id },
                    image_manifest: String::from_utf8_lossy(&found.bytes).into_owned(),
                    image_manifest_media_type: found.media_type,
                }),
                Err(error) => failures.push(failure(id, error)?),
            }
        }
        Ok(Output { images, failures }.into())
    }
}

async fn get(service: &Repositories, repository: &RepositoryName, id: &ImageId) -> Result<Manifest, Error> {
    let at = rules::reference(id.image_digest.as_deref(), id.image_tag.as_deref())?;
    Ok(service.registry.manifest(repository, &at).await?)
}

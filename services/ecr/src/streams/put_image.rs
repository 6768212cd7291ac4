//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html>

use crate::{
    Error, Repositories, rules,
    shapes::{ImageId, ImageShape},
};
use escale_base::Wire;
use escale_registry::{Digest, Reference};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::ecr::RepositoryName;
use std::sync::Arc;

pub(crate) struct PutImage;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    repository_name: RepositoryName,
    image_manifest: String,
    image_manifest_media_type: Option<String>,
    image_tag: Option<String>,
    image_digest: Option<String>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    image: ImageShape,
}

impl StreamOperation<Repositories> for PutImage {
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
        let repository = &input.repository_name;
        let bytes = input.image_manifest.as_bytes();
        let digest = Digest::of(bytes);
        if input.image_digest.as_ref().is_some_and(|d| *d != digest.to_string()) {
            let why = "the digest does not match the manifest".to_owned();
            return Err(Error::Invalid { parameter: "imageDigest", why });
        }
        let at = match &input.image_tag {
            Some(tag) => Reference::Tag(tag.clone()),
            None => Reference::Digest(digest.clone()),
        };
        if service.registry.resolve(repository, &at).await.is_ok_and(|existing| existing == digest) {
            let tag = input.image_tag.unwrap_or_else(|| "null".into());
            let repository = input.repository_name;
            return Err(Error::ImageExists { digest: digest.to_string(), tag, repository });
        }
        let media_type = match input.image_manifest_media_type {
            Some(named) => named,
            None => own_media_type(bytes)?,
        };
        service.registry.put_image(repository, &at, &media_type, bytes).await?;
        let image = ImageShape {
            registry_id: cx.config.account.clone(),
            repository_name: input.repository_name,
            image_id: ImageId { image_digest: Some(digest.to_string()), image_tag: input.image_tag },
            image_manifest: input.image_manifest,
            image_manifest_media_type: media_type,
        };
        Ok(Output { image }.into())
    }
}

/// The media type in the manifest itself, for requests without `imageManifestMediaType`.
fn own_media_type(manifest: &[u8]) -> Result<String, Error> {
    let tree: Option<serde_json::Value> = serde_json::from_slice(manifest).ok();
    let named = tree.as_ref().and_then(|t| t.get("mediaType")?.as_str());
    named.map(str::to_owned).ok_or_else(|| Error::Invalid {
        parameter: "imageManifestMediaType",
        why: "is required for a manifest without a mediaType".into(),
    })
}

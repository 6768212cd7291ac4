//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html>

use crate::{
    Error, Repositories, rules,
    shapes::{Filter, ImageId},
};
use escale_base::{Timestamp, Wire, paging};
use escale_registry as plane;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::ecr::RepositoryName;
use std::sync::Arc;

pub(crate) struct DescribeImages;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    repository_name: RepositoryName,
    image_ids: Vec<ImageId>,
    next_token: Option<String>,
    max_results: Option<usize>,
    filter: Option<Filter>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    image_details: Vec<Detail>,
    next_token: Option<String>,
}

#[derive(Wire)]
#[wire(camelCase)]
struct Detail {
    registry_id: String,
    repository_name: RepositoryName,
    image_digest: String,
    image_tags: Option<Vec<String>>,
    image_size_in_bytes: u64,
    image_pushed_at: Timestamp,
    image_manifest_media_type: String,
    artifact_media_type: Option<String>,
    subject_manifest_digest: Option<String>,
}

impl StreamOperation<Repositories> for DescribeImages {
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
        let all = service.registry.images(repository).await?;
        let mut named = Vec::new();
        for id in &input.image_ids {
            let (digest, tag) = (id.image_digest.as_deref(), id.image_tag.as_deref());
            let at = rules::reference(digest, tag)?;
            named.push(service.registry.resolve(repository, &at).await.map_err(|error| match error {
                plane::Error::NoSuchImage { .. } => Error::NoSuchImage {
                    digest: digest.unwrap_or("null").to_owned(),
                    tag: tag.unwrap_or("null").to_owned(),
                    repository: repository.clone(),
                },
                other => other.into(),
            })?);
        }
        let wanted = |image: &plane::Image| {
            (input.image_ids.is_empty() || named.contains(&image.digest))
                && Filter::passes(input.filter.as_ref(), !image.tags.is_empty())
        };
        let mut found: Vec<plane::Image> = all.into_iter().filter(wanted).collect();
        // The token of a page names a digest.
        found.sort_by(|a, b| a.digest.cmp(&b.digest));
        let size = if input.image_ids.is_empty() { input.max_results.unwrap_or(100) } else { found.len() };
        let page = paging::page(found, |i| i.digest.to_string(), input.next_token.as_deref(), size)?;
        let detail = |image: plane::Image| Detail {
            registry_id: cx.config.account.clone(),
            repository_name: repository.clone(),
            image_digest: image.digest.to_string(),
            image_tags: Some(image.tags).filter(|t| !t.is_empty()),
            image_size_in_bytes: image.size_bytes,
            image_pushed_at: image.pushed,
            image_manifest_media_type: image.media_type,
            artifact_media_type: image.artifact_type,
            subject_manifest_digest: image.subject.map(|d| d.to_string()),
        };
        let image_details = page.items.into_iter().map(detail).collect();
        Ok(Output { image_details, next_token: page.next }.into())
    }
}

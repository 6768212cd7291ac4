//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImages.html>

use crate::{
    Error, Repositories, rules,
    shapes::{Filter, ImageId},
};
use escale_base::{Wire, paging};
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::ecr::RepositoryName;
use std::sync::Arc;

pub(crate) struct ListImages;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    repository_name: RepositoryName,
    next_token: Option<String>,
    max_results: Option<usize>,
    filter: Option<Filter>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    image_ids: Vec<ImageId>,
    next_token: Option<String>,
}

impl StreamOperation<Repositories> for ListImages {
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
        let mut found = Vec::new();
        for image in service.registry.images(&input.repository_name).await? {
            if !Filter::passes(input.filter.as_ref(), !image.tags.is_empty()) {
                continue;
            }
            let digest = Some(image.digest.to_string());
            let untagged = ImageId { image_digest: digest.clone(), image_tag: None };
            found.extend(image.tags.is_empty().then_some(untagged));
            found.extend(
                image
                    .tags
                    .into_iter()
                    .map(|tag| ImageId { image_digest: digest.clone(), image_tag: Some(tag) }),
            );
        }
        found.sort_by_key(key);
        let page = paging::page(found, key, input.next_token.as_deref(), input.max_results.unwrap_or(100))?;
        Ok(Output { image_ids: page.items, next_token: page.next }.into())
    }
}

fn key(id: &ImageId) -> String {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("{} {}", text(&id.image_digest), text(&id.image_tag))
}

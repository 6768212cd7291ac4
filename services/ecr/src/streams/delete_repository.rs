//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DeleteRepository.html>

use crate::{Error, Repositories, rules, shapes};
use escale_base::Wire;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::ecr::RepositoryName;
use std::sync::Arc;

pub(crate) struct DeleteRepository;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    repository_name: RepositoryName,
    force: Option<bool>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    repository: shapes::RepositoryShape,
}

impl StreamOperation<Repositories> for DeleteRepository {
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
        rules::registry(&cx.config, input.registry_id.as_deref())?;
        let (account, force) = (&cx.config.account, input.force.unwrap_or(false));
        let row = service.remove(&cx.store, account, &input.repository_name, force).await?;
        Ok(Output { repository: shapes::repository(&row, &cx.config) }.into())
    }
}

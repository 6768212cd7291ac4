//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchCheckLayerAvailability.html>

use crate::choices::{LayerAvailability, LayerFailureCode};
use crate::{Error, Repositories, rules};
use escale_base::Wire;
use escale_registry::Digest;
use escale_service::{Body, StreamCx, StreamOperation, StreamReply};
use escale_tables::ecr::RepositoryName;
use std::sync::Arc;

pub(crate) struct BatchCheckLayerAvailability;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    registry_id: Option<String>,
    repository_name: RepositoryName,
    layer_digests: Vec<String>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    layers: Vec<Layer>,
    failures: Vec<LayerFailure>,
}

#[derive(Wire)]
#[wire(camelCase)]
struct Layer {
    layer_digest: String,
    layer_availability: LayerAvailability,
    layer_size: Option<u64>,
}

#[derive(Wire)]
#[wire(camelCase)]
struct LayerFailure {
    layer_digest: String,
    failure_code: LayerFailureCode,
    failure_reason: String,
}

impl StreamOperation<Repositories> for BatchCheckLayerAvailability {
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
        let (mut layers, mut failures) = (Vec::new(), Vec::new());
        for text in input.layer_digests {
            let Ok(digest) = text.parse::<Digest>() else {
                let failure_reason = "Invalid layer digest provided".to_owned();
                failures.push(LayerFailure {
                    layer_digest: text,
                    failure_code: LayerFailureCode::InvalidLayerDigest,
                    failure_reason,
                });
                continue;
            };
            let size = match service.registry.blob_size(&input.repository_name, &digest).await {
                Ok(size) => Some(size),
                Err(escale_registry::Error::NoSuchBlob { .. }) => None,
                Err(error) => return Err(error.into()),
            };
            let layer_availability = match size {
                Some(_) => LayerAvailability::Available,
                None => LayerAvailability::Unavailable,
            };
            layers.push(Layer { layer_digest: text, layer_availability, layer_size: size });
        }
        Ok(Output { layers, failures }.into())
    }
}

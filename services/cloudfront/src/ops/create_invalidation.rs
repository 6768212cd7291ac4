//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html>

use crate::{Error, error::invalid, rules, shapes};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::cloudfront::{DistributionId, Invalidation, InvalidationId};

pub(crate) struct CreateInvalidation;

#[derive(Wire)]
pub(crate) struct Input {
    distribution_id: DistributionId,
    invalidation_batch: shapes::BatchShape,
}

#[derive(Wire)]
pub(crate) struct Output {
    location: String,
    invalidation: shapes::InvalidationShape,
}

impl Operation for CreateInvalidation {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, &format!("distribution/{}", input.distribution_id))]
    }

    /// Creates an invalidation. A repeated request with the same caller reference and paths returns the existing one.
    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let distribution = rules::distribution(cx, &input.distribution_id)?.id.clone();
        let shapes::BatchShape { paths, caller_reference } = input.invalidation_batch;
        // The leading slash is optional, as on AWS.
        let paths: Vec<String> =
            paths.0.into_iter().map(|p| if p.starts_with('/') { p } else { format!("/{p}") }).collect();
        if paths.is_empty() {
            return Err(invalid("An invalidation must have at least one path"));
        }
        if let Some(path) = paths.iter().find(|p| p.find('*').is_some_and(|at| at + 1 != p.len())) {
            return Err(invalid(format!("The path '{path}' is not valid: '*' is allowed only at its end")));
        }
        let prefix = format!("{distribution}/");
        let same = cx.tx.prefix::<Invalidation>(&prefix).find(|i| i.caller_reference == caller_reference);
        let row = match same {
            Some(same) if same.paths == paths => (*same).clone(),
            Some(_) => return Err(invalid("The CallerReference was used with other paths")),
            None => {
                let id = InvalidationId(rules::random_id('I'));
                Invalidation { distribution, id, paths, caller_reference, created: cx.now }
            }
        };
        let location = format!(
            "http://{}/2020-05-31/distribution/{}/invalidation/{}",
            cx.caller.host, row.distribution, row.id
        );
        let invalidation = shapes::invalidation(cx.tx, &row);
        cx.tx.put(row);
        Ok(Output { location, invalidation })
    }
}

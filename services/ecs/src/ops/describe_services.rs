//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html>

use crate::choices::ServiceField;
use crate::shapes;
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DescribeServices;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster: Option<String>,
    services: Vec<String>,
    include: Vec<ServiceField>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    pub(crate) services: Vec<shapes::ServiceShape>,
    failures: Vec<rules::Failure>,
}

impl Operation for DescribeServices {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let cluster = rules::cluster_name(input.cluster.as_deref());
        let arn = |s: &String| rules::arn(cx.config, format!("service/{cluster}/{}", rules::last_part(s)));
        input.services.iter().map(arn).collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let cluster = rules::cluster(cx.tx, input.cluster.as_deref())?;
        if input.services.is_empty() || input.services.len() > 10 {
            return Err(Error::Invalid("Between 1 and 10 services can be described at once.".into()));
        }
        let with_tags = input.include.contains(&ServiceField::Tags);
        let (mut services, mut failures) = (Vec::new(), Vec::new());
        for given in &input.services {
            match rules::service(cx.tx, &cluster.name, given) {
                Ok(row) => services.push(shapes::service(cx.tx, cx.config, &row, with_tags)),
                Err(_) => {
                    let name = rules::last_part(given);
                    let arn = rules::arn(cx.config, format!("service/{}/{name}", cluster.name));
                    failures.push(rules::Failure { arn, reason: "MISSING" });
                }
            }
        }
        Ok(Output { services, failures })
    }
}

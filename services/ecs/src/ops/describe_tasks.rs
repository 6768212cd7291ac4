//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html>

use crate::choices::TaskField;
use crate::shapes;
use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DescribeTasks;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    cluster: Option<String>,
    tasks: Vec<String>,
    include: Vec<TaskField>,
}

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Output {
    tasks: Vec<shapes::TaskShape>,
    failures: Vec<rules::Failure>,
}

impl Operation for DescribeTasks {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        let cluster = rules::cluster_name(input.cluster.as_deref());
        let arn = |t: &String| rules::arn(cx.config, format!("task/{cluster}/{}", rules::last_part(t)));
        input.tasks.iter().map(arn).collect()
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let cluster = rules::cluster(cx.tx, input.cluster.as_deref())?;
        if input.tasks.is_empty() || input.tasks.len() > 100 {
            return Err(Error::Invalid("Between 1 and 100 tasks can be described at once.".into()));
        }
        let with_tags = input.include.contains(&TaskField::Tags);
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for given in &input.tasks {
            match rules::task(cx.tx, &cluster.name, given) {
                Some(row) => tasks.push(shapes::task(cx.tx, cx.config, row, with_tags)),
                None => {
                    let id = rules::last_part(given);
                    let arn = rules::arn(cx.config, format!("task/{}/{id}", cluster.name));
                    failures.push(rules::Failure { arn, reason: "MISSING" });
                }
            }
        }
        Ok(Output { tasks, failures })
    }
}

//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_StartDBInstance.html>

use crate::{
    Error, rules,
    shapes::{self, InstanceAnswer},
    status::{self, Status},
};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::rds::Instance;

pub(crate) struct StartDBInstance;

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBInstanceIdentifier")]
    id: String,
}

impl Operation for StartDBInstance {
    type Input = Input;
    type Output = InstanceAnswer;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        rules::instance_arn(cx, &input.id)
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<InstanceAnswer, Error> {
        let mut row = Instance::clone(&*rules::instance(cx.tx, &input.id)?);
        let status = status::instance(cx.tx, &row);
        if status != Status::Stopped {
            let what = format!("Instance {} is {status}. Only a stopped instance can be started.", row.id);
            return Err(Error::InstanceState(what));
        }
        row.running = true;
        row.revision += 1;
        cx.tx.put(row.clone());
        Ok(InstanceAnswer { db_instance: shapes::instance(cx, &row) })
    }
}

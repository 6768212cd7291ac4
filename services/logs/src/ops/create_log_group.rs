//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html>

use crate::choices::ClassInput;
use crate::{Error, rules};
use escale_base::{AwsError, Wire};
use escale_service::{Cx, Operation};
use escale_tables::logs::{LogGroup, LogGroupClass, LogGroupName};
use std::collections::BTreeMap;

pub(crate) struct CreateLogGroup;

#[derive(Wire)]
#[wire(camelCase)]
pub(crate) struct Input {
    log_group_name: LogGroupName,
    log_group_class: Option<ClassInput>,
    tags: BTreeMap<String, String>,
}

impl Operation for CreateLogGroup {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::group_resource(cx.config, &input.log_group_name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        rules::check_group_name(&input.log_group_name)?;
        if cx.tx.has::<LogGroup>(&input.log_group_name) {
            return Err(Error::GroupExists);
        }
        let class = match input.log_group_class {
            None | Some(ClassInput::Standard) => LogGroupClass::Standard,
            Some(ClassInput::InfrequentAccess) => LogGroupClass::InfrequentAccess,
            Some(class @ ClassInput::Delivery) => {
                return Err(AwsError::not_supported(format_args!("The log group class {class}"))
                    .hint("Use STANDARD or INFREQUENT_ACCESS.")
                    .into());
            }
        };
        cx.tx.put(LogGroup {
            name: input.log_group_name,
            retention_days: None,
            class,
            tags: rules::tag_list(input.tags).collect(),
            created: cx.now,
        });
        Ok(())
    }
}

//! What an alarm does when it enters a state.
//!
//! A topic of SNS gets a message, in the transaction that changes the state. A scaling policy is not called: Application Auto Scaling
//! watches the rows of alarms and their states, and finds its policies in [`escale_tables::cloudwatch::Actions`].

use super::notification::Notification;
use crate::Error;
use escale_base::{Arn, AwsError};
use escale_requests::sns::Publish;
use escale_service::{Cloud, Cx};

enum Action {
    Topic,
    ScalingPolicy,
}

/// Refuses an action that cannot be taken here, by name.
pub(crate) fn check_actions<'a>(cloud: &Cloud, arns: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    for arn in arns {
        let service = match kind(arn)? {
            Action::Topic => "sns",
            Action::ScalingPolicy => "application-autoscaling",
        };
        if cloud.service(service).is_none() {
            let what = format_args!("The alarm action {arn}, an action of {service},");
            return Err(AwsError::not_supported(what).hint("Use the ARN of an SNS topic.").into());
        }
    }
    Ok(())
}

fn kind(arn: &str) -> Result<Action, Error> {
    let invalid = |_| Error::Validation(format!("Invalid arn syntax: {arn}"));
    let parsed: Arn = arn.parse().map_err(invalid)?;
    match parsed.service.as_str() {
        "sns" => Ok(Action::Topic),
        // arn:aws:autoscaling:REGION:ACCOUNT:scalingPolicy:ID:resource/ecs/service/CLUSTER/SERVICE:policyName/NAME
        "autoscaling" if parsed.resource.contains(":resource/") => Ok(Action::ScalingPolicy),
        _ => Err(AwsError::not_supported(format_args!("The alarm action {arn}"))
            .hint("Use the ARN of an SNS topic or of a policy of Application Auto Scaling.")
            .into()),
    }
}

pub(super) fn run(cx: &mut Cx<'_>, arn: &str, notification: &Notification) -> Result<(), AwsError> {
    match kind(arn)? {
        Action::ScalingPolicy => Ok(()),
        Action::Topic => {
            let publish = Publish {
                topic_arn: arn.to_owned(),
                subject: Some(notification.subject.clone()),
                message: notification.message.clone(),
            };
            cx.call_as(super::evaluator::PRINCIPAL, publish).map(drop)
        }
    }
}

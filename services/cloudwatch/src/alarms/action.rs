//! What an alarm does when it enters a state.
//!
//! A topic of SNS gets a message, in the transaction that changes the state. A scaling policy is not called: the alarm writes an
//! [`AlarmInvocation`], which Application Auto Scaling watches.

use super::{notification::Notification, subject::Subject};
use crate::Error;
use escale_base::{Arn, AwsError};
use escale_requests::sns::Publish;
use escale_service::{Cloud, Cx};
use escale_tables::{
    autoscaling::Policy,
    cloudwatch::{Actions, AlarmInvocation, StateValue},
};

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

/// A composite alarm cannot scale.
pub(crate) fn check_composite_actions(actions: &Actions) -> Result<(), Error> {
    match actions.all().find(|arn| matches!(kind(arn), Ok(Action::ScalingPolicy))) {
        Some(arn) => Err(Error::Validation(format!(
            "Invalid alarm action {arn}: a composite alarm cannot invoke a scaling policy. Use the ARN of an SNS topic."
        ))),
        None => Ok(()),
    }
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
        Action::ScalingPolicy if cx.tx.scan::<Policy>().any(|policy| policy.arn == arn) => Ok(()),
        Action::ScalingPolicy => Err(Error::NoResource(arn.to_owned()).into()),
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

/// Invokes the scaling policies among the actions of the state, if there are any.
pub(super) fn invoke(cx: &mut Cx<'_>, alarm: &Subject<'_>, state: StateValue, values: Vec<f64>) {
    let is_policy = |arn: &String| matches!(kind(arn), Ok(Action::ScalingPolicy));
    if alarm.actions_enabled && alarm.actions.of(state).iter().any(is_policy) {
        cx.tx.put(AlarmInvocation { name: alarm.name.clone(), at: cx.now, state, values });
    }
}

/// Invokes them again if the last time was a minute ago: as long as an alarm stays in a state, it repeats the actions that scale.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-actions.html>
pub(super) fn invoke_again(cx: &mut Cx<'_>, alarm: &Subject<'_>, state: StateValue, values: Vec<f64>) {
    let last = cx.tx.get::<AlarmInvocation>(alarm.name).map(|last| (last.state, last.at));
    // Evaluations are not exactly a minute apart.
    let pause_ms = 55_000 / cx.config.clock_speed;
    if last.is_none_or(|(of, at)| of != state || cx.now.since_ms(at) >= pause_ms) {
        invoke(cx, alarm, state, values);
    }
}

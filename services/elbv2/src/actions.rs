//! Actions of listeners and rules: conversion between AWS's shapes and the stored ones.

use crate::{
    Error,
    choices::RedirectStatus,
    error::{TooMany, invalid},
};
use escale_base::{AwsError, Wire, choice};
use escale_tables::elbv2::{Action, FixedResponse, Redirect, TargetGroupArn};

choice! {
    pub(crate) enum ActionType {
        Forward = "forward",
        Redirect = "redirect",
        FixedResponse = "fixed-response",
        AuthenticateOidc = "authenticate-oidc",
        AuthenticateCognito = "authenticate-cognito",
        JwtValidation = "jwt-validation",
    }
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct ActionShape {
    #[wire("Type")]
    pub kind: ActionType,
    pub target_group_arn: Option<TargetGroupArn>,
    pub order: Option<i32>,
    pub redirect_config: Option<RedirectShape>,
    pub fixed_response_config: Option<FixedShape>,
    pub forward_config: Option<ForwardShape>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct RedirectShape {
    pub protocol: Option<String>,
    pub port: Option<String>,
    pub host: Option<String>,
    pub path: Option<String>,
    pub query: Option<String>,
    pub status_code: Option<RedirectStatus>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct FixedShape {
    pub message_body: Option<String>,
    pub status_code: Option<String>,
    pub content_type: Option<String>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct ForwardShape {
    pub target_groups: Vec<TupleShape>,
    pub target_group_stickiness_config: Option<StickinessShape>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct TupleShape {
    pub target_group_arn: Option<TargetGroupArn>,
    pub weight: Option<u32>,
}

#[derive(Clone, Debug, Wire)]
pub(crate) struct StickinessShape {
    pub enabled: Option<bool>,
    pub duration_seconds: Option<i32>,
}

/// Reads the list of actions, which must have exactly one. Others on AWS are authentication actions.
pub(crate) fn read(shapes: Vec<ActionShape>) -> Result<Action, Error> {
    let mut shapes = shapes.into_iter();
    let (Some(shape), None) = (shapes.next(), shapes.next()) else {
        return Err(Error::TooMany(TooMany::Actions));
    };
    match shape.kind {
        ActionType::Forward => forward(shape),
        ActionType::Redirect => redirect(shape.redirect_config),
        ActionType::FixedResponse => fixed(shape.fixed_response_config),
        other => Err(AwsError::not_supported(format_args!("The action type '{other}'"))
            .hint("Use 'forward', 'redirect' or 'fixed-response'.")
            .into()),
    }
}

fn forward(shape: ActionShape) -> Result<Action, Error> {
    let Some(config) = shape.forward_config else {
        let missing = || invalid("A target group ARN must be specified for an action of type 'forward'");
        return Ok(Action::Forward(vec![(shape.target_group_arn.ok_or_else(missing)?, 1)]));
    };
    let sticky = sticky(config.target_group_stickiness_config)?;
    if !(1..=5).contains(&config.target_groups.len()) {
        return Err(invalid("ForwardConfig must have 1 to 5 target groups"));
    }
    let mut groups = Vec::new();
    for tuple in config.target_groups {
        let arn = tuple.target_group_arn.ok_or_else(|| invalid("A target group ARN must be specified"))?;
        let weight = tuple.weight.unwrap_or(1);
        if weight > 999 {
            return Err(invalid(format!("The weight {weight} must be between 0 and 999")));
        }
        groups.push((arn, weight));
    }
    // Clients may send both members for a single group, as Describe* returns them.
    match shape.target_group_arn {
        Some(arn) if groups.len() != 1 || groups[0].0 != arn => Err(invalid(
            "TargetGroupArn and ForwardConfig name different target groups. Specify only one of the two",
        )),
        _ => Ok(match sticky {
            Some(secs) => Action::StickyForward { groups, secs },
            None => Action::Forward(groups),
        }),
    }
}

/// For how many seconds clients stay with a group.
fn sticky(config: Option<StickinessShape>) -> Result<Option<u32>, Error> {
    let Some(config) = config.filter(|config| config.enabled == Some(true)) else { return Ok(None) };
    let seconds = config.duration_seconds.and_then(|secs| u32::try_from(secs).ok());
    let seconds = seconds.filter(|secs| (1..=604_800).contains(secs));
    let missing = || {
        invalid(
            "TargetGroupStickinessConfig must have a DurationSeconds of 1 to 604800 seconds when it is enabled",
        )
    };
    Ok(Some(seconds.ok_or_else(missing)?))
}

fn redirect(config: Option<RedirectShape>) -> Result<Action, Error> {
    let config =
        config.ok_or_else(|| invalid("RedirectConfig is required for an action of type 'redirect'"))?;
    // AWS's defaults keep the parts of the request.
    let part = |given: Option<String>, default: &str| given.unwrap_or_else(|| default.to_owned());
    let permanent = match config.status_code {
        Some(RedirectStatus::Http301) => true,
        Some(RedirectStatus::Http302) => false,
        None => return Err(invalid("The redirect status code '' must be HTTP_301 or HTTP_302")),
    };
    let redirect = Redirect {
        protocol: part(config.protocol, "#{protocol}"),
        host: part(config.host, "#{host}"),
        port: part(config.port, "#{port}"),
        path: part(config.path, "/#{path}"),
        query: part(config.query, "#{query}"),
        permanent,
    };
    let length = |name: &str, part: &str| match part.len() {
        0..=128 => Ok(()),
        _ => Err(Error::InvalidAction(format!("The redirect {name} must have at most 128 characters"))),
    };
    length("host", &redirect.host)?;
    length("path", &redirect.path)?;
    length("query", &redirect.query)?;
    if !["HTTP", "HTTPS", "#{protocol}"].contains(&redirect.protocol.as_str()) {
        let message =
            format!("The redirect protocol '{}' must be HTTP, HTTPS or #{{protocol}}", redirect.protocol);
        return Err(Error::InvalidAction(message));
    }
    let is_port = redirect.port == "#{port}" || redirect.port.parse::<u16>().is_ok_and(|port| port > 0);
    if !is_port || redirect.host.is_empty() {
        let message = format!(
            "The redirect port '{}' must be 1 to 65535 or #{{port}}, and the host must not be empty",
            redirect.port
        );
        return Err(Error::InvalidAction(message));
    }
    // A redirect to the same URL would loop.
    let same = Redirect { permanent, ..unchanged() } == redirect;
    if same || !redirect.path.starts_with('/') {
        let message =
            "The redirect must change the protocol, host, port or path, and the path must begin with '/'";
        return Err(Error::InvalidAction(message.into()));
    }
    Ok(Action::Redirect(redirect))
}

fn unchanged() -> Redirect {
    let part = |p: &str| p.to_owned();
    Redirect {
        protocol: part("#{protocol}"),
        host: part("#{host}"),
        port: part("#{port}"),
        path: part("/#{path}"),
        query: part("#{query}"),
        permanent: false,
    }
}

fn fixed(config: Option<FixedShape>) -> Result<Action, Error> {
    const TYPES: [&str; 5] =
        ["text/plain", "text/css", "text/html", "application/javascript", "application/json"];
    let config = config
        .ok_or_else(|| invalid("FixedResponseConfig is required for an action of type 'fixed-response'"))?;
    let code = config.status_code.unwrap_or_default();
    let status = code.parse::<u16>().ok().filter(|s| matches!(s / 100, 2 | 4 | 5));
    let status =
        status.ok_or_else(|| invalid(format!("The status code '{code}' must be 2XX, 4XX or 5XX")))?;
    if let Some(kind) = config.content_type.as_deref().filter(|t| !TYPES.contains(t)) {
        return Err(invalid(format!("The content type '{kind}' must be one of {}", TYPES.join(", "))));
    }
    if config.message_body.as_ref().is_some_and(|b| b.len() > 1024) {
        return Err(invalid("The message body of a fixed response must have at most 1024 bytes"));
    }
    Ok(Action::Fixed(FixedResponse { status, content_type: config.content_type, body: config.message_body }))
}

pub(crate) fn show(action: &Action) -> Vec<ActionShape> {
    let mut shape = ActionShape {
        kind: ActionType::Forward,
        target_group_arn: None,
        order: Some(1),
        redirect_config: None,
        fixed_response_config: None,
        forward_config: None,
    };
    match action {
        Action::Forward(groups) | Action::StickyForward { groups, .. } => {
            let sticky = if let Action::StickyForward { secs, .. } = action { Some(*secs) } else { None };
            shape.order = None;
            shape.target_group_arn =
                if let [(arn, _)] = groups.as_slice() { Some(arn.clone()) } else { None };
            let tuple = |(arn, weight): &(TargetGroupArn, u32)| TupleShape {
                target_group_arn: Some(arn.clone()),
                weight: Some(*weight),
            };
            shape.forward_config = Some(ForwardShape {
                target_groups: groups.iter().map(tuple).collect(),
                target_group_stickiness_config: Some(StickinessShape {
                    enabled: Some(sticky.is_some()),
                    duration_seconds: sticky.and_then(|secs| i32::try_from(secs).ok()),
                }),
            });
        }
        Action::Redirect(r) => {
            shape.kind = ActionType::Redirect;
            shape.redirect_config = Some(RedirectShape {
                protocol: Some(r.protocol.clone()),
                port: Some(r.port.clone()),
                host: Some(r.host.clone()),
                path: Some(r.path.clone()),
                query: Some(r.query.clone()),
                status_code: Some(if r.permanent {
                    RedirectStatus::Http301
                } else {
                    RedirectStatus::Http302
                }),
            });
        }
        Action::Fixed(f) => {
            shape.kind = ActionType::FixedResponse;
            shape.fixed_response_config = Some(FixedShape {
                message_body: f.body.clone(),
                status_code: Some(f.status.to_string()),
                content_type: f.content_type.clone(),
            });
        }
    }
    vec![shape]
}

//! Executes the decisions of deployments that shift traffic. A stage and the weights of the listener rules change in one transaction,
//! so a daemon that dies in between continues from either before or after both.

use super::service::add_event;
use crate::{Error, deploy, history, infrastructure, rules, scheduler::Shift};
use escale_base::ids;
use escale_service::{Config, Cx};
use escale_store::Row;
use escale_tables::ecs::{
    Deployment, Ending, HookAction, HookStage, HookStatus, LoadBalancer, Outcome, Pause, PauseHook, Service,
    Share, Traffic,
};

/// A minute of a bake time or of a hook's timeout.
pub(super) fn minute_ms(config: &Config) -> i64 {
    60_000 / config.clock_speed.max(1)
}

pub(super) fn shift(cx: &mut Cx<'_>, service: &Service, to: Shift) -> Result<(), Error> {
    let key = service.key();
    let Some(newest) = service.deployments.first() else { return Ok(()) };
    let Some(before) = &newest.traffic else { return Ok(()) };
    for balancer in &newest.load_balancers {
        let shares = Shares::of(before, to);
        route(cx, service, balancer, &shares)?;
        if let (Some(share), Some(group)) = (shares.production, &balancer.target_group_arn) {
            let text = format!(
                "(deployment {}) {} of the production traffic goes to (target-group {group}).",
                newest.id,
                percent(share)
            );
            add_event(cx.tx, cx.now, &key, &text);
        }
    }
    let now = cx.now;
    change(cx, &key, |traffic| {
        let has_moved = (traffic.stage, traffic.production) != (to.stage, to.production);
        if has_moved || !traffic.is_routed {
            (traffic.since, traffic.passed) = (now, 0);
        }
        (traffic.stage, traffic.production, traffic.test) = (to.stage, to.production, to.test);
        traffic.is_routed = true;
    });
    Ok(())
}

/// The shares of the rules that change.
struct Shares {
    production: Option<Share>,
    test: Option<Share>,
}

impl Shares {
    fn of(before: &Traffic, to: Shift) -> Shares {
        let is_new = !before.is_routed;
        Shares {
            production: Some(to.production).filter(|share| is_new || *share != before.production),
            test: Some(to.test).filter(|share| is_new || *share != before.test),
        }
    }
}

fn route(cx: &mut Cx<'_>, service: &Service, balancer: &LoadBalancer, shares: &Shares) -> Result<(), Error> {
    let Some(advanced) = &balancer.advanced_configuration else { return Ok(()) };
    if shares.production.is_none() && shares.test.is_none() {
        return Ok(());
    }
    let arn = rules::service_arn(cx.config, service);
    let role = infrastructure::assume(cx, &advanced.role_arn, &arn)?;
    if let Some(share) = shares.production {
        infrastructure::route(cx, &role, &advanced.production_listener_rule, balancer, share)?;
    }
    if let (Some(share), Some(rule)) = (shares.test, &advanced.test_listener_rule) {
        infrastructure::route(cx, &role, rule, balancer, share)?;
    }
    Ok(())
}

fn percent(share: Share) -> String {
    if share.is_multiple_of(10) {
        format!("{}%", share / 10)
    } else {
        format!("{}.{}%", share / 10, share % 10)
    }
}

fn change(cx: &mut Cx<'_>, key: &str, change: impl FnOnce(&mut Traffic)) {
    cx.tx.update(key, |s: &mut Service| {
        s.deployments.first_mut().and_then(|newest| newest.traffic.as_mut()).map(change)
    });
}

/// Waits at the next hook of the stage.
pub(super) fn pause(cx: &mut Cx<'_>, service: &Service, stage: HookStage) {
    let Some(Deployment { traffic: Some(traffic), id, .. }) = service.deployments.first() else { return };
    let mut hooks = traffic.strategy.pauses.iter().filter(|hook| hook.stages.contains(&stage));
    let Some(PauseHook { timeout_minutes, action, .. }) = hooks.nth(traffic.passed as usize) else {
        return;
    };
    let pause = Pause {
        id: format!("ecs-pause-{}", ids::random_hex(32)),
        expires: cx.now.plus_ms(i64::from(*timeout_minutes) * minute_ms(cx.config)),
        action: *action,
        status: HookStatus::AwaitingAction,
    };
    let text = format!("(deployment {id}) waits for an action at the hook {} of {stage}.", pause.id);
    change(cx, &service.key(), |traffic| traffic.pauses.push(pause));
    add_event(cx.tx, cx.now, &service.key(), &text);
}

/// Nobody has answered a hook in time: takes the action that is configured for this case.
pub(super) fn expire(cx: &mut Cx<'_>, service: &Service) {
    let key = service.key();
    let newest = service.deployments.first().and_then(|newest| newest.traffic.as_ref());
    let Some(pause) = newest.and_then(Traffic::pause).cloned() else { return };
    change(cx, &key, |traffic| traffic.answer(HookStatus::TimedOut));
    match pause.action {
        HookAction::Continue => {}
        HookAction::Rollback => {
            let reason = format!("Service deployment rolled back because the hook {} timed out.", pause.id);
            fail(cx, &key, &reason);
        }
    }
}

/// Fails the newest deployment. The revision before it, if there is one, gets the traffic again.
fn fail(cx: &mut Cx<'_>, key: &str, reason: &str) {
    let now = cx.now;
    let back = cx.tx.update(key, |s: &mut Service| {
        if let Some(newest) = s.deployments.first_mut() {
            newest.outcome = Outcome::Failed;
            newest.reason = reason.to_owned();
        }
        deploy::roll_back(s, now, "hook timed out")
    });
    match back.flatten() {
        Some(to) => history::rolls_back(cx.tx, key, now, &to, reason),
        None => history::end(cx.tx, key, now, Ending::Stopped, reason, 0),
    }
    add_event(cx.tx, now, key, reason);
}

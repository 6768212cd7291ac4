//! What alarms on metrics and alarms on other alarms have in common.

use escale_base::{Tag, Timestamp};
use escale_store::{Image, Tx};
use escale_tables::cloudwatch::{Actions, Alarm, AlarmName, CompositeAlarm};
use std::sync::Arc;

/// An alarm of either kind.
pub(crate) struct Subject<'a> {
    pub(super) name: &'a AlarmName,
    pub(super) description: Option<&'a str>,
    pub(super) actions_enabled: bool,
    pub(super) actions: &'a Actions,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) kind: Kind<'a>,
}

#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    Metric(&'a Alarm),
    Composite(&'a CompositeAlarm),
}

impl<'a> From<&'a Alarm> for Subject<'a> {
    fn from(alarm: &'a Alarm) -> Subject<'a> {
        Subject {
            name: &alarm.name,
            description: alarm.description.as_deref(),
            actions_enabled: alarm.actions_enabled,
            actions: &alarm.actions,
            created: alarm.created,
            updated: alarm.updated,
            kind: Kind::Metric(alarm),
        }
    }
}

impl<'a> From<&'a CompositeAlarm> for Subject<'a> {
    fn from(alarm: &'a CompositeAlarm) -> Subject<'a> {
        Subject {
            name: &alarm.name,
            description: alarm.description.as_deref(),
            actions_enabled: alarm.actions_enabled,
            actions: &alarm.actions,
            created: alarm.created,
            updated: alarm.updated,
            kind: Kind::Composite(alarm),
        }
    }
}

/// The row of an alarm of either kind.
pub(crate) enum Found {
    Metric(Arc<Alarm>),
    Composite(Arc<CompositeAlarm>),
}

impl Found {
    pub(crate) fn subject(&self) -> Subject<'_> {
        match self {
            Found::Metric(alarm) => (&**alarm).into(),
            Found::Composite(alarm) => (&**alarm).into(),
        }
    }

    pub(crate) fn tags(&self) -> &[Tag] {
        match self {
            Found::Metric(alarm) => &alarm.tags,
            Found::Composite(alarm) => &alarm.tags,
        }
    }
}

/// The alarm of a name.
pub(crate) fn subject(image: &Image, name: &AlarmName) -> Option<Found> {
    let composite = || image.get::<CompositeAlarm>(name).map(Found::Composite);
    image.get::<Alarm>(name).map(Found::Metric).or_else(composite)
}

/// `None` if there is no alarm of that name.
pub(crate) fn update_actions_enabled(tx: &mut Tx, name: &AlarmName, enabled: bool) -> Option<()> {
    if tx.has::<CompositeAlarm>(name) {
        return tx.update(name, |alarm: &mut CompositeAlarm| alarm.actions_enabled = enabled);
    }
    tx.update(name, |alarm: &mut Alarm| alarm.actions_enabled = enabled)
}

/// `None` if there is no alarm of that name.
pub(crate) fn update_tags(tx: &mut Tx, name: &AlarmName, change: impl FnOnce(&mut Vec<Tag>)) -> Option<()> {
    if tx.has::<CompositeAlarm>(name) {
        return tx.update(name, |alarm: &mut CompositeAlarm| change(&mut alarm.tags));
    }
    tx.update(name, |alarm: &mut Alarm| change(&mut alarm.tags))
}

//! The property `LifecycleConfiguration` of `AWS::S3::Bucket`, whose form differs from that of the API.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-rule.html>

use escale_base::{
    AwsError, Tag, Timestamp, Wire,
    wire::{ReadError, Value},
};
use escale_service::Props;
use escale_tables::s3::{
    AbortUpload, KeyPrefix, LifecycleConditions, LifecycleExpiration, LifecycleFilter, LifecycleRule,
    LifecycleRuleId, LifecycleStatus, NoncurrentExpiration, NoncurrentTransition, Transition,
    TransitionClass, TransitionMinimum,
};

pub(super) const PROPERTY: &str = "LifecycleConfiguration";

/// The rules, and the recorded size.
type Configuration = (Vec<LifecycleRule>, Option<TransitionMinimum>);

#[derive(Wire)]
pub(super) struct TemplateLifecycle {
    rules: Vec<TemplateRule>,
    transition_default_minimum_object_size: Option<TransitionMinimum>,
}

#[derive(Default, Wire)]
struct TemplateRule {
    id: Option<LifecycleRuleId>,
    status: Option<LifecycleStatus>,
    prefix: Option<KeyPrefix>,
    tag_filters: Option<Vec<Tag>>,
    object_size_greater_than: Option<String>,
    object_size_less_than: Option<String>,
    expiration_date: Option<Date>,
    expiration_in_days: Option<u32>,
    expired_object_delete_marker: Option<bool>,
    noncurrent_version_expiration: Option<NoncurrentExpiration>,
    noncurrent_version_expiration_in_days: Option<u32>,
    abort_incomplete_multipart_upload: Option<AbortUpload>,
    transition: Option<TemplateTransition>,
    transitions: Option<Vec<TemplateTransition>>,
    noncurrent_version_transition: Option<TemplateNoncurrent>,
    noncurrent_version_transitions: Option<Vec<TemplateNoncurrent>>,
}

#[derive(Wire)]
struct TemplateTransition {
    storage_class: String,
    transition_date: Option<Date>,
    transition_in_days: Option<u32>,
}

#[derive(Wire)]
struct TemplateNoncurrent {
    storage_class: String,
    transition_in_days: Option<u32>,
    newer_noncurrent_versions: Option<u32>,
}

/// Templates have times as texts.
struct Date(Timestamp);

impl Wire for Date {
    fn read(value: &Value) -> Result<Date, ReadError> {
        let time = value.as_str().and_then(Timestamp::parse_iso8601);
        time.map(Date).ok_or_else(|| ReadError::kind("a time as in 2030-01-01T00:00:00Z", value))
    }
    fn write(&self) -> Value {
        self.0.iso8601().into()
    }
}

impl TemplateLifecycle {
    /// The configuration in the form of the API.
    pub(super) fn of(props: &Props<'_>) -> Result<Option<Configuration>, AwsError> {
        let Some(written) = props.read::<Option<TemplateLifecycle>>(PROPERTY)? else { return Ok(None) };
        let rules = written.rules.into_iter().map(|rule| rule.into_api(props)).collect::<Result<_, _>>()?;
        Ok(Some((rules, written.transition_default_minimum_object_size)))
    }

    pub(super) fn from_api(rules: Vec<LifecycleRule>, minimum: TransitionMinimum) -> TemplateLifecycle {
        TemplateLifecycle {
            rules: rules.into_iter().map(TemplateRule::from_api).collect(),
            transition_default_minimum_object_size: Some(minimum),
        }
    }
}

impl TemplateRule {
    fn into_api(self, props: &Props<'_>) -> Result<LifecycleRule, AwsError> {
        let size = |text: Option<String>| -> Result<Option<u64>, AwsError> {
            let number = |text: String| text.parse().map_err(|_| props.invalid(format!("{text} is no size")));
            text.map(number).transpose()
        };
        let class = |name: &str| -> Result<Option<TransitionClass>, AwsError> {
            // Templates have an older spelling of one class.
            let name = if name == "Glacier" { "GLACIER" } else { name };
            Ok(Some(name.parse::<TransitionClass>().map_err(|error| props.invalid(error))?))
        };
        let transition = |t: TemplateTransition| -> Result<Transition, AwsError> {
            let storage_class = class(&t.storage_class)?;
            Ok(Transition {
                date: t.transition_date.map(|date| date.0),
                days: t.transition_in_days,
                storage_class,
            })
        };
        let noncurrent = |t: TemplateNoncurrent| -> Result<NoncurrentTransition, AwsError> {
            let (storage_class, newer) = (class(&t.storage_class)?, t.newer_noncurrent_versions);
            let noncurrent_days = t.transition_in_days;
            Ok(NoncurrentTransition { noncurrent_days, storage_class, newer_noncurrent_versions: newer })
        };
        let transitions: Vec<_> =
            self.transition.into_iter().chain(self.transitions.into_iter().flatten()).collect();
        let older = self.noncurrent_version_transition.into_iter();
        let older: Vec<_> = older.chain(self.noncurrent_version_transitions.into_iter().flatten()).collect();
        let transitions = transitions.into_iter().map(transition).collect::<Result<Vec<_>, _>>()?;
        let older = older.into_iter().map(noncurrent).collect::<Result<Vec<_>, _>>()?;
        let expiration = LifecycleExpiration {
            date: self.expiration_date.map(|date| date.0),
            days: self.expiration_in_days,
            expired_object_delete_marker: self.expired_object_delete_marker,
        };
        let in_days = self.noncurrent_version_expiration_in_days;
        let in_days = in_days.map(|days| NoncurrentExpiration {
            noncurrent_days: Some(days),
            newer_noncurrent_versions: None,
        });
        let conditions = LifecycleConditions {
            prefix: self.prefix,
            tags: self.tag_filters,
            object_size_greater_than: size(self.object_size_greater_than)?,
            object_size_less_than: size(self.object_size_less_than)?,
        };
        Ok(LifecycleRule {
            id: self.id,
            prefix: None,
            filter: Some(filter(conditions)),
            status: self.status.unwrap_or(LifecycleStatus::Disabled),
            expiration: Some(expiration).filter(|given| *given != LifecycleExpiration::default()),
            noncurrent_version_expiration: self.noncurrent_version_expiration.or(in_days),
            abort_incomplete_multipart_upload: self.abort_incomplete_multipart_upload,
            transitions: Some(transitions).filter(|list| !list.is_empty()),
            noncurrent_version_transitions: Some(older).filter(|list| !list.is_empty()),
        })
    }

    fn from_api(rule: LifecycleRule) -> TemplateRule {
        let conditions = conditions(rule.prefix, rule.filter.unwrap_or_default());
        let expiration = rule.expiration.unwrap_or_default();
        let class = |class: Option<TransitionClass>| class.map(|c| c.to_string()).unwrap_or_default();
        let transition = |t: Transition| TemplateTransition {
            storage_class: class(t.storage_class),
            transition_date: t.date.map(Date),
            transition_in_days: t.days,
        };
        let noncurrent = |t: NoncurrentTransition| TemplateNoncurrent {
            storage_class: class(t.storage_class),
            transition_in_days: t.noncurrent_days,
            newer_noncurrent_versions: t.newer_noncurrent_versions,
        };
        let older = rule.noncurrent_version_transitions;
        TemplateRule {
            id: rule.id,
            status: Some(rule.status),
            prefix: conditions.prefix,
            tag_filters: conditions.tags,
            object_size_greater_than: conditions.object_size_greater_than.map(|size| size.to_string()),
            object_size_less_than: conditions.object_size_less_than.map(|size| size.to_string()),
            expiration_date: expiration.date.map(Date),
            expiration_in_days: expiration.days,
            expired_object_delete_marker: expiration.expired_object_delete_marker,
            noncurrent_version_expiration: rule.noncurrent_version_expiration,
            abort_incomplete_multipart_upload: rule.abort_incomplete_multipart_upload,
            transitions: rule.transitions.map(|list| list.into_iter().map(transition).collect()),
            noncurrent_version_transitions: older.map(|list| list.into_iter().map(noncurrent).collect()),
            ..TemplateRule::default()
        }
    }
}

/// The API has a single condition in the filter itself, and several in `And`.
fn filter(conditions: LifecycleConditions) -> LifecycleFilter {
    let LifecycleConditions { prefix, mut tags, object_size_greater_than, object_size_less_than } =
        conditions;
    let sizes =
        usize::from(object_size_greater_than.is_some()) + usize::from(object_size_less_than.is_some());
    let count = usize::from(prefix.is_some()) + tags.as_ref().map_or(0, Vec::len) + sizes;
    if count > 1 {
        let and = LifecycleConditions { prefix, tags, object_size_greater_than, object_size_less_than };
        return LifecycleFilter { and: Some(and), ..LifecycleFilter::default() };
    }
    let tag = tags.as_mut().and_then(Vec::pop);
    LifecycleFilter { prefix, tag, object_size_greater_than, object_size_less_than, and: None }
}

/// The reverse of [`filter`].
fn conditions(prefix: Option<KeyPrefix>, filter: LifecycleFilter) -> LifecycleConditions {
    filter.and.unwrap_or_else(|| LifecycleConditions {
        prefix: prefix.or(filter.prefix),
        tags: filter.tag.map(|tag| vec![tag]),
        object_size_greater_than: filter.object_size_greater_than,
        object_size_less_than: filter.object_size_less_than,
    })
}

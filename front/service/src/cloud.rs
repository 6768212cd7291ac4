//! All services together: finds an operation by name, authorizes it, runs it.

use crate::{
    Asked, Audit, AuditedCall, Caller, Config, Credential, Cx, Decision, Denial, Entry, EventKind, Identity,
    Kind, Named, Needs, Noted, Principal, ResourcePolicy, ResourceType, Service,
};
use crate::{operation::typed_needs, service_keys::ServiceKeys};
use escale_base::{
    AwsError, Clock, ErrorKind, Secret,
    wire::{Value, Wire},
};
use escale_store::{Image, Store, StoreError, Tx};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// The actions that the account's root may do although a bucket's policy denies them, so that it can repair such a policy. A
/// `Deny` of any other action applies to the root as well:
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>
const POLICY_RECOVERY: [&str; 3] = ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"];

/// The registry of services. Built once, in the binary's wiring.
pub struct Cloud {
    pub config: Arc<Config>,
    pub clock: Clock,
    identity: Arc<dyn Identity>,
    services: BTreeMap<&'static str, Arc<dyn Service>>,
    operations: HashMap<&'static str, HashMap<&'static str, Entry>>,
    types: BTreeMap<&'static str, ResourceType>,
    service_keys: ServiceKeys,
    audit: Option<Arc<dyn Audit>>,
}

impl Cloud {
    pub fn new(
        config: Arc<Config>,
        clock: Clock,
        identity: Arc<dyn Identity>,
        services: Vec<Arc<dyn Service>>,
    ) -> Cloud {
        let (mut operations, mut types) = (HashMap::new(), BTreeMap::new());
        for service in &services {
            let entries = service.operations().into_iter().map(|e| (e.name, e)).collect();
            operations.insert(service.id(), entries);
            types.extend(service.resource_types().into_iter().map(|t| (t.name, t)));
        }
        let services = services.into_iter().map(|s| (s.id(), s)).collect();
        let service_keys = ServiceKeys::default();
        Cloud { config, clock, identity, services, operations, types, service_keys, audit: None }
    }

    /// The same cloud with a record of its calls.
    pub fn with_audit(self, audit: Arc<dyn Audit>) -> Cloud {
        Cloud { audit: Some(audit), ..self }
    }

    /// Records a call, if calls of its category are recorded.
    pub fn record(&self, call: AuditedCall) {
        if let Some(audit) = self.audit.as_ref().filter(|_| self.keeps(call.kind, call.is_denied())) {
            audit.record(call);
        }
    }

    /// Whether calls of this kind are recorded.
    pub fn keeps(&self, kind: EventKind, is_denied: bool) -> bool {
        self.audit.is_some() && (kind == EventKind::Management || is_denied)
    }

    /// The event source and category of an operation, for the record of calls.
    pub fn event_of(&self, service: &str, operation: &str) -> (String, EventKind) {
        let found = self.services.get(service);
        let prefix = found.map_or(service, |s| s.action_prefix());
        let kind = found.map_or(EventKind::Management, |s| s.event_kind(operation));
        (format!("{prefix}.amazonaws.com"), kind)
    }

    pub fn services(&self) -> impl Iterator<Item = &Arc<dyn Service>> {
        self.services.values()
    }

    pub fn service(&self, id: &str) -> Option<&Arc<dyn Service>> {
        self.services.get(id)
    }

    pub fn entry(&self, service: &str, operation: &str) -> Option<&Entry> {
        self.operations.get(service)?.get(operation)
    }

    pub fn entries(&self) -> impl Iterator<Item = (&'static str, &Entry)> {
        self.operations.iter().flat_map(|(service, entries)| entries.values().map(move |e| (*service, e)))
    }

    pub fn resource_type(&self, name: &str) -> Option<&ResourceType> {
        self.types.get(name)
    }

    pub fn resource_types(&self) -> impl Iterator<Item = &ResourceType> {
        self.types.values()
    }

    /// The function that deletes a resource of this type after a last snapshot; `None` if the type has no snapshots.
    pub fn delete_with_snapshot(&self, type_name: &str) -> Option<crate::DeleteWithSnapshot> {
        self.services.values().find_map(|s| s.delete_with_snapshot(type_name))
    }

    pub fn credential(&self, image: &Image, access_key: &str) -> Option<Credential> {
        // Service keys are not rows: IAM's tables do not have them.
        self.service_keys.find(access_key).or_else(|| self.identity.credential(image, access_key))
    }

    /// A key with which `service` signs requests for its resource `source_arn`; resource policies decide on them.
    pub fn service_key(&self, service: &str, source_arn: &str) -> (String, Secret<String>) {
        let (service, source_arn) = (service.to_owned(), source_arn.to_owned());
        self.service_keys.key_for(Principal::OnBehalf { service, source_arn })
    }

    /// A key with which a part of the cloud signs requests as a user of another account; resource policies decide on them.
    pub fn foreign_key(&self, arn: String, canonical_id: String) -> (String, Secret<String>) {
        self.service_keys.key_for(Principal::Foreign { arn, canonical_id })
    }

    /// Runs a synchronous operation in a transaction of its own. A read-only operation waits for no writer.
    pub fn call(
        &self,
        store: &Store,
        caller: &Caller,
        service: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, AwsError> {
        if self.entry(service, operation).is_some_and(|e| e.only_reads()) {
            let read = store.peek(|tx| self.run(&mut self.cx(tx, caller), service, operation, input.clone()));
            if let Some(answer) = read {
                return answer;
            }
            // It has written in spite of its name: it runs again, as a writer.
        }
        let written = self.transact(store, caller, |cx| self.run(cx, service, operation, input));
        written.map_err(|e| e.0)
    }

    /// Runs `work` in a transaction, in which it may call several operations: all of them take effect, or none.
    pub fn transact<T>(
        &self,
        store: &Store,
        caller: &Caller,
        work: impl FnOnce(&mut Cx<'_>) -> Result<T, AwsError>,
    ) -> Result<T, Failed> {
        store.write(|tx| work(&mut self.cx(tx, caller)).map_err(Failed))
    }

    fn cx<'a>(&'a self, tx: &'a mut Tx, caller: &'a Caller) -> Cx<'a> {
        Cx { tx, caller, config: &self.config, now: self.clock.now(), cloud: self }
    }

    /// Authorizes and runs an operation inside an open transaction.
    pub(crate) fn run(
        &self,
        cx: &mut Cx<'_>,
        service: &str,
        operation: &str,
        mut input: Value,
    ) -> Result<Value, AwsError> {
        let missing = || AwsError::no_operation(service, operation);
        let entry = self.entry(service, operation).ok_or_else(missing)?;
        let Kind::Sync(handler) = &entry.kind else {
            let what =
                format_args!("A call of {service}:{operation}, which streams bytes, by another operation");
            return Err(AwsError::not_supported(what));
        };
        // Removed here for all operations, so that none has to have the member; the answer comes after authorization.
        let dry_run = input.as_object_mut().and_then(|o| o.remove("DryRun")) == Some(Value::Bool(true));
        let needs = (handler.needs)(&input, cx)?;
        self.authorize(cx.tx, cx.caller, service, entry, &input, &needs)?;
        if dry_run {
            let message = "Request would have succeeded, but DryRun flag is set.";
            return Err(AwsError::new(ErrorKind::Invalid, "DryRunOperation", 412, message));
        }
        (handler.run)(cx, &input)
    }

    /// As [`Cloud::run`], for an operation given by its type.
    pub(crate) fn run_typed<O: Named>(
        &self,
        cx: &mut Cx<'_>,
        input: O::Input,
    ) -> Result<O::Output, AwsError> {
        let missing = || AwsError::no_operation(O::SERVICE, O::NAME);
        let entry = self.entry(O::SERVICE, O::NAME).ok_or_else(missing)?;
        let needs = typed_needs::<O>(&input, cx);
        // Services that find a request's resources or policies by name read them from the untyped input.
        self.authorize(cx.tx, cx.caller, O::SERVICE, entry, &input.write(), &needs)?;
        O::run(cx, input).map_err(Into::into)
    }

    /// Checks that the caller may do this operation and all secondary actions of the request. The error is AWS's AccessDenied,
    /// with caller, action and reason.
    #[allow(clippy::too_many_arguments)] // each is a part of the decision
    pub fn authorize(
        &self,
        image: &Image,
        caller: &Caller,
        service: &str,
        entry: &Entry,
        input: &Value,
        needs: &Needs,
    ) -> Result<(), AwsError> {
        let asked = self.services.get(service);
        let prefix = asked.map_or(service, |s| s.action_prefix());
        let action = match needs.action.or(entry.action) {
            Some(action) => action.to_owned(),
            None => format!("{prefix}:{}", entry.name),
        };
        let found = match needs.resources.as_slice() {
            [] => asked.map(|s| s.resources(image, &self.config, entry.name, input)).unwrap_or_default(),
            named => named.to_vec(),
        };
        let policies = self.policies(image, service, entry.name, input);
        let keys = borrowed(&needs.keys);
        let own = Asked { action: &action, resources: &found, keys: &keys, policies: &policies };
        self.ask(image, caller, &own)?;
        let tagging = asked.and_then(|s| s.tagging(entry.name, input, &found));
        for also in tagging.iter().chain(&needs.also) {
            // A resource's policy does not apply to other services' actions.
            let same = also.action.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(':'));
            let policies = if same { policies.as_slice() } else { &[] };
            let (resources, keys) = (&also.resources, borrowed(&also.keys));
            self.ask(image, caller, &Asked { action: also.action, resources, keys: &keys, policies })?;
        }
        Ok(())
    }

    fn policies(&self, image: &Image, service: &str, operation: &str, input: &Value) -> Vec<ResourcePolicy> {
        let service = self.services.get(service);
        service.map(|s| s.resource_policies(image, &self.config, operation, input)).unwrap_or_default()
    }

    /// The same for one action: a secondary one of an operation (`s3:DeleteObjectVersion`), or one that a [`crate::Mount`]
    /// needs. The operation's name and input select the resource policies.
    #[allow(clippy::too_many_arguments)] // each is a part of the decision
    pub fn authorize_action(
        &self,
        image: &Image,
        caller: &Caller,
        service: &str,
        (action, operation): (&str, &str),
        input: &Value,
        resources: &[String],
        keys: &[(&'static str, &str)],
    ) -> Result<(), AwsError> {
        let policies = self.policies(image, service, operation, input);
        self.ask(image, caller, &Asked { action, resources, keys, policies: &policies })
    }

    /// Asks IAM. The account's root may do everything that no resource's policy denies; the cloud's own services may do
    /// everything.
    pub(crate) fn ask(&self, image: &Image, caller: &Caller, asked: &Asked<'_>) -> Result<(), AwsError> {
        if let Some(notes) = &caller.notes {
            notes.asked(asked.resources);
        }
        match caller.principal {
            Principal::Service(_) => return Ok(()),
            Principal::Root if asked.policies.is_empty() || POLICY_RECOVERY.contains(&asked.action) => {
                return Ok(());
            }
            _ => {}
        }
        match self.identity.decide(image, caller, asked) {
            Decision::Allow => Ok(()),
            Decision::Deny { why, reason } => {
                let who = caller.principal.arn(&self.config.account);
                let on = asked.resources.first().map_or("*", String::as_str);
                let message = format!(
                    "User: {who} is not authorized to perform: {} on resource: {on} because {why}",
                    asked.action
                );
                let denial = Denial {
                    action: Some(asked.action.to_owned()),
                    resource: asked.resources.first().cloned(),
                    reason,
                };
                match &caller.notes {
                    // The listener records the call when it ends.
                    Some(notes) => notes.denied(denial),
                    None => self.record_own(caller, asked, denial, &message),
                }
                Err(AwsError::new(ErrorKind::Denied, "AccessDenied", 403, message))
            }
        }
    }

    /// Records a denial of a call that the daemon makes under a user's or role's rights: for a task's start or a stack. No
    /// listener records such calls.
    fn record_own(&self, caller: &Caller, asked: &Asked<'_>, denial: Denial, message: &str) {
        let (prefix, operation) = asked.action.split_once(':').unwrap_or(("", asked.action));
        self.record(AuditedCall {
            at: self.clock.now(),
            principal: caller.principal.clone(),
            in_session: caller.in_session,
            access_key: None,
            arrival: None,
            request_id: caller.request_id.clone(),
            user_agent: String::new(),
            event_source: format!("{prefix}.amazonaws.com"),
            operation: operation.to_owned(),
            kind: EventKind::Management,
            notes: Noted { resources: asked.resources.to_vec(), denial: Some(denial) },
            error_code: Some("AccessDenied".to_owned()),
            denial_message: Some(message.to_owned()),
        });
    }
}

fn borrowed<'a>(keys: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    keys.iter().map(|(key, value)| (*key, value.as_str())).collect()
}

/// An operation's error; the store's own errors become internal ones.
#[derive(Debug)]
pub struct Failed(pub AwsError);

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Failed {
        tracing::error!(%error, "a transaction could not be committed");
        Failed(match error {
            // The user can fix a full disk, so the response has the store's message, which names the disk.
            StoreError::Full { .. } => AwsError::unavailable(error.to_string()),
            _ => AwsError::internal(),
        })
    }
}

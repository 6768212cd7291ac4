//! The data that a stack's expressions can read: its rows, other stacks' exports, the installation's zones.

use crate::{
    Error, find,
    template::{self, DynamicReference, Environment, Pseudo, Template, TemplateError},
};
use escale_base::Secret;
use escale_requests::{secretsmanager::GetSecretValue, ssm::GetParameter};
use escale_service::{Cloud, Config, Created, Cx};
use escale_store::Image;
use escale_tables::cloudformation::{
    Content, Export, ExportName, LogicalId, Stack, StackArn, StackName, StackResource, StackUuid,
};
use serde_json::Value;
use std::{cell::RefCell, collections::BTreeSet};

/// The environment of a stack's expressions.
pub(crate) struct StackEnvironment<'a> {
    pub(crate) image: &'a Image,
    pub(crate) config: &'a Config,
    /// The stack whose resources can be read, if any exists yet, and their types.
    stack: Option<(&'a StackUuid, &'a Cloud)>,
    /// The exports that expressions read, also those that do not exist.
    pub(crate) imports: RefCell<BTreeSet<ExportName>>,
}

impl<'a> StackEnvironment<'a> {
    pub(crate) fn new(
        image: &'a Image,
        config: &'a Config,
        stack: Option<(&'a StackUuid, &'a Cloud)>,
    ) -> StackEnvironment<'a> {
        StackEnvironment { image, config, stack, imports: RefCell::default() }
    }

    fn created(&self, logical: &str) -> Option<std::sync::Arc<StackResource>> {
        // A row in another state may have a physical id, but its resource may not be usable yet.
        find::current(self.image, self.stack?.0, &logical.into()).filter(|row| row.is_settled())
    }

    /// The value of a resource's attribute now.
    pub(crate) fn attribute(&self, row: &StackResource, attribute: &str) -> Option<Value> {
        let kind = self.stack.and_then(|(_, cloud)| cloud.resource_type(&row.type_name));
        let created = Created::new(row.physical_id.as_deref().unwrap_or_default());
        let current = kind.and_then(|kind| (kind.current)(self.image, &created, attribute));
        current.or_else(|| row.attributes.get(attribute).cloned())
    }
}

impl Environment for StackEnvironment<'_> {
    fn resource_ref(&self, logical: &str) -> Option<Value> {
        self.created(logical)?.physical_id.as_deref().map(Value::from)
    }

    fn get_att(&self, logical: &str, attribute: &str) -> Result<Option<Value>, TemplateError> {
        let Some(row) = self.created(logical) else { return Ok(None) };
        match self.attribute(&row, attribute) {
            Some(value) => Ok(Some(value)),
            None => Err(no_attribute(logical, attribute, &row.type_name, row.attributes.keys())),
        }
    }

    fn export(&self, name: &str) -> Option<String> {
        self.imports.borrow_mut().insert(name.into());
        self.image.get::<Export>(name).map(|e| e.value.clone())
    }

    fn zones(&self, region: &str) -> Vec<String> {
        if region == self.config.region { self.config.zones.clone() } else { Vec::new() }
    }
}

/// The error for an attribute that the type does not have.
pub(crate) fn no_attribute<'n>(
    logical: &str,
    attribute: &str,
    type_name: &str,
    known: impl Iterator<Item = &'n String>,
) -> TemplateError {
    TemplateError::usage(format!(
        "resource {logical} does not support attribute type {attribute} in Fn::GetAtt ({type_name} has: {})",
        known.map(String::as_str).collect::<Vec<_>>().join(", ")
    ))
}

pub(crate) fn pseudo(config: &Config, arn: &StackArn, name: &StackName) -> Pseudo {
    Pseudo {
        account_id: config.account.clone(),
        notification_arns: Vec::new(),
        partition: "aws".into(),
        region: config.region.clone(),
        stack_id: arn.to_string(),
        stack_name: name.to_string(),
        url_suffix: "amazonaws.com".into(),
    }
}

/// The values that `Ref` returns for the stack's parameters.
pub(crate) fn bound(template: &Template, content: &Content) -> Result<template::Bound, TemplateError> {
    let mut bound = template.bind(&content.parameters)?;
    for (name, stored) in &content.resolved {
        bound.resolve(name, stored);
    }
    Ok(bound)
}

/// The tags that a resource inherits: `own`, which are the stack's, and AWS's that name the stack and the logical id.
pub(crate) fn tags(stack: &Stack, own: &[escale_base::Tag], logical_id: &LogicalId) -> Vec<escale_base::Tag> {
    let mut tags = own.to_vec();
    let by_aws = [("stack-name", stack.name.as_str()), ("stack-id", &stack.arn), ("logical-id", logical_id)];
    tags.extend(by_aws.map(|(key, value)| escale_base::Tag::new(format!("aws:cloudformation:{key}"), value)));
    tags
}

/// The value of a dynamic reference `{{resolve:…}}`, read with the caller's permissions.
pub(crate) fn resolve(cx: &mut Cx<'_>, reference: &DynamicReference) -> Result<String, Error> {
    match reference {
        DynamicReference::Ssm { name, version } => parameter(cx, name, *version, false),
        DynamicReference::SsmSecure { name, version } => parameter(cx, name, *version, true),
        DynamicReference::Secret { id, json_key, version_stage, version_id } => {
            let get = GetSecretValue {
                secret_id: id.clone(),
                version_stage: version_stage.clone(),
                version_id: version_id.clone(),
            };
            let Some(text) = cx.call(get)?.secret_string.map(Secret::into_inner) else {
                return Err(Error::invalid(format!(
                    "Secret {id} is binary; a dynamic reference needs a SecretString"
                )));
            };
            let Some(key) = json_key else { return Ok(text) };
            let parsed: Value = serde_json::from_str(&text)
                .map_err(|_| Error::invalid(format!("Could not parse SecretString JSON of secret {id}")))?;
            template::evaluate::text_of(&parsed[key]).ok_or_else(|| {
                Error::invalid(format!(
                    "Could not find a value associated with JSONKey {key} in SecretString of {id}"
                ))
            })
        }
    }
}

/// The value of a parameter in the parameter store.
pub(crate) fn parameter(
    cx: &mut Cx<'_>,
    name: &str,
    version: Option<u64>,
    secure: bool,
) -> Result<String, Error> {
    let named = version.map_or_else(|| name.to_owned(), |v| format!("{name}:{v}"));
    let get = GetParameter { name: named, with_decryption: secure.then_some(true) };
    Ok(cx.call(get)?.parameter.value.into_inner())
}

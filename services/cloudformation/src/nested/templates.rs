//! The templates of nested stacks. They are in S3, and no transaction can read from there, so they are fetched before the
//! transaction that accepts their parent's template: it names those that it lacks and is repeated with them.

use crate::{
    Error, events, fetch, scope,
    template::{self, Known, Origin, Scope, Template},
};
use escale_base::AwsError;
use escale_service::{Config, Cx, StreamCx};
use escale_store::Image;
use escale_tables::cloudformation::{ParameterKey, StackArn, StackName, TemplateUrl};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

/// The maximum depth. A template that nests itself would have no end.
const DEPTH: usize = 8;

/// The maximum number of templates below one stack: with AWS's limit of 500 resources a request could fetch any number.
const COUNT: usize = 200;

/// The templates that were fetched, and those that a transaction lacked.
#[derive(Default)]
pub(crate) struct Templates {
    fetched: BTreeMap<TemplateUrl, String>,
    missing: Mutex<BTreeSet<TemplateUrl>>,
}

impl Templates {
    /// Those that were fetched with the parent's content.
    pub(crate) fn of(fetched: BTreeMap<TemplateUrl, String>) -> Templates {
        Templates { fetched, missing: Mutex::default() }
    }

    fn get(&self, url: &TemplateUrl) -> Option<&String> {
        let found = self.fetched.get(url);
        if found.is_none() {
            self.missing.lock().unwrap_or_else(PoisonError::into_inner).insert(url.clone());
        }
        found
    }

    fn take_missing(&self) -> BTreeSet<TemplateUrl> {
        std::mem::take(&mut *self.missing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The templates of all stacks below a template.
    pub(crate) fn reachable(
        &self,
        image: &Image,
        config: &Config,
        template: &Template,
        scope: &Scope<'_>,
    ) -> Result<BTreeMap<TemplateUrl, String>, Error> {
        let mut search = Search { templates: self, image, config, found: BTreeMap::new() };
        search.below(template, scope, &mut Vec::new())?;
        if !self.missing.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            // Not seen by a client: the request is repeated with the missing templates. In a step of the engine, all of them exist.
            return Err(Error::invalid(
                "The template of a nested stack was not fetched with that of its root",
            ));
        }
        Ok(search.found)
    }
}

/// Runs a transaction with all templates of nested stacks that it needs.
pub(crate) async fn with_templates<T>(
    cx: &StreamCx,
    mut work: impl FnMut(&mut Cx<'_>, &Templates) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut templates = Templates::default();
    loop {
        let done = cx
            .cloud
            .transact(&cx.store, &cx.caller, |cx| work(cx, &templates).map_err(AwsError::from))
            .map_err(|failed| Error::Aws(failed.0));
        let missing = templates.take_missing();
        if missing.is_empty() {
            return done;
        }
        if templates.fetched.len() + missing.len() > COUNT {
            return Err(Error::invalid(format!(
                "A stack may have at most {COUNT} templates of nested stacks"
            )));
        }
        for url in missing {
            let (text, _) = fetch::template(cx, None, Some(url.to_string())).await?;
            templates.fetched.insert(url, text);
        }
    }
}

struct Search<'a> {
    templates: &'a Templates,
    image: &'a Image,
    config: &'a Config,
    found: BTreeMap<TemplateUrl, String>,
}

impl Search<'_> {
    /// `path` are the logical ids from the root to the template.
    fn below(&mut self, template: &Template, scope: &Scope<'_>, path: &mut Vec<String>) -> Result<(), Error> {
        for (logical, resource) in &template.resources {
            let condition = resource.condition.as_ref().and_then(|name| scope.conditions().get(name));
            if resource.type_name != events::STACK || condition == Some(&false) {
                continue;
            }
            path.push(logical.clone());
            if path.len() > DEPTH {
                return Err(Error::invalid(format!(
                    "Stacks may be nested at most {DEPTH} deep: {} is deeper",
                    path.join("/")
                )));
            }
            let known = |name: &str| {
                let members = scope.members(logical).ok()?;
                let (_, expression) = members.iter().find(|(member, _)| member == name)?;
                scope.foreseen(expression).ok().flatten()
            };
            let Some(Value::String(url)) = known("TemplateURL") else { return Err(unknown(path)) };
            if url.contains("{{resolve:") {
                return Err(unknown(path));
            }
            let parameters = match known("Parameters") {
                Some(Value::Object(values)) => values,
                _ => Map::new(),
            };
            let url = TemplateUrl(url);
            if let Some(text) = self.templates.get(&url) {
                self.found.insert(url, text.clone());
                self.inside(text, &parameters, path)?;
            }
            path.pop();
        }
        Ok(())
    }

    /// The templates below that of a nested stack. One with errors fails when its stack is created, as on AWS.
    fn inside(
        &mut self,
        text: &str,
        given: &Map<String, Value>,
        path: &mut Vec<String>,
    ) -> Result<(), Error> {
        let Ok(source) = template::read(text, Origin::File) else { return Ok(()) };
        let (mut values, mut unknown) = (BTreeMap::new(), BTreeSet::new());
        for (name, value) in given {
            match template::evaluate::text_of(value).filter(|text| !text.contains("{{resolve:")) {
                Some(text) => drop(values.insert(ParameterKey(name.clone()), text)),
                None => drop(unknown.insert(ParameterKey(name.clone()))),
            }
        }
        let Ok(mut bound) = source.bind_known(&values) else { return Ok(()) };
        // A value that is not known yet replaces the default.
        bound.values.retain(|name, _| !unknown.contains(name.as_str()));
        let environment = scope::StackEnvironment::new(self.image, self.config, None);
        let pseudo = scope::pseudo(self.config, &StackArn::default(), &StackName::default());
        let known = Known { parameters: &bound.values, pseudo: &pseudo, environment: &environment };
        let Ok(template) = source.outline(known) else { return Ok(()) };
        let scope = Scope::of_known(&template, &bound.values, &pseudo, &environment);
        self.below(&template, &scope, path)
    }
}

fn unknown(path: &[String]) -> Error {
    AwsError::not_supported(format_args!(
        "The TemplateURL of the nested stack {}, which is not known before the stack is created,",
        path.join("/")
    ))
    .hint("Use a URL of literals, parameters, mappings and pseudo parameters.")
    .into()
}

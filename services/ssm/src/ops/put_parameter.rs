//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html>

use crate::choices::ParameterTier;
use crate::{Error, rules};
use escale_base::{AwsError, Secret, Tag, Wire};
use escale_service::{Cx, Operation};
use escale_tables::PrincipalArn;
use escale_tables::ssm::{Parameter, ParameterType, ParameterVersion, Tier};

pub(crate) struct PutParameter;

/// As on AWS, a new version then replaces the oldest one.
const VERSIONS_KEPT: usize = 100;
const STANDARD_BYTES: usize = 4096;
const ADVANCED_BYTES: usize = 8192;

#[derive(Wire)]
pub(crate) struct Input {
    name: String,
    description: Option<String>,
    value: Secret<String>,
    r#type: Option<ParameterType>,
    key_id: Option<String>,
    overwrite: Option<bool>,
    allowed_pattern: Option<String>,
    tags: Vec<Tag>,
    tier: Option<ParameterTier>,
    policies: Option<String>,
    data_type: Option<String>,
}

#[derive(Wire)]
pub(crate) struct Output {
    version: i64,
    tier: Tier,
}

impl Operation for PutParameter {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, &rules::name_of(cx.tx, &input.name))]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        refuse_unsupported(&input)?;
        let name = rules::name_of(cx.tx, &input.name);
        rules::check_name(&name)?;
        let size = input.value.reveal().len();
        let tier = tier(input.tier.unwrap_or(ParameterTier::Standard), size)?;
        let old = cx.tx.get::<Parameter>(&name);
        let allowed_pattern = pattern(input.allowed_pattern, old.as_deref(), input.value.reveal())?;
        let description = input.description;
        let version = |number| ParameterVersion {
            number,
            value: input.value.clone(),
            modified: cx.now,
            by: PrincipalArn(cx.caller.principal.arn(&cx.config.account)),
        };
        let parameter = match old {
            Some(_) if input.overwrite != Some(true) => return Err(Error::Exists),
            Some(_) if !input.tags.is_empty() => {
                let what = "Invalid request: tags and overwrite can't be used together. To change the tags of an \
                            existing parameter, use AddTagsToResource.";
                return Err(Error::Validation(what.into()));
            }
            Some(old) => {
                let mut new = (*old).clone();
                new.kind = input.r#type.unwrap_or(new.kind);
                let last = new.versions.last().map_or(0, |v| v.number);
                new.versions.push(version(last + 1));
                let surplus = new.versions.len().saturating_sub(VERSIONS_KEPT);
                new.versions.drain(..surplus);
                if let Some(description) = description {
                    new.description = Some(description).filter(|text| !text.is_empty());
                }
                new.key_id = input.key_id.or(new.key_id);
                new.tier = tier;
                new.allowed_pattern = allowed_pattern;
                new
            }
            None => Parameter {
                name,
                kind: input.r#type.ok_or_else(|| {
                    Error::Validation("A parameter type is required when you create a parameter.".into())
                })?,
                key_id: input.key_id,
                description: description.filter(|text| !text.is_empty()),
                allowed_pattern,
                tier,
                versions: vec![version(1)],
                tags: input.tags,
            },
        };
        let number = parameter.versions.last().map_or(1, |v| v.number);
        cx.tx.put(parameter);
        Ok(Output { version: number, tier })
    }
}

fn refuse_unsupported(input: &Input) -> Result<(), AwsError> {
    if let Some(kind) = input.data_type.as_deref().filter(|t| *t != "text") {
        return Err(AwsError::not_supported(format_args!("The DataType {kind}")).hint("Use text."));
    }
    if input.policies.as_deref().is_some_and(|p| !p.is_empty()) {
        return Err(AwsError::not_supported("The parameter Policies"));
    }
    Ok(())
}

/// The pattern of the parameter's values. A request without one keeps it, an empty one removes it.
fn pattern(given: Option<String>, old: Option<&Parameter>, value: &str) -> Result<Option<String>, Error> {
    let pattern = given.or_else(|| old.and_then(|old| old.allowed_pattern.clone()));
    let Some(pattern) = pattern.filter(|pattern| !pattern.is_empty()) else { return Ok(None) };
    let compiled = escale_pattern::compile(&pattern).map_err(|_| Error::InvalidPattern)?;
    // A pattern that takes too long to match is an error, too.
    if compiled.is_match(value).unwrap_or(false) {
        Ok(Some(pattern))
    } else {
        Err(Error::PatternMismatch(pattern))
    }
}

fn tier(requested: ParameterTier, size: usize) -> Result<Tier, Error> {
    let (tier, most) = match requested {
        ParameterTier::Standard => (Tier::Standard, STANDARD_BYTES),
        ParameterTier::IntelligentTiering if size <= STANDARD_BYTES => (Tier::Standard, STANDARD_BYTES),
        ParameterTier::Advanced | ParameterTier::IntelligentTiering => (Tier::Advanced, ADVANCED_BYTES),
    };
    match size {
        0 => Err(Error::Validation("A parameter's value cannot be empty.".into())),
        _ if size > most => {
            let advice = if tier == Tier::Standard { " Use the tier Advanced." } else { "" };
            let what =
                format!("{tier} tier parameters support a maximum parameter value of {most} characters.");
            Err(Error::Validation(what + advice))
        }
        _ => Ok(tier),
    }
}

#[cfg(test)]
mod tests {
    use crate::Ssm;
    use escale_harness::Harness;
    use serde_json::json;

    #[test]
    fn versions_are_selected_by_number() {
        let cloud = Harness::of(Ssm);
        let put = |value: &str, overwrite: bool| {
            let input = json!({"Name": "/a/b", "Value": value, "Type": "String", "Overwrite": overwrite});
            cloud.call("PutParameter", input)
        };
        assert_eq!(put("1", false).unwrap()["Version"], 1);
        assert_eq!(put("2", false).unwrap_err().code, "ParameterAlreadyExists");
        assert_eq!(put("2", true).unwrap()["Version"], 2);
        let get = |name: &str| cloud.call("GetParameter", json!({"Name": name}));
        assert_eq!(get("/a/b").unwrap()["Parameter"]["Value"], "2");
        assert_eq!(get("/a/b:1").unwrap()["Parameter"]["Value"], "1");
        let arn = get("/a/b").unwrap()["Parameter"]["ARN"].as_str().unwrap().to_owned();
        assert_eq!(get(&arn).unwrap()["Parameter"]["Value"], "2");
        assert_eq!(get(&format!("{arn}:1")).unwrap()["Parameter"]["Value"], "1");
        assert_eq!(get("/a/b:9").unwrap_err().code, "ParameterVersionNotFound");
        assert_eq!(get("/a/b:label").unwrap_err().code, "NotImplemented");
        assert_eq!(get("/a").unwrap_err().code, "ParameterNotFound");
        let public = get("/aws/service/ami-amazon-linux-latest/x").unwrap_err();
        assert!(public.message.contains("/aws/service/ami-amazon-linux-latest/x"), "{public}");
    }

    #[test]
    fn values_must_match_the_allowed_pattern() {
        let cloud = Harness::of(Ssm);
        let put = |value: &str, pattern: Option<&str>| {
            let mut input = json!({"Name": "p", "Value": value, "Type": "String", "Overwrite": true});
            if let Some(pattern) = pattern {
                input["AllowedPattern"] = json!(pattern);
            }
            cloud.call("PutParameter", input).map(drop).map_err(|error| error.code)
        };
        let mismatch = || Err("ParameterPatternMismatchException".to_owned());
        assert_eq!(put("x", Some("[")), Err("InvalidAllowedPatternException".to_owned()));
        assert_eq!(put("blue!", Some("[a-z]+")), mismatch());
        assert_eq!(put("blue", Some("[a-z]+")), Ok(()));
        assert_eq!(put("7", None), mismatch(), "the pattern is kept");
        assert_eq!(put("7", Some(r"\d")), Ok(()));
        assert_eq!(put("blue", Some("")), Ok(()));
        let backtracks = format!("{}!", "a".repeat(200));
        assert_eq!(put(&backtracks, Some("(?=(a+)+$)(a|aa)+")), mismatch());
    }

    #[test]
    fn secure_string_is_returned_only_with_decryption() {
        let cloud = Harness::of(Ssm);
        let input = json!({"Name": "p", "Value": "hidden", "Type": "SecureString"});
        cloud.ok("PutParameter", input);
        let get = |decrypt: bool| {
            let input = json!({"Name": "p", "WithDecryption": decrypt});
            cloud.ok("GetParameter", input)["Parameter"]["Value"].as_str().unwrap().to_owned()
        };
        assert_eq!(get(true), "hidden");
        assert!(!get(false).contains("hidden"));
    }

    #[test]
    fn finds_parameters_by_path() {
        let cloud = Harness::of(Ssm);
        for name in ["/a/x", "/a/y", "/a/deep/z", "/b"] {
            let input = json!({"Name": name, "Value": "v", "Type": "String"});
            cloud.ok("PutParameter", input);
        }
        let count = |input| {
            let found = cloud.ok("GetParametersByPath", input);
            found["Parameters"].as_array().unwrap().len()
        };
        assert_eq!(count(json!({"Path": "/a"})), 2);
        assert_eq!(count(json!({"Path": "/a", "Recursive": true})), 3);
        assert_eq!(count(json!({"Path": "/", "Recursive": true})), 4);
    }
}

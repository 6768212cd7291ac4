//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_ModifyDBParameterGroup.html>

use crate::{Error, parameters, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::rds::ParameterGroup;

pub(crate) struct ModifyDBParameterGroup;

escale_base::choice! {
    pub(crate) enum ApplyMethod { Immediate = "immediate", PendingReboot = "pending-reboot" }
}

#[derive(Wire)]
pub(crate) struct Setting {
    pub(crate) parameter_name: String,
    pub(crate) parameter_value: Option<String>,
    pub(crate) apply_method: Option<ApplyMethod>,
}

#[derive(Wire)]
pub(crate) struct Input {
    #[wire("DBParameterGroupName")]
    name: String,
    parameters: Vec<Setting>,
}

#[derive(Wire)]
pub(crate) struct Output {
    #[wire("DBParameterGroupName")]
    pub(super) name: String,
}

impl Operation for ModifyDBParameterGroup {
    type Input = Input;
    type Output = Output;
    type Error = Error;

    fn resources(input: &Input, cx: &Cx<'_>) -> Vec<String> {
        vec![rules::arn(cx, "pg", &input.name)]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<Output, Error> {
        let mut group = group(cx, &input.name)?;
        for setting in input.parameters {
            let known = modifiable(&setting.parameter_name)?;
            let value = setting.parameter_value.ok_or_else(|| {
                Error::Value(format!("The parameter {} has no ParameterValue.", known.name))
            })?;
            check_method(known, setting.apply_method)?;
            known.check(&value)?;
            group.parameters.insert(known.name.to_owned(), value);
        }
        group.revision += 1;
        let name = group.name.clone();
        cx.tx.put(group);
        Ok(Output { name })
    }
}

/// The group, if it can be modified.
pub(super) fn group(cx: &Cx<'_>, name: &str) -> Result<ParameterGroup, Error> {
    let name = name.to_ascii_lowercase();
    if name.starts_with("default.") {
        let what = "The default parameter groups cannot be modified. Create a group of your own.";
        return Err(Error::ParameterGroupState(what.into()));
    }
    let found = cx.tx.get::<ParameterGroup>(&name);
    found.map(|g| (*g).clone()).ok_or(Error::NoParameterGroup(name))
}

pub(super) fn modifiable(name: &str) -> Result<&'static parameters::Parameter, Error> {
    match parameters::find(name) {
        None if name.starts_with("rds.") => Err(escale_base::AwsError::not_supported(format_args!(
            "The parameter {name} of a parameter group"
        ))
        .into()),
        None => Err(Error::Value(format!("Could not find parameter with name: {name}"))),
        Some(known) if !known.is_modifiable() => {
            Err(Error::Value(format!("The parameter {name} cannot be modified.")))
        }
        Some(known) => Ok(known),
    }
}

/// A static parameter always waits for a reboot. A dynamic one is always applied immediately.
pub(super) fn check_method(known: &parameters::Parameter, method: Option<ApplyMethod>) -> Result<(), Error> {
    match method {
        Some(ApplyMethod::Immediate) if known.is_static() => {
            let what = format!("cannot use immediate apply method for static parameter {}", known.name);
            Err(Error::Combination(what))
        }
        Some(ApplyMethod::PendingReboot) if !known.is_static() => rules::refuse_if(
            true,
            &format!("ApplyMethod pending-reboot for the dynamic parameter {} (use immediate)", known.name),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::FakeCloud;
    use serde_json::json;

    #[test]
    fn checks_names_values_and_apply_methods() {
        let cloud = FakeCloud::new();
        let group =
            json!({"DBParameterGroupName": "g", "DBParameterGroupFamily": "postgres15", "Description": "g"});
        cloud.call("CreateDBParameterGroup", group).unwrap();
        let set = |name: &str, value: &str, method: &str| {
            let one = json!({"ParameterName": name, "ParameterValue": value, "ApplyMethod": method});
            let input = json!({"DBParameterGroupName": "g", "Parameters": [one]});
            cloud.call("ModifyDBParameterGroup", input).map(|_| ()).map_err(|e| e.code)
        };
        assert_eq!(set("max_connections", "50", "pending-reboot"), Ok(()));
        assert_eq!(set("max_connections", "50", "immediate"), Err("InvalidParameterCombination".into()));
        assert_eq!(set("work_mem", "8192", "immediate"), Ok(()));
        assert_eq!(set("work_mem", "8192", "pending-reboot"), Err("NotImplemented".into()));
        assert_eq!(set("no_such", "1", "immediate"), Err("InvalidParameterValue".into()));
        assert_eq!(set("fsync", "0", "immediate"), Err("InvalidParameterValue".into()));
        assert_eq!(set("rds.force_ssl", "0", "immediate"), Ok(()));
        let users = json!({"DBParameterGroupName": "g", "Source": "user"});
        let shown = cloud.call("DescribeDBParameters", users).unwrap();
        let names: Vec<_> =
            shown["Parameters"].as_array().unwrap().iter().map(|p| p["ParameterName"].clone()).collect();
        assert_eq!(names, ["max_connections", "rds.force_ssl", "work_mem"]);
    }
}

//! The template of a release's first change set: it still has what the manifest no longer has, because the services that run until
//! the release commands have succeeded may use it.

use serde_json::{Map, Value};

/// The sections from which a resource may use something.
const SECTIONS: [&str; 4] = ["Parameters", "Mappings", "Conditions", "Resources"];

/// The new template with the removed parts of the present one, and the names of the parameters that only the present one has.
/// `None` if nothing was removed.
pub(super) fn with_removed(present: &Value, new: &Value) -> Option<(Value, Vec<String>)> {
    let mut all = new.clone();
    let missing = |section: &str| {
        let there = present[section].as_object().into_iter().flatten();
        let own = new[section].as_object();
        there
            .filter(|(name, _)| own.is_none_or(|own| !own.contains_key(*name)))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect::<Map<_, _>>()
    };
    if missing("Resources").is_empty() {
        return None;
    }
    let parameters = missing("Parameters").into_iter().map(|(name, _)| name).collect();
    for section in SECTIONS {
        let missing = missing(section);
        if missing.is_empty() {
            continue;
        }
        match &mut all[section] {
            Value::Object(own) => own.extend(missing),
            absent => *absent = Value::Object(missing),
        }
    }
    Some((all, parameters))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn removed_resources_stay_with_what_they_use() {
        let present = json!({
            "Parameters": {"Image": {"Type": "String"}, "Old": {"Type": "String"}},
            "Conditions": {"IsOld": {"Fn::Equals": [{"Ref": "Old"}, "x"]}},
            "Resources": {"Web": {"Type": "A", "Properties": {"P": 1}}, "Bucket": {"Type": "B", "Condition": "IsOld"}},
            "Outputs": {"BucketName": {"Value": {"Ref": "Bucket"}}},
        });
        let new = json!({
            "Parameters": {"Image": {"Type": "String"}},
            "Resources": {"Web": {"Type": "A", "Properties": {"P": 2}}},
        });
        let (all, parameters) = with_removed(&present, &new).unwrap();
        assert_eq!(parameters, ["Old"]);
        assert_eq!(all["Resources"]["Web"]["Properties"]["P"], 2);
        assert_eq!(all["Resources"]["Bucket"], present["Resources"]["Bucket"]);
        assert_eq!(all["Conditions"], present["Conditions"]);
        assert_eq!(all["Parameters"], present["Parameters"]);
        assert!(all.get("Outputs").is_none());
        assert_eq!(with_removed(&new, &present), None);
    }
}

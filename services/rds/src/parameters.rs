//! The parameters of PostgreSQL, as `postgres --describe-config` lists them, and whether a parameter group can set them.
//!
//! `data/postgres15.tsv`: name, context, type, default, minimum, maximum, description. Other major versions have nearly the
//! same parameters. The server itself checks every value in the end.

use crate::Error;
use escale_base::AwsError;
use escale_postgres::RESERVED_PARAMETERS;
use std::sync::OnceLock;

const TABLE: &str = include_str!("../data/postgres15.tsv");

/// On AWS it refuses connections without TLS. Connections to Escale's databases have no TLS.
pub(crate) const FORCE_SSL: &str = "rds.force_ssl";

#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameter {
    pub name: &'static str,
    context: &'static str,
    kind: &'static str,
    pub default: &'static str,
    least: &'static str,
    most: &'static str,
    pub description: &'static str,
}

/// All parameters, ordered by name.
pub(crate) fn all() -> &'static [Parameter] {
    static ALL: OnceLock<Vec<Parameter>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut all: Vec<Parameter> = TABLE.lines().filter_map(line).collect();
        all.push(Parameter {
            name: FORCE_SSL,
            context: "sighup",
            kind: "BOOLEAN",
            default: "0",
            least: "0",
            most: "0",
            description: "Force SSL connections. Connections stay on this machine and are not encrypted: only 0 is allowed.",
        });
        all.sort_by_key(|k| k.name.to_ascii_lowercase());
        all
    })
}

fn line(text: &'static str) -> Option<Parameter> {
    let mut cells = text.split('\t');
    Some(Parameter {
        name: cells.next()?,
        context: cells.next()?,
        kind: cells.next()?,
        default: cells.next()?,
        least: cells.next()?,
        most: cells.next()?,
        description: cells.next().unwrap_or(""),
    })
}

pub(crate) fn find(name: &str) -> Option<&'static Parameter> {
    all().iter().find(|k| k.name.eq_ignore_ascii_case(name))
}

impl Parameter {
    /// A static parameter takes effect after a restart.
    pub(crate) fn is_static(&self) -> bool {
        self.context == "postmaster"
    }

    pub(crate) fn is_modifiable(&self) -> bool {
        self.name == FORCE_SSL || !RESERVED_PARAMETERS.contains(&self.name.to_ascii_lowercase().as_str())
    }

    pub(crate) fn data_type(&self) -> &'static str {
        match self.kind {
            "BOOLEAN" => "boolean",
            "INTEGER" => "integer",
            "REAL" => "float",
            _ => "string",
        }
    }

    pub(crate) fn allowed(&self) -> Option<String> {
        match self.kind {
            "BOOLEAN" => Some("0,1".to_owned()),
            "INTEGER" | "REAL" => Some(format!("{}-{}", self.least, self.most)),
            _ => None,
        }
    }

    /// Checks a value as far as possible without the server. The value may have a unit.
    pub(crate) fn check(&self, value: &str) -> Result<(), Error> {
        let bad = |why: &str| {
            Err(Error::Value(format!("Invalid parameter value: {value} for: {}: {why}", self.name)))
        };
        if value.contains('{') {
            let what = format!("The formula '{value}' of parameter {}", self.name);
            return Err(AwsError::not_supported(what).into());
        }
        if self.name == FORCE_SSL && value != "0" {
            let what =
                "rds.force_ssl=1 (connections never leave the machine and are not encrypted; set it to 0)";
            return Err(AwsError::not_supported(what).into());
        }
        match self.kind {
            "BOOLEAN" if !["0", "1", "on", "off", "true", "false"].contains(&value) => {
                bad("allowed values are 0,1")
            }
            "INTEGER" | "REAL" => {
                let Ok(number) = value.parse::<f64>() else {
                    // A number with a unit, such as `64MB`: only the server can compare it with the bounds.
                    return if value.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
                        Ok(())
                    } else {
                        bad("it is not a number")
                    };
                };
                let bound = |text: &str, or: f64| text.parse::<f64>().unwrap_or(or);
                if number < bound(self.least, f64::MIN) || number > bound(self.most, f64::MAX) {
                    bad(&format!("allowed values are: {}-{}", self.least, self.most))
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_complete() {
        assert!(all().len() > 300);
        let connections = find("max_connections").unwrap();
        assert!(connections.is_static() && connections.is_modifiable());
        assert_eq!(connections.data_type(), "integer");
        assert!(!find("DateStyle").unwrap().is_static());
        assert!(!find("fsync").unwrap().is_modifiable());
    }

    #[test]
    fn checks_values() {
        for (name, value, good) in [
            ("max_connections", "200", true),
            ("max_connections", "0", false),
            ("max_connections", "many", false),
            ("shared_buffers", "64MB", true),
            ("shared_buffers", "{DBInstanceClassMemory/32768}", false),
            ("log_min_duration_statement", "1000", true),
            ("log_connections", "yes please", false),
            (FORCE_SSL, "0", true),
            (FORCE_SSL, "1", false),
        ] {
            assert_eq!(find(name).unwrap().check(value).is_ok(), good, "{name}={value}");
        }
    }
}

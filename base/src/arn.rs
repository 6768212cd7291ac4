//! Amazon Resource Names: `arn:partition:service:region:account:resource`.

use std::{fmt, str::FromStr};

/// A parsed ARN. The resource part is kept whole: its format differs by service.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arn {
    pub partition: String,
    pub service: String,
    /// Empty for global services (IAM, Route 53, CloudFront, S3 buckets).
    pub region: String,
    /// Empty for S3 buckets and Route 53 zones.
    pub account: String,
    pub resource: String,
}

impl Arn {
    pub fn new(service: &str, region: &str, account: &str, resource: impl Into<String>) -> Arn {
        Arn {
            partition: "aws".into(),
            service: service.into(),
            region: region.into(),
            account: account.into(),
            resource: resource.into(),
        }
    }

    /// The part after the first `/` or `:` of the resource: `cluster/shop` gives `shop`.
    pub fn resource_id(&self) -> &str {
        self.resource.split_once(['/', ':']).map_or(self.resource.as_str(), |(_, id)| id)
    }

    /// The part before the first `/` or `:` of the resource: `cluster/shop` gives `cluster`.
    pub fn resource_type(&self) -> &str {
        self.resource.split_once(['/', ':']).map_or("", |(kind, _)| kind)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Arn { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not an ARN (arn:partition:service:region:account:resource)")]
pub struct NotAnArn(pub String);

impl FromStr for Arn {
    type Err = NotAnArn;

    fn from_str(text: &str) -> Result<Arn, NotAnArn> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().map(str::to_owned);
        match (next(), next(), next(), next(), next(), next()) {
            (Some(head), Some(partition), Some(service), Some(region), Some(account), Some(resource))
                if head == "arn" && !partition.is_empty() && !service.is_empty() && !resource.is_empty() =>
            {
                Ok(Arn { partition, service, region, account, resource })
            }
            _ => Err(NotAnArn(text.to_owned())),
        }
    }
}

impl crate::Wire for Arn {
    fn read(value: &serde_json::Value) -> Result<Arn, crate::wire::ReadError> {
        String::read(value)?.parse().map_err(|e: NotAnArn| crate::wire::ReadError::new(e.to_string()))
    }
    fn write(&self) -> serde_json::Value {
        self.to_string().into()
    }
}

impl serde::Serialize for Arn {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Arn {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Arn, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        for text in [
            "arn:aws:ecs:eu-west-3:000000000000:task/shop/abc",
            "arn:aws:s3:::media/a:b/c",
            "arn:aws:iam::000000000000:role/x",
        ] {
            assert_eq!(text.parse::<Arn>().unwrap().to_string(), text);
        }
        let arn: Arn = "arn:aws:ecs:eu-west-3:000000000000:task/shop/abc".parse().unwrap();
        assert_eq!((arn.resource_type(), arn.resource_id()), ("task", "shop/abc"));
    }

    #[test]
    fn refuses_text_that_is_not_an_arn() {
        for text in ["", "arn:aws:s3", "arn:aws:s3:::", "urn:aws:s3:::x"] {
            assert!(text.parse::<Arn>().is_err(), "{text}");
        }
    }
}

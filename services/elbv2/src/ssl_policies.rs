//! AWS's predefined security policies, as far as they can be served: TLS 1.2 and 1.3 with authenticated encryption. Older
//! versions and the CBC suites that some policies have as well are not offered, and DescribeSSLPolicies does not list them, so
//! a client that knows nothing newer is refused instead of being served less securely than it seems.
//!
//! Source: <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html>

use crate::Error;
use escale_base::AwsError;
use escale_proxy::spec::tls::{Policy, Suite, Version};
use escale_tables::elbv2::SslPolicyName;

/// The policy of a listener that names none.
pub(crate) const DEFAULT: &str = "ELBSecurityPolicy-2016-08";

pub(crate) struct Known {
    pub(crate) name: &'static str,
    versions: Versions,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Versions {
    Only12,
    Only13,
    Both,
}

const fn known(name: &'static str, versions: Versions) -> Known {
    Known { name, versions }
}

pub(crate) const ALL: &[Known] = &[
    known(DEFAULT, Versions::Only12),
    known("ELBSecurityPolicy-2015-05", Versions::Only12),
    known("ELBSecurityPolicy-FS-1-1-2019-08", Versions::Only12),
    known("ELBSecurityPolicy-FS-1-2-2019-08", Versions::Only12),
    known("ELBSecurityPolicy-FS-1-2-Res-2019-08", Versions::Only12),
    known("ELBSecurityPolicy-FS-1-2-Res-2020-10", Versions::Only12),
    known("ELBSecurityPolicy-FS-2018-06", Versions::Only12),
    known("ELBSecurityPolicy-TLS-1-1-2017-01", Versions::Only12),
    known("ELBSecurityPolicy-TLS-1-2-2017-01", Versions::Only12),
    known("ELBSecurityPolicy-TLS-1-2-Ext-2018-06", Versions::Only12),
    known("ELBSecurityPolicy-TLS13-1-0-2021-06", Versions::Both),
    known("ELBSecurityPolicy-TLS13-1-1-2021-06", Versions::Both),
    known("ELBSecurityPolicy-TLS13-1-2-2021-06", Versions::Both),
    known("ELBSecurityPolicy-TLS13-1-2-Ext1-2021-06", Versions::Both),
    known("ELBSecurityPolicy-TLS13-1-2-Ext2-2021-06", Versions::Both),
    known("ELBSecurityPolicy-TLS13-1-2-Res-2021-06", Versions::Both),
    known("ELBSecurityPolicy-TLS13-1-3-2021-06", Versions::Only13),
];

/// The policy of this name, or the default one.
pub(crate) fn named(name: Option<&SslPolicyName>) -> Result<SslPolicyName, Error> {
    let name = name.map_or(DEFAULT, |name| name.as_str());
    if find(name).is_some() {
        return Ok(name.into());
    }
    // The others of AWS need cryptography that is certified, or safe from quantum computers.
    if ["-FIPS-", "-PQ-"].iter().any(|kind| name.contains(kind)) {
        let error = AwsError::not_supported(format_args!("The security policy {name}"));
        return Err(error.hint("Use ELBSecurityPolicy-TLS13-1-2-Res-2021-06.").into());
    }
    Err(Error::NoSslPolicy(name.to_owned()))
}

pub(crate) fn find(name: &str) -> Option<&'static Known> {
    ALL.iter().find(|known| known.name == name)
}

impl Known {
    pub(crate) fn policy(&self) -> Policy {
        let mut policy = Policy { versions: Vec::new(), suites: Vec::new() };
        if self.versions != Versions::Only12 {
            policy.versions.push(Version::Tls13);
            policy.suites.extend([Suite::Tls13Aes128Gcm, Suite::Tls13Aes256Gcm, Suite::Tls13Chacha20]);
        }
        if self.versions != Versions::Only13 {
            policy.versions.push(Version::Tls12);
            policy.suites.extend([Suite::Tls12Aes128Gcm, Suite::Tls12Aes256Gcm]);
        }
        policy
    }

    /// In AWS's words.
    pub(crate) fn protocols(&self) -> Vec<&'static str> {
        let word = |version: &Version| match version {
            Version::Tls12 => "TLSv1.2",
            Version::Tls13 => "TLSv1.3",
        };
        self.policy().versions.iter().map(word).collect()
    }

    /// In the order of preference.
    pub(crate) fn ciphers(&self) -> Vec<&'static str> {
        let names = |suite: &Suite| -> &[&'static str] {
            match suite {
                Suite::Tls13Aes128Gcm => &["TLS_AES_128_GCM_SHA256"],
                Suite::Tls13Aes256Gcm => &["TLS_AES_256_GCM_SHA384"],
                Suite::Tls13Chacha20 => &["TLS_CHACHA20_POLY1305_SHA256"],
                Suite::Tls12Aes128Gcm => &["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"],
                Suite::Tls12Aes256Gcm => &["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"],
                Suite::Tls12Chacha20 => &["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"],
            }
        };
        self.policy().suites.iter().flat_map(names).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_policies_by_name() {
        for (name, code) in [
            ("ELBSecurityPolicy-TLS13-1-2-FIPS-2023-04", "NotImplemented"),
            ("ELBSecurityPolicy-TLS13-1-2-PQ-2025-09", "NotImplemented"),
            ("ELBSecurityPolicy-None", "SSLPolicyNotFound"),
        ] {
            let error: AwsError = named(Some(&name.into())).unwrap_err().into();
            assert_eq!(error.code, code, "{name}");
        }
        assert_eq!(named(None).unwrap().as_str(), DEFAULT);
    }
}

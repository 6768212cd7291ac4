//! The headers of a response headers policy.
//! Source: <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ResponseHeadersPolicyConfig.html>

use escale_proof::verify::Header;
use escale_wire::Element;
use std::collections::BTreeMap;

/// What a distribution adds; names in lower case.
pub(super) fn added(config: &Element) -> BTreeMap<String, Header> {
    let mut all = BTreeMap::new();
    let mut add = |name: &str, of: &Element, value: String| {
        let replaces = of.text_of("Override") == "true";
        all.insert(name.to_ascii_lowercase(), Header { value, replaces });
    };
    if let Some(security) = config.child("SecurityHeadersConfig") {
        let plain = [
            ("ContentSecurityPolicy", "content-security-policy", "ContentSecurityPolicy"),
            ("FrameOptions", "x-frame-options", "FrameOption"),
            ("ReferrerPolicy", "referrer-policy", "ReferrerPolicy"),
        ];
        for (member, name, value) in plain {
            if let Some(of) = security.child(member) {
                add(name, of, of.text_of(value).to_owned());
            }
        }
        if let Some(of) = security.child("ContentTypeOptions") {
            add("x-content-type-options", of, "nosniff".to_owned());
        }
        if let Some(of) = security.child("StrictTransportSecurity") {
            let flag = |member: &str, text: &str| {
                if of.text_of(member) == "true" { text.to_owned() } else { String::new() }
            };
            let age = of.text_of("AccessControlMaxAgeSec");
            let rest = flag("IncludeSubdomains", "; includeSubDomains") + &flag("Preload", "; preload");
            add("strict-transport-security", of, format!("max-age={age}{rest}"));
        }
        if let Some(of) = security.child("XSSProtection") {
            let is_on = of.text_of("Protection") == "true";
            let mode = if of.text_of("ModeBlock") == "true" { "; mode=block" } else { "" };
            let report = match of.text_of("ReportUri") {
                "" => String::new(),
                uri => format!("; report={uri}"),
            };
            add("x-xss-protection", of, if is_on { format!("1{mode}{report}") } else { "0".to_owned() });
        }
    }
    for of in config.child("CustomHeadersConfig").map_or(&[][..], |custom| custom.list("Items")) {
        add(of.text_of("Header"), of, of.text_of("Value").to_owned());
    }
    all
}

//! The property `WebsiteConfiguration` of `AWS::S3::Bucket`, whose form differs from that of the API.
//!
//! Source: <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-s3-bucket-websiteconfiguration.html>

use escale_base::Wire;
use escale_tables::s3::{
    ErrorDocument, IndexDocument, IndexSuffix, ObjectKey, Redirect, RedirectAll, RoutingCondition,
    RoutingRule, Website,
};

pub(super) const PROPERTY: &str = "WebsiteConfiguration";

#[derive(Wire)]
pub(super) struct TemplateWebsite {
    error_document: Option<ObjectKey>,
    index_document: Option<IndexSuffix>,
    redirect_all_requests_to: Option<RedirectAll>,
    routing_rules: Option<Vec<TemplateRule>>,
}

#[derive(Wire)]
struct TemplateRule {
    redirect_rule: Redirect,
    routing_rule_condition: Option<RoutingCondition>,
}

impl From<TemplateWebsite> for Website {
    fn from(site: TemplateWebsite) -> Website {
        let rule = |rule: TemplateRule| RoutingRule {
            condition: rule.routing_rule_condition,
            redirect: rule.redirect_rule,
        };
        Website {
            error_document: site.error_document.map(|key| ErrorDocument { key }),
            index_document: site.index_document.map(|suffix| IndexDocument { suffix }),
            redirect_all_requests_to: site.redirect_all_requests_to,
            routing_rules: site.routing_rules.map(|rules| rules.into_iter().map(rule).collect()),
        }
    }
}

impl From<Website> for TemplateWebsite {
    fn from(site: Website) -> TemplateWebsite {
        let rule = |rule: RoutingRule| TemplateRule {
            redirect_rule: rule.redirect,
            routing_rule_condition: rule.condition,
        };
        TemplateWebsite {
            error_document: site.error_document.map(|document| document.key),
            index_document: site.index_document.map(|document| document.suffix),
            redirect_all_requests_to: site.redirect_all_requests_to,
            routing_rules: site.routing_rules.map(|rules| rules.into_iter().map(rule).collect()),
        }
    }
}

//! <https://docs.aws.amazon.com/acm/latest/APIReference/API_RemoveTagsFromCertificate.html>

use crate::{Error, rules};
use escale_base::Wire;
use escale_service::{Cx, Operation};
use escale_tables::acm::{Certificate, CertificateArn};

pub(crate) struct RemoveTagsFromCertificate;

#[derive(Wire)]
pub(crate) struct Input {
    certificate_arn: CertificateArn,
    tags: Vec<TagToRemove>,
}

/// Without a value the tag is removed whatever its value is.
#[derive(Wire)]
pub(crate) struct TagToRemove {
    key: String,
    value: Option<String>,
}

impl Operation for RemoveTagsFromCertificate {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn resources(input: &Input, _cx: &Cx<'_>) -> Vec<String> {
        vec![input.certificate_arn.to_string()]
    }

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        let row = rules::certificate(cx, &input.certificate_arn)?;
        let is_removed = |tag: &escale_base::Tag| {
            let same =
                |t: &&TagToRemove| t.key == tag.key && t.value.as_ref().is_none_or(|v| *v == tag.value);
            input.tags.iter().any(|t| same(&t))
        };
        let tags = row.tags.iter().filter(|tag| !is_removed(tag)).cloned().collect();
        cx.tx.put(Certificate { tags, ..(*row).clone() });
        Ok(())
    }
}

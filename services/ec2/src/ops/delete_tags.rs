//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteTags.html>

use crate::{Error, tagged::Tagged};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DeleteTags;

#[derive(Wire)]
pub(crate) struct Input {
    resources: Vec<String>,
    tags: Vec<TagToDelete>,
}

/// Without a value, the tag is deleted whatever its value; with a value, only if the tag has this value.
#[derive(Wire)]
pub(crate) struct TagToDelete {
    key: Option<String>,
    value: Option<String>,
}

impl Operation for DeleteTags {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        for id in &input.resources {
            let tagged = Tagged::find(cx, id)?;
            let is_deleted = |key: &str, value: &str| {
                let matches = |t: &TagToDelete| {
                    t.key.as_deref() == Some(key) && t.value.as_deref().is_none_or(|v| v == value)
                };
                // As on AWS, a request without tags deletes all tags of the user.
                if input.tags.is_empty() { !key.starts_with("aws:") } else { input.tags.iter().any(matches) }
            };
            let mut left = tagged.tags(cx);
            left.retain(|t| !is_deleted(&t.key, &t.value));
            tagged.write(cx, left);
        }
        Ok(())
    }
}

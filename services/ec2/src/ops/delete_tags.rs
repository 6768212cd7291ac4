//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteTags.html>

use crate::{Error, tagged::Tagged};
use escale_base::Wire;
use escale_service::{Cx, Operation};

pub(crate) struct DeleteTags;

#[derive(Wire)]
pub(crate) struct Input {
    resources: Vec<String>,
    tags: Vec<Gone>,
}

/// Without a value the tag goes whatever its value; with one only if it is that.
#[derive(Wire)]
pub(crate) struct Gone {
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
            let gone = |key: &str, value: &str| {
                let hit =
                    |g: &Gone| g.key.as_deref() == Some(key) && g.value.as_deref().is_none_or(|v| v == value);
                // No list at all takes all tags but those of AWS.
                if input.tags.is_empty() { !key.starts_with("aws:") } else { input.tags.iter().any(hit) }
            };
            let mut left = tagged.tags(cx);
            left.retain(|t| !gone(&t.key, &t.value));
            tagged.write(cx, left);
        }
        Ok(())
    }
}

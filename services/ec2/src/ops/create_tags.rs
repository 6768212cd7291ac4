//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTags.html>

use crate::{Error, shapes, tagged::Tagged};
use escale_base::{Tag, Wire, tags};
use escale_service::{Cx, Operation};

pub(crate) struct CreateTags;

#[derive(Wire)]
pub(crate) struct Input {
    resources: Vec<String>,
    tags: Vec<Tag>,
}

impl Operation for CreateTags {
    type Input = Input;
    type Output = ();
    type Error = Error;

    fn run(cx: &mut Cx<'_>, input: Input) -> Result<(), Error> {
        if input.tags.is_empty() {
            return Err(Error::Missing("tagSet"));
        }
        for id in &input.resources {
            let tagged = Tagged::find(cx, id)?;
            let mut merged = tagged.tags(cx);
            tags::merge(&mut merged, input.tags.clone());
            // After merging, because the quota includes the tags that the resource already has.
            shapes::check_tags(&merged)?;
            tagged.write(cx, merged);
        }
        Ok(())
    }
}

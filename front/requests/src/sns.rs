//! Topics: <https://docs.aws.amazon.com/sns/latest/api/API_Operations.html>

use escale_base::Wire;

crate::requests! { "sns";
    Publish => Published,
}

#[derive(Clone, Debug, Wire)]
pub struct Publish {
    pub topic_arn: String,
    pub subject: Option<String>,
    pub message: String,
}

#[derive(Clone, Debug, Wire)]
pub struct Published {
    pub message_id: String,
}

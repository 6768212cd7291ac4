//! Converts bodies between the types of the gate and of the plane.

use escale_objects as plane;
use escale_service::Body;
use futures_util::TryStreamExt;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};

pub(super) fn to_plane(body: Body) -> plane::Body {
    Box::pin(body.into_data_stream())
}

pub(crate) fn from_plane(body: plane::Body) -> Body {
    StreamBody::new(body.map_ok(Frame::data)).boxed_unsync()
}

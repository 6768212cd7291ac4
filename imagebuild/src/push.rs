//! Pushes an image to a registry. Blobs that the registry has already are not sent again.
//!
//! Source: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push>

use crate::{
    layout::{Layout, MANIFEST, text},
    registry::{Pieces, Registry, RegistryError, Target, empty},
};
use http_body_util::{Either, Full};
use hyper::{Method, StatusCode, Uri, header};
use tokio::fs::File;

/// A step of the push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The registry has this blob already.
    Present {
        digest: String,
        size_bytes: u64,
    },
    Sending {
        digest: String,
        size_bytes: u64,
    },
    Sent {
        digest: String,
        size_bytes: u64,
    },
    /// The image is available under its tag.
    Tagged {
        digest: String,
    },
}

/// Pushes an image; returns its manifest's digest.
pub async fn push(
    layout: &Layout,
    target: &Target,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<String, RegistryError> {
    let registry = Registry { target };
    for (digest, size_bytes) in layout.blobs() {
        if registry.has_blob(&digest).await? {
            progress(Progress::Present { digest, size_bytes });
            continue;
        }
        progress(Progress::Sending { digest: digest.clone(), size_bytes });
        registry.send_blob(layout, &digest, size_bytes).await?;
        progress(Progress::Sent { digest, size_bytes });
    }
    let kind = match text(&layout.manifest["mediaType"]) {
        kind if kind.is_empty() => MANIFEST.to_owned(),
        kind => kind,
    };
    let path = format!("/v2/{}/manifests/{}", target.repository, target.reference);
    let body = layout.manifest_bytes()?;
    let request = registry
        .request(Method::PUT, &path)?
        .header(header::CONTENT_TYPE, kind)
        .header(header::CONTENT_LENGTH, body.len());
    registry.expect(request, Either::Left(Full::from(body)), &[StatusCode::CREATED]).await?;
    progress(Progress::Tagged { digest: layout.digest.clone() });
    Ok(layout.digest.clone())
}

impl Registry<'_> {
    async fn has_blob(&self, digest: &str) -> Result<bool, RegistryError> {
        let path = format!("/v2/{}/blobs/{digest}", self.target.repository);
        let request = self.request(Method::HEAD, &path)?;
        let answer = self.expect(request, empty(), &[StatusCode::OK, StatusCode::NOT_FOUND]).await?;
        Ok(answer.status() == StatusCode::OK)
    }

    /// One POST to open the upload, one PUT with all of it.
    async fn send_blob(&self, layout: &Layout, digest: &str, size_bytes: u64) -> Result<(), RegistryError> {
        let path = format!("/v2/{}/blobs/uploads/", self.target.repository);
        let request = self.request(Method::POST, &path)?.header(header::CONTENT_LENGTH, 0);
        let answer = self.expect(request, empty(), &[StatusCode::ACCEPTED]).await?;
        let location = answer.headers().get(header::LOCATION).and_then(|l| l.to_str().ok());
        let location: Uri = location
            .and_then(|l| l.parse().ok())
            .ok_or_else(|| RegistryError::NoLocation(format!("POST {path}")))?;
        let path = location.path_and_query().map_or(path, ToString::to_string);
        let joint = if path.contains('?') { '&' } else { '?' };
        let request = self
            .request(Method::PUT, &format!("{path}{joint}digest={digest}"))?
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_LENGTH, size_bytes);
        let blob = layout.blob(digest)?;
        let file = File::open(&blob)
            .await
            .map_err(|error| RegistryError::Blob { path: blob.display().to_string(), error })?;
        let body = Either::Right(Pieces::new(file, size_bytes));
        self.expect(request, body, &[StatusCode::CREATED]).await.map(|_| ())
    }
}

//! Manifests, tags and referrers.

use super::answer::{full, json, set, status};
use super::{Http, Query, ResponseBody};
use crate::{Body, Digest, Error, MANIFEST_BYTES, Reference, Result, TAGS_PAGE, manifest::OCI_INDEX};
use futures_util::StreamExt;
use http::{Response, StatusCode, header, request::Parts};

impl Http {
    pub(super) async fn get_manifest(&self, name: &str, at: &Reference) -> Result<Response<ResponseBody>> {
        let manifest = self.registry.manifest(name, at).await?;
        let mut response = status(StatusCode::OK);
        set(&mut response, "content-type", &manifest.media_type);
        set(&mut response, "content-length", &manifest.bytes.len().to_string());
        set(&mut response, "docker-content-digest", manifest.digest.as_str());
        set(&mut response, "etag", &format!("\"{}\"", manifest.digest));
        *response.body_mut() = full(manifest.bytes);
        Ok(response)
    }

    pub(super) async fn put_manifest(
        &self,
        name: &str,
        at: &Reference,
        parts: &Parts,
        mut body: Body,
    ) -> Result<Response<ResponseBody>> {
        let mut bytes = Vec::new();
        while let Some(chunk) = body.next().await {
            let received = bytes.len() as u64;
            bytes.extend_from_slice(&chunk.map_err(|source| Error::Body { received, source })?);
            // Checked at every chunk: a manifest is held in memory, and a client may announce no length.
            if bytes.len() > MANIFEST_BYTES {
                return Err(Error::ManifestTooLarge { limit_bytes: MANIFEST_BYTES });
            }
        }
        let media_type = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        let media_type =
            media_type.ok_or_else(|| Error::BadManifest("the request has no Content-Type".into()))?;
        let put = self.registry.put_image(name, at, media_type, &bytes).await?;
        let mut response = status(StatusCode::CREATED);
        set(&mut response, "location", &format!("/v2/{name}/manifests/{}", put.digest));
        set(&mut response, "docker-content-digest", put.digest.as_str());
        // Its presence shows the client that this registry has the referrers API.
        if let Some(subject) = &put.subject {
            set(&mut response, "oci-subject", subject.as_str());
        }
        Ok(response)
    }

    pub(super) async fn list_tags(&self, name: &str, query: &Query) -> Result<Response<ResponseBody>> {
        let limit = query.get("n").and_then(|n| n.parse().ok()).unwrap_or(TAGS_PAGE).min(TAGS_PAGE);
        let (tags, more) = self.registry.tags(name, query.get("last").unwrap_or_default(), limit).await?;
        let list = serde_json::json!({"name": name, "tags": tags});
        let mut response = json(StatusCode::OK, "application/json", &list);
        if let (true, Some(last)) = (more, tags.last()) {
            let link = format!("</v2/{name}/tags/list?n={limit}&last={last}>; rel=\"next\"");
            set(&mut response, "link", &link);
        }
        Ok(response)
    }

    pub(super) async fn referrers(
        &self,
        name: &str,
        subject: &Digest,
        query: &Query,
    ) -> Result<Response<ResponseBody>> {
        let mut manifests = self.registry.referrers(name, subject).await?;
        let wanted = query.get("artifactType");
        manifests.retain(|d| wanted.is_none() || d.artifact_type.as_deref() == wanted);
        let index = serde_json::json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests});
        let mut response = json(StatusCode::OK, OCI_INDEX, &index);
        if wanted.is_some() {
            set(&mut response, "oci-filters-applied", "artifactType");
        }
        Ok(response)
    }
}

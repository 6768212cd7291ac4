//! Reads a form: first the fields, within a limit; then the file, as a stream. What follows the file is ignored.
//!
//! Source: <https://www.rfc-editor.org/rfc/rfc7578>

use super::error::FormError;
use crate::Error;
use bytes::{Buf, Bytes, BytesMut};
use escale_base::AwsError;
use escale_service::Body;
use futures_util::stream;
use http::{header, request::Parts};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::collections::BTreeMap;

/// S3's limit on everything before the file.
const FIELDS_BYTES: usize = 20 * 1024;

/// By name, in lower case.
pub(super) type Fields = BTreeMap<String, String>;

pub(super) struct Form {
    pub fields: Fields,
    pub filename: String,
    pub file: Body,
}

/// Reads up to the file.
pub(super) async fn read(parts: &Parts, body: Body) -> Result<Form, AwsError> {
    let boundary = boundary(parts).ok_or_else(|| malformed("Its Content-Type has no valid boundary."))?;
    let mut reader =
        Reader { body, buffer: BytesMut::new(), ended: false, mark: format!("\r\n--{boundary}") };
    // The first boundary may be the very beginning of the body.
    reader.buffer.extend_from_slice(b"\r\n");
    reader.until_mark(FIELDS_BYTES).await?;
    let mut fields = Fields::new();
    let mut size = 0;
    loop {
        let Some((name, filename)) = reader.head().await? else {
            let why = "POST requires exactly one file upload per request.";
            let (name, value) = ("file", "0".to_owned());
            return Err(Error::InvalidArgument { name, value, why: why.into() }.into());
        };
        if name == "file" {
            // As on AWS, the part's own Content-Type does not count: a form has a field for it.
            return Ok(Form { fields, filename, file: reader.into_body() });
        }
        let value = reader.until_mark(FIELDS_BYTES - size).await?;
        size += name.len() + value.len();
        if size > FIELDS_BYTES {
            return Err(too_large());
        }
        let value = String::from_utf8(value.to_vec()).map_err(|_| malformed("A field is not UTF-8."))?;
        if fields.insert(name.clone(), value).is_some() {
            return Err(malformed(&format!("The field {name} occurs twice.")));
        }
    }
}

fn boundary(parts: &Parts) -> Option<String> {
    let kind = parts.headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let at = kind.to_ascii_lowercase().find("boundary=")?;
    let value = kind[at + "boundary=".len()..].split(';').next()?.trim().trim_matches('"');
    (1..=70).contains(&value.len()).then(|| value.to_owned())
}

fn malformed(why: &str) -> AwsError {
    FormError::Malformed(why.to_owned()).into()
}

fn too_large() -> AwsError {
    FormError::FieldsTooLarge { most_bytes: FIELDS_BYTES }.into()
}

struct Reader {
    body: Body,
    buffer: BytesMut,
    ended: bool,
    /// Ends a part.
    mark: String,
}

impl Reader {
    /// Reads more into the buffer; false at the end of the body.
    async fn more(&mut self) -> Result<bool, AwsError> {
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| malformed(&format!("It ended early: {error}")))?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
                return Ok(true);
            }
        }
        self.ended = true;
        Ok(false)
    }

    /// The bytes before the next mark, which is removed, too.
    async fn until_mark(&mut self, most: usize) -> Result<Bytes, AwsError> {
        loop {
            if let Some(at) = find(&self.buffer, self.mark.as_bytes()) {
                let before = self.buffer.split_to(at).freeze();
                self.buffer.advance(self.mark.len());
                return Ok(before);
            }
            if self.buffer.len() > most + self.mark.len() {
                return Err(too_large());
            }
            if !self.more().await? {
                return Err(malformed("Its last boundary is missing."));
            }
        }
    }

    /// Name and file name of the next part; `None` after the last one.
    async fn head(&mut self) -> Result<Option<(String, String)>, AwsError> {
        let end = loop {
            if self.buffer.starts_with(b"--") {
                return Ok(None);
            }
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at;
            }
            if self.buffer.len() > FIELDS_BYTES {
                return Err(too_large());
            }
            if !self.more().await? {
                return Err(malformed("A part has no complete head."));
            }
        };
        let head = self.buffer.split_to(end);
        self.buffer.advance(4);
        let head = std::str::from_utf8(&head).map_err(|_| malformed("The head of a part is not UTF-8."))?;
        let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
        let disposition = lines.find(|(name, _)| name.trim().eq_ignore_ascii_case("content-disposition"));
        let disposition = disposition.map_or("", |(_, value)| value.trim());
        let name = parameter(disposition, "name").ok_or_else(|| malformed("A part has no name."))?;
        let filename = parameter(disposition, "filename").unwrap_or_default();
        // Browsers may send a path; only its last segment is the name.
        let filename = filename.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        Ok(Some((name.to_ascii_lowercase(), filename)))
    }

    /// The rest of the current part, as it arrives.
    fn into_body(self) -> Body {
        let frames = stream::try_unfold(Some(self), |reader| async move {
            let Some(mut reader) = reader else { return Ok(None) };
            loop {
                if let Some(at) = find(&reader.buffer, reader.mark.as_bytes()) {
                    let last = reader.buffer.split_to(at).freeze();
                    return Ok(Some((Frame::data(last), None)));
                }
                // The end of the buffer may be the beginning of a mark.
                let sure = reader.buffer.len().saturating_sub(reader.mark.len());
                if sure > 0 {
                    let piece = reader.buffer.split_to(sure).freeze();
                    return Ok(Some((Frame::data(piece), Some(reader))));
                }
                if !reader.more().await? {
                    return Err(Box::<dyn std::error::Error + Send + Sync>::from(malformed(
                        "Its last boundary is missing.",
                    )));
                }
            }
        });
        StreamBody::new(frames).boxed_unsync()
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}

/// The value of a parameter of Content-Disposition, with or without quotation marks.
fn parameter(disposition: &str, name: &str) -> Option<String> {
    let mut rest = disposition;
    while let Some(at) = rest.find(';') {
        rest = rest[at + 1..].trim_start();
        let Some((found, value)) = rest.split_once('=') else { continue };
        let value = match value.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().unwrap_or_default(),
            None => value.split(';').next().unwrap_or_default().trim(),
        };
        if found.trim().eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        // Skips the value, which may contain semicolons.
        rest = &rest[rest.find(value).map_or(0, |start| start + value.len())..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;

    /// The same bytes in pieces of every size give the same form.
    async fn parsed(text: &str, piece: usize) -> Result<(Fields, String, Vec<u8>), AwsError> {
        let request = http::Request::post("/b").header("content-type", "multipart/form-data; boundary=\"x\"");
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let pieces: Vec<_> = text.as_bytes().chunks(piece).map(Bytes::copy_from_slice).collect();
        let frames = stream::iter(pieces).map(|data| Ok(Frame::data(data)));
        let form = read(&parts, StreamBody::new(frames).boxed_unsync()).await?;
        let file = form.file.collect().await.map_err(|e| *e.downcast::<AwsError>().unwrap())?;
        Ok((form.fields, form.filename, file.to_bytes().to_vec()))
    }

    #[tokio::test]
    async fn reads_fields_and_file_however_they_are_split() {
        let text = "--x\r\nContent-Disposition: form-data; name=\"Key\"\r\n\r\na;b\r\n--x\r\n\
                    content-disposition: form-data; name=\"file\"; filename=\"C:\\dir\\a;b.txt\"\r\nContent-Type: text/plain\r\n\r\n\
                    one\r\n--\r\n-x\r\n--x\r\nContent-Disposition: form-data; name=\"after\"\r\n\r\nignored\r\n--x--\r\n";
        for piece in 1..text.len() {
            let (fields, filename, file) = parsed(text, piece).await.unwrap();
            let expected = [("key", "a;b")];
            assert_eq!(fields, Fields::from(expected.map(|(n, v)| (n.to_owned(), v.to_owned()))), "{piece}");
            assert_eq!((filename.as_str(), file.as_slice()), ("a;b.txt", &b"one\r\n--\r\n-x"[..]), "{piece}");
        }
    }

    #[tokio::test]
    async fn refuses_what_is_no_form() {
        let field = |name: &str, value: &str| {
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let file = "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\none";
        for (text, code) in [
            (String::new(), "MalformedPOSTRequest"),
            ("no boundary".into(), "MalformedPOSTRequest"),
            (file.into(), "MalformedPOSTRequest"),
            (format!("{}--x--", field("key", "k")), "InvalidArgument"),
            (format!("{}{}{file}\r\n--x--", field("key", "k"), field("key", "l")), "MalformedPOSTRequest"),
            (field("key", &"k".repeat(30_000)), "MaxPostPreDataLengthExceeded"),
            (
                format!("{}{}", field("a", &"k".repeat(15_000)), field("b", &"k".repeat(15_000))),
                "MaxPostPreDataLengthExceeded",
            ),
        ] {
            let error = parsed(&text, 4096).await.unwrap_err();
            assert_eq!(error.code, code, "{}", text.len());
        }
    }
}

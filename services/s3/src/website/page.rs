//! The HTML pages of a website's errors, in AWS's form.

use escale_base::AwsError;

/// The page of `error`. `document` is the failure to read the configured error document.
pub(super) fn html(error: &AwsError, request_id: &str, document: Option<&(String, AwsError)>) -> String {
    let reason =
        http::StatusCode::from_u16(error.status).ok().and_then(|s| s.canonical_reason()).unwrap_or("Error");
    let title = format!("{} {reason}", error.status);
    let mut page = format!("<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n<ul>\n");
    items(&mut page, error, None);
    page.push_str(&format!("<li>RequestId: {request_id}</li>\n<li>HostId: {request_id}</li>\n</ul>\n"));
    if let Some((key, failure)) = document {
        page.push_str(
            "<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n",
        );
        items(&mut page, failure, Some(key));
        page.push_str("</ul>\n");
    }
    page.push_str("<hr/>\n</body>\n</html>\n");
    page
}

fn items(page: &mut String, error: &AwsError, key: Option<&str>) {
    let details = error.extra.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
    let own = [("Code", error.code.as_str()), ("Message", error.message.as_str())];
    let key = key.filter(|_| !error.extra.iter().any(|(name, _)| name == "Key")).map(|key| ("Key", key));
    for (name, value) in own.into_iter().chain(details).chain(key) {
        page.push_str(&format!("<li>{name}: {}</li>\n", escaped(value)));
    }
}

/// Keys and hosts come from the client.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn page_escapes_what_the_client_sent() {
        let error = AwsError::from(Error::no_website("files".into()));
        let page = html(&error.with("Key", "<script>"), "id", None);
        assert!(
            page.contains("<h1>404 Not Found</h1>") && page.contains("<li>Key: &lt;script&gt;</li>"),
            "{page}"
        );
    }
}

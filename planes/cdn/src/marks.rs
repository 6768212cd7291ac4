//! The headers that name the edge and report the result, assembled once: they are on every answer.

use crate::{blob::Body, serve::Word, spec::Identity};
use escale_base::{Clock, PlaneError};
use http::{HeaderName, HeaderValue, Response, header};

const X_CACHE: HeaderName = HeaderName::from_static("x-cache");

pub(crate) struct Marks {
    via: HeaderValue,
    /// In the order of [`Word::ALL`].
    results: [HeaderValue; Word::ALL.len()],
    id: HeaderName,
    place: Option<(HeaderName, HeaderValue)>,
}

impl Marks {
    /// The error names what is not a valid header.
    pub(crate) fn new(identity: &Identity) -> Result<Marks, PlaneError> {
        let name = |text: &str| {
            let wrong = || format!("'{text}' is not a valid header name for the edge's identity");
            HeaderName::try_from(text).map_err(|_| PlaneError::asked(wrong()))
        };
        let value = |text: &str| {
            let wrong = || format!("'{text}' is not a valid header value for the edge's identity");
            HeaderValue::try_from(text).map_err(|_| PlaneError::asked(wrong()))
        };
        // Not used here, but in the other headers of answers and requests.
        value(&identity.server)?;
        value(&identity.user_agent)?;
        let mut results = [const { HeaderValue::from_static("") }; Word::ALL.len()];
        for (result, word) in results.iter_mut().zip(Word::ALL) {
            *result = value(&format!("{} from {}", word.text(), identity.product))?;
        }
        let place = identity.place.as_ref().map(|(n, v)| Ok((name(n)?, value(v)?)));
        Ok(Marks {
            via: value(&format!("1.1 {} ({})", identity.via_host, identity.title))?,
            results,
            id: name(&identity.id_header)?,
            place: place.transpose()?,
        })
    }

    pub(crate) fn add(&self, clock: &Clock, response: &mut Response<Body>, word: Word, id: &str) {
        let headers = response.headers_mut();
        headers.append(header::VIA, self.via.clone());
        headers.append(X_CACHE, self.results[word as usize].clone());
        // Hexadecimal digits.
        if let Ok(id) = HeaderValue::from_str(id) {
            headers.append(&self.id, id);
        }
        if let Some((name, value)) = &self.place {
            headers.append(name, value.clone());
        }
        if !headers.contains_key(header::DATE)
            && let Ok(date) = HeaderValue::try_from(clock.now().http_date())
        {
            headers.insert(header::DATE, date);
        }
    }
}

//! Paging: a list is cut by a token that names where to continue.

use crate::{AwsError, ErrorKind};

/// One page of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Pass it back to get the next page; `None` on the last one.
    pub next: Option<String>,
}

/// Cuts a page out of an ordered list. The token is the key of the last returned item, so rows that are
/// added or deleted between two calls neither repeat nor hide others.
pub fn page<T>(
    all: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    token: Option<&str>,
    size: usize,
) -> Result<Page<T>, AwsError> {
    let after = token.map(decode).transpose()?;
    let mut rest =
        all.into_iter().skip_while(|item| after.as_ref().is_some_and(|a| key(item).as_str() <= a.as_str()));
    let items: Vec<T> = rest.by_ref().take(size.max(1)).collect();
    let next = match (items.last(), rest.next()) {
        (Some(last), Some(_)) => Some(encode(&key(last))),
        _ => None,
    };
    Ok(Page { items, next })
}

fn encode(key: &str) -> String {
    key.bytes().map(|b| format!("{b:02x}")).collect()
}

fn decode(token: &str) -> Result<String, AwsError> {
    let bad = || {
        AwsError::new(
            ErrorKind::Invalid,
            "InvalidNextToken",
            400,
            format!("'{token}' is not a pagination token of this list"),
        )
    };
    if !token.len().is_multiple_of(2) || !token.is_ascii() {
        return Err(bad());
    }
    let bytes: Option<Vec<u8>> =
        (0..token.len()).step_by(2).map(|i| u8::from_str_radix(&token[i..i + 2], 16).ok()).collect();
    bytes.and_then(|b| String::from_utf8(b).ok()).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_a_list_in_pages() {
        let all = ["a", "b", "c", "d", "e"];
        let (mut seen, mut token) = (vec![], None);
        loop {
            let p = page(all, |x| x.to_string(), token.as_deref(), 2).unwrap();
            seen.push(p.items);
            token = p.next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, [vec!["a", "b"], vec!["c", "d"], vec!["e"]]);
        assert_eq!(page(all, |x| x.to_string(), Some("zz"), 2).unwrap_err().code, "InvalidNextToken");
    }
}

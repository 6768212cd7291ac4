//! Parses an XML body to a tree of elements. DTDs are refused, so there are no entities to expand; the depth is limited, so recursion
//! cannot exhaust the stack; elements and attributes are counted, so that a small body cannot become a large tree.

use escale_base::limits::request as limits;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, escape};

/// Deeper than any modelled shape; CloudFront's deepest is 12.
const MAX_DEPTH: usize = 64;

/// An element without the prefixes of namespaces, and all that is in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub text: String,
    pub children: Vec<Element>,
}

/// Why a body is refused.
#[derive(Debug, thiserror::Error)]
pub enum NotXml {
    #[error("the body is not well-formed XML: {0}")]
    Malformed(String),
    #[error("the body has one {0} too many: {most} elements and attributes are allowed", most = limits::XML_NODES)]
    TooLarge(&'static str),
}

fn malformed(why: impl ToString) -> NotXml {
    NotXml::Malformed(why.to_string())
}

/// The root element of a body.
fn parse(body: &[u8]) -> Result<Element, NotXml> {
    let text = std::str::from_utf8(body).map_err(malformed)?;
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    let mut left = limits::XML_NODES;
    loop {
        let event = reader.read_event().map_err(malformed)?;
        let depth = open.len();
        let Some(inner) = open.last_mut() else { return Err(malformed("too many closing tags")) };
        match event {
            Event::Start(start) => {
                if depth > MAX_DEPTH {
                    return Err(malformed(format!("it nests deeper than {MAX_DEPTH}")));
                }
                open.push(element(&start, &mut left)?);
            }
            Event::Empty(start) => inner.children.push(element(&start, &mut left)?),
            Event::End(_) => {
                if let (Some(done), Some(outer)) = (open.pop(), open.last_mut()) {
                    outer.children.push(done);
                }
            }
            Event::Text(t) => inner.text.push_str(&t.decode().map_err(malformed)?),
            Event::CData(t) => inner.text.push_str(&t.decode().map_err(malformed)?),
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(malformed)?;
                let character = reference.resolve_char_ref().map_err(malformed)?;
                match (character, escape::resolve_predefined_entity(&name)) {
                    (Some(c), _) => inner.text.push(c),
                    (None, Some(text)) => inner.text.push_str(text),
                    (None, None) => return Err(malformed(format!("the entity &{name}; is not defined"))),
                }
            }
            Event::DocType(_) => return Err(malformed("a DOCTYPE is not allowed")),
            Event::Eof => break,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
        }
    }
    if open.len() != 1 {
        return Err(malformed("an element is not closed"));
    }
    let root = open.pop().and_then(|root| root.children.into_iter().next());
    root.ok_or_else(|| malformed("there is no element"))
}

/// `left` is the number of further elements and attributes that the body may have.
fn element(start: &BytesStart<'_>, left: &mut usize) -> Result<Element, NotXml> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut count = |kind| {
        *left = left.checked_sub(1).ok_or(NotXml::TooLarge(kind))?;
        Ok(())
    };
    count("element")?;
    let mut attributes: Vec<(String, String)> = Vec::new();
    // The library's own check for duplicates takes minutes for a tag with thousands of attributes: it compares all pairs.
    for attribute in start.attributes().with_checks(false) {
        count("attribute")?;
        if attributes.len() == limits::XML_ATTRIBUTES {
            let most = limits::XML_ATTRIBUTES;
            return Err(malformed(format!("an element has more than {most} attributes")));
        }
        let attribute = attribute.map_err(malformed)?;
        let value = attribute.unescape_value().map_err(malformed)?;
        let name = text(attribute.key.as_ref());
        if attributes.iter().any(|(known, _)| *known == name) {
            return Err(malformed(format!("an element has the attribute {name} twice")));
        }
        attributes.push((name, value.into_owned()));
    }
    Ok(Element { name: text(start.local_name().as_ref()), attributes, ..Element::default() })
}

impl Element {
    /// The root element of a body. DTDs, deep nesting and very many elements are refused.
    pub fn parse(body: &[u8]) -> Result<Element, NotXml> {
        parse(body)
    }

    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|c| c.name == name)
    }

    /// The first element of this name, at any depth.
    pub fn find(&self, name: &str) -> Option<&Element> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|c| c.find(name))
    }

    /// The text of a child without blanks around it; empty when there is none.
    pub fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |c| c.text.trim())
    }

    /// The items of a list. Their element names differ between services (`member`, `item`) and are not checked.
    pub fn list(&self, name: &str) -> &[Element] {
        self.child(name).map_or(&[], |c| &c.children)
    }

    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |c| c.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_texts_and_lists() {
        let body = b"<R xmlns=\"x\"><Stacks><member><Name>a &amp; b</Name><Empty/></member></Stacks></R>";
        let tree = Element::parse(body).unwrap();
        assert_eq!(tree.list("Stacks")[0].text_of("Name"), "a & b");
        assert_eq!(tree.find("Name").unwrap().text, "a & b");
        assert!(Element::parse(b"no xml").is_err());
    }
}

//! XML responses as a tree of names, texts and children. Attributes and namespaces are dropped: AWS's responses need none of
//! them.

use anyhow::{Context, Result, bail};
use quick_xml::{Reader, events::Event};

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Xml {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Xml>,
}

impl Xml {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Xml> {
        let text = std::str::from_utf8(bytes).context("the response is not UTF-8")?;
        let mut reader = Reader::from_str(text);
        let mut open = vec![Xml::default()];
        loop {
            match reader.read_event().context("the response is not XML")? {
                Event::Start(start) => {
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    open.push(Xml { name, ..Xml::default() });
                }
                Event::Empty(start) => {
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    if let Some(parent) = open.last_mut() {
                        parent.children.push(Xml { name, ..Xml::default() });
                    }
                }
                Event::End(_) => {
                    let Some(done) = open.pop() else { bail!("the response is not XML") };
                    match open.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => bail!("the response is not XML"),
                    }
                }
                Event::Text(text) => {
                    if let Some(element) = open.last_mut() {
                        element
                            .text
                            .push_str(&text.decode().context("the response has a text that is not UTF-8")?);
                    }
                }
                Event::GeneralRef(entity) => {
                    let name = entity.decode().context("the response has an invalid entity")?;
                    let resolved =
                        match entity.resolve_char_ref().context("the response has an invalid entity")? {
                            Some(character) => character.to_string(),
                            None => quick_xml::escape::resolve_predefined_entity(&name)
                                .with_context(|| format!("the response has the unknown entity &{name};"))?
                                .to_owned(),
                        };
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&resolved);
                    }
                }
                Event::Eof => break,
                _ => {}
            }
        }
        let root = open.pop().and_then(|r| r.children.into_iter().next());
        root.context("the response is empty")
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Xml> {
        self.children.iter().find(|c| c.name == name)
    }

    /// The first element of this name, at any depth.
    pub(crate) fn find(&self, name: &str) -> Option<&Xml> {
        if self.name == name {
            return Some(self);
        }
        self.children.iter().find_map(|c| c.find(name))
    }

    /// The text of a child; empty when there is none.
    pub(crate) fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |c| c.text.trim())
    }

    /// The items of a list. Their element names differ between services (`member`, `item`) and are not checked.
    pub(crate) fn list(&self, name: &str) -> &[Xml] {
        self.child(name).map_or(&[], |c| &c.children)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_a_response() {
        let tree = Xml::parse(
            b"<R xmlns=\"x\"><Stacks><member><Name>a &amp; b</Name><Empty/></member></Stacks></R>",
        )
        .unwrap();
        assert_eq!(tree.list("Stacks")[0].text_of("Name"), "a & b");
        assert_eq!(tree.find("Name").unwrap().text, "a & b");
        assert!(Xml::parse(b"no xml").is_err());
    }
}

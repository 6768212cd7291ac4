//! XML answers as a tree: names, texts, children. Attributes and namespaces say nothing here.

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
        let text = std::str::from_utf8(bytes).context("the answer is not UTF-8")?;
        let mut reader = Reader::from_str(text);
        let mut open = vec![Xml::default()];
        loop {
            match reader.read_event().context("the answer is not XML")? {
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
                    let Some(done) = open.pop() else { bail!("the answer is not XML") };
                    match open.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => bail!("the answer is not XML"),
                    }
                }
                Event::Text(text) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text.decode().context("a text")?);
                    }
                }
                Event::GeneralRef(entity) => {
                    let name = entity.decode().context("an entity")?;
                    let resolved = match entity.resolve_char_ref().context("an entity")? {
                        Some(character) => character.to_string(),
                        None => quick_xml::escape::resolve_predefined_entity(&name)
                            .with_context(|| format!("the entity &{name};"))?
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
        root.context("the answer is empty")
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

    /// The items of a list, whatever each is called.
    pub(crate) fn list(&self, name: &str) -> &[Xml] {
        self.child(name).map_or(&[], |c| &c.children)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_answer() {
        let tree = Xml::parse(
            b"<R xmlns=\"x\"><Stacks><member><Name>a &amp; b</Name><Empty/></member></Stacks></R>",
        )
        .unwrap();
        assert_eq!(tree.list("Stacks")[0].text_of("Name"), "a & b");
        assert_eq!(tree.find("Name").unwrap().text, "a & b");
        assert!(Xml::parse(b"no xml").is_err());
    }
}

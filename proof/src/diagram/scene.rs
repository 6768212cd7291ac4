//! What a diagram consists of, before it is written down.

pub use super::glyph::Glyph;
use super::text::{width, wrap};
use crate::language::Language;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub w: f64,
    pub h: f64,
}

impl Rect {
    pub fn new(x: f64, y: f64, w: f64, h: f64) -> Rect {
        Rect { x, y, w, h }
    }

    pub fn right(&self) -> f64 {
        self.x + self.w
    }

    pub fn bottom(&self) -> f64 {
        self.y + self.h
    }

    pub fn contains(&self, other: &Rect) -> bool {
        const SLACK: f64 = 0.01;
        other.x >= self.x - SLACK
            && other.y >= self.y - SLACK
            && other.right() <= self.right() + SLACK
            && other.bottom() <= self.bottom() + SLACK
    }

    pub fn overlaps(&self, other: &Rect) -> bool {
        const SLACK: f64 = 0.01;
        self.x + SLACK < other.right()
            && other.x + SLACK < self.right()
            && self.y + SLACK < other.bottom()
            && other.y + SLACK < self.bottom()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Page,
    /// A VPC, the region.
    Frame,
    Heading,
    Public,
    Application,
    Data,
    Node,
    Chip,
    Panel,
}

/// What a node is for; determines its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    People,
    Edge,
    Network,
    Compute,
    Database,
    Storage,
    Security,
}

#[derive(Clone, Debug)]
pub struct Block {
    pub rect: Rect,
    pub style: Style,
    pub parent: Option<usize>,
    pub mark: Option<(Glyph, Category)>,
    /// For the title that a browser shows.
    pub name: String,
}

/// The width and height of a glyph.
pub const GLYPH: f64 = 20.0;

impl Block {
    pub fn glyph_rect(&self) -> Option<Rect> {
        let inset = if self.style == Style::Chip { (6.0, 12.0) } else { (11.0, GLYPH) };
        self.mark.as_ref()?;
        Some(Rect::new(self.rect.x + inset.0, self.rect.y + (self.rect.h - inset.1) / 2.0, inset.1, inset.1))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    Strong,
    Muted,
}

#[derive(Clone, Debug)]
pub struct Text {
    pub x: f64,
    /// The baseline.
    pub y: f64,
    pub size: f64,
    pub is_bold: bool,
    pub anchor: Anchor,
    pub ink: Ink,
    pub text: String,
    /// The block that must contain it.
    pub within: usize,
}

impl Text {
    /// The space that it needs, with ascenders and descenders.
    pub fn rect(&self) -> Rect {
        let w = width(&self.text, self.size, self.is_bold);
        let x = match self.anchor {
            Anchor::Start => self.x,
            Anchor::Middle => self.x - w / 2.0,
        };
        Rect::new(x, self.y - 0.8 * self.size, w, self.size)
    }
}

/// An arrow along these points.
#[derive(Clone, Debug)]
pub struct Line {
    pub points: Vec<(f64, f64)>,
}

#[derive(Clone, Debug)]
pub struct Scene {
    pub title: String,
    /// Of its texts.
    pub language: Language,
    pub blocks: Vec<Block>,
    pub texts: Vec<Text>,
    pub lines: Vec<Line>,
}

/// The block of the whole page.
pub const PAGE: usize = 0;

impl Scene {
    pub fn new(title: &str, language: Language) -> Scene {
        let page = Block {
            rect: Rect::new(0.0, 0.0, 0.0, 0.0),
            style: Style::Page,
            parent: None,
            mark: None,
            name: title.to_owned(),
        };
        Scene { title: title.to_owned(), language, blocks: vec![page], texts: Vec::new(), lines: Vec::new() }
    }

    pub fn page(&self) -> Rect {
        self.blocks[PAGE].rect
    }

    /// The size of the smallest text in points, if the page is fitted to A4 in the better orientation.
    pub fn points_on_a4(&self) -> f64 {
        const PRINTABLE_MM: (f64, f64) = (277.0, 190.0);
        let (page, (long, short)) = (self.page(), PRINTABLE_MM);
        let scale = (long / page.w).min(short / page.h).max((short / page.w).min(long / page.h));
        self.texts.iter().map(|text| text.size).fold(f64::MAX, f64::min) * scale * 72.0 / 25.4
    }

    pub fn block(&mut self, parent: usize, rect: Rect, style: Style, name: &str) -> usize {
        self.blocks.push(Block { rect, style, parent: Some(parent), mark: None, name: name.to_owned() });
        self.blocks.len() - 1
    }

    #[allow(clippy::too_many_arguments)] // each is a part of the text's place and look
    pub fn text(&mut self, within: usize, at: (f64, f64), size: f64, is_bold: bool, ink: Ink, text: &str) {
        let (x, y) = at;
        let anchor = Anchor::Start;
        self.texts.push(Text { x, y, size, is_bold, anchor, ink, text: text.to_owned(), within });
    }

    #[allow(clippy::too_many_arguments)] // each is a part of the text's place and look
    pub fn centred(&mut self, within: usize, y: f64, size: f64, is_bold: bool, ink: Ink, text: &str) {
        let rect = self.blocks[within].rect;
        let x = rect.x + rect.w / 2.0;
        let anchor = Anchor::Middle;
        self.texts.push(Text { x, y, size, is_bold, anchor, ink, text: text.to_owned(), within });
    }

    /// A paragraph below `y`; returns its lower edge.
    #[allow(clippy::too_many_arguments)] // each is a part of the text's place and look
    pub fn paragraph(
        &mut self,
        within: usize,
        at: (f64, f64),
        most: f64,
        size: f64,
        ink: Ink,
        text: &str,
    ) -> f64 {
        let mut y = at.1;
        for line in wrap(text, size, false, most) {
            self.text(within, (at.0, y + 0.85 * size), size, false, ink, &line);
            y += LEADING * size;
        }
        y
    }
}

/// The distance of lines, in sizes.
pub const LEADING: f64 = 1.35;
/// Smaller text is hard to read: the verb says so.
pub const LEGIBLE_POINTS: f64 = 5.5;
pub const TITLE: f64 = 12.5;
pub const SMALL: f64 = 11.0;

/// A node before it has a place.
#[derive(Clone, Debug)]
pub struct Node {
    pub glyph: Glyph,
    pub category: Category,
    pub title: String,
    pub subs: Vec<String>,
}

/// The left edge of a node's text, and the space on its right.
const TEXT_AT: f64 = 39.0;
const PADDING: f64 = 8.0;

impl Node {
    fn lines(&self, w: f64) -> (Vec<String>, Vec<String>) {
        let most = w - TEXT_AT - PADDING;
        let subs = self.subs.iter().flat_map(|sub| wrap(sub, SMALL, false, most)).collect();
        (wrap(&self.title, TITLE, true, most), subs)
    }

    pub fn height(&self, w: f64) -> f64 {
        let (title, subs) = self.lines(w);
        let text = title.len() as f64 * TITLE * LEADING + subs.len() as f64 * SMALL * LEADING;
        (text + 2.0 * PADDING).max(GLYPH + 2.0 * PADDING)
    }

    /// Places the node; `h` may be more than it needs.
    pub fn place(&self, scene: &mut Scene, parent: usize, rect: Rect) -> usize {
        let block = scene.block(parent, rect, Style::Node, &self.title);
        scene.blocks[block].mark = Some((self.glyph, self.category));
        let (title, subs) = self.lines(rect.w);
        let text = title.len() as f64 * TITLE * LEADING + subs.len() as f64 * SMALL * LEADING;
        let mut y = rect.y + (rect.h - text) / 2.0;
        for line in title {
            scene.text(block, (rect.x + TEXT_AT, y + TITLE), TITLE, true, Ink::Strong, &line);
            y += TITLE * LEADING;
        }
        for line in subs {
            scene.text(block, (rect.x + TEXT_AT, y + SMALL), SMALL, false, Ink::Muted, &line);
            y += SMALL * LEADING;
        }
        block
    }
}

//! The diagram of an architecture: a scene of rectangles, texts and lines on a fixed grid, and its forms as SVG and Mermaid.
//!
//! [`layout()`] places everything and knows how wide each text is, so that nothing overlaps and no text is cut; [`svg`] only writes the
//! scene down. The shapes are Escale's own: AWS does not license its icons for redistribution in programs.

mod glyph;
mod layout;
pub mod mermaid;
mod network;
pub mod scene;
pub mod svg;
mod table;
#[cfg(test)]
mod tests;
pub mod text;

pub use layout::layout;
pub use svg::Theme;

//! Writes a scene as SVG. The document is self-contained: no script, no font, no image.

use super::scene::{Anchor, Category, Ink, Scene, Style, Text};
use std::fmt::Write;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    Light,
    Dark,
    /// Follows the viewer's preference.
    Auto,
}

const LIGHT: &str = "\
.page{fill:#ffffff}.frame{fill:#f8fafc;stroke:#94a3b8}.heading{fill:#e2e8f0;stroke:none}\
.public{fill:#ecfdf5;stroke:#6ee7b7}.application{fill:#eff6ff;stroke:#93c5fd}.data{fill:#f5f3ff;stroke:#c4b5fd}\
.node{fill:#ffffff;stroke:#cbd5e1}.chip{fill:#ffffff;stroke:#94a3b8}.panel{fill:#f8fafc;stroke:#e2e8f0}\
.strong{fill:#0f172a}.muted{fill:#475569}.line{stroke:#475569}.head{fill:#475569}\
.people{stroke:#475569}.edge{stroke:#be185d}.network{stroke:#6d28d9}.compute{stroke:#c2410c}.database{stroke:#1d4ed8}\
.storage{stroke:#15803d}.security{stroke:#b91c1c}";

const DARK: &str = "\
.page{fill:#0b1120}.frame{fill:#111a2e;stroke:#475569}.heading{fill:#1e293b;stroke:none}\
.public{fill:#0d2a20;stroke:#2c7a5c}.application{fill:#10213f;stroke:#375f9c}.data{fill:#1f1a3d;stroke:#5b4ba3}\
.node{fill:#1a2438;stroke:#3b4a63}.chip{fill:#1a2438;stroke:#64748b}.panel{fill:#111a2e;stroke:#263349}\
.strong{fill:#f1f5f9}.muted{fill:#a8b5c8}.line{stroke:#94a3b8}.head{fill:#94a3b8}\
.people{stroke:#cbd5e1}.edge{stroke:#f472b6}.network{stroke:#a78bfa}.compute{stroke:#fb923c}.database{stroke:#60a5fa}\
.storage{stroke:#4ade80}.security{stroke:#f87171}";

/// DejaVu Sans is the widest of them, and the one by which texts are measured.
const FONTS: &str = "Inter,'Helvetica Neue',Arial,'Liberation Sans','DejaVu Sans',sans-serif";

pub fn write(scene: &Scene, theme: Theme) -> String {
    let page = scene.page();
    let mut out = String::new();
    let colours = match theme {
        Theme::Light => LIGHT.to_owned(),
        Theme::Dark => DARK.to_owned(),
        Theme::Auto => format!("{LIGHT}@media (prefers-color-scheme:dark){{{DARK}}}"),
    };
    let (w, h) = (number(page.w), number(page.h));
    let title = escape(&scene.title);
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\" \
         font-family=\"{FONTS}\">\n<title>{title}</title>\n<style>{colours}.glyph{{fill:none;stroke-width:1.6;\
         stroke-linecap:round;stroke-linejoin:round}}.line{{fill:none;stroke-width:1.4}}</style>\n<defs><marker id=\"head\" \
         viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path class=\"head\" d=\"M0 0l8 4-8 4z\"/></marker></defs>"
    );
    for block in &scene.blocks {
        let r = block.rect;
        let (class, radius) = style(block.style);
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{radius}\"/>",
            number(r.x),
            number(r.y),
            number(r.w),
            number(r.h)
        );
        if let (Some((glyph, category)), Some(at)) = (&block.mark, block.glyph_rect()) {
            let _ = writeln!(
                out,
                "<path class=\"glyph {}\" transform=\"translate({} {}) scale({})\" d=\"{}\"/>",
                colour(*category),
                number(at.x),
                number(at.y),
                number(at.w / 20.0),
                glyph.path()
            );
        }
    }
    for line in &scene.lines {
        let points: Vec<String> =
            line.points.iter().map(|(x, y)| format!("{},{}", number(*x), number(*y))).collect();
        let _ = writeln!(
            out,
            "<polyline class=\"line\" points=\"{}\" marker-end=\"url(#head)\"/>",
            points.join(" ")
        );
    }
    scene.texts.iter().for_each(|text| write_text(&mut out, text, scene));
    out.push_str("</svg>\n");
    out
}

fn write_text(out: &mut String, text: &Text, scene: &Scene) {
    let anchor = match text.anchor {
        Anchor::Start => "",
        Anchor::Middle => " text-anchor=\"middle\"",
    };
    let weight = if text.is_bold { " font-weight=\"bold\"" } else { "" };
    let class = match text.ink {
        Ink::Strong => "strong",
        Ink::Muted => "muted",
    };
    // With the rectangle, a test can compare what a browser draws with what was planned.
    let r = scene.blocks[text.within].rect;
    let _ = writeln!(
        out,
        "<text class=\"{class}\" x=\"{}\" y=\"{}\" font-size=\"{}\"{weight}{anchor} data-within=\"{} {} {} {}\" \
         xml:space=\"preserve\">{}</text>",
        number(text.x),
        number(text.y),
        number(text.size),
        number(r.x),
        number(r.y),
        number(r.w),
        number(r.h),
        escape(&text.text)
    );
}

fn style(style: Style) -> (&'static str, u32) {
    match style {
        Style::Page => ("page", 0),
        Style::Frame => ("frame", 10),
        Style::Heading => ("heading", 6),
        Style::Public => ("public", 8),
        Style::Application => ("application", 8),
        Style::Data => ("data", 8),
        Style::Node => ("node", 6),
        Style::Chip => ("chip", 10),
        Style::Panel => ("panel", 8),
    }
}

fn colour(category: Category) -> &'static str {
    match category {
        Category::People => "people",
        Category::Edge => "edge",
        Category::Network => "network",
        Category::Compute => "compute",
        Category::Database => "database",
        Category::Storage => "storage",
        Category::Security => "security",
    }
}

fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Characters that XML does not allow are dropped.
pub fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if (c as u32) < 0x20 || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

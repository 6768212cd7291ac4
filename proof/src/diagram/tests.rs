//! The geometry of every sample: nothing overlaps, no text is cut, and a page of A4 is legible.

use super::scene::{LEGIBLE_POINTS, Rect, Scene};
use super::{Theme, layout, mermaid, svg};
use crate::{graph::Architecture, language::Language, samples};

fn scenes() -> impl Iterator<Item = (&'static str, Scene)> {
    let languages = [Language::French, Language::English];
    let scene =
        |name: &&'static str, language| (*name, layout(&Architecture::of(&samples::survey(name)), language));
    samples::ALL.iter().flat_map(move |(name, _)| languages.map(|language| scene(name, language)))
}

#[test]
fn blocks_are_inside_of_their_parents_and_apart_from_each_other() {
    for (name, scene) in scenes() {
        for (i, block) in scene.blocks.iter().enumerate().skip(1) {
            let parent = &scene.blocks[block.parent.unwrap()];
            assert!(parent.rect.contains(&block.rect), "{name}: {} leaves {}", block.name, parent.name);
            for other in scene.blocks[..i].iter().filter(|other| other.parent == block.parent) {
                assert!(!block.rect.overlaps(&other.rect), "{name}: {} overlaps {}", block.name, other.name);
            }
        }
    }
}

#[test]
fn texts_are_complete_and_apart_from_everything() {
    for (name, scene) in scenes() {
        for (i, text) in scene.texts.iter().enumerate() {
            let (rect, within) = (text.rect(), &scene.blocks[text.within]);
            assert!(within.rect.contains(&rect), "{name}: '{}' is cut by {}", text.text, within.name);
            let glyph = within.glyph_rect();
            assert!(!glyph.is_some_and(|g| g.overlaps(&rect)), "{name}: '{}' is on a glyph", text.text);
            let inner = scene.blocks.iter().filter(|b| b.parent == Some(text.within));
            for block in inner {
                assert!(!block.rect.overlaps(&rect), "{name}: '{}' is on {}", text.text, block.name);
            }
            for other in &scene.texts[..i] {
                assert!(!other.rect().overlaps(&rect), "{name}: '{}' is on '{}'", text.text, other.text);
            }
        }
    }
}

#[test]
fn lines_cross_no_text_and_no_block() {
    for (name, scene) in scenes() {
        for line in &scene.lines {
            for pair in line.points.windows(2) {
                let (a, b) = (pair[0], pair[1]);
                // Half a unit shorter at both ends: a line may touch what it connects.
                let across = |from: f64, to: f64| (from.min(to) + 0.5, (from - to).abs() - 1.0);
                let ((x, w), (y, h)) = (across(a.0, b.0), across(a.1, b.1));
                let rect = if a.0 == b.0 { Rect::new(a.0, y, 0.1, h) } else { Rect::new(x, a.1, w, 0.1) };
                assert!(a.0 == b.0 || a.1 == b.1, "{name}: a line is neither horizontal nor vertical");
                for block in scene.blocks.iter().filter(|b| !b.rect.contains(&rect)) {
                    assert!(!block.rect.overlaps(&rect), "{name}: a line crosses {}", block.name);
                }
                for text in &scene.texts {
                    assert!(!text.rect().overlaps(&rect), "{name}: a line crosses '{}'", text.text);
                }
            }
        }
    }
}

/// A large architecture needs A3, on which each text is larger by the root of two.
#[test]
fn a_page_is_legible_on_paper() {
    for (name, scene) in scenes() {
        let points = scene.points_on_a4();
        let is_large = matches!(name, "cdk" | "long-names" | "mesh" | "six-zones");
        let least = if is_large { LEGIBLE_POINTS / std::f64::consts::SQRT_2 } else { LEGIBLE_POINTS };
        assert!(points >= least, "{name}: {points:.1} pt, {:?}", scene.page());
    }
}

#[test]
fn svg_is_well_formed_and_self_contained() {
    for (name, scene) in scenes() {
        for theme in [Theme::Light, Theme::Dark, Theme::Auto] {
            let text = svg::write(&scene, theme);
            assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"), "{name}");
            assert_eq!(text.matches("://").count(), 1, "{name}: only the namespace is a URL");
        }
    }
    assert_eq!(svg::escape("a<b & \"c\"\u{1}"), "a&lt;b &amp; &quot;c&quot; ");
}

#[test]
fn shop_shows_what_it_consists_of() {
    let arch = Architecture::of(&samples::survey("shop"));
    let scene = layout(&arch, Language::English);
    let all: Vec<&str> = scene.texts.iter().map(|t| t.text.as_str()).collect();
    for expected in [
        "VPC Vpc 10.0.0.0/16",
        "us-east-1a",
        "us-east-1b",
        "Internet gateway",
        "NatGateway1",
        "NatGateway2",
        "frontend",
        "backend",
        "RDS postgres, db.t4g.small",
        "Route 53",
        "CloudFront",
        "S3 bucket",
        "Image repository",
        "LoadBalancer → backend tcp 8000",
        "backend → DbInstance tcp 5432",
        "Public",
    ] {
        assert!(all.iter().any(|text| text.starts_with(expected)), "{expected} is not among {all:#?}");
    }
    let text = mermaid::write(&arch);
    assert!(
        text.contains("flowchart TB") && text.contains("RDS postgres DbInstance, primary and standby"),
        "{text}"
    );
    assert_eq!(text.matches("subgraph").count(), 4);
    assert_eq!(text.lines().filter(|line| line.trim() == "end").count(), 4);
}

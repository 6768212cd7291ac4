//! `escale diagram`: the architecture as a picture.

use super::{super::Output, Read, Subject, image};
use crate::home::Home;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use escale_proof::{
    diagram::{Theme, layout, mermaid, scene::LEGIBLE_POINTS, svg},
    language::Language,
};
use serde_json::json;
use std::{fs, path::PathBuf};

#[derive(Args)]
pub(crate) struct Diagram {
    #[command(flatten)]
    subject: Subject,
    /// The file to write: `.svg`, `.png`, or `.md` for Markdown with a Mermaid flowchart. Without it, --json prints the architecture.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The colours. `auto` follows the viewer of an SVG; a PNG is light then.
    #[arg(long, value_enum, default_value_t = Colours::Auto)]
    theme: Colours,
}

#[derive(Clone, Copy, ValueEnum)]
enum Colours {
    Auto,
    Light,
    Dark,
}

impl From<Colours> for Theme {
    fn from(colours: Colours) -> Theme {
        match colours {
            Colours::Auto => Theme::Auto,
            Colours::Light => Theme::Light,
            Colours::Dark => Theme::Dark,
        }
    }
}

pub(crate) async fn run(home: &Home, out: &Output, args: &Diagram) -> Result<()> {
    let format = args.output.as_ref().map(|path| Format::of(path)).transpose()?;
    let read = args.subject.read(home).await?;
    let mut value = json!({"source": read.source, "architecture": read.architecture});
    let Some((path, format)) = args.output.as_ref().zip(format) else {
        if !out.json {
            bail!("name the file to write, for example `-o architecture.svg`, or pass --json");
        }
        out.say("", &value);
        return Ok(());
    };
    write(&read, path, format, args.theme.into())?;
    value["file"] = path.display().to_string().into();
    let points = layout(&read.architecture, Language::English).points_on_a4();
    value["points_on_a4"] = json!((points * 10.0).round() / 10.0);
    out.say(&in_words(&read, path, points), &value);
    Ok(())
}

#[derive(Clone, Copy)]
enum Format {
    Svg,
    Png,
    Markdown,
}

impl Format {
    fn of(path: &std::path::Path) -> Result<Format> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("svg") => Ok(Format::Svg),
            Some("png") => Ok(Format::Png),
            Some("md") => Ok(Format::Markdown),
            _ => bail!("{}: the name of the file must end with .svg, .png or .md", path.display()),
        }
    }
}

fn write(read: &Read, path: &std::path::Path, format: Format, theme: Theme) -> Result<()> {
    let written = match format {
        Format::Markdown => fs::write(path, mermaid::write(&read.architecture)),
        Format::Svg => fs::write(path, svg::write(&layout(&read.architecture, Language::English), theme)),
        Format::Png => {
            let scene = layout(&read.architecture, Language::English);
            let theme = if theme == Theme::Auto { Theme::Light } else { theme };
            let page = scene.page();
            return image::png(&svg::write(&scene, theme), page.w, page.h, path);
        }
    };
    written.with_context(|| format!("cannot write {}", path.display()))
}

fn in_words(read: &Read, path: &std::path::Path, points: f64) -> String {
    let arch = &read.architecture;
    let mut lines = vec![format!(
        "{} shows {}: {} VPC(s), {} load balancer(s), {} service(s), {} database(s), {} flow(s)",
        path.display(),
        read.source,
        arch.vpcs.len(),
        arch.balancers.len(),
        arch.services.len(),
        arch.databases.len(),
        arch.flows.len()
    )];
    if points < LEGIBLE_POINTS {
        lines.push(format!("On A4 its smallest text has {points:.1} points: print it on A3."));
    }
    if !arch.unknown.is_empty() {
        lines.push("Not known:".to_owned());
        lines.extend(arch.unknown.iter().map(|u| format!("  line {}: {}", u.line, u.what)));
    }
    lines.join("\n")
}

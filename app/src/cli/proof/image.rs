//! Renders an SVG to PNG with a program that is installed. A renderer of our own would double the size of the program.

use anyhow::{Context, Result, bail};
use escale_base::{
    ids,
    packages::{self, Package},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Pixels for each unit: 2 is sharp on paper.
const SCALE: f64 = 2.0;

/// Chromium under its names in distributions.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

pub(super) fn png(svg: &str, w: f64, h: f64, path: &Path) -> Result<()> {
    let scratch = std::env::temp_dir().join(format!("escale-diagram-{}", ids::random_hex(16)));
    fs::create_dir(&scratch).with_context(|| format!("cannot create {}", scratch.display()))?;
    let rendered = render(svg, (w.ceil(), h.ceil()), &scratch);
    let moved = rendered.and_then(|made| {
        fs::copy(&made, path).map(drop).with_context(|| format!("cannot write {}", path.display()))
    });
    // What is left is small, in the folder for temporary files.
    drop(fs::remove_dir_all(&scratch));
    moved
}

fn render(svg: &str, size: (f64, f64), scratch: &Path) -> Result<PathBuf> {
    let (source, made) = (scratch.join("diagram.svg"), scratch.join("diagram.png"));
    fs::write(&source, svg).with_context(|| format!("cannot write {}", source.display()))?;
    let mut rsvg = Command::new("rsvg-convert");
    rsvg.arg("--zoom").arg(SCALE.to_string()).arg("--output").arg(&made).arg(&source);
    if ran(&mut rsvg)? {
        return checked(made, size);
    }
    for name in BROWSERS {
        let mut browser = Command::new(name);
        browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]);
        browser.arg(format!("--force-device-scale-factor={SCALE}"));
        browser.arg(format!("--window-size={},{}", size.0, size.1));
        browser.arg(format!("--user-data-dir={}", scratch.join("profile").display()));
        browser.arg(format!("--screenshot={}", made.display())).arg(format!("file://{}", source.display()));
        if ran(&mut browser)? {
            return checked(made, size);
        }
    }
    bail!(
        "a PNG needs rsvg-convert or Chromium, and neither is installed: {}. Or write an .svg, which every browser shows",
        packages::install(Package::Librsvg)
    )
}

/// Runs a renderer; `false` if it is not installed.
fn ran(command: &mut Command) -> Result<bool> {
    let program = command.get_program().to_string_lossy().into_owned();
    let done = command.stdin(Stdio::null()).output();
    match done {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot run {program}")),
        Ok(done) if done.status.success() => Ok(true),
        Ok(done) => {
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            bail!("{program} failed: {}", said.lines().last().unwrap_or("without a message"))
        }
    }
}

/// A picture that is smaller than the diagram was cut off.
fn checked(made: PathBuf, size: (f64, f64)) -> Result<PathBuf> {
    let bytes = fs::read(&made).context("the renderer has written no picture")?;
    // The width and height are in the first chunk: <https://www.w3.org/TR/png-3/#11IHDR>
    let number = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
    let (w, h) = (f64::from(number(16).unwrap_or(0)), f64::from(number(20).unwrap_or(0)));
    if w + SCALE < size.0 * SCALE || h + SCALE < size.1 * SCALE {
        bail!("the renderer has cut the picture: it has {w} by {h} pixels. Write an .svg instead");
    }
    Ok(made)
}

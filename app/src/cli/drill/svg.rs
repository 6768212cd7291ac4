//! Requests, errors and acknowledged rows over time, as a picture.

use super::{chart::Periods, report::Figures};
use std::fmt::Write;

const WIDTH: usize = 960;
const LEFT: usize = 120;
const LANE: usize = 110;
const GAP: usize = 34;

pub(super) fn draw(f: &Figures) -> String {
    let periods = Periods::of(f, 400);
    let mut lanes = vec![("requests", "#4878a8", &periods.requests), ("errors", "#c0392b", &periods.errors)];
    lanes.extend(periods.rows.as_ref().map(|rows| ("rows", "#5a8f4e", rows)));
    let height = 60 + lanes.len() * (LANE + GAP) + 20;
    let column = (WIDTH - LEFT - 20) / periods.requests.len().max(1);
    let column = column.max(1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"22\" font-size=\"15\">{}</text>\n",
        escaped(&format!("{}: {}", f.application, f.name))
    );
    for (n, (name, color, counts)) in lanes.iter().enumerate() {
        let bottom = 60 + n * (LANE + GAP) + LANE;
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        let _ = writeln!(svg, "<text x=\"10\" y=\"{}\" fill=\"{color}\">{name}</text>", bottom - LANE / 2);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#666\">{most}</text>",
            LEFT - 6,
            bottom - LANE + 10
        );
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{}\" y2=\"{bottom}\" stroke=\"#999\"/>",
            LEFT + column * counts.len()
        );
        for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let bar =
                (usize::try_from(*count).unwrap_or(0) * LANE / usize::try_from(most).unwrap_or(1)).max(2);
            let (x, y, width) = (LEFT + at * column, bottom - bar, (column - column / 5).max(1));
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{bar}\" fill=\"{color}\"/>"
            );
        }
    }
    let fine = f.users_fine.filter(|d| !d.is_zero()).map(|d| (f.fault + d, "users fine"));
    for (n, (moment, name)) in
        [Some((f.fault, "fault")), fine, Some((f.lifted, "lifted"))].into_iter().flatten().enumerate()
    {
        let x = LEFT + periods.at(moment) * column;
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" y1=\"34\" x2=\"{x}\" y2=\"{}\" stroke=\"#333\" stroke-dasharray=\"4 3\"/>",
            height - 30
        );
        // On lines of their own, because moments may be close together.
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\">{name}</text>", x + 4, 36 + n * 12);
    }
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\" fill=\"#666\">each column is {} s; {} s in total</text>\n</svg>",
        height - 8,
        periods.length.as_secs(),
        periods.length.as_secs() * periods.requests.len() as u64
    );
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

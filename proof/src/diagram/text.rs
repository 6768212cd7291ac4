//! The width of texts, and where they may be broken.
//!
//! The widths are those of DejaVu Sans, in thousandths of the size. It is wider than the fonts that the diagram names before it, so
//! what fits here fits everywhere.

/// From the space to the tilde.
const REGULAR: [u16; 95] = [
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636, 636, 636,
    636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632, 575, 775, 752, 295,
    295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838,
    500, 500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612, 635, 635, 411, 521,
    392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
];

const BOLD: [u16; 95] = [
    348, 456, 521, 838, 696, 1002, 872, 306, 457, 457, 523, 838, 380, 415, 380, 365, 696, 696, 696, 696, 696,
    696, 696, 696, 696, 696, 400, 400, 838, 838, 838, 580, 1000, 774, 762, 734, 830, 683, 683, 821, 837, 372,
    372, 775, 637, 995, 837, 850, 733, 850, 770, 720, 682, 812, 774, 1103, 771, 724, 725, 457, 365, 457, 838,
    500, 500, 675, 716, 593, 716, 678, 435, 716, 712, 343, 343, 665, 343, 1042, 712, 687, 716, 716, 493, 595,
    478, 712, 652, 924, 645, 652, 582, 712, 365, 712, 838,
];

/// Of all other characters. No letter is wider than its size.
const OTHER: u16 = 1000;

pub fn width(text: &str, size: f64, is_bold: bool) -> f64 {
    let table = if is_bold { &BOLD } else { &REGULAR };
    let of = |c: char| {
        let index = (c as usize).checked_sub(' ' as usize);
        index.and_then(|i| table.get(i)).copied().unwrap_or(OTHER)
    };
    text.chars().map(|c| f64::from(of(c))).sum::<f64>() * size / 1000.0
}

/// Breaks a text into lines of at most this width: between words, else within names, else anywhere.
pub fn wrap(text: &str, size: f64, is_bold: bool, most: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut space = "";
    for word in text.split(is_break).filter(|word| !word.is_empty()) {
        let mut joined = format!("{line}{space}{word}");
        if width(&joined, size, is_bold) > most && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
            joined = word.to_owned();
        }
        while width(&joined, size, is_bold) > most {
            let cut = cut(&joined, size, is_bold, most);
            lines.push(joined[..cut].to_owned());
            joined = joined[cut..].to_owned();
        }
        line = joined;
        space = " ";
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// French has no-break spaces before its double punctuation.
fn is_break(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\u{a0}' | '\u{202f}')
}

/// Where to cut a word that is wider than a line: after the last separator or before the last capital that fits.
fn cut(word: &str, size: f64, is_bold: bool, most: f64) -> usize {
    let mut fitting = 0;
    let mut nice = 0;
    let mut before = ' ';
    for (at, c) in word.char_indices() {
        if at > 0 && width(&word[..at], size, is_bold) <= most {
            fitting = at;
            let is_separator = matches!(before, '-' | '_' | '.' | '/' | ':' | ',' | '}' | '@');
            if is_separator || (before.is_lowercase() && c.is_uppercase()) {
                nice = at;
            }
        }
        before = c;
    }
    // A line with a few letters only is uglier than a cut inside of a word.
    let first = word.char_indices().nth(1).map_or(word.len(), |(at, _)| at);
    if nice * 3 >= fitting && nice > 0 { nice } else { fitting.max(first) }
}

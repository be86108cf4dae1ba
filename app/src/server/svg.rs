//! Charts are written as SVG: a class for each line, its colours are in the style sheet.

use std::fmt::Write as _;

/// A line through points.
pub(super) fn path(class: &str, points: impl Iterator<Item = (f64, f64)>, svg: &mut String) {
    push(svg, format_args!("<path class=\"{class}\" d=\""));
    for (i, (x, y)) in points.enumerate() {
        let letter = if i == 0 { 'M' } else { 'L' };
        push(svg, format_args!("{letter}{x:.1} {y:.1}"));
    }
    svg.push_str("\"/>");
}

/// More of it.
pub(super) fn push(svg: &mut String, more: std::fmt::Arguments<'_>) {
    svg.write_fmt(more).expect("a string takes all text");
}

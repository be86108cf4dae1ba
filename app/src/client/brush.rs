//! How docks, a place that was searched for and its three blocks look on the upper canvas.

use std::f64::consts::TAU;

use web_sys::CanvasRenderingContext2d;

use super::palette::Palette;
use crate::decimal::fixed;
use crate::map::look::{has_number, number, radius};
use crate::map::marks::Mark;
use crate::math::within;
use crate::model::SEARCH_RADIUS_M;
use crate::seeking::Seeking;
use crate::sorted::sort_by;

/// A brush for one frame.
pub(super) struct Brush<'a> {
    pub(super) ctx: &'a CanvasRenderingContext2d,
    pub(super) palette: &'a Palette,
    pub(super) zoom: f64,
    /// What the numbers are of.
    pub(super) seeking: Seeking,
}

impl Brush<'_> {
    /// Docks without bikes below, then those with bikes, the larger below the smaller.
    pub(super) fn docks(&self, marks: &mut Vec<Mark>) {
        let place = |mark: &Mark| (mark.amount > 0, mark.is_near, -mark.amount);
        sort_by(marks, |a, b| place(a).cmp(&place(b)));
        for group in marks.chunk_by(|a, b| (a.amount, a.is_near) == (b.amount, b.is_near)) {
            self.group(group);
        }
    }

    /// Docks of one look, in one path.
    fn group(&self, marks: &[Mark]) {
        let Some(Mark {
            amount, is_near, ..
        }) = marks.first().copied()
        else {
            return;
        };
        let r = radius(amount, self.zoom);
        self.ctx.begin_path();
        for mark in marks {
            self.circle(mark.at, r);
        }
        if amount <= 0 {
            self.ctx.set_fill_style_str(&self.palette.edge);
            self.ctx.fill();
            self.ctx.set_stroke_style_str(&self.palette.none);
            self.ctx.set_line_width(if r < 2.4 { 1.0 } else { 1.6 });
            self.ctx.stroke();
            return;
        }
        self.ctx.set_fill_style_str(if is_near {
            &self.palette.some
        } else {
            &self.palette.far
        });
        self.ctx.fill();
        if r > 3.0 {
            self.ctx.set_stroke_style_str(&self.palette.edge);
            self.ctx.set_line_width(within(r / 7.0, 0.8, 1.8));
            self.ctx.stroke();
        }
        if has_number(r, self.zoom) {
            self.numbers(marks, r);
        }
    }

    fn numbers(&self, marks: &[Mark], r: f64) {
        self.ctx.set_fill_style_str(&self.palette.number);
        self.ctx.set_text_align("center");
        self.ctx.set_text_baseline("middle");
        let digits = marks
            .first()
            .map_or(1, |mark| number(mark.count, self.seeking).chars().count());
        let size = within(r * if digits > 2 { 0.82 } else { 0.98 }, 9.0, 15.0);
        self.ctx
            .set_font(&format!("700 {}px system-ui, sans-serif", fixed(size, 0)));
        for mark in marks {
            // Text on a canvas fails only without memory.
            self.ctx
                .fill_text(
                    &number(mark.count, self.seeking),
                    mark.at.0,
                    mark.at.1 + 0.5,
                )
                .ok();
        }
    }

    /// The three blocks around the address, below the docks.
    pub(super) fn ring(&self, at: (f64, f64), scale: f64) {
        self.ctx.begin_path();
        self.circle(at, SEARCH_RADIUS_M * scale);
        self.ctx.set_fill_style_str(&self.palette.place_soft);
        self.ctx.fill();
        self.ctx.set_stroke_style_str(&self.palette.place);
        self.ctx.set_line_width(1.8);
        self.dashes(&[7.0, 6.0]);
        self.ctx.stroke();
        self.dashes(&[]);
    }

    /// The address, above the docks.
    pub(super) fn place(&self, at: (f64, f64)) {
        self.disc(at, 10.5, &self.palette.edge);
        self.disc(at, 8.5, &self.palette.place);
        self.disc(at, 2.8, &self.palette.number);
    }

    /// A ring around one dock.
    pub(super) fn outline(&self, mark: &Mark, width: f64) {
        let r = radius(mark.amount, self.zoom).max(5.0) + 1.0 + width / 2.0;
        self.ctx.begin_path();
        self.circle(mark.at, r);
        self.ctx.set_stroke_style_str(&self.palette.edge);
        self.ctx.set_line_width(width + 3.0);
        self.ctx.stroke();
        self.ctx.set_stroke_style_str(&self.palette.chosen);
        self.ctx.set_line_width(width);
        self.ctx.stroke();
    }

    /// A ring that runs outward from a dock whose count changed; `share` of its way, 0 to 1.
    pub(super) fn ripple(&self, mark: &Mark, share: f64) {
        let r = radius(mark.amount, self.zoom) + 1.0 + 11.0 * share;
        self.ctx.begin_path();
        self.circle(mark.at, r);
        self.ctx
            .set_global_alpha(within(1.0 - share, 0.0, 1.0) * 0.8);
        self.ctx.set_stroke_style_str(&self.palette.some);
        self.ctx.set_line_width(2.2 * (1.0 - share) + 0.4);
        self.ctx.stroke();
        self.ctx.set_global_alpha(1.0);
    }

    fn disc(&self, at: (f64, f64), r: f64, colour: &str) {
        self.ctx.begin_path();
        self.circle(at, r);
        self.ctx.set_fill_style_str(colour);
        self.ctx.fill();
    }

    fn circle(&self, (x, y): (f64, f64), r: f64) {
        self.ctx.move_to(x + r, y);
        // Fails only for a negative radius.
        self.ctx.arc(x, y, r, 0.0, TAU).ok();
    }

    fn dashes(&self, lengths: &[f64]) {
        let array: js_sys::Array = lengths
            .iter()
            .map(|length| js_sys::Number::from(*length))
            .collect();
        // Fails only for lengths that are no numbers.
        self.ctx.set_line_dash(&array).ok();
    }
}

//! The lower canvas: land, streets and their names, or raster tiles.

use web_sys::{CanvasRenderingContext2d, CanvasWindingRule, Path2d};

use super::palette::Palette;
use crate::map::land::land;
use crate::map::plane::Point;
use crate::map::streets::{Street, streets};
use crate::map::view::Camera;

/// From this zoom streets carry their names.
const NAMES_ZOOM_MIN: f64 = 14.4;
/// Names of one street stand at least this many pixels apart.
const NAME_GAP_PX: f64 = 420.0;

/// The base map of one set of docks, on the plane.
pub(super) struct Scene {
    land: Path2d,
    street_lines: Path2d,
    streets: Vec<Street>,
}

impl Scene {
    /// Works land and streets out; a few milliseconds for a city.
    pub(super) fn of<'a>(docks: impl Iterator<Item = (&'a str, Point)> + Clone) -> Option<Self> {
        let points: Vec<_> = docks.clone().map(|(_, point)| point).collect();
        let land_path = Path2d::new().ok()?;
        for ring in land(&points) {
            trace_smoothly(&land_path, &ring);
        }
        let streets = streets(docks);
        let street_lines = Path2d::new().ok()?;
        for (from, to) in streets.iter().flat_map(|street| &street.pieces) {
            street_lines.move_to(from.x, from.y);
            street_lines.line_to(to.x, to.y);
        }
        Some(Self {
            land: land_path,
            street_lines,
            streets,
        })
    }

    /// Draws land and streets; `ctx` is in device pixels, `ratio` of them to a CSS pixel.
    pub(super) fn draw(
        &self,
        ctx: &CanvasRenderingContext2d,
        camera: &Camera,
        ratio: f64,
        palette: &Palette,
    ) {
        let (x, y) = camera.screen(Point::default());
        let scale = camera.scale * ratio;
        // Only a detached canvas refuses a transform.
        ctx.set_transform(scale, 0.0, 0.0, scale, x * ratio, y * ratio)
            .ok();
        ctx.set_line_join("round");
        ctx.set_line_cap("round");
        ctx.set_fill_style_str(&palette.land);
        ctx.fill_with_path_2d_and_winding(&self.land, CanvasWindingRule::Evenodd);
        ctx.set_stroke_style_str(&palette.shore);
        ctx.set_line_width(1.5 / camera.scale);
        ctx.stroke_with_path(&self.land);
        ctx.set_stroke_style_str(&palette.street);
        // A street is some 12 m wide, and never thinner than a pixel.
        ctx.set_line_width((1.1 / camera.scale).max(12.0));
        ctx.stroke_with_path(&self.street_lines);
    }

    /// Writes the names of streets along their longest visible pieces.
    pub(super) fn draw_names(
        &self,
        ctx: &CanvasRenderingContext2d,
        camera: &Camera,
        zoom: f64,
        palette: &Palette,
    ) {
        if zoom < NAMES_ZOOM_MIN {
            return;
        }
        ctx.set_font("500 11px system-ui, sans-serif");
        ctx.set_text_align("center");
        ctx.set_text_baseline("middle");
        ctx.set_line_width(3.0);
        ctx.set_stroke_style_str(&palette.land);
        ctx.set_fill_style_str(&palette.street_name);
        for street in &self.streets {
            draw_name(ctx, camera, street);
        }
    }
}

fn draw_name(ctx: &CanvasRenderingContext2d, camera: &Camera, street: &Street) {
    let mut pieces: Vec<_> = street
        .pieces
        .iter()
        .map(|(from, to)| {
            (
                camera.screen(*from),
                camera.screen(*to),
                camera.screen(from.toward(*to, 0.5)),
            )
        })
        .filter(|(.., middle)| camera.sees(*middle, 20.0))
        .collect();
    if pieces.is_empty() {
        return;
    }
    let length = |((x1, y1), (x2, y2)): ((f64, f64), (f64, f64))| (x2 - x1).hypot(y2 - y1);
    pieces.sort_by(|a, b| length((b.0, b.1)).total_cmp(&length((a.0, a.1))));
    let wide = ctx
        .measure_text(&street.name)
        .map_or(80.0, |metrics| metrics.width());
    let mut written: Vec<(f64, f64)> = Vec::new();
    for (from, to, (x, y)) in pieces {
        let is_long = length((from, to)) > wide + 44.0;
        if !is_long
            || written
                .iter()
                .any(|(ox, oy)| (ox - x).hypot(oy - y) < NAME_GAP_PX)
        {
            continue;
        }
        written.push((x, y));
        // Upright for readers: the text never runs from right to left.
        let mut angle = (to.1 - from.1).atan2(to.0 - from.0);
        if angle.abs() > std::f64::consts::FRAC_PI_2 {
            angle -= std::f64::consts::PI.copysign(angle);
        }
        ctx.save();
        // Neither fails on an attached canvas; a missing name is no harm.
        ctx.translate(x, y).ok();
        ctx.rotate(angle).ok();
        ctx.stroke_text(&street.name, 0.0, 0.0).ok();
        ctx.fill_text(&street.name, 0.0, 0.0).ok();
        ctx.restore();
    }
}

/// A closed curve through the middles of a ring's edges, the corners pulling it.
fn trace_smoothly(path: &Path2d, ring: &[Point]) {
    let Some((last, first)) = ring.last().zip(ring.first()) else {
        return;
    };
    let start = last.toward(*first, 0.5);
    path.move_to(start.x, start.y);
    for (corner, next) in ring.iter().zip(ring.iter().cycle().skip(1)) {
        let middle = corner.toward(*next, 0.5);
        path.quadratic_curve_to(corner.x, corner.y, middle.x, middle.y);
    }
    path.close_path();
}

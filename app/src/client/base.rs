//! The lower canvas: land, parks, streets and their names, or raster tiles.

use basemap::{BaseMap, StreetClass};
use web_sys::{CanvasRenderingContext2d, CanvasWindingRule};

use super::palette::Palette;
use crate::map::ground::Ground;
use crate::map::outline::{Outline, thinned};
use crate::map::plane::{Plane, Point};
use crate::map::streets::{Street, streets, width, zoom_min};
use crate::map::view::Camera;
use crate::math;
use crate::sorted::sort_by;

/// From this zoom streets carry their names.
const STREET_NAMES_ZOOM_MIN: f64 = 14.4;
/// Names of one street stand at least this many pixels apart.
const NAME_GAP_PX: f64 = 420.0;

/// What lies under one set of docks, on the plane.
pub(super) struct Scene {
    pub(super) ground: Ground,
}

impl Scene {
    /// Works ground and streets out; a few milliseconds for a city.
    pub(super) fn of<'a>(
        docks: impl Iterator<Item = (&'a str, Point)> + Clone,
        plane: &Plane,
        base_map: Option<&BaseMap>,
    ) -> Self {
        let points: Vec<_> = docks.clone().map(|(_, point)| point).collect();
        let mut ground = Ground::under(&points, plane, base_map);
        if ground.streets.is_empty() {
            ground.streets = streets(docks);
        }
        Self { ground }
    }

    /// Draws land and parks; `ctx` is in CSS pixels.
    pub(super) fn draw_ground(
        &self,
        ctx: &CanvasRenderingContext2d,
        camera: &Camera,
        palette: &Palette,
    ) {
        trace_all(ctx, self.ground.land(camera));
        ctx.set_fill_style_str(&palette.land);
        ctx.fill_with_canvas_winding_rule(CanvasWindingRule::Evenodd);
        ctx.set_line_join("round");
        ctx.set_stroke_style_str(&palette.shore);
        ctx.set_line_width(1.3);
        ctx.stroke();
        trace_all(ctx, self.ground.parks(camera));
        ctx.set_fill_style_str(&palette.park);
        ctx.fill_with_canvas_winding_rule(CanvasWindingRule::Evenodd);
    }

    /// Draws streets; `ctx` is in CSS pixels.
    pub(super) fn draw_streets(
        &self,
        ctx: &CanvasRenderingContext2d,
        camera: &Camera,
        zoom: f64,
        palette: &Palette,
    ) {
        ctx.set_line_cap("round");
        ctx.set_stroke_style_str(&palette.street);
        // The narrow ones first: the wide ones lie on them.
        for class in StreetClass::ALL.into_iter().rev() {
            let (metres, pixels) = width(class);
            ctx.begin_path();
            for street in self.streets(zoom).filter(|street| street.class == class) {
                for line in street.lines.iter().filter(|line| camera.meets(line.bounds)) {
                    let points = line.points.iter().map(|point| camera.screen(*point));
                    trace(ctx, thinned(points).into_iter());
                }
            }
            ctx.set_line_width((metres * camera.scale).max(pixels));
            ctx.stroke();
        }
    }

    /// Those that are drawn at a zoom.
    fn streets(&self, zoom: f64) -> impl Iterator<Item = &Street> {
        let streets = self.ground.streets.iter();
        streets.filter(move |street| zoom >= zoom_min(street.class))
    }

    /// Writes the names of streets along their longest visible pieces.
    pub(super) fn draw_street_names(
        &self,
        ctx: &CanvasRenderingContext2d,
        camera: &Camera,
        zoom: f64,
        palette: &Palette,
    ) {
        if zoom < STREET_NAMES_ZOOM_MIN {
            return;
        }
        ctx.set_font("500 11px system-ui, sans-serif");
        ctx.set_text_align("center");
        ctx.set_text_baseline("middle");
        ctx.set_line_width(3.0);
        ctx.set_stroke_style_str(&palette.land);
        ctx.set_fill_style_str(&palette.street_name);
        for street in self.streets(zoom).filter(|street| !street.name.is_empty()) {
            draw_name(ctx, camera, street);
        }
    }
}

/// Begins a path with the outlines.
fn trace_all(ctx: &CanvasRenderingContext2d, outlines: impl Iterator<Item = Outline>) {
    ctx.begin_path();
    for outline in outlines {
        trace(ctx, outline.into_iter());
        ctx.close_path();
    }
}

/// Adds a line to the path.
fn trace(ctx: &CanvasRenderingContext2d, mut points: impl Iterator<Item = (f64, f64)>) {
    if let Some((x, y)) = points.next() {
        ctx.move_to(x, y);
    }
    for (x, y) in points {
        ctx.line_to(x, y);
    }
}

fn draw_name(ctx: &CanvasRenderingContext2d, camera: &Camera, street: &Street) {
    let lines = street.lines.iter().filter(|line| camera.meets(line.bounds));
    let mut pieces: Vec<_> = lines
        .flat_map(|line| line.points.windows(2))
        .map(|step| {
            (
                camera.screen(step[0]),
                camera.screen(step[1]),
                camera.screen(step[0].toward(step[1], 0.5)),
            )
        })
        .filter(|(.., middle)| camera.sees(*middle, 20.0))
        .collect();
    if pieces.is_empty() {
        return;
    }
    let length = |((x1, y1), (x2, y2)): ((f64, f64), (f64, f64))| math::length(x2 - x1, y2 - y1);
    sort_by(&mut pieces, |a, b| {
        length((b.0, b.1)).total_cmp(&length((a.0, a.1)))
    });
    let wide = ctx
        .measure_text(&street.name)
        .map_or(80.0, |metrics| metrics.width());
    let mut written: Vec<(f64, f64)> = Vec::new();
    for (from, to, (x, y)) in pieces {
        let is_long = length((from, to)) > wide + 44.0;
        if !is_long
            || written
                .iter()
                .any(|(ox, oy)| math::length(ox - x, oy - y) < NAME_GAP_PX)
        {
            continue;
        }
        written.push((x, y));
        // Upright for readers: the text never runs from right to left.
        let angle = math::atan((to.1 - from.1) / (to.0 - from.0));
        ctx.save();
        // Neither fails on an attached canvas; a missing name is no harm.
        ctx.translate(x, y).ok();
        ctx.rotate(angle).ok();
        ctx.stroke_text(&street.name, 0.0, 0.0).ok();
        ctx.fill_text(&street.name, 0.0, 0.0).ok();
        ctx.restore();
    }
}

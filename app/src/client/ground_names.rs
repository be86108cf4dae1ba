//! The upmost canvas: names of boroughs, neighbourhoods, parks and waters, above the docks.

use basemap::NameKind;
use web_sys::CanvasRenderingContext2d;

use super::palette::Palette;
use crate::decimal::fixed;
use crate::map::names::PlacedName;

/// Writes names, each with a halo of the ground it stands on; `ctx` is in CSS pixels.
pub(super) fn draw(ctx: &CanvasRenderingContext2d, names: &[PlacedName<'_>], palette: &Palette) {
    ctx.set_text_align("center");
    ctx.set_text_baseline("middle");
    ctx.set_line_join("round");
    ctx.set_line_width(3.0);
    for name in names {
        let (letters, halo) = match name.kind {
            NameKind::Water => (&palette.water_name, &palette.water),
            NameKind::Park => (&palette.park_name, &palette.park),
            _ => (&palette.name, &palette.land),
        };
        ctx.set_font(&font(name.kind, name.size));
        ctx.set_stroke_style_str(halo);
        ctx.set_fill_style_str(letters);
        let (x, y) = name.at;
        // Text on a canvas fails only without memory.
        ctx.stroke_text(name.text, x, y).ok();
        ctx.fill_text(name.text, x, y).ok();
    }
}

/// How wide a text will be, in pixels.
pub(super) fn width(ctx: &CanvasRenderingContext2d, text: &str, kind: NameKind, size: f64) -> f64 {
    ctx.set_font(&font(kind, size));
    ctx.measure_text(text)
        .map_or(100.0, |metrics| metrics.width())
}

fn font(kind: NameKind, size: f64) -> String {
    let face = match kind {
        NameKind::Area => "700",
        NameKind::Town => "650",
        NameKind::Water | NameKind::Park => "italic 500",
        NameKind::Neighbourhood => "600",
    };
    format!("{face} {}px system-ui, sans-serif", fixed(size, 1))
}

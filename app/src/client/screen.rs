//! The map's elements on the page: three canvases, a label, and what is painted on them.

use std::cell::Cell;

use leptos::prelude::*;
use wasm_bindgen::JsCast as _;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlElement};

use super::base::Scene;
use super::brush::Brush;
use super::frame::Frame;
use super::ground_names;
use super::palette::Palette;
use super::tiles::TileLayer;
use crate::components::map_nodes::MapNodes;
use crate::decimal::fixed;
use crate::map::ground::Ground;
use crate::map::look::{label, radius};
use crate::map::marks::Mark;
use crate::map::names::placed;
use crate::map::plane::Point;
use crate::map::viewport::Viewport;
use crate::math::within;
use crate::words::Words;

/// Widths of the rings around the dock under the pointer and around the selected one, in pixels.
const HOVERED_PX: f64 = 2.0;
const SELECTED_PX: f64 = 3.5;

/// The elements, and how to paint on them.
pub(super) struct Screen {
    base: HtmlCanvasElement,
    marks: HtmlCanvasElement,
    names: HtmlCanvasElement,
    base_ctx: CanvasRenderingContext2d,
    marks_ctx: CanvasRenderingContext2d,
    names_ctx: CanvasRenderingContext2d,
    label: HtmlElement,
    /// Device pixels per CSS pixel.
    ratio: Cell<f64>,
}

impl Screen {
    /// Takes the canvases over from the still map; none if the page has not laid them out.
    pub(super) fn new(nodes: MapNodes) -> Option<Self> {
        let base: HtmlCanvasElement = nodes.base.get_untracked()?;
        let marks: HtmlCanvasElement = nodes.marks.get_untracked()?;
        let names: HtmlCanvasElement = nodes.names.get_untracked()?;
        let (base_ctx, marks_ctx) = (context(&base)?, context(&marks)?);
        let names_ctx = context(&names)?;
        // From here on the canvases are seen, and have a size.
        if let Some(section) = marks.parent_element() {
            section.class_list().add_1("is-live").ok();
        }
        Some(Self {
            base,
            marks,
            names,
            base_ctx,
            marks_ctx,
            names_ctx,
            label: nodes.label.get_untracked()?.into(),
            ratio: Cell::new(1.0),
        })
    }

    /// The element that takes pointers and keys.
    pub(super) fn canvas(&self) -> &HtmlCanvasElement {
        &self.marks
    }

    /// Takes the size on the page over; says whether it is another one than before. That empties
    /// the canvases.
    pub(super) fn resize(&self, viewport: &mut Viewport) -> bool {
        let width = f64::from(self.marks.client_width());
        let height = f64::from(self.marks.client_height());
        let ratio = within(window().device_pixel_ratio(), 1.0, 3.0);
        let is_same_ratio = (self.ratio.replace(ratio) - ratio).abs() < f64::EPSILON;
        if !viewport.resize(width, height) && is_same_ratio {
            return false;
        }
        for canvas in [&self.base, &self.marks, &self.names] {
            canvas.set_width((width * ratio).round() as u32);
            canvas.set_height((height * ratio).round() as u32);
        }
        true
    }

    /// Says with the pointer's shape whether a click would select a dock.
    pub(super) fn show_pointer_on_dock(&self, is_on_dock: bool) {
        let classes = self.marks.class_list();
        classes.toggle_with_force("is-on-dock", is_on_dock).ok();
    }

    /// Paints water, ground and streets, and tiles where there are any.
    pub(super) fn paint_base(
        &self,
        viewport: &Viewport,
        scene: Option<&Scene>,
        tiles: Option<&TileLayer>,
        palette: &Palette,
    ) {
        let (ctx, camera) = (&self.base_ctx, &viewport.camera());
        self.scale_to_css(ctx);
        ctx.set_fill_style_str(&palette.water);
        ctx.fill_rect(0.0, 0.0, camera.width, camera.height);
        if let Some(scene) = scene {
            let zoom = viewport.zoom();
            scene.draw_ground(ctx, camera, palette);
            scene.draw_streets(ctx, camera, zoom, palette);
            if tiles.is_none() {
                scene.draw_street_names(ctx, camera, zoom, palette);
            }
        }
        if let Some(tiles) = tiles {
            tiles.draw(ctx, viewport.plane(), camera);
        }
    }

    /// Writes the names of the ground, clear of the docks.
    pub(super) fn paint_names(
        &self,
        viewport: &Viewport,
        ground: Option<&Ground>,
        docks: &[Point],
        palette: &Palette,
    ) {
        let (ctx, camera) = (&self.names_ctx, &viewport.camera());
        self.scale_to_css(ctx);
        ctx.clear_rect(0.0, 0.0, camera.width, camera.height);
        let Some(ground) = ground else { return };
        let docks = docks.iter().map(|dock| camera.screen(*dock));
        let width = |text: &str, kind, size| ground_names::width(ctx, text, kind, size);
        let names = placed(&ground.names, camera, viewport.zoom(), docks, width);
        ground_names::draw(ctx, &names, palette);
    }

    /// Paints docks and search.
    pub(super) fn paint_marks(&self, viewport: &Viewport, frame: &mut Frame, palette: &Palette) {
        let camera = viewport.camera();
        let brush = Brush {
            ctx: &self.marks_ctx,
            palette,
            zoom: viewport.zoom(),
            seeking: frame.seeking,
        };
        self.scale_to_css(&self.marks_ctx);
        self.marks_ctx
            .clear_rect(0.0, 0.0, camera.width, camera.height);
        let place = frame.place.map(|point| camera.screen(point));
        if let Some(at) = place {
            brush.ring(at, camera.scale);
        }
        for (id, share) in &frame.ripples {
            if let Some(mark) = frame.mark(*id) {
                brush.ripple(mark, *share);
            }
        }
        brush.docks(&mut frame.docks);
        for (id, width) in [(frame.hovered, HOVERED_PX), (frame.selected, SELECTED_PX)] {
            if let Some(mark) = id.and_then(|id| frame.mark(id)) {
                brush.outline(mark, width);
            }
        }
        if let Some(at) = place {
            brush.place(at);
        }
    }

    /// Names a dock beside its circle; without one the label is hidden.
    pub(super) fn write_label(&self, words: Words, named: Option<(&str, &Mark)>, zoom: f64) {
        self.label
            .class_list()
            .toggle_with_force("is-shown", named.is_some())
            .ok();
        let Some((name, mark)) = named else { return };
        let text = label(words, name, mark.count);
        if self.label.text_content().as_deref() != Some(&text) {
            self.label.set_text_content(Some(&text));
        }
        let above = mark.at.1 - radius(mark.amount, zoom) - 10.0;
        let place = format!(
            "translate({}px, {}px) translate(-50%, -100%)",
            fixed(mark.at.0, 0),
            fixed(above, 0)
        );
        self.label.style().set_property("transform", &place).ok();
    }

    /// Writes attributes of the canvas that differ.
    pub(super) fn set_attributes(&self, attributes: &[(&str, String)]) {
        for (name, value) in attributes {
            if self.marks.get_attribute(name).as_ref() != Some(value) {
                self.marks.set_attribute(name, value).ok();
            }
        }
    }

    fn scale_to_css(&self, ctx: &CanvasRenderingContext2d) {
        let ratio = self.ratio.get();
        // Only a detached canvas refuses a transform.
        ctx.set_transform(ratio, 0.0, 0.0, ratio, 0.0, 0.0).ok();
    }
}

fn context(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    canvas.get_context("2d").ok().flatten()?.dyn_into().ok()
}

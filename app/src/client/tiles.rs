//! Raster tiles under the map, where the server was given a URL for them.

use std::cell::RefCell;
use std::rc::Rc;

use web_sys::{CanvasRenderingContext2d, HtmlImageElement};

use super::events::on;
use crate::map::plane::Plane;
use crate::map::view::Camera;
use crate::math::{exp2, within};

/// Tiles kept (chosen: a large screen at three zooms).
const TILES_MAX: usize = 200;
/// Closest zoom at which tile servers usually have tiles.
const ZOOM_MAX: f64 = 18.0;

/// Zoom, column and row of a tile.
type Key = (u32, u32, u32);

/// Fetches and keeps tiles of one server.
pub(super) struct TileLayer {
    url: String,
    images: RefCell<Vec<(Key, HtmlImageElement)>>,
    /// Called when a tile has come.
    arrived: Rc<dyn Fn()>,
}

impl TileLayer {
    pub(super) fn new(url: String, arrived: Rc<dyn Fn()>) -> Self {
        Self {
            url,
            images: RefCell::default(),
            arrived,
        }
    }

    /// Draws the tiles that are here and asks for the others.
    pub(super) fn draw(&self, ctx: &CanvasRenderingContext2d, plane: &Plane, camera: &Camera) {
        let level = within(plane.zoom_of(camera.scale).round(), 0.0, ZOOM_MAX);
        let count = exp2(level);
        let tile_at = |x: f64, y: f64| {
            let (x, y) = plane.world(camera.point(x, y));
            ((x * count).floor().max(0.0), (y * count).floor().max(0.0))
        };
        let (left, top) = tile_at(0.0, 0.0);
        let (right, bottom) = tile_at(camera.width, camera.height);
        let (right, bottom) = (right.min(count - 1.0), bottom.min(count - 1.0));
        for row in top as u32..=bottom as u32 {
            for column in left as u32..=right as u32 {
                let corner = |column: u32, row: u32| {
                    let (x, y) = (f64::from(column) / count, f64::from(row) / count);
                    camera.screen(plane.point_at_world(x, y))
                };
                let ((x1, y1), (x2, y2)) = (corner(column, row), corner(column + 1, row + 1));
                let Some(image) = self.image((level as u32, column, row)) else {
                    continue;
                };
                // A broken image throws; the land shows through instead.
                ctx.draw_image_with_html_image_element_and_dw_and_dh(
                    &image,
                    x1,
                    y1,
                    x2 - x1 + 0.5,
                    y2 - y1 + 0.5,
                )
                .ok();
            }
        }
    }

    /// The tile if it has come; otherwise it is fetched.
    fn image(&self, key: Key) -> Option<HtmlImageElement> {
        let mut images = self.images.borrow_mut();
        if let Some((_, image)) = images.iter().find(|(known, _)| *known == key) {
            return (image.complete() && image.natural_width() > 0).then(|| image.clone());
        }
        if images.len() >= TILES_MAX {
            images.clear();
        }
        let (z, x, y) = key;
        let image = HtmlImageElement::new().ok()?;
        let arrived = Rc::clone(&self.arrived);
        on::<web_sys::Event>(&image, "load", move |_| arrived());
        image.set_src(
            &self
                .url
                .replace("{z}", &z.to_string())
                .replace("{x}", &x.to_string())
                .replace("{y}", &y.to_string()),
        );
        images.push((key, image));
        None
    }
}

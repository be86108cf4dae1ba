//! The part of the city that is on the screen: who chose it, and how it moves.
//!
//! Until the rider (or the page's address) chooses a view, the map shows all docks and goes on doing
//! so as docks come. Times are milliseconds of any clock that does not go back.

use super::motion::{Flight, Motion};
use super::plane::{Plane, Point};
use super::view::{Bounds, Camera, View, ZOOM_MAX, ZOOM_MIN, fit};
use crate::math::{exp2, within};
use crate::model::SEARCH_RADIUS_M;

/// Metres shown beyond the outermost docks.
const DOCKS_MARGIN_M: f64 = 350.0;
/// A search shows its three blocks and about a block more.
const PLACE_MARGIN_M: f64 = SEARCH_RADIUS_M * 1.35;
/// A selected dock nearer to the edge than this many pixels is brought into the middle.
const SIGHT_MARGIN_PX: f64 = 30.0;
/// A selected dock is shown at this zoom, or closer if the map is.
const DOCK_ZOOM: f64 = 15.0;
/// Pixels per metre before the screen has a size.
const FIRST_SCALE: f64 = 0.05;

/// Where the map's camera is, and where it flies to.
#[derive(Debug, Clone)]
pub(crate) struct Viewport {
    plane: Plane,
    camera: Camera,
    flight: Option<Flight>,
    /// Whether the rider (or the page's address) chose the view.
    is_chosen: bool,
    motion: Motion,
}

impl Viewport {
    /// A view of nothing yet: without a size, in the middle of the plane.
    pub(crate) fn new(plane: Plane, motion: Motion) -> Self {
        let camera = Camera {
            centre: Point::default(),
            scale: FIRST_SCALE,
            width: 0.0,
            height: 0.0,
        };
        Self {
            plane,
            camera,
            flight: None,
            is_chosen: false,
            motion,
        }
    }

    pub(crate) fn plane(&self) -> &Plane {
        &self.plane
    }

    pub(crate) fn camera(&self) -> Camera {
        self.camera
    }

    pub(crate) fn zoom(&self) -> f64 {
        self.plane.zoom_of(self.camera.scale)
    }

    pub(crate) fn motion(&self) -> Motion {
        self.motion
    }

    /// The view; in flight the one that it leads to.
    pub(crate) fn view(&self) -> View {
        let camera = self.target();
        let (lat, lon) = self.plane.degrees(camera.centre);
        View {
            zoom: self.plane.zoom_of(camera.scale),
            lat,
            lon,
        }
    }

    /// The view, for the page's address; none while the map follows the docks by itself.
    pub(crate) fn chosen_view(&self) -> Option<View> {
        self.is_chosen.then(|| self.view())
    }

    /// Flies from now on, or jumps.
    pub(crate) fn set_motion(&mut self, motion: Motion) {
        self.motion = motion;
    }

    /// Lets the first docks decide where the plane is, unless a view was chosen on another one.
    pub(crate) fn found_on(&mut self, plane: Plane) {
        if !self.is_chosen {
            self.plane = plane;
        }
    }

    /// Takes the screen's size over, in pixels; says whether it is another one than before.
    pub(crate) fn resize(&mut self, width: f64, height: f64) -> bool {
        let is_news = (self.camera.width, self.camera.height) != (width, height);
        self.camera = Camera {
            width,
            height,
            ..self.camera
        };
        is_news
    }

    /// Moves the map by pixels.
    pub(crate) fn pan(&mut self, dx: f64, dy: f64) {
        self.jump(self.camera.panned(dx, dy));
    }

    /// Zooms by `levels` around a pixel.
    pub(crate) fn zoom_at(&mut self, levels: f64, x: f64, y: f64) {
        self.jump(self.zoomed(self.camera, levels, x, y));
    }

    /// Zooms by `levels` around the middle, in flight; pressed again, from where the flight leads.
    pub(crate) fn zoom_smoothly(&mut self, levels: f64, now_ms: f64) {
        let from = self.target();
        let to = self.zoomed(from, levels, from.width / 2.0, from.height / 2.0);
        self.fly(to, now_ms);
    }

    /// Shows a view of the page's address at once.
    pub(crate) fn show_view(&mut self, view: View) {
        self.jump(Camera {
            centre: self.plane.point(view.lat, view.lon),
            scale: self.plane.pixels_per_metre(view.zoom),
            ..self.camera
        });
    }

    /// Shows a place with its three blocks at once.
    pub(crate) fn show_place(&mut self, lat: f64, lon: f64) {
        self.jump(self.around_place(lat, lon));
    }

    /// Flies to a place with its three blocks.
    pub(crate) fn fly_to_place(&mut self, lat: f64, lon: f64, now_ms: f64) {
        self.fly(self.around_place(lat, lon), now_ms);
    }

    /// Whether a selected dock can be seen well as it is.
    pub(crate) fn has_in_sight(&self, dock: Point) -> bool {
        self.camera.sees(self.camera.screen(dock), -SIGHT_MARGIN_PX)
    }

    /// Flies to a selected dock; never zooms out.
    pub(crate) fn fly_to_dock(&mut self, dock: Point, now_ms: f64) {
        let scale = self.plane.pixels_per_metre(DOCK_ZOOM);
        let to = Camera {
            centre: dock,
            scale: scale.max(self.camera.scale),
            ..self.camera
        };
        self.fly(to, now_ms);
    }

    /// Flies to all docks, and follows them from now on.
    pub(crate) fn fly_to_all(&mut self, docks: &[Point], now_ms: f64) {
        if let Some(camera) = self.around_docks(docks) {
            self.fly(camera, now_ms);
        }
        self.is_chosen = false;
    }

    /// Shows all docks at once, unless a view was chosen.
    pub(crate) fn follow_docks(&mut self, docks: &[Point]) {
        if !self.is_chosen
            && let Some(camera) = self.around_docks(docks)
        {
            self.camera = camera;
        }
    }

    /// Moves the camera along its flight; says whether it still flies.
    pub(crate) fn advance(&mut self, now_ms: f64) -> bool {
        let Some(flight) = self.flight else {
            return false;
        };
        self.camera = flight.camera(self.camera, now_ms);
        if flight.has_landed(now_ms) {
            self.flight = None;
        }
        self.flight.is_some()
    }

    fn jump(&mut self, camera: Camera) {
        self.camera = camera;
        self.flight = None;
        self.is_chosen = true;
    }

    fn fly(&mut self, to: Camera, now_ms: f64) {
        match self.motion {
            Motion::Full => self.flight = Some(Flight::new(self.camera, to, now_ms)),
            Motion::Reduced => self.jump(to),
        }
        self.is_chosen = true;
    }

    /// The camera after the flight, or as it is.
    fn target(&self) -> Camera {
        self.flight.map_or(self.camera, |flight| flight.target())
    }

    fn zoomed(&self, camera: Camera, levels: f64, x: f64, y: f64) -> Camera {
        let scale = within(
            camera.scale * exp2(levels),
            self.plane.pixels_per_metre(ZOOM_MIN),
            self.plane.pixels_per_metre(ZOOM_MAX),
        );
        camera.scaled_at(scale, x, y)
    }

    fn around_docks(&self, docks: &[Point]) -> Option<Camera> {
        let bounds = Bounds::around(docks.iter().copied())?;
        Some(self.around(bounds.widened(DOCKS_MARGIN_M)))
    }

    fn around_place(&self, lat: f64, lon: f64) -> Camera {
        let point = self.plane.point(lat, lon);
        let bounds = Bounds {
            min: point,
            max: point,
        };
        self.around(bounds.widened(PLACE_MARGIN_M))
    }

    fn around(&self, bounds: Bounds) -> Camera {
        fit(&self.plane, bounds, self.camera.width, self.camera.height)
    }
}

#[cfg(test)]
mod tests;

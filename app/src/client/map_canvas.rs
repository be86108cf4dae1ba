//! The map: its state, the screen it is painted on, and one redraw per animation frame.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use basemap::BaseMap;
use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use web_sys::HtmlCanvasElement;

use super::events::{media_matches, now_ms};
use super::frame::{Frame, attributes, counts};
use super::map_state::State;
use super::palette::Palette;
use super::screen::Screen;
use super::tiles::TileLayer;
use crate::city::City;
use crate::components::map_nodes::MapNodes;
use crate::map::motion::Motion;
use crate::map::plane::Point;
use crate::map::view::View;
use crate::map::viewport::Viewport;
use crate::model::FoundPlace;

/// The media query for riders who want things to stand still.
pub(super) const LESS_MOTION: &str = "(prefers-reduced-motion: reduce)";

/// Ground and streets are worked out anew at most this often while docks keep coming.
const SCENE_EVERY: Duration = Duration::from_millis(500);

/// The map on its canvases. One per page; the browser's callbacks hold it.
pub(super) struct MapCanvas {
    pub(super) city: City,
    screen: Screen,
    state: RefCell<State>,
    tiles: OnceCell<TileLayer>,
    frame: OnceCell<Closure<dyn Fn(f64)>>,
    is_frame_due: Cell<bool>,
    is_scene_due: Cell<bool>,
    /// Called when the rider moves the map, with the view to keep in the page's address.
    view_changed: Box<dyn Fn(Option<View>)>,
}

impl MapCanvas {
    /// Takes the canvases over from the still map.
    pub(super) fn start(
        city: City,
        nodes: MapNodes,
        base_map: Option<BaseMap>,
        view: Option<View>,
        view_changed: impl Fn(Option<View>) + 'static,
    ) -> Option<Rc<Self>> {
        let map = Rc::new(Self {
            city,
            screen: Screen::new(nodes)?,
            state: RefCell::new(State::new(city, base_map, motion())),
            tiles: OnceCell::new(),
            frame: OnceCell::new(),
            is_frame_due: Cell::new(false),
            is_scene_due: Cell::new(false),
            view_changed: Box::new(view_changed),
        });
        map.prepare_callbacks();
        map.show_first(view);
        Some(map)
    }

    fn prepare_callbacks(self: &Rc<Self>) {
        let map = Rc::clone(self);
        let frame = move |now_ms| {
            map.is_frame_due.set(false);
            map.draw(now_ms);
        };
        self.frame.get_or_init(|| Closure::new(frame));
        if let Some(tiles) = self.city.tiles.get_value() {
            let map = Rc::clone(self);
            let arrived = Rc::new(move || map.redraw_base());
            self.tiles
                .get_or_init(|| TileLayer::new(tiles.url, arrived));
        }
    }

    /// Shows the view of the page's address, else the place searched for, else all docks.
    fn show_first(&self, view: Option<View>) {
        {
            let state = &mut *self.state.borrow_mut();
            state.place_docks(self.city);
            state.renew_scene(self.city);
            self.screen.resize(&mut state.viewport);
            match (view, self.city.place()) {
                (Some(view), _) => state.viewport.show_view(view),
                (None, Some(place)) => state.viewport.show_place(place.lat, place.lon),
                (None, None) => state.follow_docks(),
            }
        }
        // At once: until the next animation frame there would be neither map.
        self.draw(now_ms());
    }

    /// The element that takes pointers and keys.
    pub(super) fn canvas(&self) -> &HtmlCanvasElement {
        self.screen.canvas()
    }

    /// Draws at the next animation frame; any number of calls draw once.
    pub(super) fn redraw(&self) {
        if self.is_frame_due.replace(true) {
            return;
        }
        if let Some(frame) = self.frame.get() {
            window()
                .request_animation_frame(frame.as_ref().unchecked_ref())
                .ok();
        }
    }

    fn redraw_base(&self) {
        self.state.borrow_mut().base_camera = None;
        self.redraw();
    }

    // --- What the rider does -------------------------------------------------------------

    /// Moves the map by pixels.
    pub(super) fn pan(&self, dx: f64, dy: f64) {
        self.move_view(|viewport, _| viewport.pan(dx, dy));
    }

    /// Zooms by `levels` around a pixel.
    pub(super) fn zoom_at(&self, levels: f64, x: f64, y: f64) {
        self.move_view(|viewport, _| viewport.zoom_at(levels, x, y));
    }

    /// Zooms by `levels` around the middle, smoothly.
    pub(super) fn zoom_smoothly(&self, levels: f64) {
        self.move_view(|viewport, _| viewport.zoom_smoothly(levels, now_ms()));
    }

    /// Shows all docks, and goes on doing so as docks come.
    pub(super) fn fly_to_all(&self) {
        self.move_view(|viewport, docks| viewport.fly_to_all(docks, now_ms()));
    }

    /// Shows a view from the page's address.
    pub(super) fn show(&self, view: View) {
        self.move_view(|viewport, _| viewport.show_view(view));
    }

    /// Shows what was searched for.
    pub(super) fn fly_to_place(&self, place: &FoundPlace) {
        self.move_view(|viewport, _| viewport.fly_to_place(place.lat, place.lon, now_ms()));
    }

    /// Shows a selected dock, unless it can be seen well already.
    pub(super) fn bring_into_sight(&self, dock: i32) {
        let point = self.state.borrow().hidden_dock(self.city, dock);
        if let Some(point) = point {
            self.move_view(|viewport, _| viewport.fly_to_dock(point, now_ms()));
        }
    }

    /// The dock at a pixel, if any.
    pub(super) fn dock_at(&self, at: (f64, f64)) -> Option<i32> {
        let state = self.state.borrow();
        self.city
            .docks
            .with_untracked(|docks| state.docks.hit(counts(docks), &state.viewport, at))
    }

    /// Notes the dock under the pointer.
    pub(super) fn hover(&self, dock: Option<i32>) {
        let is_news = std::mem::replace(&mut self.state.borrow_mut().hovered, dock) != dock;
        if is_news {
            self.screen.show_pointer_on_dock(dock.is_some());
            self.redraw();
        }
    }

    fn move_view(&self, change: impl FnOnce(&mut Viewport, &[Point])) {
        let view = {
            let state = &mut *self.state.borrow_mut();
            change(&mut state.viewport, state.docks.points());
            state.viewport.chosen_view()
        };
        (self.view_changed)(view);
        self.redraw();
    }

    // --- What else changes ---------------------------------------------------------------

    /// Docks came, went, or were renamed or moved.
    pub(super) fn docks_changed(self: &Rc<Self>) {
        self.state.borrow_mut().place_docks(self.city);
        if !self.is_scene_due.replace(true) {
            let map = Rc::clone(self);
            let renew = move || {
                map.is_scene_due.set(false);
                {
                    let mut state = map.state.borrow_mut();
                    state.renew_scene(map.city);
                    state.follow_docks();
                }
                map.redraw();
            };
            let has_scene = self.state.borrow().scene.is_some();
            let wait = if has_scene {
                SCENE_EVERY
            } else {
                Duration::ZERO
            };
            set_timeout(renew, wait);
        }
        self.redraw();
    }

    /// The page gave the map another size.
    pub(super) fn size_changed(&self) {
        {
            let mut state = self.state.borrow_mut();
            if !self.screen.resize(&mut state.viewport) {
                return;
            }
            state.follow_docks();
            state.base_camera = None;
        }
        // At once: a new size empties the canvases, and the next animation frame comes only
        // after this one has been painted.
        self.draw(now_ms());
    }

    /// The rider's system asks for other colours or another amount of motion.
    pub(super) fn preferences_changed(&self) {
        {
            let mut state = self.state.borrow_mut();
            state.palette = Palette::read();
            state.viewport.set_motion(motion());
        }
        self.redraw_base();
    }

    // --- The screen ----------------------------------------------------------------------

    fn paint_base(&self, state: &State) {
        let (viewport, palette) = (&state.viewport, &state.palette);
        let (scene, tiles) = (state.scene.as_ref(), self.tiles.get());
        self.screen.paint_base(viewport, scene, tiles, palette);
        // Tiles bring their own names.
        let ground = scene.filter(|_| tiles.is_none()).map(|scene| &scene.ground);
        self.screen
            .paint_names(viewport, ground, state.docks.points(), palette);
    }

    fn draw(&self, now_ms: f64) {
        let state = &mut *self.state.borrow_mut();
        let is_flying = state.viewport.advance(now_ms);
        let camera = Some(state.viewport.camera());
        if std::mem::replace(&mut state.base_camera, camera) != camera {
            self.paint_base(state);
        }
        let State {
            viewport, docks, ..
        } = state;
        let mut frame = Frame::at(now_ms, self.city, viewport, docks, state.hovered);
        self.screen
            .paint_marks(viewport, &mut frame, &state.palette);
        self.city.docks.with_untracked(|docks| {
            self.screen
                .write_label(self.city.words, frame.named(docks), viewport.zoom());
        });
        self.screen.set_attributes(&attributes(self.city, viewport));
        if is_flying || !frame.ripples.is_empty() {
            self.redraw();
        }
    }
}

fn motion() -> Motion {
    if media_matches(LESS_MOTION) {
        Motion::Reduced
    } else {
        Motion::Full
    }
}

//! The map: two canvases, one camera, one redraw per animation frame.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, HtmlElement, ResizeObserver};

use super::base::{Scene, plane_around};
use super::events::{media_matches, now_ms, on};
use super::marks::{Mark, Marks, Ripple};
use super::palette::Palette;
use super::tiles::TileLayer;
use super::{address, gestures};
use crate::city::City;
use crate::components::map_view::MapNodes;
use crate::map::look::{note, radius, words};
use crate::map::plane::{Plane, Point};
use crate::map::view::{Bounds, Camera, View, ZOOM_MAX, ZOOM_MIN, fit};
use crate::model::{Place, SEARCH_RADIUS_M};

/// Land and streets are worked out anew at most this often while docks keep coming.
const SCENE_EVERY: Duration = Duration::from_millis(500);
/// A flight to another view takes this long.
const FLIGHT_MS: f64 = 420.0;
/// A ripple around a changed dock takes this long.
const RIPPLE_MS: f64 = 900.0;
/// Ripples at a time; a city that changes everywhere needs none.
const RIPPLES_MAX: usize = 80;
/// The address gets the new view after it has been still for this long.
const SETTLED: Duration = Duration::from_millis(300);
/// A dock is hit this many pixels beyond its circle: fingers are wide.
const HIT_MARGIN: f64 = 9.0;

/// The map on its canvases. One per page; the browser's callbacks hold it.
pub(super) struct MapCanvas {
    pub(super) city: City,
    base: HtmlCanvasElement,
    marks: HtmlCanvasElement,
    base_ctx: CanvasRenderingContext2d,
    marks_ctx: CanvasRenderingContext2d,
    label: HtmlElement,
    state: RefCell<State>,
    tiles: OnceCell<TileLayer>,
    frame: OnceCell<Closure<dyn Fn(f64)>>,
    is_frame_due: Cell<bool>,
    is_scene_due: Cell<bool>,
    view_changes: Cell<u32>,
}

struct State {
    plane: Plane,
    camera: Camera,
    /// Device pixels per CSS pixel.
    ratio: f64,
    palette: Palette,
    scene: Option<Scene>,
    /// Docks on the plane, in the list's order.
    points: Vec<Point>,
    /// Whether the rider (or the page's address) chose the view; otherwise all docks are shown.
    is_view_chosen: bool,
    is_base_stale: bool,
    flight: Option<Flight>,
    hovered: Option<i32>,
    /// Bikes as last drawn, in the same order, to see what changed.
    drawn: Vec<i32>,
    /// Docks that changed, and when.
    ripples: Vec<(i32, f64)>,
    is_still: bool,
}

struct Flight {
    from: Camera,
    to: Camera,
    began: f64,
}

impl MapCanvas {
    /// Takes the canvases over from the still map.
    pub(super) fn start(city: City, nodes: MapNodes, view: Option<View>) -> Option<Rc<Self>> {
        let base: HtmlCanvasElement = nodes.base.get_untracked()?;
        let marks: HtmlCanvasElement = nodes.marks.get_untracked()?;
        let label: HtmlElement = nodes.label.get_untracked()?.into();
        let (base_ctx, marks_ctx) = (context(&base)?, context(&marks)?);
        let plane = city.docks.with_untracked(|docks| plane_around(docks));
        let camera = Camera {
            centre: Point::default(),
            scale: 0.05,
            width: 0.0,
            height: 0.0,
        };
        let state = RefCell::new(State {
            plane,
            camera,
            ratio: 1.0,
            palette: Palette::read(),
            scene: None,
            points: Vec::new(),
            is_view_chosen: false,
            is_base_stale: true,
            flight: None,
            hovered: None,
            drawn: Vec::new(),
            ripples: Vec::new(),
            is_still: media_matches("(prefers-reduced-motion: reduce)"),
        });
        let map = Rc::new(Self {
            city,
            base,
            marks,
            base_ctx,
            marks_ctx,
            label,
            state,
            tiles: OnceCell::new(),
            frame: OnceCell::new(),
            is_frame_due: Cell::new(false),
            is_scene_due: Cell::new(false),
            view_changes: Cell::new(0),
        });
        map.open(nodes, view);
        Some(map)
    }

    fn open(self: &Rc<Self>, nodes: MapNodes, view: Option<View>) {
        let map = Rc::clone(self);
        self.frame
            .get_or_init(|| Closure::new(move |now| map.draw_frame(now)));
        if let Some(tiles) = self.city.tiles.get_value() {
            let map = Rc::clone(self);
            let arrived = Rc::new(move || map.redraw_base());
            self.tiles
                .get_or_init(|| TileLayer::new(tiles.url, arrived));
        }
        // From here on the canvases are seen, and have a size.
        if let Some(section) = self.marks.parent_element() {
            section.class_list().add_1("is-live").ok();
        }
        self.resize();
        self.take_docks();
        self.renew_scene();
        match (view, self.city.place()) {
            (Some(view), _) => self.show(view),
            (None, Some(place)) => self.jump(self.around_place(&place)),
            (None, None) => self.fit_all(),
        }
        self.observe();
        self.follow_city();
        gestures::attach(self, nodes);
        // At once: until the next animation frame there would be neither map.
        self.draw(now_ms());
    }

    /// The element that takes pointers and keys.
    pub(super) fn canvas(&self) -> &HtmlCanvasElement {
        &self.marks
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
        self.state.borrow_mut().is_base_stale = true;
        self.redraw();
    }

    // --- What the rider does -------------------------------------------------------------

    /// Moves the map by pixels.
    pub(super) fn pan(&self, dx: f64, dy: f64) {
        self.change_camera(|camera, _| camera.panned(dx, dy));
    }

    /// Zooms by `levels` around a pixel.
    pub(super) fn zoom_at(&self, levels: f64, x: f64, y: f64) {
        self.change_camera(|camera, plane| zoomed(camera, plane, levels, x, y));
    }

    /// Zooms by `levels` around the middle, smoothly.
    pub(super) fn zoom_smoothly(&self, levels: f64) {
        let to = {
            let state = self.state.borrow();
            let from = state
                .flight
                .as_ref()
                .map_or(state.camera, |flight| flight.to);
            zoomed(
                from,
                &state.plane,
                levels,
                from.width / 2.0,
                from.height / 2.0,
            )
        };
        self.fly(to);
        self.state.borrow_mut().is_view_chosen = true;
    }

    /// Shows all docks, and goes on doing so as docks come.
    pub(super) fn fly_to_all(&self) {
        if let Some(camera) = self.around_docks() {
            self.fly(camera);
        }
        self.state.borrow_mut().is_view_chosen = false;
    }

    /// The dock at a pixel, if any: the nearest of those that are hit.
    pub(super) fn dock_at(&self, x: f64, y: f64) -> Option<i32> {
        let state = self.state.borrow();
        let zoom = state.plane.zoom_of(state.camera.scale);
        self.city.docks.with_untracked(|docks| {
            let hits = docks.iter().zip(&state.points).filter_map(|(dock, point)| {
                let (dx, dy) = state.camera.screen(*point);
                let distance = (dx - x).hypot(dy - y);
                let reach = radius(dock.count.get_untracked().rentable(), zoom) + HIT_MARGIN;
                (distance <= reach).then_some((distance, dock.id))
            });
            hits.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, id)| id)
        })
    }

    /// Notes the dock under the pointer.
    pub(super) fn hover(&self, dock: Option<i32>) {
        let is_news = std::mem::replace(&mut self.state.borrow_mut().hovered, dock) != dock;
        if is_news {
            self.marks
                .class_list()
                .toggle_with_force("is-on-dock", dock.is_some())
                .ok();
            self.redraw();
        }
    }

    /// Shows a view from the page's address.
    pub(super) fn show(&self, view: View) {
        let camera = {
            let state = self.state.borrow();
            Camera {
                centre: state.plane.point(view.lat, view.lon),
                scale: state.plane.pixels_per_metre(view.zoom),
                ..state.camera
            }
        };
        self.jump(camera);
    }

    /// The view, for the page's address; none while it follows the docks by itself.
    pub(super) fn chosen_view(&self) -> Option<View> {
        let state = self.state.borrow();
        state.is_view_chosen.then(|| view_of(&state))
    }

    // --- What the city does --------------------------------------------------------------

    fn follow_city(self: &Rc<Self>) {
        let (city, map) = (self.city, Rc::clone(self));
        Effect::watch(
            move || city.docks.track(),
            move |(), _, _| map.docks_changed(),
            false,
        );
        let map = Rc::clone(self);
        Effect::new(move || {
            city.version.track();
            city.clock.track();
            city.selected.track();
            city.outcome.track();
            map.redraw();
        });
        let map = Rc::clone(self);
        Effect::watch(
            move || city.place(),
            move |place, _, _| {
                if let Some(place) = place {
                    map.fly(map.around_place(place));
                    map.state.borrow_mut().is_view_chosen = true;
                    show_results();
                }
            },
            false,
        );
        let map = Rc::clone(self);
        Effect::watch(
            move || city.selected.get(),
            move |selected, _, _| map.selection_changed(*selected),
            false,
        );
    }

    fn docks_changed(self: &Rc<Self>) {
        self.take_docks();
        if !self.is_scene_due.replace(true) {
            let map = Rc::clone(self);
            let renew = move || {
                map.is_scene_due.set(false);
                map.renew_scene();
                if !map.state.borrow().is_view_chosen {
                    map.fit_all();
                }
                map.redraw();
            };
            let has_scene = self.state.borrow().scene.is_some();
            set_timeout(
                renew,
                if has_scene {
                    SCENE_EVERY
                } else {
                    Duration::ZERO
                },
            );
        }
        self.redraw();
    }

    fn selection_changed(&self, selected: Option<i32>) {
        let Some(id) = selected else { return };
        let target = {
            let state = self.state.borrow();
            let point = self.city.docks.with_untracked(|docks| {
                let at = docks.iter().position(|dock| dock.id == id)?;
                state.points.get(at).copied()
            });
            let is_seen =
                point.is_some_and(|point| state.camera.sees(state.camera.screen(point), -30.0));
            let close = state.plane.pixels_per_metre(15.0).max(state.camera.scale);
            point.filter(|_| !is_seen).map(|centre| Camera {
                centre,
                scale: close,
                ..state.camera
            })
        };
        if let Some(camera) = target {
            self.fly(camera);
            self.state.borrow_mut().is_view_chosen = true;
        }
    }

    /// Puts the docks on the plane; the first docks decide where the plane is.
    fn take_docks(&self) {
        let mut state = self.state.borrow_mut();
        self.city.docks.with_untracked(|docks| {
            if state.points.is_empty() && !state.is_view_chosen {
                state.plane = plane_around(docks);
            }
            state.points = docks
                .iter()
                .map(|dock| state.plane.point(dock.lat, dock.lon))
                .collect();
            state.drawn = docks
                .iter()
                .map(|dock| dock.count.get_untracked().rentable())
                .collect();
        });
    }

    fn renew_scene(&self) {
        let mut state = self.state.borrow_mut();
        let scene = self.city.docks.with_untracked(|docks| {
            Scene::of(
                docks
                    .iter()
                    .zip(&state.points)
                    .map(|(dock, point)| (&*dock.name, *point)),
            )
        });
        state.scene = scene;
        state.is_base_stale = true;
    }

    // --- Camera --------------------------------------------------------------------------

    fn change_camera(&self, change: impl FnOnce(Camera, &Plane) -> Camera) {
        {
            let mut state = self.state.borrow_mut();
            state.camera = change(state.camera, &state.plane);
            state.flight = None;
            state.is_view_chosen = true;
            state.is_base_stale = true;
        }
        self.view_changed();
        self.redraw();
    }

    fn jump(&self, camera: Camera) {
        self.change_camera(|_, _| camera);
    }

    fn fit_all(&self) {
        if let Some(camera) = self.around_docks() {
            let mut state = self.state.borrow_mut();
            state.camera = camera;
            state.is_base_stale = true;
        }
    }

    fn fly(&self, to: Camera) {
        if self.state.borrow().is_still {
            self.jump(to);
            return;
        }
        {
            let mut state = self.state.borrow_mut();
            state.flight = Some(Flight {
                from: state.camera,
                to,
                began: now_ms(),
            });
        }
        self.view_changed();
        self.redraw();
    }

    fn around_docks(&self) -> Option<Camera> {
        let state = self.state.borrow();
        let bounds = Bounds::around(state.points.iter().copied())?.widened(350.0);
        Some(fit(
            &state.plane,
            bounds,
            state.camera.width,
            state.camera.height,
        ))
    }

    fn around_place(&self, place: &Place) -> Camera {
        let state = self.state.borrow();
        let point = state.plane.point(place.lat, place.lon);
        let bounds = Bounds {
            min: point,
            max: point,
        }
        .widened(SEARCH_RADIUS_M * 1.35);
        fit(
            &state.plane,
            bounds,
            state.camera.width,
            state.camera.height,
        )
    }

    /// Writes the view to the page's address once it has been still for a moment.
    fn view_changed(&self) {
        let change = self.view_changes.get().wrapping_add(1);
        self.view_changes.set(change);
        let Some(map) = address::map() else { return };
        set_timeout(
            move || {
                if map.view_changes.get() == change {
                    address::write_view(&map);
                }
            },
            SETTLED,
        );
    }

    // --- The screen ----------------------------------------------------------------------

    fn observe(self: &Rc<Self>) {
        let map = Rc::clone(self);
        let resized = Closure::<dyn Fn()>::new(move || {
            if !map.resize() {
                return;
            }
            if !map.state.borrow().is_view_chosen {
                map.fit_all();
            }
            // At once: a new size empties the canvases, and the next animation frame comes only
            // after this one has been painted.
            map.draw(now_ms());
        });
        if let Ok(observer) = ResizeObserver::new(resized.as_ref().unchecked_ref()) {
            observer.observe(&self.marks);
            resized.forget();
        }
        for query in [
            "(prefers-color-scheme: dark)",
            "(prefers-reduced-motion: reduce)",
        ] {
            let map = Rc::clone(self);
            if let Ok(Some(list)) = window().match_media(query) {
                on::<web_sys::Event>(&list, "change", move |_| {
                    let mut state = map.state.borrow_mut();
                    state.palette = Palette::read();
                    state.is_still = media_matches("(prefers-reduced-motion: reduce)");
                    drop(state);
                    map.redraw_base();
                });
            }
        }
    }

    /// Takes the size on the screen over; says whether it is another one than before.
    fn resize(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let (width, height) = (
            f64::from(self.marks.client_width()),
            f64::from(self.marks.client_height()),
        );
        let ratio = window().device_pixel_ratio().clamp(1.0, 3.0);
        if (state.camera.width, state.camera.height, state.ratio) == (width, height, ratio) {
            return false;
        }
        state.camera = Camera {
            width,
            height,
            ..state.camera
        };
        state.ratio = ratio;
        state.is_base_stale = true;
        for canvas in [&self.base, &self.marks] {
            canvas.set_width((width * ratio).round() as u32);
            canvas.set_height((height * ratio).round() as u32);
        }
        true
    }

    fn draw_frame(&self, now: f64) {
        self.is_frame_due.set(false);
        self.draw(now);
    }

    fn draw(&self, now: f64) {
        let mut state = self.state.borrow_mut();
        let is_flying = advance_flight(&mut state, now);
        if std::mem::take(&mut state.is_base_stale) {
            self.draw_base(&state);
        }
        let has_ripples = self.draw_marks(&mut state, now);
        self.publish(&state);
        drop(state);
        if is_flying || has_ripples {
            self.redraw();
        }
    }

    fn draw_base(&self, state: &State) {
        let (ctx, camera) = (&self.base_ctx, &state.camera);
        scale_to_css(ctx, state.ratio);
        ctx.set_fill_style_str(&state.palette.water);
        ctx.fill_rect(0.0, 0.0, camera.width, camera.height);
        if let Some(scene) = &state.scene {
            scene.draw(ctx, camera, state.ratio, &state.palette);
            scale_to_css(ctx, state.ratio);
            if self.tiles.get().is_none() {
                let zoom = state.plane.zoom_of(camera.scale);
                scene.draw_names(ctx, camera, zoom, &state.palette);
            }
        }
        if let Some(tiles) = self.tiles.get() {
            tiles.draw(ctx, &state.plane, camera);
        }
    }

    /// Draws docks and search; says whether something still moves.
    fn draw_marks(&self, state: &mut State, now: f64) -> bool {
        let camera = state.camera;
        let place = self.city.outcome.with_untracked(|outcome| match outcome {
            Some(crate::model::Outcome::Found(place)) => {
                let point = state.plane.point(place.lat, place.lon);
                Some((point, camera.screen(point)))
            }
            _ => None,
        });
        let mut seen = self.visible_marks(state, place.map(|(point, _)| point), now);
        scale_to_css(&self.marks_ctx, state.ratio);
        self.marks_ctx
            .clear_rect(0.0, 0.0, camera.width, camera.height);
        let zoom = state.plane.zoom_of(camera.scale);
        let brush = Marks {
            ctx: &self.marks_ctx,
            palette: &state.palette,
            zoom,
        };
        if let Some((_, at)) = place {
            brush.ring(at, camera.scale);
        }
        state.ripples.retain(|(_, began)| now - began < RIPPLE_MS);
        for (id, began) in &state.ripples {
            if let Some(mark) = seen.iter().find(|mark| mark.id == *id) {
                let progress = ((now - began) / RIPPLE_MS).clamp(0.0, 1.0);
                brush.ripple(Ripple {
                    at: mark.at,
                    bikes: mark.count.rentable(),
                    progress,
                });
            }
        }
        brush.docks(&mut seen);
        let selected = self.city.selected.get_untracked();
        for (id, width) in [(state.hovered, 2.0), (selected, 3.5)] {
            if let Some(mark) = seen.iter().find(|mark| Some(mark.id) == id) {
                brush.outline(mark, width);
            }
        }
        if let Some((_, at)) = place {
            brush.place(at);
        }
        self.write_label(state.hovered.or(selected), &seen, zoom);
        !state.ripples.is_empty()
    }

    /// The docks on the screen; a count that differs from the last drawing starts a ripple.
    fn visible_marks(&self, state: &mut State, place: Option<Point>, now: f64) -> Vec<Mark> {
        let State {
            camera,
            points,
            drawn,
            ripples,
            is_still,
            ..
        } = state;
        self.city.docks.with_untracked(|docks| {
            let drawn_before = points.iter().zip(drawn.iter_mut());
            let marks = docks
                .iter()
                .zip(drawn_before)
                .filter_map(|(dock, (point, drawn))| {
                    let count = dock.count.get_untracked();
                    let is_news = std::mem::replace(drawn, count.rentable()) != count.rentable();
                    let at = camera.screen(*point);
                    if !camera.sees(at, 30.0) {
                        return None;
                    }
                    if is_news && !*is_still && ripples.len() < RIPPLES_MAX {
                        ripples.push((dock.id, now));
                    }
                    let is_near =
                        place.is_none_or(|place| place.distance(*point) <= SEARCH_RADIUS_M);
                    Some(Mark {
                        id: dock.id,
                        at,
                        count,
                        is_near,
                    })
                });
            marks.collect()
        })
    }

    /// Names one dock beside its circle.
    fn write_label(&self, dock: Option<i32>, seen: &[Mark], zoom: f64) {
        let mark = dock.and_then(|id| seen.iter().find(|mark| mark.id == id));
        self.label
            .class_list()
            .toggle_with_force("is-shown", mark.is_some())
            .ok();
        let Some(mark) = mark else { return };
        let name = self.city.docks.with_untracked(|docks| {
            docks
                .iter()
                .find(|dock| dock.id == mark.id)
                .map(|dock| dock.name.to_string())
        });
        let text = [Some(words(mark.count)), note(mark.count)];
        let text = text.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let text = format!("{}: {text}", name.unwrap_or_default());
        if self.label.text_content().as_deref() != Some(&text) {
            self.label.set_text_content(Some(&text));
        }
        let above = mark.at.1 - radius(mark.count.rentable(), zoom) - 10.0;
        let place = format!(
            "translate({:.0}px, {above:.0}px) translate(-50%, -100%)",
            mark.at.0
        );
        self.label.style().set_property("transform", &place).ok();
    }

    /// Says on the canvas what it shows, for scripts and tests that cannot see.
    fn publish(&self, state: &State) {
        let totals = untrack(|| self.city.totals());
        let clock = self.city.clock.with_untracked(|clock| {
            clock
                .as_ref()
                .map(|clock| clock.utc.clone())
                .unwrap_or_default()
        });
        let search = self.city.outcome.with_untracked(|outcome| match outcome {
            Some(crate::model::Outcome::Found(place)) => {
                format!("{:.5},{:.5}", place.lat, place.lon)
            }
            _ => String::new(),
        });
        for (name, value) in [
            ("data-docks", totals.docks.to_string()),
            ("data-bikes", totals.bikes.to_string()),
            ("data-clock", clock),
            (
                "data-version",
                self.city.version.get_untracked().to_string(),
            ),
            ("data-search", search),
            ("data-view", view_of(state).to_hash()),
        ] {
            if self.marks.get_attribute(name).as_deref() != Some(&value) {
                self.marks.set_attribute(name, &value).ok();
            }
        }
    }
}

fn zoomed(camera: Camera, plane: &Plane, levels: f64, x: f64, y: f64) -> Camera {
    let scale = (camera.scale * levels.exp2()).clamp(
        plane.pixels_per_metre(ZOOM_MIN),
        plane.pixels_per_metre(ZOOM_MAX),
    );
    camera.scaled_at(scale, x, y)
}

fn view_of(state: &State) -> View {
    let camera = state
        .flight
        .as_ref()
        .map_or(state.camera, |flight| flight.to);
    let (lat, lon) = state.plane.degrees(camera.centre);
    View {
        zoom: state.plane.zoom_of(camera.scale),
        lat,
        lon,
    }
}

/// Moves the camera along its flight; says whether it still flies.
fn advance_flight(state: &mut State, now: f64) -> bool {
    let Some(Flight { from, to, began }) = &state.flight else {
        return false;
    };
    let progress = ((now - began) / FLIGHT_MS).clamp(0.0, 1.0);
    let eased = 1.0 - (1.0 - progress).powi(3);
    state.camera = Camera {
        centre: from.centre.toward(to.centre, eased),
        scale: from.scale * (to.scale / from.scale).powf(eased),
        ..state.camera
    };
    state.is_base_stale = true;
    if progress >= 1.0 {
        state.flight = None;
    }
    progress < 1.0
}

/// Brings the head of the lists into view: the results stand there.
fn show_results() {
    if let Some(lists) = document().query_selector(".lists").ok().flatten() {
        lists.set_scroll_top(0);
    }
}

fn scale_to_css(ctx: &CanvasRenderingContext2d, ratio: f64) {
    // Only a detached canvas refuses a transform.
    ctx.set_transform(ratio, 0.0, 0.0, ratio, 0.0, 0.0).ok();
}

fn context(canvas: &HtmlCanvasElement) -> Option<CanvasRenderingContext2d> {
    canvas.get_context("2d").ok().flatten()?.dyn_into().ok()
}

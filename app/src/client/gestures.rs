//! Pointers, wheel and keys on the map.

use std::cell::RefCell;
use std::rc::Rc;

use leptos::prelude::*;
use web_sys::{Element, Event, KeyboardEvent, MouseEvent, PointerEvent, WheelEvent};

use super::events::on;
use super::map_canvas::MapCanvas;
use crate::components::map_nodes::MapNodes;

/// A pointer that moved less than this many pixels has clicked.
const CLICK_MAX: f64 = 6.0;
/// Pixels an arrow key moves the map.
const STEP: f64 = 90.0;
/// Zoom levels per pixel of the wheel; a pinch on a touch pad sends smaller numbers.
const WHEEL: f64 = 0.0022;
/// See [`WHEEL`].
const PINCH: f64 = 0.012;

/// Fingers and mouse buttons that are down.
#[derive(Default)]
struct Down {
    pointers: Vec<(i32, f64, f64)>,
    /// How far they have moved since the first came down.
    moved: f64,
    /// Whether a second finger was ever part of it: then it is no click.
    was_pinch: bool,
}

/// Lets the rider move the map.
pub(super) fn attach(map: &Rc<MapCanvas>, nodes: MapNodes) {
    attach_pointers(map);
    attach_wheel(map);
    attach_keys(map);
    attach_buttons(map, nodes);
}

fn attach_pointers(map: &Rc<MapCanvas>) {
    let down: Rc<RefCell<Down>> = Rc::default();
    let canvas = map.canvas().clone();
    on(&canvas, "pointerdown", {
        let (down, canvas) = (Rc::clone(&down), canvas.clone());
        move |event: PointerEvent| {
            if event.button() > 0 {
                return;
            }
            // A pointer that is gone already cannot be captured; nothing is lost.
            canvas.set_pointer_capture(event.pointer_id()).ok();
            let mut down = down.borrow_mut();
            if down.pointers.is_empty() {
                *down = Down::default();
            }
            let (x, y) = position(&event);
            down.pointers.push((event.pointer_id(), x, y));
            down.was_pinch |= down.pointers.len() > 1;
        }
    });
    on(&canvas, "pointermove", {
        let (map, down) = (Rc::clone(map), Rc::clone(&down));
        move |event: PointerEvent| {
            let (x, y) = position(&event);
            if down.borrow().pointers.is_empty() {
                map.hover(map.dock_at(x, y));
            } else {
                drag(&map, &mut down.borrow_mut(), event.pointer_id(), x, y);
            }
        }
    });
    on(&canvas, "pointerup", {
        let (map, down) = (Rc::clone(map), Rc::clone(&down));
        move |event: PointerEvent| {
            let mut down = down.borrow_mut();
            down.pointers.retain(|(id, ..)| *id != event.pointer_id());
            if down.pointers.is_empty() && down.moved < CLICK_MAX && !down.was_pinch {
                let (x, y) = position(&event);
                select(&map, x, y);
            }
        }
    });
    on(&canvas, "pointercancel", {
        let down = Rc::clone(&down);
        move |event: PointerEvent| {
            down.borrow_mut()
                .pointers
                .retain(|(id, ..)| *id != event.pointer_id());
        }
    });
    on(&canvas, "pointerleave", {
        let map = Rc::clone(map);
        move |_: PointerEvent| map.hover(None)
    });
    on(&canvas, "dblclick", {
        let map = Rc::clone(map);
        move |event: MouseEvent| {
            event.prevent_default();
            let (x, y) = (f64::from(event.offset_x()), f64::from(event.offset_y()));
            map.zoom_at(1.0, x, y);
        }
    });
}

/// One pointer pans; two pan and zoom.
fn drag(map: &MapCanvas, down: &mut Down, id: i32, x: f64, y: f64) {
    let Some(at) = down.pointers.iter().position(|(known, ..)| *known == id) else {
        return;
    };
    let (_, old_x, old_y) = down.pointers[at];
    down.pointers[at] = (id, x, y);
    down.moved += (x - old_x).hypot(y - old_y);
    if down.moved < CLICK_MAX && !down.was_pinch {
        return;
    }
    match down.pointers.iter().find(|(other, ..)| *other != id) {
        None => map.pan(x - old_x, y - old_y),
        Some((_, fixed_x, fixed_y)) => {
            let before = (old_x - fixed_x).hypot(old_y - fixed_y).max(1.0);
            let after = (x - fixed_x).hypot(y - fixed_y).max(1.0);
            // Each finger moves the middle by half its way.
            map.pan((x - old_x) / 2.0, (y - old_y) / 2.0);
            let middle = ((x + fixed_x) / 2.0, (y + fixed_y) / 2.0);
            map.zoom_at((after / before).log2(), middle.0, middle.1);
        }
    }
}

/// Selects the dock at a pixel and brings it into view in the list; the sea selects nothing.
fn select(map: &MapCanvas, x: f64, y: f64) {
    let dock = map.dock_at(x, y);
    map.city.selected.set(dock);
    let Some(id) = dock else { return };
    let item = document()
        .query_selector(&format!("#docks li[data-dock=\"{id}\"]"))
        .ok()
        .flatten();
    if let Some(item) = item {
        let options = web_sys::ScrollIntoViewOptions::new();
        options.set_block(web_sys::ScrollLogicalPosition::Nearest);
        item.scroll_into_view_with_scroll_into_view_options(&options);
    }
}

fn attach_wheel(map: &Rc<MapCanvas>) {
    let canvas = map.canvas().clone();
    let map = Rc::clone(map);
    on(&canvas, "wheel", move |event: WheelEvent| {
        event.prevent_default();
        let pixels = match event.delta_mode() {
            WheelEvent::DOM_DELTA_LINE => event.delta_y() * 18.0,
            _ => event.delta_y(),
        };
        let levels = -pixels * if event.ctrl_key() { PINCH } else { WHEEL };
        let (x, y) = (f64::from(event.offset_x()), f64::from(event.offset_y()));
        map.zoom_at(levels.clamp(-1.0, 1.0), x, y);
    });
}

fn attach_keys(map: &Rc<MapCanvas>) {
    let canvas = map.canvas().clone();
    let map = Rc::clone(map);
    on(&canvas, "keydown", move |event: KeyboardEvent| {
        if event.ctrl_key() || event.meta_key() || event.alt_key() {
            return;
        }
        match event.key().as_str() {
            "ArrowLeft" => map.pan(STEP, 0.0),
            "ArrowRight" => map.pan(-STEP, 0.0),
            "ArrowUp" => map.pan(0.0, STEP),
            "ArrowDown" => map.pan(0.0, -STEP),
            "+" | "=" => map.zoom_smoothly(1.0),
            "-" | "_" => map.zoom_smoothly(-1.0),
            "0" | "Home" => map.fly_to_all(),
            "Escape" => map.city.selected.set(None),
            _ => return,
        }
        event.prevent_default();
    });
}

fn attach_buttons(map: &Rc<MapCanvas>, nodes: MapNodes) {
    let Some(buttons) = nodes.buttons.get_untracked() else {
        return;
    };
    let map = Rc::clone(map);
    on(&buttons, "click", move |event: Event| {
        let pressed = event_target::<Element>(&event).get_attribute("data-zoom");
        match pressed.as_deref() {
            Some("in") => map.zoom_smoothly(1.0),
            Some("out") => map.zoom_smoothly(-1.0),
            Some("all") => map.fly_to_all(),
            _ => {}
        }
    });
}

/// Where a pointer is, in pixels of the canvas.
fn position(event: &PointerEvent) -> (f64, f64) {
    (f64::from(event.offset_x()), f64::from(event.offset_y()))
}

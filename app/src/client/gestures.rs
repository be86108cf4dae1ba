//! Pointers, wheel and keys on the map.

use std::cell::RefCell;
use std::rc::Rc;

use leptos::prelude::*;
use web_sys::{Element, Event, KeyboardEvent, MouseEvent, PointerEvent, WheelEvent};

use super::events::on;
use super::map_canvas::MapCanvas;
use crate::components::map_nodes::MapNodes;
use crate::map::pointers::{Drag, Pointers};
use crate::math::within;

/// Pixels an arrow key moves the map.
const STEP: f64 = 90.0;
/// Zoom levels per pixel of the wheel; a pinch on a touch pad sends smaller numbers.
const WHEEL: f64 = 0.0022;
/// See [`WHEEL`].
const PINCH: f64 = 0.012;

/// Lets the rider move the map.
pub(super) fn attach(map: &Rc<MapCanvas>, nodes: MapNodes) {
    attach_pointers(map);
    attach_mouse(map);
    attach_wheel(map);
    attach_keys(map);
    attach_buttons(map, nodes);
}

fn attach_pointers(map: &Rc<MapCanvas>) {
    let pointers: Rc<RefCell<Pointers>> = Rc::default();
    let canvas = map.canvas();
    on(canvas, "pointerdown", {
        let (pointers, canvas) = (Rc::clone(&pointers), canvas.clone());
        move |event: PointerEvent| {
            if event.button() > 0 {
                return;
            }
            // A pointer that is gone already cannot be captured; nothing is lost.
            canvas.set_pointer_capture(event.pointer_id()).ok();
            let mut pointers = pointers.borrow_mut();
            pointers.press(event.pointer_id(), position(&event));
        }
    });
    on(canvas, "pointermove", {
        let (map, pointers) = (Rc::clone(map), Rc::clone(&pointers));
        move |event: PointerEvent| move_pointer(&map, &mut pointers.borrow_mut(), &event)
    });
    on(canvas, "pointerup", {
        let (map, pointers) = (Rc::clone(map), Rc::clone(&pointers));
        move |event: PointerEvent| {
            if pointers.borrow_mut().release(event.pointer_id()) {
                select(&map, position(&event));
            }
        }
    });
    on(canvas, "pointercancel", move |event: PointerEvent| {
        pointers.borrow_mut().cancel(event.pointer_id());
    });
}

fn attach_mouse(map: &Rc<MapCanvas>) {
    on(map.canvas(), "pointerleave", {
        let map = Rc::clone(map);
        move |_: PointerEvent| map.hover(None)
    });
    on(map.canvas(), "dblclick", {
        let map = Rc::clone(map);
        move |event: MouseEvent| {
            event.prevent_default();
            let (x, y) = (f64::from(event.offset_x()), f64::from(event.offset_y()));
            map.zoom_at(1.0, x, y);
        }
    });
}

fn move_pointer(map: &MapCanvas, pointers: &mut Pointers, event: &PointerEvent) {
    let at = position(event);
    if pointers.are_up() {
        map.hover(map.dock_at(at));
    } else if let Some(Drag { pan, zoom }) = pointers.drag(event.pointer_id(), at) {
        map.pan(pan.0, pan.1);
        if let Some((levels, (x, y))) = zoom {
            map.zoom_at(levels, x, y);
        }
    }
}

/// Selects the dock at a pixel and brings it into view in the list; the sea selects nothing.
fn select(map: &MapCanvas, at: (f64, f64)) {
    let dock = map.dock_at(at);
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
        map.zoom_at(within(levels, -1.0, 1.0), x, y);
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

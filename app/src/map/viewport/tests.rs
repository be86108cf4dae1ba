use super::*;

/// A flight is over by then.
const LATER_MS: f64 = 10_000.0;

/// Two docks about 1.5 km apart.
const DOCKS: [Point; 2] = [Point { x: -500.0, y: 0.0 }, Point { x: 1_000.0, y: 0.0 }];

fn viewport() -> Viewport {
    let mut viewport = Viewport::new(Plane::around(40.73, -73.98), Motion::Full);
    assert!(viewport.resize(800.0, 600.0));
    viewport.follow_docks(&DOCKS);
    viewport
}

fn is_middle(viewport: &Viewport, x: f64) -> bool {
    (viewport.camera().centre.x - x).abs() < 1e-6
}

#[test]
fn all_docks_are_shown_until_a_view_is_chosen() {
    let mut viewport = viewport();
    assert!(is_middle(&viewport, 250.0));
    assert_eq!(viewport.chosen_view(), None);
    viewport.follow_docks(&[DOCKS[0]]);
    assert!(is_middle(&viewport, -500.0));
    viewport.pan(100.0, 0.0);
    assert!(viewport.chosen_view().is_some());
    viewport.follow_docks(&DOCKS);
    assert!(!is_middle(&viewport, 250.0));
}

#[test]
fn showing_all_docks_follows_them_again() {
    let mut viewport = viewport();
    viewport.pan(1e4, 0.0);
    viewport.fly_to_all(&DOCKS, 0.0);
    assert_eq!(viewport.chosen_view(), None);
    assert!(!viewport.advance(LATER_MS));
    assert!(is_middle(&viewport, 250.0));
}

#[test]
fn dragging_moves_the_city_with_the_pointer() {
    let mut viewport = viewport();
    let before = viewport.camera().point(300.0, 200.0);
    viewport.pan(40.0, -30.0);
    let after = viewport.camera().point(340.0, 170.0);
    assert!(before.distance(after) < 1e-6);
}

#[test]
fn the_wheel_zooms_around_the_pointer_and_stops_at_the_ends() {
    let mut viewport = viewport();
    let before = viewport.camera().point(100.0, 500.0);
    viewport.zoom_at(1.0, 100.0, 500.0);
    assert!(viewport.camera().point(100.0, 500.0).distance(before) < 1e-6);
    for (levels, zoom) in [(99.0, ZOOM_MAX), (-99.0, ZOOM_MIN)] {
        viewport.zoom_at(levels, 100.0, 500.0);
        assert!((viewport.zoom() - zoom).abs() < 1e-9, "{levels}");
    }
}

#[test]
fn two_presses_of_a_zoom_button_are_two_levels() {
    let mut viewport = viewport();
    let before = viewport.zoom();
    viewport.zoom_smoothly(1.0, 0.0);
    assert!(viewport.advance(100.0));
    viewport.zoom_smoothly(1.0, 100.0);
    // The address gets the view that the flight leads to, not one on the way.
    let written = viewport.chosen_view().unwrap().zoom;
    assert!((written - before - 2.0).abs() < 1e-9);
    assert!(!viewport.advance(LATER_MS));
    assert!((viewport.zoom() - before - 2.0).abs() < 1e-9);
}

#[test]
fn a_hand_on_the_map_ends_a_flight() {
    let mut viewport = viewport();
    viewport.fly_to_place(40.80, -73.95, 0.0);
    assert!(viewport.advance(50.0));
    viewport.pan(1.0, 1.0);
    let held = viewport.camera();
    assert!(!viewport.advance(LATER_MS));
    assert_eq!(viewport.camera(), held);
}

#[test]
fn who_asks_for_less_motion_is_there_at_once() {
    let mut viewport = viewport();
    viewport.set_motion(Motion::Reduced);
    viewport.fly_to_dock(DOCKS[1], 0.0);
    assert!(is_middle(&viewport, 1_000.0));
    assert!(!viewport.advance(0.0));
}

#[test]
fn a_place_is_shown_with_its_three_blocks() {
    let mut viewport = viewport();
    viewport.show_place(40.7457, -73.9819);
    let camera = viewport.camera();
    let at = viewport.plane().point(40.7457, -73.9819);
    let edge = Point {
        y: at.y + SEARCH_RADIUS_M,
        ..at
    };
    assert!(at.distance(camera.centre) < 1e-6);
    assert!(camera.sees(camera.screen(edge), 0.0));
}

#[test]
fn a_selected_dock_that_is_in_sight_is_left_where_it_is() {
    let viewport = viewport();
    assert!(viewport.has_in_sight(DOCKS[0]));
    let left_edge = viewport.camera().point(20.0, 300.0);
    assert!(!viewport.has_in_sight(left_edge), "too near to the edge");
}

#[test]
fn a_selected_dock_is_shown_close_and_never_from_further_away() {
    let mut viewport = viewport();
    viewport.zoom_at(-3.0, 0.0, 0.0);
    viewport.fly_to_dock(DOCKS[1], 0.0);
    viewport.advance(LATER_MS);
    assert!((viewport.zoom() - DOCK_ZOOM).abs() < 1e-9);
    viewport.zoom_at(2.0, 0.0, 0.0);
    let close = viewport.zoom();
    viewport.fly_to_dock(DOCKS[0], LATER_MS);
    viewport.advance(2.0 * LATER_MS);
    assert!((viewport.zoom() - close).abs() < 1e-9);
    assert!(is_middle(&viewport, -500.0));
}

#[test]
fn a_view_of_the_address_comes_back_as_it_was() {
    let mut viewport = viewport();
    let view = View::from_hash("#15.20/40.74570/-73.98190").unwrap();
    viewport.show_view(view);
    let shown = viewport.chosen_view().map(|view| view.to_hash());
    assert_eq!(shown.as_deref(), Some("#15.20/40.74570/-73.98190"));
}

#[test]
fn the_first_docks_move_the_plane_and_a_chosen_view_keeps_it() {
    let (new_york, boston) = (Plane::around(40.73, -73.98), Plane::around(42.36, -71.06));
    let mut viewport = Viewport::new(new_york, Motion::Full);
    viewport.found_on(boston);
    assert_eq!(viewport.plane(), &boston);
    viewport.pan(1.0, 0.0);
    viewport.found_on(new_york);
    assert_eq!(viewport.plane(), &boston);
}

#[test]
fn a_size_is_news_once() {
    let mut viewport = viewport();
    assert!(!viewport.resize(800.0, 600.0));
    assert!(viewport.resize(800.0, 300.0));
}

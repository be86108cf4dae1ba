//! What the map remembers from one drawing to the next.

use basemap::BaseMap;
use leptos::prelude::*;

use super::base::Scene;
use super::palette::Palette;
use crate::city::{City, LiveDock};
use crate::map::marks::Marks;
use crate::map::motion::Motion;
use crate::map::plane::{Plane, Point};
use crate::map::view::Camera;
use crate::map::viewport::Viewport;

/// The state of the one map; the rules are those of its parts.
pub(super) struct State {
    pub(super) viewport: Viewport,
    pub(super) docks: Marks,
    pub(super) palette: Palette,
    /// What the server has of the ground; none where the docks tell where land is.
    base_map: Option<BaseMap>,
    /// Ground and streets; none before the docks were placed.
    pub(super) scene: Option<Scene>,
    /// The camera with which the lower canvas was painted; none if it has to be painted anew.
    pub(super) base_camera: Option<Camera>,
    /// The dock under the pointer.
    pub(super) hovered: Option<i32>,
}

impl State {
    pub(super) fn new(city: City, base_map: Option<BaseMap>, motion: Motion) -> Self {
        let plane = city.docks.with_untracked(|docks| plane_amid(docks));
        Self {
            viewport: Viewport::new(plane, motion),
            docks: Marks::default(),
            palette: Palette::read(),
            base_map,
            scene: None,
            base_camera: None,
            hovered: None,
        }
    }

    /// Puts the docks on the plane; the first docks decide where the plane is.
    pub(super) fn place_docks(&mut self, city: City) {
        city.docks.with_untracked(|docks| {
            if self.docks.points().is_empty() {
                self.viewport.found_on(plane_amid(docks));
            }
            let placed = docks
                .iter()
                .map(|dock| ((dock.lat, dock.lon), dock.count.get_untracked()));
            let seeking = city.seeking.get_untracked();
            self.docks.place(self.viewport.plane(), placed, seeking);
        });
    }

    /// Works ground and streets out for the docks that were placed.
    pub(super) fn renew_scene(&mut self, city: City) {
        self.scene = city.docks.with_untracked(|docks| {
            let named = docks.iter().zip(self.docks.points());
            Some(Scene::of(
                named.map(|(dock, point)| (&*dock.name, *point)),
                self.viewport.plane(),
                self.base_map.as_ref(),
            ))
        });
        self.base_camera = None;
    }

    /// Shows all docks, unless a view was chosen.
    pub(super) fn follow_docks(&mut self) {
        self.viewport.follow_docks(self.docks.points());
    }

    /// Where a dock is, if it cannot be seen well as the map is.
    pub(super) fn hidden_dock(&self, city: City, id: i32) -> Option<Point> {
        let index = city
            .docks
            .with_untracked(|docks| docks.iter().position(|dock| dock.id == id))?;
        let point = self.docks.points().get(index).copied()?;
        (!self.viewport.has_in_sight(point)).then_some(point)
    }
}

fn plane_amid(docks: &[LiveDock]) -> Plane {
    Plane::amid(docks.iter().map(|dock| (dock.lat, dock.lon)))
}

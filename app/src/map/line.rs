//! A line on the plane, and the box around it: most of a city's lines are not on the screen.

use super::plane::Point;
use super::view::Bounds;

/// A street's line, or the outline of land.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) points: Vec<Point>,
    pub(crate) bounds: Bounds,
}

impl Line {
    /// None through nothing.
    pub(crate) fn through(points: Vec<Point>) -> Option<Self> {
        let bounds = Bounds::around(points.iter().copied())?;
        Some(Self { points, bounds })
    }
}

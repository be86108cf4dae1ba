//! Land: the smooth shape around all docks, so that rivers and large parks come out by themselves.
//!
//! Discs of [`REACH_M`] around the docks, grown together, then taken back by [`BACK_M`]: this
//! rounds the outline and closes the gaps between neighbours. It is worked out on a grid of
//! [`CELL_M`] and traced by marching squares. Cost: about 3 ms for 1,100 docks.

use super::plane::Point;
use super::view::Bounds;
use crate::math::within;

/// Radius of the discs around docks, in metres (chosen: closes the usual gaps between docks and
/// leaves the East River open).
const REACH_M: f64 = 430.0;
/// How far the grown shape is taken back, in metres; land ends about 300 m beyond the last dock.
const BACK_M: f64 = 130.0;
/// Size of a grid cell in metres.
const CELL_M: f64 = 45.0;
/// Cells of the grid at most (chosen: a square of 90 km); beyond it cells grow.
const CELLS_MAX: f64 = 4_000_000.0;
/// Rings that enclose less than this many square metres are left out: specks and puddles.
const AREA_MIN_M2: f64 = 90_000.0;

/// Closed outlines of land and of the holes in it; fill them by the even-odd rule.
#[must_use]
pub(crate) fn land(docks: &[Point]) -> Vec<Vec<Point>> {
    let Some(bounds) = Bounds::around(docks.iter().copied()) else {
        return Vec::new();
    };
    let bounds = bounds.widened(REACH_M + 3.0 * CELL_M);
    let reached = Field::distances(Grid::over(bounds), docks.iter().map(|p| (*p, 0.0)), REACH_M);
    // Distance to the edge of the grown shape, measured from the cells just outside it; a cell
    // further out has its edge that much nearer to the inside.
    let outside = reached
        .edge_cells(REACH_M)
        .map(|(p, d)| (p, (REACH_M - d).min(0.0)));
    let mut depth = Field::distances(reached.grid, outside, BACK_M);
    for (cell, distance) in depth.values.iter_mut().enumerate() {
        if reached.values[cell] >= REACH_M {
            *distance = 0.0;
        }
    }
    depth
        .outlines(BACK_M * 0.999)
        .into_iter()
        .filter(|ring| area(ring) >= AREA_MIN_M2)
        .collect()
}

#[derive(Debug, Clone, Copy)]
struct Grid {
    min: Point,
    cell_m: f64,
    columns: usize,
    rows: usize,
}

impl Grid {
    fn over(bounds: Bounds) -> Self {
        let (wide, high) = (bounds.max.x - bounds.min.x, bounds.max.y - bounds.min.y);
        let cell_m = CELL_M.max((wide * high / CELLS_MAX).sqrt());
        let count = |length: f64| (length / cell_m).ceil() as usize + 1;
        Self {
            min: bounds.min,
            cell_m,
            columns: count(wide),
            rows: count(high),
        }
    }

    fn point(&self, column: usize, row: usize) -> Point {
        Point {
            x: self.min.x + column as f64 * self.cell_m,
            y: self.min.y + row as f64 * self.cell_m,
        }
    }
}

/// A number for each grid point.
struct Field {
    grid: Grid,
    values: Vec<f64>,
}

impl Field {
    /// Distance to the nearest source plus that source's own offset, up to a little over `reach`.
    fn distances(grid: Grid, sources: impl Iterator<Item = (Point, f64)>, reach: f64) -> Self {
        let limit = reach + 2.0 * grid.cell_m;
        let mut values = vec![limit; grid.columns * grid.rows];
        for (source, offset) in sources {
            let first = |at: f64, min: f64| (((at - limit - min) / grid.cell_m).max(0.0)) as usize;
            let end = |at: f64, min: f64, count: usize| {
                ((((at + limit - min) / grid.cell_m).max(0.0)) as usize + 1).min(count)
            };
            for row in first(source.y, grid.min.y)..end(source.y, grid.min.y, grid.rows) {
                for column in first(source.x, grid.min.x)..end(source.x, grid.min.x, grid.columns) {
                    let value = &mut values[row * grid.columns + column];
                    *value = value.min(grid.point(column, row).distance(source) + offset);
                }
            }
        }
        Self { grid, values }
    }

    /// Points with a value of `level` or more next to one with less.
    fn edge_cells(&self, level: f64) -> impl Iterator<Item = (Point, f64)> + '_ {
        let Grid { columns, rows, .. } = self.grid;
        (0..rows).flat_map(move |row| {
            (0..columns).filter_map(move |column| {
                let value = self.values[row * columns + column];
                let is_inside = |column: usize, row: usize| {
                    column < columns && row < rows && self.values[row * columns + column] < level
                };
                let has_inside_neighbour = is_inside(column.wrapping_sub(1), row)
                    || is_inside(column + 1, row)
                    || is_inside(column, row.wrapping_sub(1))
                    || is_inside(column, row + 1);
                (value >= level && has_inside_neighbour)
                    .then(|| (self.grid.point(column, row), value))
            })
        })
    }

    /// Closed lines along which the field has the value `level` (marching squares).
    fn outlines(&self, level: f64) -> Vec<Vec<Point>> {
        // For each grid edge, the one its line leads to.
        let mut next: Vec<Option<Edge>> = vec![None; 2 * self.values.len()];
        let slot =
            |edge: Edge| 2 * (edge.row * self.grid.columns + edge.column) + usize::from(edge.down);
        let mut starts = Vec::new();
        for row in 0..self.grid.rows - 1 {
            for column in 0..self.grid.columns - 1 {
                for (from, to) in self.cell_lines(column, row, level).into_iter().flatten() {
                    next[slot(from)] = Some(to);
                    starts.push(from);
                }
            }
        }
        let mut rings = Vec::new();
        for start in starts {
            let mut ring = Vec::new();
            let mut at = start;
            while let Some(to) = next[slot(at)].take() {
                ring.push(self.crossing(at, level));
                at = to;
            }
            if !ring.is_empty() {
                rings.push(ring);
            }
        }
        rings
    }

    /// The directed lines through one cell, the higher side always on the right.
    fn cell_lines(&self, column: usize, row: usize, level: f64) -> [Option<(Edge, Edge)>; 2] {
        let high = |c: usize, r: usize| self.values[r * self.grid.columns + c] >= level;
        let corners = u8::from(high(column, row))
            | u8::from(high(column + 1, row)) << 1
            | u8::from(high(column + 1, row + 1)) << 2
            | u8::from(high(column, row + 1)) << 3;
        let top = Edge {
            column,
            row,
            down: false,
        };
        let left = Edge {
            column,
            row,
            down: true,
        };
        let bottom = Edge {
            column,
            row: row + 1,
            down: false,
        };
        let right = Edge {
            column: column + 1,
            row,
            down: true,
        };
        let line = match corners {
            1 => (left, top),
            2 => (top, right),
            3 => (left, right),
            4 => (right, bottom),
            5 => return [Some((left, top)), Some((right, bottom))],
            6 => (top, bottom),
            7 => (left, bottom),
            8 => (bottom, left),
            9 => (bottom, top),
            10 => return [Some((top, right)), Some((bottom, left))],
            11 => (bottom, right),
            12 => (right, left),
            13 => (right, top),
            14 => (top, left),
            _ => return [None, None],
        };
        [Some(line), None]
    }

    /// Where along a grid edge the level is crossed.
    fn crossing(&self, edge: Edge, level: f64) -> Point {
        let Edge { column, row, down } = edge;
        let (end_column, end_row) = if down {
            (column, row + 1)
        } else {
            (column + 1, row)
        };
        let value = |c: usize, r: usize| self.values[r * self.grid.columns + c];
        let (a, b) = (value(column, row), value(end_column, end_row));
        let share = if (b - a).abs() < f64::EPSILON {
            0.5
        } else {
            (level - a) / (b - a)
        };
        self.grid.point(column, row).toward(
            self.grid.point(end_column, end_row),
            within(share, 0.0, 1.0),
        )
    }
}

/// A line between two neighbouring grid points, to the right or down.
#[derive(Debug, Clone, Copy)]
struct Edge {
    column: usize,
    row: usize,
    down: bool,
}

fn area(ring: &[Point]) -> f64 {
    let next = ring.iter().cycle().skip(1);
    let twice: f64 = ring
        .iter()
        .zip(next)
        .map(|(a, b)| a.x * b.y - b.x * a.y)
        .sum();
    twice.abs() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dock(x: f64, y: f64) -> Point {
        Point { x, y }
    }

    #[test]
    fn a_lone_dock_stands_on_a_round_island() {
        let rings = land(&[dock(0.0, 0.0)]);
        assert_eq!(rings.len(), 1);
        for point in &rings[0] {
            let radius = point.distance(dock(0.0, 0.0));
            assert!((270.0..330.0).contains(&radius), "{radius}");
        }
    }

    #[test]
    fn near_docks_share_an_island_and_far_ones_do_not() {
        assert_eq!(land(&[dock(0.0, 0.0), dock(500.0, 0.0)]).len(), 1);
        assert_eq!(land(&[dock(0.0, 0.0), dock(1_500.0, 0.0)]).len(), 2);
    }

    #[test]
    fn a_circle_of_docks_encloses_a_hole() {
        let around = (0..24).map(|i| f64::from(i) * std::f64::consts::TAU / 24.0);
        let docks: Vec<_> = around
            .map(|a| dock(1_200.0 * a.cos(), 1_200.0 * a.sin()))
            .collect();
        assert_eq!(land(&docks).len(), 2);
    }

    #[test]
    fn no_docks_no_land() {
        assert!(land(&[]).is_empty());
    }
}

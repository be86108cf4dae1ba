//! Closed lines on a screen: cut to it, and without points that nobody would see.

/// A closed line in pixels.
pub(crate) type Outline = Vec<(f64, f64)>;

/// Points nearer to the last one than this many pixels are left out.
const STEP_PX: f64 = 0.8;

/// Leaves out points that are hardly a step from the last.
pub(crate) fn thinned(points: impl Iterator<Item = (f64, f64)>) -> Outline {
    let mut kept: Outline = Vec::new();
    for (x, y) in points {
        let is_step = |(lx, ly): &(f64, f64)| (lx - x).abs() + (ly - y).abs() >= STEP_PX;
        if kept.last().is_none_or(is_step) {
            kept.push((x, y));
        }
    }
    kept
}

/// Cuts an outline to a screen and `margin` pixels around it (Sutherland and Hodgman): what it
/// encloses there stays as it was.
pub(crate) fn clipped(outline: Outline, width: f64, height: f64, margin: f64) -> Outline {
    let outline = cut(outline, |(x, _)| x + margin);
    let outline = cut(outline, |(x, _)| width + margin - x);
    let outline = cut(outline, |(_, y)| y + margin);
    cut(outline, |(_, y)| height + margin - y)
}

/// Cuts off what is less than 0 deep.
fn cut(outline: Outline, depth: impl Fn((f64, f64)) -> f64) -> Outline {
    let mut kept = Vec::with_capacity(outline.len());
    let Some(mut last) = outline.last().copied() else {
        return kept;
    };
    for point in outline {
        let (from, to) = (depth(last), depth(point));
        if (from < 0.0) != (to < 0.0) {
            let share = from / (from - to);
            kept.push((
                last.0 + (point.0 - last.0) * share,
                last.1 + (point.1 - last.1) * share,
            ));
        }
        if to >= 0.0 {
            kept.push(point);
        }
        last = point;
    }
    kept
}

/// Pixels that an outline encloses.
pub(crate) fn area(outline: &[(f64, f64)]) -> f64 {
    let next = outline.iter().cycle().skip(1);
    let twice: f64 = outline
        .iter()
        .zip(next)
        .map(|(a, b)| a.0 * b.1 - b.0 * a.1)
        .sum();
    twice.abs() / 2.0
}

/// Leaves out points without which the line stays within `tolerance` pixels (Douglas and Peucker).
#[cfg(feature = "ssr")]
pub(crate) fn simplified(outline: &[(f64, f64)], tolerance: f64) -> Outline {
    let Some(first) = outline.first() else {
        return Vec::new();
    };
    let mut keep = vec![false; outline.len()];
    let far = |from: usize, to: usize| {
        let distances = (from + 1..to).map(|at| {
            (
                at,
                distance(outline[at], outline[from], outline[to % outline.len()]),
            )
        });
        distances.max_by(|a, b| a.1.total_cmp(&b.1))
    };
    keep[0] = true;
    // A closed line has no ends: the point furthest from its first is the other one.
    let across = (1..outline.len()).max_by(|a, b| {
        distance(outline[*a], *first, *first).total_cmp(&distance(outline[*b], *first, *first))
    });
    let mut pieces: Vec<_> = across
        .into_iter()
        .flat_map(|across| {
            keep[across] = true;
            [(0, across), (across, outline.len())]
        })
        .collect();
    while let Some((from, to)) = pieces.pop() {
        if let Some((at, distance)) = far(from, to)
            && distance > tolerance
        {
            keep[at] = true;
            pieces.extend([(from, at), (at, to)]);
        }
    }
    let points = outline.iter().zip(keep);
    points
        .filter(|(_, keep)| *keep)
        .map(|(point, _)| *point)
        .collect()
}

/// Distance of a point to the piece from `a` to `b`.
#[cfg(feature = "ssr")]
fn distance((x, y): (f64, f64), a: (f64, f64), b: (f64, f64)) -> f64 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let along = (x - a.0) * dx + (y - a.1) * dy;
    let share = (along / (dx * dx + dy * dy)).clamp(0.0, 1.0);
    let share = if share.is_nan() { 0.0 } else { share };
    (x - a.0 - dx * share).hypot(y - a.1 - dy * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SQUARE: [(f64, f64); 4] = [(-50.0, -50.0), (50.0, -50.0), (50.0, 50.0), (-50.0, 50.0)];

    #[test]
    fn what_leaves_the_screen_is_cut_at_its_edge() {
        let corner = clipped(SQUARE.to_vec(), 100.0, 100.0, 0.0);
        assert_eq!(corner, [(0.0, 0.0), (50.0, 0.0), (50.0, 50.0), (0.0, 50.0)]);
        assert_eq!(area(&corner), 2_500.0);
        assert_eq!(clipped(SQUARE.to_vec(), 100.0, 100.0, 100.0), SQUARE);
    }

    #[test]
    fn what_is_around_the_screen_fills_it_and_what_is_beside_it_is_gone() {
        let all = clipped(SQUARE.to_vec(), 10.0, 10.0, 0.0);
        assert_eq!(all.len(), 4);
        let beside = SQUARE.map(|(x, y)| (x + 200.0, y));
        assert_eq!(clipped(beside.to_vec(), 100.0, 100.0, 0.0), []);
    }

    #[test]
    fn points_within_a_pixel_are_one() {
        let line = [(0.0, 0.0), (0.3, 0.3), (0.6, 0.3), (5.0, 0.0)];
        assert_eq!(
            thinned(line.into_iter()),
            [(0.0, 0.0), (0.6, 0.3), (5.0, 0.0)]
        );
    }

    #[test]
    fn points_on_a_straight_line_are_left_out() {
        let mut line = Vec::new();
        for (a, b) in SQUARE.iter().zip(SQUARE.iter().cycle().skip(1)) {
            line.extend([*a, ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0 + 0.4)]);
        }
        assert_eq!(simplified(&line, 0.5), SQUARE);
        assert_eq!(simplified(&line, 0.1).len(), 8 - 2);
    }
}

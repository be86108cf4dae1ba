//! Figures as bars, one block for each kind that can be compared.

use serde_json::Value;

const WIDTH: f64 = 760.0;
const NAME_WIDTH: f64 = 250.0;
const BAR_WIDTH: f64 = 330.0;
const LINE: f64 = 22.0;

/// An SVG of the figures; those of one group, unit and number of trips share a scale.
pub(crate) fn svg(figures: &Value) -> String {
    let figures = figures.as_array().map_or(&[][..], Vec::as_slice);
    let mut blocks: Vec<(String, Vec<&Value>)> = Vec::new();
    for figure in figures {
        let title = title(figure);
        match blocks.iter_mut().find(|(known, _)| *known == title) {
            Some((_, block)) => block.push(figure),
            None => blocks.push((title, vec![figure])),
        }
    }
    let mut body = String::new();
    let mut y = 8.0;
    for (title, block) in blocks {
        y += LINE;
        put(&mut body, 8.0, y, "b", &title);
        let most = block
            .iter()
            .map(|figure| number(figure, "most"))
            .fold(f64::MIN_POSITIVE, f64::max);
        for figure in block {
            y += LINE;
            bar(&mut body, y, figure, BAR_WIDTH / most);
        }
        y += LINE / 2.0;
    }
    let height = y + 8.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\">\n\
         <style>text{{font:13px system-ui,sans-serif;fill:#1b2733}}.b{{font-weight:600}}.n{{text-anchor:end}}\
         rect{{fill:#2b6cb0}}line{{stroke:#1b2733;stroke-width:1.5}}\
         @media(prefers-color-scheme:dark){{text{{fill:#e6edf3}}rect{{fill:#63a4e8}}line{{stroke:#e6edf3}}}}</style>\n\
         {body}</svg>\n"
    )
}

/// A bar to the median, a line from the least to the most.
fn bar(body: &mut String, y: f64, figure: &Value, scale: f64) {
    put(body, NAME_WIDTH - 8.0, y, "n", &text(figure, "name"));
    let [least, median, most] = ["least", "median", "most"].map(|name| number(figure, name));
    let [from, width, to] = [least, median, most].map(|value| value * scale);
    let middle = y - 4.5;
    body.push_str(&format!(
        "<rect x=\"{NAME_WIDTH}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"13\" rx=\"2\"/>\n",
        y - 11.0
    ));
    if most > least {
        let (from, to) = (NAME_WIDTH + from, NAME_WIDTH + to);
        body.push_str(&format!(
            "<line x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>\n"
        ));
    }
    let value = format!("{} {}", grouped(median), text(figure, "unit"));
    put(body, NAME_WIDTH + to.max(width) + 8.0, y, "v", &value);
}

fn put(body: &mut String, x: f64, y: f64, class: &str, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    body.push_str(&format!(
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>\n"
    ));
}

fn title(figure: &Value) -> String {
    let (group, unit) = (text(figure, "group"), text(figure, "unit"));
    match figure["trips"].as_f64() {
        Some(trips) => format!("{group}, {unit}, {} trips", grouped(trips)),
        None => format!("{group}, {unit}"),
    }
}

fn text(figure: &Value, name: &str) -> String {
    figure[name].as_str().unwrap_or_default().to_owned()
}

fn number(figure: &Value, name: &str) -> f64 {
    figure[name].as_f64().unwrap_or_default()
}

/// `54800` → `54,800`; with one digit behind the point below 100.
fn grouped(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_can_be_compared_shares_a_scale() {
        let figure = |group: &str, median: f64| {
            json!({
                "group": group, "name": "a & b", "unit": "trips/s", "trips": 1_000_000,
                "least": median - 10.0, "median": median, "most": median + 10.0,
            })
        };
        let svg = svg(&json!([
            figure("load", 320.0),
            figure("read", 45.0),
            figure("load", 155.0)
        ]));
        let widths: Vec<_> = svg
            .lines()
            .filter_map(|line| line.split_once("width=\"")?.1.split_once('"'))
            .map(|(width, _)| width)
            .skip(1)
            .collect();
        assert_eq!(widths, ["320.0", "155.0", "270.0"]);
        assert!(svg.contains(">load, trips/s, 1,000,000 trips<"), "{svg}");
        assert!(svg.contains(">a &amp; b<"), "{svg}");
        assert_eq!(grouped(54_800.4), "54,800");
        assert_eq!(grouped(9.26), "9.3");
    }
}

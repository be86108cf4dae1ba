//! The base map: where the page has it from, and that its names can be read.

use axum::http::StatusCode;

use crate::support::{Page, dock, docks};

/// The address of the base map that a page names.
fn link(page: &str) -> Option<String> {
    let at = page.find("/city.basemap?v=")?;
    let link = page[at..].chars().take_while(|c| *c != '"');
    Some(link.collect())
}

#[tokio::test]
async fn the_page_of_new_york_has_its_base_map_from_its_own_server_for_good() {
    let page = Page::with(docks());
    let answer = page.get("/").await;
    assert!(answer.text.contains(">Land: NYC Planning, GSHHG"));
    assert!(answer.text.contains("<path class=\"park\""));

    let link = link(&answer.text).unwrap();
    let file = page.get(&link).await;
    assert_eq!(file.status, StatusCode::OK);
    let kept = file.headers["cache-control"].to_str().unwrap();
    assert!(kept.contains("immutable"), "{kept}");
    assert_eq!(file.headers["content-type"], "application/octet-stream");
    let compressed = page.ask(&link, &[("accept-encoding", "br")]).await;
    assert_eq!(compressed.headers["content-encoding"], "br");
}

#[tokio::test]
async fn the_page_of_another_city_has_no_base_map() {
    let paris = vec![dock(1, "Rue de Rivoli", (48.856, 2.352), 3)];
    let answer = Page::with(paris).get("/").await;
    assert_eq!(link(&answer.text), None);
    assert!(!answer.text.contains("class=\"attribution\""));
    assert!(answer.text.contains("<path class=\"land\""));
}

#[tokio::test]
async fn names_on_the_map_can_be_read_in_light_and_dark() {
    let style = Page::with(docks()).get("/style.css").await.text;
    let (light, dark) = style.split_once("prefers-color-scheme: dark").unwrap();
    for scheme in [light, dark] {
        let luminance = |name: &str| {
            let value = scheme.split(&format!("{name}: #")).nth(1).unwrap();
            luminance(value.get(..6).unwrap())
        };
        for (letters, ground) in [
            ("--map-name", "--map-land"),
            ("--map-water-name", "--map-water"),
            ("--map-park-name", "--map-park"),
            ("--map-street-name", "--map-land"),
        ] {
            let (a, b) = (luminance(letters), luminance(ground));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            // WCAG 2.2, 1.4.3, for text of any size.
            assert!(contrast >= 4.5, "{letters} on {ground}: {contrast:.2}");
        }
    }
}

/// Relative luminance of a colour, `3b444d`, as WCAG defines it.
fn luminance(colour: &str) -> f64 {
    let share = |at: usize| {
        let value = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * share(0) + 0.7152 * share(2) + 0.0722 * share(4)
}

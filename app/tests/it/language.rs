//! The page speaks its rider's language: the one chosen, else the browser's first that it knows.

use std::net::SocketAddr;

use app::Limits;
use expect_test::expect;

use crate::city::City;
use crate::past::ask;

/// The page's language, its heading, its summary, and the choice that the browser is to keep.
async fn digest(address: SocketAddr, path: &str, header: &str) -> String {
    let (head, content) = ask(address, path, header).await;
    let page = String::from_utf8_lossy(&content).into_owned();
    let between = |from: &str, to: &str| {
        let (_, rest) = page.split_once(from)?;
        Some(rest.split_once(to)?.0.to_owned())
    };
    let cookie = head
        .lines()
        .find_map(|line| line.strip_prefix("set-cookie: "));
    let parts = [
        between("<html lang=\"", "\"").unwrap_or_default(),
        between("<h1>", "<").unwrap_or_default(),
        between("class=\"summary\">", "<").unwrap_or_default(),
        cookie.unwrap_or_default().to_owned(),
    ];
    parts.join(" | ").trim_end().to_owned()
}

#[tokio::test]
async fn a_page_is_in_the_language_that_was_chosen_or_that_the_browser_prefers() {
    let Some(city) = City::start().await else {
        return;
    };
    let server = city.serve(Limits::default()).await;
    let mut seen = String::new();
    for (path, header) in [
        ("/", ""),
        ("/", "accept-language: es-PR,es;q=0.9,en;q=0.8\r\n"),
        ("/", "accept-language: fr-FR,fr;q=0.9\r\n"),
        ("/?lang=es", ""),
        ("/", "cookie: a=b; lang=es\r\n"),
        ("/?lang=en", "cookie: lang=es\r\naccept-language: es\r\n"),
        ("/?lang=tlh", "cookie: lang=\u{e9}; lang=%00; =; lang\r\n"),
    ] {
        seen += &digest(server.address, path, header).await;
        seen.push('\n');
    }
    expect![[r#"
        en | Bikes at the docks | 1 of 2 docks have bikes, 7 bikes in all |
        es | Bicis en las estaciones | 1 de 2 estaciones tienen bicis, 7 bicis en total |
        en | Bikes at the docks | 1 of 2 docks have bikes, 7 bikes in all |
        es | Bicis en las estaciones | 1 de 2 estaciones tienen bicis, 7 bicis en total | lang=es; Path=/; Max-Age=31536000; SameSite=Lax
        es | Bicis en las estaciones | 1 de 2 estaciones tienen bicis, 7 bicis en total |
        en | Bikes at the docks | 1 of 2 docks have bikes, 7 bikes in all | lang=en; Path=/; Max-Age=31536000; SameSite=Lax
        en | Bikes at the docks | 1 of 2 docks have bikes, 7 bikes in all |
    "#]].assert_eq(&seen);
    server.stop().await;
}

#[tokio::test]
async fn what_the_server_draws_and_refuses_is_in_the_same_language() {
    let Some(city) = City::start().await else {
        return;
    };
    let server = city.serve(Limits::default()).await;
    let mut seen = String::new();
    for path in [
        "/dock/past?dock=1&at=mal",
        "/city/day",
        "/api/past?at=2020",
        "/api/search?q=hello",
        "/api/search?q=5+Ave+%26+14+St",
    ] {
        let (_, content) = ask(server.address, path, "accept-language: es\r\n").await;
        let content = String::from_utf8_lossy(&content);
        seen += &format!("{path}: {}\n", content.trim_end());
    }
    expect![[r#"
        /dock/past?dock=1&at=mal: aún no se guarda nada del pasado: así están las estaciones ahora
        /city/day: aún no se guarda nada del pasado: así están las estaciones ahora
        /api/past?at=2020: esto no es un instante: escribe uno como 2020-03-01T08:30, según los relojes de la ciudad
        /api/search?q=hello: {"Flash":"\"hello\" no es una dirección: escribe un número y el nombre de una calle, como \"1 Park Avenue\""}
        /api/search?q=5+Ave+%26+14+St: {"Flash":"\"5 Ave & 14 St\" está en más de un lugar: añade el distrito o, en Manhattan, el lado como en \"W 14 St\"; o escribe un número y el nombre de una calle, como \"1 Park Avenue\""}
    "#]].assert_eq(&seen);
    server.stop().await;
}

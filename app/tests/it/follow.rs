//! The whole server over a real Postgres.

use app::{AppConfig, Server};
use sqlx::Connection as _;
use tokio_util::sync::CancellationToken;

use crate::city::{City, PATIENCE, get, hear, listen};

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_reaches_open_pages_and_a_lost_database_shows_itself() {
    let Some(mut city) = City::start().await else {
        return;
    };
    let config = AppConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        database_url: city.postgres.url().to_owned(),
        ..AppConfig::default()
    };
    let server = Server::bind(config).await.unwrap();
    let (address, stop) = (server.address(), CancellationToken::new());
    let running = tokio::spawn(server.run(stop.clone()));

    let page = get(address, "/").await;
    assert!(
        page.contains("data-dock=\"1\" data-bikes=\"7\""),
        "the first page has the docks"
    );

    let mut live = listen(address, "/live?since=1").await;
    hear(&mut live, "\"docks\":[]").await;
    city.publish(
        2,
        "update availability set bikes = 6, version = 2 where location_id = 1",
    )
    .await;
    let delta = hear(&mut live, "\"version\":2").await;
    assert!(delta.contains("\"docks\":[[1,6,false]]"), "{delta}");

    let feed = get(address, "/gbfs/3.0/station_status.json").await;
    assert!(
        feed.contains("\"station_id\":\"A\",\"num_vehicles_available\":6,"),
        "{feed}"
    );

    // A dock that nobody knew comes with its name and place.
    city.publish(
        3,
        "insert into location (station_id, street, latitude, longitude)
             values ('C', 'Newport PATH', 40.7272, -74.0338);
         insert into availability values (3, 2, true, 3)",
    )
    .await;
    let delta = hear(&mut live, "\"version\":3").await;
    assert!(
        delta.contains("[[3,2,true]]") && delta.contains("Newport PATH"),
        "{delta}"
    );

    // The database goes; the page keeps what it has.
    let City {
        folder,
        postgres,
        connection,
    } = city;
    connection.close().await.unwrap();
    postgres.shutdown().await.unwrap();
    hear(&mut live, "\"database\":\"down\"").await;
    let page = get(address, "/").await;
    assert!(page.contains("the database does not answer"));
    assert!(page.contains("data-dock=\"1\" data-bikes=\"6\""));

    stop.cancel();
    tokio::time::timeout(PATIENCE, running)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    drop(folder);
}

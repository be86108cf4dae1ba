//! The whole server over a real Postgres.

use app::{AppConfig, Limits, Server};
use sqlx::Connection as _;
use testkit::{get, within_patience};
use tokio_util::sync::CancellationToken;

use crate::city::{City, hear, listen};

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
    assert!(
        delta.contains("\"docks\":[[1,[6,0,1,1,1,null]]]"),
        "{delta}"
    );

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
        delta.contains("[[3,[2,1,1,1,1,null]]]") && delta.contains("Newport PATH"),
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
    assert!(page.contains("data-state=\"down\""));
    assert!(page.contains("data-dock=\"1\" data-bikes=\"6\""));

    stop.cancel();
    let ended = within_patience("the server stops", running).await;
    ended.unwrap().unwrap();
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_feed_says_of_its_stations_and_clocks_is_on_the_page_and_in_our_feed() {
    let Some(mut city) = City::start().await else {
        return;
    };
    city.publish(
        2,
        "insert into system (timezone, language) values ('Asia/Tokyo', 'ja');
         update availability set version = 2, is_renting = false where location_id = 1;
         update availability set version = 2, last_seen = '2020-03-02T11:05:00Z'
          where location_id = 2",
    )
    .await;
    let server = city.serve(Limits::default()).await;
    let page = get(server.address, "/").await;
    for said in [
        "as of Mon 2 Mar 2020, 22:14:10 Tokyo time",
        "data-service=\"installed returning\"",
        ">returns only<",
        "data-last-seen=\"3-2-20-5\"",
        "last seen 2 Mar, 20:05",
        // Of the seven bikes none can be taken.
        "0 of 2 docks have bikes, 0 bikes in all",
    ] {
        assert!(page.contains(said), "{said}");
    }
    let status = get(server.address, "/gbfs/3.0/station_status.json").await;
    let first = "\"num_vehicles_available\":7,\"vehicle_types_available\":[{\"vehicle_type_id\":\"bike\",\
                 \"count\":7}],\"is_installed\":true,\"is_renting\":false,\"is_returning\":true,\
                 \"last_reported\":\"2020-03-02T13:14:10Z\"";
    assert!(status.contains(first), "{status}");
    assert!(
        status.contains("\"last_reported\":\"2020-03-02T11:05:00Z\""),
        "{status}"
    );
    let information = get(server.address, "/gbfs/3.0/system_information.json").await;
    for said in ["\"languages\":[\"ja\"]", "\"timezone\":\"Asia/Tokyo\""] {
        assert!(information.contains(said), "{information}");
    }
    let stations = get(server.address, "/gbfs/3.0/station_information.json").await;
    assert!(stations.contains("\"language\":\"ja\"}]"), "{stations}");

    // An open page hears that a station is there again.
    let mut live = listen(server.address, "/live?since=2").await;
    city.publish(
        3,
        "update availability set bikes = 1, version = 3, last_seen = null where location_id = 2",
    )
    .await;
    hear(&mut live, "[2,[1,0,1,1,1,null]]").await;
    server.stop().await;
}

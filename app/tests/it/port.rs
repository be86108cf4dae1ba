//! Taking the port.

use app::{AppConfig, Server};

fn config(listen: &str) -> AppConfig {
    AppConfig {
        listen: listen.parse().unwrap(),
        ..AppConfig::default()
    }
}

#[tokio::test]
async fn a_taken_port_names_the_address_and_what_to_do() {
    let first = Server::bind(config("127.0.0.1:0")).await.unwrap();
    let address = first.address().to_string();
    let error = Server::bind(config(&address)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "address {address} is already in use: stop the program that listens there, or choose \
             another address with --listen (port 0 takes any free one)"
        )
    );
}

#[tokio::test]
async fn the_database_url_is_never_printed() {
    let config = AppConfig {
        database_url: "postgres://user:secret@localhost/db".to_owned(),
        ..AppConfig::default()
    };
    assert!(!format!("{config:?}").contains("secret"));
}

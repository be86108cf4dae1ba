//! Serves the page from a database that somebody else keeps: `DATABASE_URL=… serve [address]`.

use app::{AppConfig, Server};
use tokio_util::sync::CancellationToken;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example prints its address")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let database_url = std::env::var("DATABASE_URL")?;
    let listen = std::env::args()
        .nth(1)
        .as_deref()
        .unwrap_or("127.0.0.1:0")
        .parse()?;
    let server = Server::bind(AppConfig {
        listen,
        database_url,
        ..AppConfig::default()
    })
    .await?;
    println!("http://{}/", server.address());
    Ok(server.run(CancellationToken::new()).await?)
}

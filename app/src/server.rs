//! The server of the page: binds a port, follows Postgres, answers browsers.
//!
//! ```text
//! Postgres ─ NOTIFY availability ─▶ follow ─▶ board ─▶ broadcast ─▶ live (SSE, one per browser)
//!                                              └────────────────▶ page (first rendering), gbfs
//! ```

mod assets;
mod board;
mod config;
mod error;
mod feed;
mod follow;
mod gbfs;
mod live;
mod moment;
mod page;
mod router;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) use assets::Links;
pub use board::Board;
pub use config::AppConfig;
pub use error::AppError;
pub use feed::{Feed, News, Subscriber, Update};
pub use router::{AppState, router};

/// After a stop, open connections get this long to end.
const DRAIN_MAX: Duration = Duration::from_secs(3);

/// A server that holds its port and does not answer yet.
#[derive(Debug)]
pub struct Server {
    config: AppConfig,
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Takes the port.
    ///
    /// # Errors
    /// [`AppError::AddressTaken`] if another program holds it, [`AppError::Bind`] otherwise.
    pub async fn bind(config: AppConfig) -> Result<Self, AppError> {
        let asked = config.listen;
        let bind = async {
            TcpListener::bind(asked)
                .await
                .and_then(|it| Ok((it.local_addr()?, it)))
        };
        let (address, listener) = bind
            .await
            .map_err(|source| AppError::of_bind(asked, source))?;
        Ok(Self {
            config,
            listener,
            address,
        })
    }

    /// The address browsers can ask, with the port the system chose if `listen` had port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop`; then ends the live lines and waits for open answers, a little.
    ///
    /// # Errors
    /// [`AppError::Serve`] if the listener breaks. A missing Postgres is no error: the page says
    /// so and the server keeps trying.
    // Boxed: a future's code is compiled where it is polled, and is to be optimized as this crate is.
    pub fn run(self, stop: CancellationToken) -> BoxFuture<'static, Result<(), AppError>> {
        Box::pin(async move {
            let feed = Feed::new();
            let state = AppState::new(&self.config, feed.clone(), stop.clone())?;
            tracing::info!(address = %self.address, "serving the page at http://{}/", self.address);
            let follow = tokio::spawn(follow::follow(
                self.config.database_url.clone(),
                feed,
                stop.clone(),
            ));
            let drain_end = {
                let stop = stop.clone();
                async move {
                    stop.cancelled().await;
                    tokio::time::sleep(DRAIN_MAX).await;
                }
            };
            let serve = axum::serve(self.listener, router(state))
                .with_graceful_shutdown(stop.clone().cancelled_owned());
            let served = tokio::select! {
                served = serve.into_future() => served.map_err(AppError::Serve),
                () = drain_end => Ok(()),
            };
            stop.cancel();
            if follow.await.is_err_and(|error| error.is_panic()) {
                tracing::error!("the task that follows Postgres panicked");
            }
            served
        })
    }
}

/// Binds and runs in one go.
///
/// # Errors
/// As [`Server::bind`] and [`Server::run`].
pub async fn serve(config: AppConfig, stop: CancellationToken) -> Result<(), AppError> {
    Server::bind(config).await?.run(stop).await
}

//! The server of the page: binds a port, follows Postgres, serves browsers.
//!
//! ```text
//! Postgres ─ NOTIFY availability ─▶ follow ─▶ board ─▶ broadcast ─▶ live (SSE, one per browser)
//!                                              └────────────────▶ page (first rendering), gbfs
//! ```

mod assets;
pub(crate) mod base_map;
mod board;
mod city_day;
mod conditional;
mod config;
mod connections;
mod cors;
mod day;
mod dock_past;
mod document;
mod error;
mod event;
mod follow;
mod gbfs;
mod handover;
mod health;
mod language;
mod limits;
mod live;
mod meters;
mod packed;
mod page;
mod past;
mod quota;
mod responses;
mod role;
mod router;
mod search;
mod shared_board;
mod state;
mod svg;
mod v1;

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use base_map::check_base_map;
pub use config::AppConfig;
pub use error::AppError;
pub use limits::Limits;
pub use role::PageRole;
pub use router::router;
pub use shared_board::{SharedBoard, Subscriber};
pub use state::AppState;

/// A server that holds its port and does not respond yet.
#[derive(Debug)]
pub struct Server {
    config: AppConfig,
    listener: TcpListener,
    address: SocketAddr,
    state: AppState,
}

impl Server {
    /// Takes the port.
    ///
    /// # Errors
    /// [`AppError::AddressTaken`] if another program holds it, [`AppError::Bind`] if it cannot be had,
    /// and those of [`AppState::new`].
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
        let state = AppState::new(&config, SharedBoard::new(), CancellationToken::new())?;
        Ok(Self {
            config,
            listener,
            address,
            state,
        })
    }

    /// The page as a role that is watched, now and while it runs.
    #[must_use]
    pub fn role(&self) -> PageRole {
        PageRole(self.state.clone())
    }

    /// The address browsers can ask, with the port the system chose if `listen` had port 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop`; then ends the event streams and waits for open requests, a little.
    ///
    /// # Errors
    /// [`AppError::Follow`] if the task that follows Postgres ends. A missing Postgres is no error:
    /// the page says so and the server keeps trying.
    pub async fn run(self, stop: CancellationToken) -> Result<(), AppError> {
        let asked_to_stop = stop;
        // Cancelled when the follower ends too: without it the page would never change again.
        let stop = asked_to_stop.child_token();
        let state = AppState {
            stop: stop.clone(),
            ..self.state
        };
        let board = state.board.clone();
        tracing::info!(address = %self.address, "serving the page at http://{}/", self.address);
        tokio::task::spawn_blocking({
            let state = state.clone();
            move || state.pack()
        });
        let ends_all = stop.clone().drop_guard();
        tokio::spawn(live::send_heartbeats(board.clone(), stop.clone()));
        let follow = follow::follow(self.config.database_url.clone(), board, stop.clone());
        let follow = tokio::spawn(async move {
            let _ends_all = ends_all;
            follow.await;
        });
        let limits = self.config.limits.clone();
        connections::serve(self.listener, router(state), limits, stop).await;
        match follow.await {
            Ok(()) if asked_to_stop.is_cancelled() => Ok(()),
            _ => Err(AppError::Follow),
        }
    }
}

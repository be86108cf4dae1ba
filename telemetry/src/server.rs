//! Serves metrics and health at an address of their own: they are not for riders.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::Role;
use crate::text::text;

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The address cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "metrics cannot be served at {address}: stop the program that listens there, or choose \
     another address with --metrics"
)]
pub struct ServingError {
    /// The one that was asked for.
    pub address: SocketAddr,
    source: std::io::Error,
}

/// Serves until it is dropped.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    _task: JoinSet<()>,
}

impl Serving {
    /// Where, with the port that the system chose if port 0 was asked for.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

#[derive(Clone)]
struct Roles {
    roles: Arc<[Arc<dyn Role>]>,
    version: &'static str,
}

/// Serves what the roles say; `version` is that of the program.
///
/// # Errors
/// If the address is taken.
pub async fn serve(
    address: SocketAddr,
    roles: Vec<Arc<dyn Role>>,
    version: &'static str,
) -> Result<Serving, ServingError> {
    let taken = |source| ServingError { address, source };
    let listener = TcpListener::bind(address).await.map_err(taken)?;
    let address = listener.local_addr().map_err(taken)?;
    tracing::info!("metrics at http://{address}/metrics");
    let roles = Roles {
        roles: roles.into(),
        version,
    };
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(roles);
    // A task of its own, so that a scrape need not wait for a batch.
    let mut task = JoinSet::new();
    task.spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::warn!(%error, "metrics are no longer served at {address}");
        }
    });
    Ok(Serving {
        address,
        _task: task,
    })
}

async fn metrics(State(Roles { roles, version }): State<Roles>) -> Response {
    match text(&roles, version) {
        Ok(text) => ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn healthz(State(Roles { roles, .. }): State<Roles>) -> Response {
    verdict(roles.iter().flat_map(|role| role.failures()))
}

async fn readyz(State(Roles { roles, .. }): State<Roles>) -> Response {
    verdict(roles.iter().flat_map(|role| {
        let mut reasons = role.failures();
        reasons.extend(role.waits());
        reasons
    }))
}

/// 200, or 503 and a line for each reason.
fn verdict(reasons: impl Iterator<Item = String>) -> Response {
    let reasons: Vec<_> = reasons.collect();
    if reasons.is_empty() {
        return "ok\n".into_response();
    }
    let text = reasons.join("\n") + "\n";
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

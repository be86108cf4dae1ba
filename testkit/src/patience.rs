//! Waits that end: a test that would hang fails.

use std::time::{Duration, Instant};

/// Longer than anything a test waits for, even on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Between two looks at what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Waits for what a future gives.
pub async fn within_patience<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("gave up waiting until {what}"),
    }
}

/// Waits for a state; how it is reached is not looked at.
pub async fn wait_until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    within_patience(what, async {
        while !is_so().await {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
    .await;
}

/// [`wait_until`] where nothing is asynchronous.
pub fn block_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "gave up waiting until {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

//! Which run owns a feed: the newest one on the topic.
//!
//! Pollers of one feed share nothing but the topic, so the topic decides. A run takes a number above
//! all that it finds there, *claims* the feed by a tick on every partition, and sends counts only
//! when it has read all claims back. Readers take nothing of an older run behind a claim
//! ([`domain::source`]), so what an older run still sends does no harm; it finds the claim at its
//! next poll and ends.

use std::hash::{BuildHasher, RandomState};

use chrono::{DateTime, Utc};
use domain::error_chain;
use domain::source::Run;
use tracing::warn;
use trip_files::instant;

use crate::clock;
use crate::config::ProducerConfig;
use crate::error::ProducerError;
use crate::resume::{Seen, Tails};

/// How often to look whether the claims are stored.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_millis(20);

/// A run's view of the feed it wants to own.
pub(crate) struct Owner<'a> {
    config: &'a ProducerConfig,
    tails: Tails<'a>,
    /// `gbfs:<system id>`
    feed: String,
    run: Run,
    claimed: bool,
}

impl<'a> Owner<'a> {
    /// Reads what the topic has of the feed and takes the next number.
    ///
    /// # Errors
    /// If a partition cannot be read.
    pub(crate) async fn new(
        config: &'a ProducerConfig,
        mut tails: Tails<'a>,
        feed: String,
    ) -> Result<Self, ProducerError> {
        let seen = tails.find(&[&feed]).await?.concat();
        let newest = seen.iter().filter_map(|seen| seen.run).max();
        let run = Run {
            number: newest.map_or(1, |run| run.number.saturating_add(1)),
            // Its keys come from the system's source of randomness.
            tag: RandomState::new().hash_one(&feed),
        };
        Ok(Self {
            config,
            tails,
            feed,
            run,
            claimed: false,
        })
    }

    pub(crate) fn feed(&self) -> &str {
        &self.feed
    }

    /// The source of this run's records.
    pub(crate) fn source(&self) -> String {
        format!("{}@{}", self.feed, self.run)
    }

    /// Whether counts may be sent.
    pub(crate) fn has_claimed(&self) -> bool {
        self.claimed
    }

    /// The newest time that the topic has of the feed.
    pub(crate) fn clock(&self) -> Option<DateTime<Utc>> {
        let reached = self.seen().filter_map(|seen| seen.reached).max();
        reached.map(instant)
    }

    /// Waits until the claims that were sent are on every partition.
    ///
    /// # Errors
    /// [`ProducerError::TakenOver`] if a newer run has claimed the feed;
    /// [`ProducerError::Tail`] if the topic cannot be read for too long.
    pub(crate) async fn wait_for_claims(&mut self) -> Result<(), ProducerError> {
        let started = clock::now();
        loop {
            match self.tails.read_on().await {
                Ok(()) => self.check()?,
                Err(error) if started.elapsed() >= self.config.give_up_after => return Err(error),
                Err(_) => {} // Delivery says what is wrong, and gives up when nothing is stored.
            }
            if self.seen().all(|seen| seen.run == Some(self.run)) {
                self.claimed = true;
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Looks for a newer run in what came to the topic since the last look.
    ///
    /// A topic that cannot be read now is looked at again the next time: until then readers keep
    /// the runs apart.
    ///
    /// # Errors
    /// [`ProducerError::TakenOver`] if there is one.
    pub(crate) async fn look(&mut self) -> Result<(), ProducerError> {
        if let Err(error) = self.tails.read_on().await {
            let error = error_chain(&error);
            warn!(
                source = self.feed,
                error, "cannot look for a newer producer of this feed: {error}"
            );
        }
        self.check()
    }

    fn check(&self) -> Result<(), ProducerError> {
        match self.seen().filter_map(|seen| seen.run).max() {
            Some(newest) if newest > self.run => Err(ProducerError::TakenOver {
                feed: self.feed.clone(),
                run: self.run,
                by: newest,
            }),
            _ => Ok(()),
        }
    }

    fn seen(&self) -> impl Iterator<Item = Seen> {
        self.tails.seen(&self.feed)
    }
}

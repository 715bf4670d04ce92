//! What sources that ask an endpoint have in common: the answers to come, when the last one came, or
//! why none did.

use std::time::Duration;

use super::Address;
use crate::live::collect::feed::Feed;
use crate::live::facts::{Millis, SourceStatus};

/// An endpoint that a thread of its own asks again and again.
#[derive(Debug)]
pub struct Asked<T> {
    feed: Feed<Result<T, String>>,
    /// An answer that was waited for before the first beat.
    pub(in crate::live::collect) early: Option<Result<T, String>>,
    address: String,
    /// What cannot be known about where the address leads.
    doubt: String,
    /// Why there is no answer; empty when there was one.
    failed: String,
    answered: Option<Millis>,
    cost: Duration,
}

impl<T: Send + 'static> Asked<T> {
    /// Before the first answer of `feed`.
    pub fn new(feed: Feed<Result<T, String>>, address: &Address, doubt: String) -> Self {
        Self {
            feed,
            early: None,
            address: address.shown(),
            doubt,
            failed: String::new(),
            answered: None,
            cost: Duration::ZERO,
        }
    }

    /// Waits for the first answer, or the reason why there is none, for looks that are the only one.
    pub fn wait(&mut self, longest: Duration) {
        self.early = self.feed.wait(longest);
    }

    /// The first answer, waited for.
    ///
    /// # Errors
    /// Why there is none.
    pub fn first(&mut self, longest: Duration) -> Result<T, String> {
        self.wait(longest);
        self.early.take().unwrap_or_else(|| Err("no answer".to_owned()))
    }

    /// The next answer that has come by now.
    pub fn take(&mut self, at: Millis) -> Option<T> {
        while let Some(answer) = self.early.take().or_else(|| self.feed.take()) {
            match answer {
                Ok(answer) => {
                    self.failed.clear();
                    self.answered = Some(at);
                    return Some(answer);
                }
                Err(reason) => self.failed = reason,
            }
        }
        None
    }

    /// Adds CPU time that was spent on answers.
    pub fn spend(&mut self, time: Duration) {
        self.cost += time;
    }

    /// CPU time used so far, that of the thread included.
    pub fn cost(&self) -> Duration {
        self.cost + self.feed.cost()
    }

    /// How the source fares, in words: what the last answer lacks, what it brings if nothing. After
    /// `old` milliseconds without a new answer, what is shown is old.
    pub fn state(
        &self,
        at: Millis,
        old: Millis,
        lacks: &[String],
        brings: impl FnOnce() -> String,
    ) -> (SourceStatus, String) {
        let address = &self.address;
        if !self.failed.is_empty() {
            return (SourceStatus::Unavailable, format!("{address}: {}", self.failed));
        }
        let Some(answered) = self.answered else {
            return (SourceStatus::Partial, format!("{address} has not answered yet"));
        };
        let late = at - answered;
        let late = (late > old).then(|| format!("the last answer came {} s ago", late / 1000));
        let missing = late.iter().chain(lacks).chain([&self.doubt]);
        let missing: Vec<&str> = missing.map(String::as_str).filter(|m| !m.is_empty()).collect();
        if missing.is_empty() {
            (SourceStatus::Ok, format!("{address}: {}", brings()))
        } else {
            (SourceStatus::Partial, format!("{address}: {}", missing.join("; ")))
        }
    }
}

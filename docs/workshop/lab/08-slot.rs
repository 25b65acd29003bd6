//! 8. "A slot is an identity."
//!
//! A slot has one tenant after the other. A tenant is known by a number that is never used again.

use std::future::pending;

use oneloop::JoinHandle;
use oneloop::task::Builder;
use oneloop::time::{Duration, sleep};

const SECOND: Duration = Duration::from_secs(1);

pub async fn program() -> bool {
    let mut seats: [Option<JoinHandle<()>>; 1] = [Some(Builder::new().name("ann").spawn(sleep(SECOND)))];
    let (seat, guest) = (0, seats[0].as_ref().unwrap().id());
    sleep(2 * SECOND).await;
    drop(seats[0].take()); // ann has gone, and ben takes the seat
    seats[0] = Some(Builder::new().name("ben").spawn(pending()));
    sleep(SECOND).await; // time is up for ann
    broken! { let overdue = seats[seat].as_ref(); }
    mended! { let overdue = seats[seat].as_ref().filter(|task| task.id() == guest); }
    overdue.inspect(|task| task.abort());
    sleep(SECOND).await;
    !seats[0].as_ref().unwrap().is_finished()
}

pub fn test(ben_stays: bool) {
    assert!(ben_stays, "ben is not sent away for ann");
}

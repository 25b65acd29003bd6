//! Shares: how much one poll may do, where one future polls several others.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use oneloop::net::{DuplexStream, duplex};
use oneloop::process::Command;
use oneloop::task::{scope, yield_now};
use oneloop::time::timeout;

use crate::kit::watch::{in_order, runtime, watch};

const SECOND: Duration = Duration::from_secs(1);

/// More rounds than any test here takes.
const MANY: u64 = 200_000;

/// Writes to itself and reads it back, for ever, and counts the rounds.
async fn greedy(rounds: &Cell<u64>) {
    let (near, far) = duplex(8);
    loop {
        near.write_all(b"x").await.unwrap();
        far.read(&mut [0]).await.unwrap();
        rounds.set(rounds.get() + 1);
        assert!(rounds.get() < MANY, "{MANY} rounds, and nobody else has had a turn that ends this");
    }
}

async fn read_one(stream: &DuplexStream) -> usize {
    stream.read(&mut [0]).await.unwrap()
}

/// A connection with a byte to be read.
async fn with_a_byte() -> (DuplexStream, DuplexStream) {
    let (near, far) = duplex(8);
    near.write_all(b"x").await.unwrap();
    (near, far)
}

/// Both at a time, the first always first, as a `join` does; over when the second is.
async fn beside<T>(first: impl Future<Output = ()>, second: impl Future<Output = T>) -> T {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| {
        let _ = first.as_mut().poll(cx);
        second.as_mut().poll(cx)
    })
    .await
}

#[test]
fn a_child_that_is_always_ready_leaves_its_siblings_their_share() {
    watch(|| {
        in_order().block_on(async {
            let rounds = Cell::new(0);
            let (_near, far) = with_a_byte().await;
            let ended = scope(async |s| {
                s.spawn(greedy(&rounds));
                let (over, far) = (s.canceller(), &far);
                s.spawn(async move {
                    assert_eq!(timeout(SECOND, read_one(far)).await, Ok(1), "the byte was there");
                    over.cancel("the sibling has had its turn");
                });
            });
            assert!(ended.await.is_err());
            assert!(rounds.get() < 1_000, "{} rounds before the sibling's one operation", rounds.get());
        });
    });
}

#[test]
fn a_greedy_body_and_its_children_leave_each_other_their_shares() {
    watch(|| {
        in_order().block_on(async {
            let (of_the_body, of_a_child) = (Cell::new(0), Cell::new(0));
            let (_near, far) = with_a_byte().await;
            let ended = scope(async |s| {
                s.spawn(greedy(&of_a_child));
                let (over, far) = (s.canceller(), &far);
                s.spawn(async move {
                    for _ in 0..10 {
                        yield_now().await;
                    }
                    assert_eq!(timeout(SECOND, read_one(far)).await, Ok(1), "the byte was there");
                    over.cancel("the sibling has had its turn");
                });
                greedy(&of_the_body).await;
            });
            assert!(ended.await.is_err());
            let (body, child) = (of_the_body.get(), of_a_child.get());
            assert!(body > 0 && child > 0, "{body} rounds of the body, {child} of the child");
            assert!(body < 5_000 && child < 5_000, "{body} rounds of the body, {child} of the child");
        });
    });
}

#[test]
fn nested_scopes_give_every_child_its_share_beside_a_greedy_future() {
    watch(|| {
        in_order().block_on(async {
            let rounds = [const { Cell::new(0) }; 3];
            let (_near, far) = with_a_byte().await;
            let (_near_too, far_too) = with_a_byte().await;
            let inner = scope(async |s| {
                s.spawn(greedy(&rounds[0]));
                let ended = scope(async |deeper| {
                    deeper.spawn(greedy(&rounds[1]));
                    let one = deeper.spawn(timeout(SECOND, read_one(&far)));
                    let other = s.spawn(timeout(SECOND, read_one(&far_too)));
                    assert_eq!((one.await, other.await), (Ok(1), Ok(1)), "the bytes were there");
                    deeper.cancel("both have had their turn");
                });
                assert!(ended.await.is_err());
                s.cancel("so this one ends, too");
            });
            assert!(beside(greedy(&rounds[2]), inner).await.is_err());
        });
    });
}

#[test]
fn what_a_scope_does_leaves_the_future_beside_it_something_of_the_poll() {
    watch(|| {
        in_order().block_on(async {
            let rounds = Cell::new(0);
            let (_near, far) = with_a_byte().await;
            let endless = scope(async |s| {
                s.spawn(greedy(&rounds));
            });
            let endless = async { drop(endless.await) };
            // When the child is at it.
            let later = async {
                for _ in 0..3 {
                    yield_now().await;
                }
                read_one(&far).await
            };
            assert_eq!(beside(endless, later).await, 1, "the byte was there");
            let rounds = rounds.get();
            assert!((1..1_000).contains(&rounds), "{rounds} rounds before the one operation beside the scope");
        });
    });
}

#[test]
fn a_scope_of_greedy_children_holds_up_its_siblings_for_few_shares() {
    watch(|| {
        in_order().block_on(async {
            let rounds = Cell::new(0);
            let most = Cell::new(0);
            let sibling = async {
                let mut before = 0;
                for _ in 0..200 {
                    yield_now().await;
                    most.set(most.get().max(rounds.get() - before));
                    before = rounds.get();
                }
            };
            let all = scope(async |s| {
                for _ in 0..1_000 {
                    s.spawn(greedy(&rounds));
                }
            });
            let all = async { drop(all.await) };
            beside(all, sibling).await;
            // A round is two operations, and a poll's share 128 of them.
            assert!(most.get() <= 2 * 64, "{} rounds in one poll of the scope", most.get());
            assert!(rounds.get() > 100 * 64, "{} rounds in all", rounds.get());
        });
    });
}

#[test]
fn every_child_of_a_thousand_has_its_turn_before_any_has_three() {
    watch(|| {
        in_order().block_on(async {
            let rounds = [const { Cell::new(0) }; 1_000];
            let all = scope(async |s| {
                for rounds in &rounds {
                    s.spawn(greedy(rounds));
                }
            });
            let last_has_begun = async {
                while rounds.iter().any(|rounds| rounds.get() == 0) {
                    yield_now().await;
                }
            };
            beside(async { drop(all.await) }, last_has_begun).await;
            let most = rounds.iter().map(Cell::get).max();
            assert!(most <= Some(3 * 64), "one had {most:?} rounds before another had its first");
        });
    });
}

#[test]
fn a_limit_does_not_say_that_nothing_came_where_nobody_could_look() {
    watch(|| {
        in_order().block_on(async {
            let rounds = Cell::new(0);
            let (_near, far) = with_a_byte().await;
            let read = timeout(SECOND, read_one(&far));
            oneloop::time::advance(SECOND * 2);
            assert_eq!(beside(greedy(&rounds), read).await, Ok(1), "the byte was there");
            let nothing = timeout(SECOND, read_one(&far));
            oneloop::time::advance(SECOND * 2);
            assert!(beside(greedy(&rounds), nothing).await.is_err(), "now there is none");
        });
    });
}

#[test]
fn the_pipes_of_a_child_have_shares_of_their_own() {
    watch(|| {
        runtime().block_on(async {
            let rounds = Cell::new(0);
            let mut command = Command::new("sh");
            command.args(["-c", "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2"]);
            let output = beside(greedy(&rounds), command.output()).await.unwrap();
            assert_eq!((output.stdout.len(), output.stderr.len()), (300_000, 300_000));
        });
    });
}

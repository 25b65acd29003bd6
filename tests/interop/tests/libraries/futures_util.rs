//! futures-util: unordered futures, `select!`, and connections split in halves.

use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use futures_util::stream::FuturesUnordered;
use futures_util::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt, pin_mut, select};
use oneloop::net::TcpStream;
use oneloop::time::{Instant, interval, sleep};

use crate::support::{listen, pattern, run, run_virtual};

async fn after(seconds: u64) -> u64 {
    sleep(Duration::from_secs(seconds)).await;
    seconds
}

#[test]
fn unordered_futures_come_in_the_order_of_their_ends() {
    run_virtual(async {
        let sleeps: FuturesUnordered<_> = (0..1000).map(|n| after((n * 619) % 1000)).collect();
        assert_eq!(sleeps.collect::<Vec<_>>().await, (0..1000).collect::<Vec<_>>());
    });
}

#[test]
fn select_takes_whatever_comes_first_until_nothing_is_left() {
    run_virtual(async {
        let mut ticks = interval(Duration::from_secs(2)).take(3).fuse();
        let timer = after(3).fuse();
        pin_mut!(timer);
        let mut seen = Vec::new();
        loop {
            select! {
                _ = ticks.next() => seen.push("tick"),
                _ = timer => seen.push("timer"),
                complete => break,
            }
            if seen.len() == 4 {
                break;
            }
        }
        assert_eq!(seen, ["tick", "tick", "timer", "tick"]);
    });
}

#[test]
fn the_loser_of_a_select_can_be_awaited_still() {
    run_virtual(async {
        let start = Instant::now();
        let Either::Left((1, slow)) = select(Box::pin(after(1)), Box::pin(after(5))).await else {
            panic!("the shorter sleep is over first");
        };
        assert_eq!((slow.await, start.elapsed()), (5, Duration::from_secs(5)));
    });
}

#[test]
fn the_halves_of_split_connections_work_in_two_tasks() {
    run(async {
        let server = listen(|stream| async move {
            let (reader, mut writer) = stream.split();
            futures_util::io::copy(reader, &mut writer).await.unwrap();
            writer.close().await.unwrap();
        })
        .await;
        let clients = (0..10).map(|n| async move {
            let (mut reader, mut writer) = TcpStream::connect(server.addr).await.unwrap().split();
            let sent = pattern(100_000 + n);
            let sending = oneloop::spawn(async move {
                writer.write_all(&sent).await.unwrap();
                writer.close().await.unwrap();
                sent
            });
            let mut received = Vec::new();
            reader.read_to_end(&mut received).await.unwrap();
            assert!(sending.await.unwrap() == received);
        });
        join_all(clients).await;
    });
}

//! Adversity from outside: a process that is stopped, a log that nobody can write, a resolver that hangs.

use std::cell::RefCell;
use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use oneloop::net::lookup_host;
use oneloop::task::spawn_blocking;
use oneloop::time::{MissedTickBehavior, interval, sleep};
use oneloop::{Runtime, spawn};

use crate::kit::sockets::{half, settle};
use crate::kit::support::{Count, alone};
use crate::kit::watch::{Watch, runtime, watch};

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn a_process_stopped_for_seconds_fires_each_overdue_timer_once() {
    alone(|| {
        runtime().block_on(async {
            let fired = Count::default();
            let start = Instant::now();
            let sleeps: Vec<_> = (1..=200)
                .map(|n| {
                    let fired = fired.clone();
                    spawn(async move {
                        sleep(10 * n * MILLISECOND).await;
                        fired.add();
                        assert!(start.elapsed() >= 10 * n * MILLISECOND, "it fired early");
                    })
                })
                .collect();
            let stopper = Rc::new(RefCell::new(None::<Child>));
            // Until somebody has stopped the process and let it go on, for three seconds at least.
            let ticks = |behavior| {
                let stopper = Rc::clone(&stopper);
                async move {
                    let mut beat = interval(10 * MILLISECOND);
                    beat.set_missed_tick_behavior(behavior);
                    let began = beat.tick().await;
                    let (mut planned, mut ticks, mut gap, mut last) =
                        (Duration::ZERO, 0, Duration::ZERO, Instant::now());
                    let is_over = || stopper.borrow_mut().as_mut().is_some_and(|it| it.try_wait().unwrap().is_some());
                    while planned < Duration::from_secs(3) || !is_over() {
                        planned = beat.tick().await - began;
                        gap = gap.max(last.elapsed());
                        last = Instant::now();
                        ticks += 1;
                    }
                    (planned.as_millis() / 10, ticks, gap)
                }
            };
            let bursts = spawn(ticks(MissedTickBehavior::Burst));
            let skips = spawn(ticks(MissedTickBehavior::Skip));
            let (here, mut there) = half();
            settle(&here).await;
            let stops = "sleep 0.1; kill -STOP $PPID; sleep 2; kill -CONT $PPID";
            stopper.replace(Some(Command::new("sh").args(["-c", stops]).spawn().unwrap()));
            for sleep in sleeps {
                sleep.await.unwrap();
            }
            let ((planned, bursts, gap), (more, skips, _)) = (bursts.await.unwrap(), skips.await.unwrap());
            assert!(stopper.take().unwrap().wait().unwrap().success());
            assert!(gap > Duration::from_secs(1), "it was not stopped: the longest gap was {gap:?}");
            assert_eq!(fired.get(), 200);
            assert_eq!(bursts, planned, "a burst makes up for all");
            assert!(skips + 100 <= more, "what was missed is left out: {skips} ticks of {more}");
            std::io::Write::write_all(&mut there, b"x").unwrap();
            assert_eq!(here.read(&mut [0; 8]).await.unwrap(), 1);
        });
    });
}

#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    const INSIDE: &str = "ONELOOP_TEST_FULL";
    if std::env::var_os(INSIDE).is_some() {
        Runtime::builder().slow_poll(MILLISECOND).build().unwrap().block_on(async {
            let task = spawn(async { std::thread::sleep(20 * MILLISECOND) });
            sleep(MILLISECOND).await;
            task.await.unwrap();
        });
        std::process::exit(42);
    }
    let _watch = Watch::new(Duration::from_secs(20));
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::outside_trouble::a_log_that_cannot_be_written_stops_nothing", "--nocapture"])
        .envs([(INSIDE, "1"), ("ONELOOP_LOG", "1"), ("ONELOOP_DIAGNOSE", "1")])
        .stdout(Stdio::null())
        .stderr(File::options().write(true).open("/dev/full").unwrap())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(42), "{status}");
}

#[test]
fn a_lookup_that_takes_long_holds_up_nobody() {
    watch(|| {
        let runtime = Runtime::builder().max_blocking_threads(1).build().unwrap();
        runtime.block_on(async {
            // The one thread is busy, as it would be with a resolver that does not answer.
            let (release, released) = std::sync::mpsc::channel::<()>();
            let hangs = spawn_blocking(move || released.recv().is_ok());
            let lookup = spawn(async { lookup_host("localhost:80").await.unwrap().count() });
            let mut beat = interval(MILLISECOND);
            for _ in 0..20 {
                beat.tick().await;
            }
            assert!(!lookup.is_finished());
            release.send(()).unwrap();
            assert!(hangs.await.unwrap() && lookup.await.unwrap() > 0);
        });
    });
}

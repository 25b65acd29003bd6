//! Nobody who only looks holds up the loop, however many tasks there are to see.
//!
//! A turn is measured by the processor time of the loop's own thread, so that other programs on the machine do not
//! count. In a release build no turn of 100,000 tasks may take more than two milliseconds while somebody looks. A
//! debug build is slower by a factor that nobody knows; there, what a looker costs a turn must not grow with the tasks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use oneloop::see::{Ring, State, attach, serve};
use oneloop::task::{Builder, yield_now};
use oneloop::time::sleep;

use crate::kit::support::alone;
use crate::kit::watch::{spawn_thread, unobserved};

const MANY: usize = 100_000;
const LONG: Duration = Duration::from_secs(1_000_000);

/// How many polls a looker is given to fall behind by: more than a ring keeps.
const POLLS: u64 = if cfg!(debug_assertions) { 20_000 } else { 100_000 };

/// The processor time of this thread.
fn spent() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// How much processor time has passed since, in microseconds.
fn micros_since(before: Duration) -> u64 {
    (spent() - before).as_micros() as u64
}

/// A loop with so many tasks that sleep and one that is always ready, and what its longest turn cost it.
struct Busy {
    longest: Arc<AtomicU64>,
    turns: Arc<AtomicU64>,
    /// Whether another ring shall come.
    comes: Arc<AtomicBool>,
    address: SocketAddr,
    tasks: usize,
}

impl Busy {
    /// The longest turn while something is done, in microseconds of the loop's own processor time.
    fn longest_during(&self, name: &str, look: impl FnOnce()) -> u64 {
        self.longest.store(0, Ordering::SeqCst);
        look();
        // Until the turn is over in which the last of it was answered.
        self.turn_on(2);
        let longest = self.longest.load(Ordering::SeqCst);
        println!("{name}: the longest turn took {longest} us");
        longest
    }

    /// Waits until the loop has turned so often.
    fn turn_on(&self, turns: u64) {
        let turn = self.turns.load(Ordering::SeqCst);
        while self.turns.load(Ordering::SeqCst) < turn + turns {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn events(&self) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(stream, "GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).unwrap();
        BufReader::new(stream)
    }

    /// Reads a beginning, which is a header and a fact for each task and timer, up to the next. A viewer that falls
    /// behind is given another one.
    fn read_two_beginnings(viewer: &mut impl BufRead) {
        let mut line = String::new();
        for _ in 0..2 {
            while !line.contains("\"oneloop\":\"events\"") {
                line.clear();
                assert!(viewer.read_line(&mut line).unwrap() > 0, "the stream is over");
            }
            line.clear();
        }
    }

    fn ask(&self, question: &str) -> usize {
        let mut stream = TcpStream::connect(self.address).unwrap();
        write!(stream, "{question}\nquit\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.len()
    }
}

fn with_busy_loop(tasks: usize, look: impl FnOnce(&Busy)) {
    let (over, longest, turns) =
        (Arc::new(AtomicBool::new(false)), Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let (tell, told) = channel();
    let (is_over, slowest, counted) = (Arc::clone(&over), Arc::clone(&longest), Arc::clone(&turns));
    let comes = Arc::<AtomicBool>::default();
    let asked = Arc::clone(&comes);
    let busy = spawn_thread(move || {
        unobserved().block_on(async {
            let server = serve("127.0.0.1:0").unwrap();
            for number in 0..tasks {
                drop(Builder::new().name(format!("sleeper {number}")).spawn(sleep(LONG)));
            }
            yield_now().await;
            tell.send(server.address()).unwrap();
            while !is_over.load(Ordering::SeqCst) {
                let before = spent();
                if asked.swap(false, Ordering::SeqCst) {
                    attach(Ring::new(100));
                }
                yield_now().await;
                slowest.fetch_max(micros_since(before), Ordering::SeqCst);
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
    });
    let address = told.recv().unwrap();
    look(&Busy { longest, turns, comes, address, tasks });
    over.store(true, Ordering::SeqCst);
    busy.join().unwrap();
}

/// The cost of each kind of look to a turn.
fn looks(busy: &Busy) -> Vec<(&'static str, u64)> {
    busy.turn_on(POLLS / 10);
    let alone = busy.longest_during("nobody looks", || busy.turn_on(POLLS / 10));
    let page = busy.longest_during("a page opens", || {
        let mut viewer = busy.events();
        let mut fact = String::new();
        (0..busy.tasks).for_each(|_| assert!(viewer.read_line(&mut fact).unwrap() > 0));
    });
    let ps = busy.longest_during("ps is asked", || assert!(busy.ask("ps") > 1000));
    let why = busy.longest_during("why is asked", || assert!(busy.ask("why 7") > 10));
    let behind = busy.longest_during("a viewer falls behind", || {
        let mut viewer = busy.events();
        // More than the ring keeps.
        busy.turn_on(POLLS);
        Busy::read_two_beginnings(&mut viewer);
    });
    let late = busy.longest_during("a ring comes late", || {
        busy.comes.store(true, Ordering::SeqCst);
        // More than there are shares, one of which comes every 64 polls.
        busy.turn_on(POLLS / 10);
    });
    vec![("nobody", alone), ("page", page), ("ps", ps), ("why", why), ("behind", behind), ("late", late)]
}

#[test]
fn nobody_who_only_looks_holds_up_a_loop_of_a_hundred_thousand() {
    alone(|| {
        let mut few = Vec::new();
        with_busy_loop(if cfg!(debug_assertions) { MANY / 200 } else { MANY }, |busy| few = looks(busy));
        if !cfg!(debug_assertions) {
            assert!(few.iter().all(|(_, micros)| *micros <= 2000), "{few:?}");
            return;
        }
        // A busy machine costs a turn processor time, too, so a look that is dear once is taken anew.
        let dear = (0..3).map_while(|_| {
            let mut many = Vec::new();
            with_busy_loop(MANY / 20, |busy| many = looks(busy));
            let dear = few.iter().zip(&many).find(|((_, few), (_, many))| *many > few * 4 + 2000);
            dear.map(|((name, few), (_, many))| format!("{name}: {few} us a turn with 500 tasks, {many} us with 5,000"))
        });
        let dear: Vec<_> = dear.collect();
        assert!(dear.len() < 3, "{dear:?}");
    });
}

/// The time that a ring takes from a loop of so many tasks when it comes late; the longest turn of those in which it
/// reads what it found; and the time that it takes to make a state of the stores at once.
fn comes_late(tasks: usize) -> (u64, u64, u64) {
    unobserved().block_on(async {
        (0..tasks).for_each(|_| drop(Builder::new().name("sleeper").spawn(sleep(LONG))));
        yield_now().await;
        let (mut came, mut longest, mut whole) = (u64::MAX, u64::MAX, u64::MAX);
        for _ in 0..3 {
            let before = spent();
            drop(State::now());
            whole = whole.min(micros_since(before));
            let ring = Ring::new(100);
            let before = spent();
            attach(ring.clone());
            came = came.min(micros_since(before));
            let mut turns = 0;
            // More than there are shares, each of which goes with a segment of events.
            while ring.last() < tasks as u64 * 2 {
                let before = spent();
                yield_now().await;
                turns = turns.max(micros_since(before));
            }
            longest = longest.min(turns);
        }
        println!("{tasks} tasks: it came in {came} us, its longest turn took {longest} us, all at once {whole} us");
        (came, longest, whole)
    })
}

#[test]
fn a_ring_that_comes_late_copies_the_stores_and_reads_them_in_shares() {
    alone(|| {
        let (few, many) = (comes_late(MANY / 100), comes_late(MANY / 5));
        let (came, longest, whole) = many;
        assert!(came * 4 < whole, "to come took {came} us, and all at once would {whole} us");
        assert!(longest <= few.1 * 4 + 2000, "a turn took {longest} us with many tasks, {} us with few", few.1);
    });
}

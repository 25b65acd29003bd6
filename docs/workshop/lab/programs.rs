//! The programs, in the order of their numbers. This file is in the crate twice: as broken, and as mended.

use crate::{Case, Program};

#[path = "01-call.rs"]
mod call;
#[path = "02-one-by-one.rs"]
mod one_by_one;
#[path = "03-pending.rs"]
mod pending;
#[path = "04-wake.rs"]
mod wake;
#[path = "05-one-read.rs"]
mod one_read;
#[path = "06-first-waker.rs"]
mod first_waker;
#[path = "07-check.rs"]
mod check;
#[path = "08-slot.rs"]
mod slot;
#[path = "09-thread-sleep.rs"]
mod thread_sleep;
#[path = "10-always-ready.rs"]
mod always_ready;
#[path = "11-branches.rs"]
mod branches;
#[path = "12-drop.rs"]
mod drop;
#[path = "13-detach.rs"]
mod detach;
#[path = "14-timer.rs"]
mod timer;
#[path = "15-borrow.rs"]
mod borrow;
#[path = "16-static.rs"]
mod spawn_static;
#[path = "17-parallel.rs"]
mod parallel;
#[path = "18-pin.rs"]
mod pin;
#[path = "19-during-poll.rs"]
mod during_poll;
#[path = "20-self-wake.rs"]
mod self_wake;
#[path = "21-drift.rs"]
mod drift;
#[path = "22-limit.rs"]
mod limit;
#[path = "23-last-sender.rs"]
mod last_sender;
#[path = "24-abort.rs"]
mod abort;
#[path = "25-notify.rs"]
mod notify;
#[path = "26-late-failure.rs"]
mod late_failure;
#[path = "27-alarm.rs"]
mod alarm;

macro_rules! program {
    ($file:literal, $module:ident, $case:expr) => {
        Program {
            file: $file,
            source: include_str!($file),
            run: |runtime| {
                let outcome = runtime.block_on($module::program());
                Box::new(move || $module::test(outcome))
            },
            case: $case,
        }
    };
}

/// A case of the clinic: its number there, how hard it is from 1 to 3, and what somebody complains of.
const fn case(number: u8, level: u8, title: &'static str) -> Option<Case> {
    Some(Case { number, level, title })
}

#[rustfmt::skip]
pub(crate) const PROGRAMS: [Program; 27] = [
    program!("01-call.rs", call, None),
    program!("02-one-by-one.rs", one_by_one, case(3, 1, "Two fetches take twice as long")),
    program!("03-pending.rs", pending, case(2, 1, "The reader sleeps on, and the letter is there")),
    program!("04-wake.rs", wake, None),
    program!("05-one-read.rs", one_read, case(14, 2, "Half of the bytes stay where they are")),
    program!("06-first-waker.rs", first_waker, case(10, 2, "The door is open, and the guest stays outside")),
    program!("07-check.rs", check, case(16, 3, "It hangs, but only since somebody added a line")),
    program!("08-slot.rs", slot, case(12, 2, "Ben is sent away, and nobody meant him")),
    program!("09-thread-sleep.rs", thread_sleep, case(1, 1, "The ticks come late, and all at once")),
    program!("10-always-ready.rs", always_ready, case(7, 2, "A sleep of ten milliseconds takes a hundred")),
    program!("11-branches.rs", branches, case(5, 1, "The heart stops when the work fails")),
    program!("12-drop.rs", drop, case(11, 2, "The first part gets lost")),
    program!("13-detach.rs", detach, case(4, 1, "It ticks on")),
    program!("14-timer.rs", timer, case(8, 2, "The server wakes for nothing")),
    program!("15-borrow.rs", borrow, None),
    program!("16-static.rs", spawn_static, case(9, 2, "Something is written after the end")),
    program!("17-parallel.rs", parallel, None),
    program!("18-pin.rs", pin, case(21, 3, "The bell rings at a house where nobody lives")),
    program!("19-during-poll.rs", during_poll, case(18, 3, "A task that only yields never ends")),
    program!("20-self-wake.rs", self_wake, case(6, 1, "A program that waits keeps a processor busy")),
    program!("21-drift.rs", drift, case(13, 2, "The samples come later and later")),
    program!("22-limit.rs", limit, case(15, 3, "A limit of three seconds lasts twenty")),
    program!("23-last-sender.rs", last_sender, case(17, 3, "All are done, and the sum never comes")),
    program!("24-abort.rs", abort, case(20, 3, "The line is busy, though the caller was stopped")),
    program!("25-notify.rs", notify, case(22, 3, "There is something for one, and nobody takes it")),
    program!("26-late-failure.rs", late_failure, case(19, 3, "A failure is noticed seven seconds late")),
    program!("27-alarm.rs", alarm, case(23, 3, "The alarm does not go off")),
];

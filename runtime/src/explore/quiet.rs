//! Keeping quiet: what panics during a search is noted instead of printed, unless the process ends by it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::Once;

use super::teller::tell;
use super::{REPLAY, Schedule};
use crate::task::panic_text;

/// How many panics of a run are kept. All but the last are of use only if the process ends.
const KEPT: usize = 8;

thread_local! {
    /// The texts that this thread holds back, while it is quiet.
    static QUIET: RefCell<Option<Held>> = const { RefCell::new(None) };
}

/// A run, and how its thread panicked meanwhile, the last at the end.
struct Held {
    schedule: Schedule,
    panics: VecDeque<Noted>,
}

struct Noted {
    at: String,
    text: String,
}

/// For as long as it lives, panics of this thread are noted instead of printed.
pub(super) struct Quiet(());

impl Quiet {
    pub(super) fn new(schedule: Schedule) -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let others = take_hook();
            set_hook(Box::new(move |info| {
                if !note(info) {
                    others(info);
                }
            }));
        });
        QUIET.set(Some(Held { schedule, panics: VecDeque::new() }));
        Self(())
    }

    pub(super) fn last_place(&self) -> Option<String> {
        QUIET.with_borrow_mut(|held| Some(held.as_mut()?.panics.pop_back()?.at))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        QUIET.set(None);
    }
}

/// Notes a panic if this thread is quiet and will live on. Its locals may be gone already.
fn note(info: &PanicHookInfo<'_>) -> bool {
    let noted = QUIET.try_with(|held| {
        let mut held = held.borrow_mut();
        let Some(held) = held.as_mut() else { return false };
        if ends_the_process(info) {
            tell(held.last_words());
            return false;
        }
        let Some(at) = info.location() else { return true };
        if held.panics.len() == KEPT {
            held.panics.pop_front();
        }
        held.panics.push_back(Noted { at: at.to_string(), text: panic_text(info.payload()) });
        true
    });
    noted.unwrap_or(false)
}

/// Whether the process is aborted after this panic. On stable, std does not tell which panics cannot unwind. But all
/// of them are raised by this file of core, such as one in a drop while another unwinds.
fn ends_the_process(info: &PanicHookInfo<'_>) -> bool {
    cfg!(panic = "abort") || info.location().is_some_and(|at| at.file().ends_with("core/src/panicking.rs"))
}

impl Held {
    fn last_words(&self) -> String {
        let schedule = self.schedule;
        let mut text =
            format!("the process is aborted by the panic below, with the schedule that {REPLAY}={schedule} runs alone");
        if !self.panics.is_empty() {
            text.push_str("; before it came");
        }
        for Noted { at, text: said } in &self.panics {
            let _ = write!(text, "\n  a panic at {at}{said}");
        }
        text
    }
}

/// How this thread panicked last, if it is quiet: where, and what it said.
pub(super) fn last_panic() -> Option<String> {
    QUIET.with_borrow(|held| {
        let Noted { at, text } = held.as_ref()?.panics.back()?;
        Some(format!("\n  it panicked at {at}{text}"))
    })
}

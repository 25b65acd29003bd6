//! Keeping quiet: what panics during a search is noted instead of printed.

use std::cell::RefCell;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::Once;

use crate::task::panic_text;

thread_local! {
    /// How this thread panicked last, while it is quiet.
    static QUIET: RefCell<Option<Option<Noted>>> = const { RefCell::new(None) };
}

struct Noted {
    at: String,
    text: String,
}

/// For as long as it lives, panics of this thread are noted instead of printed.
pub(super) struct Quiet(());

impl Quiet {
    pub(super) fn new() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let others = take_hook();
            set_hook(Box::new(move |info| {
                if !note(info) {
                    others(info);
                }
            }));
        });
        QUIET.set(Some(None));
        Self(())
    }

    pub(super) fn last_place(&self) -> Option<String> {
        QUIET.with_borrow_mut(|noted| Some(noted.as_mut()?.take()?.at))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        QUIET.set(None);
    }
}

/// Notes a panic if this thread is quiet. Its locals may be gone already.
fn note(info: &PanicHookInfo<'_>) -> bool {
    let noted = QUIET.try_with(|quiet| {
        let mut quiet = quiet.borrow_mut();
        let Some(noted) = quiet.as_mut() else { return false };
        let text = panic_text(info.payload());
        *noted = info.location().map(|at| Noted { at: at.to_string(), text });
        true
    });
    noted.unwrap_or(false)
}

/// How this thread panicked last, if it is quiet: where, and what it said.
pub(super) fn last_panic() -> Option<String> {
    QUIET.with_borrow(|noted| {
        let Noted { at, text } = noted.as_ref()?.as_ref()?;
        Some(format!("\n  it panicked at {at}{text}"))
    })
}

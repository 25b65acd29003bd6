//! 19. "A wake during one's own poll may be forgotten."
//!
//! The flag is cleared before the poll. Cleared after it, a wake that came meanwhile is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use oneloop::time::{Duration, timeout};

struct Flag(AtomicBool, Waker);
#[rustfmt::skip]
impl Wake for Flag { fn wake(self: Arc<Self>) { self.0.store(true, Relaxed); self.1.wake_by_ref(); } }

pub async fn program() -> bool {
    let (mut child, mut flag) = (Box::pin(oneloop::task::yield_now()), None);
    let parent = std::future::poll_fn(|cx| {
        let flag = flag.get_or_insert_with(|| Arc::new(Flag(AtomicBool::new(true), cx.waker().clone())));
        let was_woken = flag.0.load(Relaxed);
        mended! { flag.0.store(false, Relaxed); }
        let waker = Waker::from(Arc::clone(flag));
        let polled = if was_woken { child.as_mut().poll(&mut Context::from_waker(&waker)) } else { Poll::Pending };
        broken! { flag.0.store(false, Relaxed); }
        polled
    });
    timeout(Duration::from_secs(5), parent).await.is_ok()
}
#[rustfmt::skip]
pub fn test(is_over: bool) { assert!(is_over, "a child that only yields comes to its end"); }

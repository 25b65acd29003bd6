//! The platform: a system that cannot run the loop is refused in one sentence.
//!
//! Nothing here exists on Unix. Elsewhere the first error is the sentence. The second ends the compilation: without
//! it, each line that asks for epoll, kqueue or a file descriptor would be an error of its own.

#[cfg(windows)]
compile_error!(
    "oneloop does not run on Windows: its loop sleeps in epoll or kqueue, and Windows has neither. Use WSL 2, where \
     it runs unchanged, or tokio, which runs on Windows"
);

#[cfg(target_family = "wasm")]
compile_error!(
    "oneloop does not run on WebAssembly: its thread sleeps in the kernel, and a page's only thread must not. Use \
     `wasm_bindgen_futures::spawn_local`, which runs futures on the page's own loop"
);

#[cfg(not(any(unix, windows, target_family = "wasm")))]
compile_error!("oneloop does not run on this system: its loop sleeps in epoll or kqueue. Use Linux, macOS or FreeBSD");

/// A macro that expands to itself. The compiler gives up on it, and looks no further.
#[cfg(not(unix))]
macro_rules! oneloop_compiles_no_further {
    () => {
        oneloop_compiles_no_further!();
    };
}
#[cfg(not(unix))]
oneloop_compiles_no_further!();

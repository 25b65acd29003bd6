//! Libraries that do not run, and say why: each row asks for it and hears the sentence.

use crate::{Ran, Row};

pub(crate) const ROWS: &[Row] = &[
    Row {
        library: "tokio::net (no guard)",
        does: "panic: there is no reactor of tokio's to register with",
        run: tokio_net,
    },
    Row { library: "tokio::time (no guard)", does: "panic: there is no timer of tokio's", run: tokio_time },
    Row { library: "tokio::spawn (no guard)", does: "panic: there is no scheduler of tokio's", run: tokio_spawn },
    Row {
        library: "tokio::task::spawn_local",
        does: "panic, under the guard too: it wants tokio's own LocalSet on this thread",
        run: spawn_local,
    },
];

/// Asserts that a task of ours panics, and in these words.
fn refuses<T: 'static>(words: &str, future: impl Future<Output = T> + 'static) -> Ran {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let end = oneloop::run(async { oneloop::spawn(future).await.map(drop) });
    std::panic::set_hook(told);
    let panic = end.expect_err("it does not run").into_panic();
    let said = panic.downcast_ref::<String>().cloned();
    let said = said.or_else(|| panic.downcast_ref::<&str>().map(|said| (*said).to_owned())).unwrap_or_default();
    assert!(said.contains(words), "it says: {said}");
    Ran::Ran
}

fn tokio_net() -> Ran {
    refuses("there is no reactor running", async { tokio::net::TcpListener::bind("127.0.0.1:0").await.map(drop) })
}

fn tokio_time() -> Ran {
    refuses("there is no reactor running", async { tokio::time::sleep(std::time::Duration::ZERO).await })
}

fn tokio_spawn() -> Ran {
    refuses("there is no reactor running", async { tokio::spawn(async {}).await.map(drop) })
}

fn spawn_local() -> Ran {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _guard = tokio.enter();
    refuses("spawn_local", async { drop(tokio::task::spawn_local(async {})) })
}

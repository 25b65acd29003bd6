//! The twin on one thread: while a handler waits, the loop polls the others.

use std::time::Duration;

use oneloop::time::sleep;
use oneloop_demos::print;
use oneloop_demos::server::{listen, stop_asked_for};
use oneloop_web_demos::house::{House, Limits};

use crate::World;

struct OnLoop;

impl World for OnLoop {
    async fn wait(&self, time: Duration) {
        sleep(time).await;
    }
}

pub(crate) fn serve(limits: Limits) -> Result<(), String> {
    let runtime = oneloop::Runtime::new().map_err(|error| format!("cannot start a runtime: {error}"))?;
    runtime.block_on(async {
        let (listener, addr) = listen(limits.addr, "--addr").await?;
        let stop = stop_asked_for(limits.seconds); // from here on it is heard
        print(format_args!("listening on {addr}, by a loop; try: curl http://{addr}/hello/you"));
        let answer = async |request, _| crate::answer(request, &OnLoop).await;
        House::new(limits).live(listener, stop, answer).await
    })
}

//! Connections: many, ended in every way, and none for want of descriptors.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use oneloop::net::{TcpListener, TcpStream};
use oneloop::task::spawn_blocking;
use oneloop::time::{sleep, timeout};
use oneloop::{Handle, JoinHandle, spawn};
use socket2::SockRef;

use crate::Seen;
use crate::accounts::{Accounts, allow_descriptors, forbid_descriptors, processor_time};

/// Sends back what comes, on every connection, until it is aborted.
pub(crate) async fn echo_server() -> io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let server = spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(spawn(async move {
                let mut buffer = [0; 512];
                while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                    if stream.write_all(&buffer[..read]).await.is_err() {
                        return;
                    }
                }
            }));
        }
    });
    Ok((addr, server))
}

/// One question and its answer: an error where the connection fails, false where the answer is wrong.
pub(crate) async fn ask(stream: &TcpStream, length: usize) -> io::Result<bool> {
    let question: Vec<u8> = (0..length).map(|_| fastrand::u8(..)).collect();
    stream.write_all(&question).await?;
    let (mut answer, mut got) = (vec![0; length], 0);
    while got < length {
        match stream.read(&mut answer[got..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => got += read,
        }
    }
    Ok(answer == question)
}

/// Ends a connection so that the other side is reset.
pub(crate) fn reset(stream: &TcpStream) {
    // A socket that cannot be told so is ended in order.
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// Many connections at once. All talk; a fifth are reset in the midst, from either side.
pub(crate) fn resets(wanted: u64) -> Seen {
    let connections = wanted.min((allow_descriptors(wanted * 2 + 200) - 100) / 2);
    let (wrong, failed) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    oneloop::run(async {
        let before = Accounts::at_rest().await;
        let (addr, server) = echo_server().await.map_err(|error| error.to_string())?;
        // One after the other: a burst of thousands would not fit the listener's backlog, and the kernel
        // lets those it has no room for believe that they are connected.
        let mut streams = Vec::new();
        for _ in 0..connections {
            streams.push(TcpStream::connect(addr).await.map_err(|error| error.to_string())?);
        }
        let clients: Vec<_> = (0_u64..)
            .zip(streams)
            .map(|(n, stream)| {
                let (wrong, failed) = (Rc::clone(&wrong), Rc::clone(&failed));
                spawn(async move {
                    for _ in 0..10 {
                        match ask(&stream, fastrand::usize(1..1000)).await {
                            Ok(true) => sleep(Duration::from_millis(fastrand::u64(0..50))).await,
                            Ok(false) => wrong.set(wrong.get() + 1),
                            Err(_) => failed.set(failed.get() + 1),
                        }
                    }
                    if n % 5 == 0 {
                        // With bytes on their way in both directions.
                        let _ = stream.try_write(&[0; 400]);
                        reset(&stream);
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.expect("a client does not panic");
        }
        server.abort();
        Accounts::at_rest().await.differ(&before, usize::MAX / 2)
    })?;
    let said = format!(
        "{connections} connections at once, {} reset: {} echoes wrong, {} echoes failed",
        connections.div_ceil(5),
        wrong.get(),
        failed.get()
    );
    if (wrong.get(), failed.get()) == (0, 0) { Ok(said) } else { Err(said) }
}

/// One connection after the other, sixteen at a time.
pub(crate) fn churn(connections: u64) -> Seen {
    oneloop::run(async {
        let (addr, server) = echo_server().await.map_err(|error| error.to_string())?;
        let some = async |count: u64| {
            let workers: Vec<_> = (0..16)
                .map(|_| {
                    spawn(async move {
                        for _ in 0..count / 16 {
                            let stream = TcpStream::connect(addr).await.map_err(|error| error.to_string())?;
                            let right = ask(&stream, 64).await.map_err(|error| error.to_string())?;
                            // An orderly end would keep the port for a minute.
                            reset(&stream);
                            right.then_some(()).ok_or("an echo is wrong")?;
                        }
                        Ok::<(), String>(())
                    })
                })
                .collect();
            for worker in workers {
                worker.await.map_err(|error| error.to_string())??;
            }
            Ok::<(), String>(())
        };
        // The first thousand bring the buffers and slabs to their size.
        some(1_008).await?;
        let before = Accounts::at_rest().await;
        some(connections).await?;
        let after = Accounts::at_rest().await;
        after.differ(&before, 1024)?;
        server.abort();
        Ok(format!("{connections} connections made and ended: before {before}; after {after}"))
    })
}

/// A listener that finds no descriptor, with a client in its backlog.
pub(crate) fn without_descriptors(time: Duration) -> Seen {
    forbid_descriptors(200);
    oneloop::run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| error.to_string())?;
        let addr = listener.local_addr().map_err(|error| error.to_string())?;
        drop(spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(stream.write_all(b"hi").await);
            }
        }));
        // The pool's thread is there before the descriptors are not.
        spawn_blocking(|| ()).await.map_err(|error| error.to_string())?;
        let mut hoard = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            hoard.push(file);
        }
        hoard.pop();
        let mut client = std::net::TcpStream::connect(addr).map_err(|error| error.to_string())?;
        let (before, tried) = (processor_time(), Handle::current().metrics().accept_retries);
        sleep(time).await;
        let percent = (processor_time() - before).as_secs_f64() / time.as_secs_f64() * 100.0;
        let tries = Handle::current().metrics().accept_retries - tried;
        drop(hoard);
        let freed = Instant::now();
        let greeting = spawn_blocking(move || client.read_exact(&mut [0; 2]));
        let greeted = timeout(Duration::from_secs(10), greeting).await;
        let recovery = freed.elapsed();
        let said = format!(
            "{time:?} without descriptors: {percent:.2} % of a processor, {tries} tries; served {recovery:?} after"
        );
        let fine = matches!(greeted, Ok(Ok(Ok(())))) && percent < 2.0 && recovery < Duration::from_secs(1) && tries > 0;
        if fine { Ok(said) } else { Err(said) }
    })
}

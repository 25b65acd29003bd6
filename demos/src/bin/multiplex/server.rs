//! The server as a process of its own: so one can see what a connection costs the side that serves.
//!
//! It says its address, then answers each line on its standard input with its account, and ends when that ends:
//! it cannot outlive the one who started it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use futures_lite::future::or;
use futures_lite::io::BufReader;
use futures_lite::{AsyncBufReadExt, AsyncWriteExt, StreamExt};
use oneloop::net::TcpListener;
use oneloop::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use oneloop::signal::stop_requested;
use oneloop_demos::print;
use oneloop_demos::server::resident;

use crate::talk;
use crate::tally::Tally;

/// The whole life of the server in its own process.
pub(crate) async fn run() -> Result<bool, String> {
    let said = |error: io::Error| error.to_string();
    // Ctrl-C is for the one who started it, who then ends this.
    let _heard = stop_requested();
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.map_err(said)?;
    print(listener.local_addr().map_err(said)?);
    let (before, tally) = (resident(), Rc::new(Tally::default()));
    let serve = talk::serve(listener, Rc::clone(&tally));
    let asked = async {
        let mut lines = oneloop::io::stdin().lines();
        while let Some(Ok(_)) = lines.next().await {
            let open = tally.served_now();
            let cost = before.zip(resident()).filter(|_| open > 0);
            let cost = cost.map(|(before, now)| now.saturating_sub(before) as u64 / open);
            let cost = cost.map_or_else(|| "-".to_owned(), |cost| cost.to_string());
            let counts = tally.counts();
            print(format_args!("{open} {cost} {} {}", counts.resets, counts.lost));
        }
    };
    or(serve, asked).await;
    Ok(tally.counts().lost == 0)
}

/// The server's process, seen by the clients.
pub(crate) struct Process {
    pub(crate) addr: SocketAddr,
    /// Ends the process when it is dropped.
    stdin: ChildStdin,
    lines: futures_lite::io::Lines<BufReader<ChildStdout>>,
    _child: Child,
}

/// The server's words of itself.
#[derive(Clone, Copy, Default)]
pub(crate) struct Account {
    pub(crate) open: u64,
    /// Bytes of memory a connection, where Linux tells.
    pub(crate) each: Option<u64>,
    pub(crate) resets: u64,
    pub(crate) lost: u64,
}

impl Process {
    pub(crate) async fn start() -> io::Result<Self> {
        let program = std::env::current_exe()?;
        let mut command = Command::new(program);
        command.arg("--serve").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the server's process has no pipes"));
        };
        let mut lines = BufReader::new(stdout).lines();
        let first = lines.next().await.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))?;
        let addr = first.parse().map_err(|_| io::Error::other(format!("the server's process says {first:?}")))?;
        Ok(Self { addr, stdin, lines, _child: child })
    }

    pub(crate) async fn account(&mut self) -> io::Result<Account> {
        self.stdin.write_all(b"account\n").await?;
        self.stdin.flush().await?;
        let line = self.lines.next().await.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))?;
        let numbers: Vec<Option<u64>> = line.split(' ').map(|number| number.parse().ok()).collect();
        let &[Some(open), each, Some(resets), Some(lost)] = &numbers[..] else {
            return Err(io::Error::other(format!("the server's process says {line:?}")));
        };
        Ok(Account { open, each, resets, lost })
    }
}

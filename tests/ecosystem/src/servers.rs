//! Real servers for the recipes and the rows: each on loopback, in a folder of its own, ended when it is dropped.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to be there.
const LIMIT: Duration = Duration::from_secs(60);

/// A server that is a program of its own.
pub struct Server {
    /// Its address.
    pub addr: SocketAddr,
    child: Child,
    folder: Folder,
}

impl Server {
    /// The folder that ends with the server.
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// A Redis that keeps nothing; `None`, and a word about it, if there is none here.
    pub fn redis() -> Option<Self> {
        let (folder, addr) = (Folder::new("redis"), free_addr());
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &addr.port().to_string()]);
        let child = command.current_dir(&folder.0).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(child) = child else { return missing("redis-server") };
        until(|| TcpStream::connect(addr).is_ok());
        Some(Self { addr, child, folder })
    }

    /// A PostgreSQL with the user `postgres`, who needs no password; `None`, and a word about it, if there is none here.
    pub fn postgres() -> Option<Self> {
        let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = installed.map(|version| version.path().join("bin")).collect();
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let Some(bin) = folders.into_iter().find(|bin| bin.join("initdb").exists()) else {
            return missing("PostgreSQL");
        };
        let (folder, addr) = (Folder::new("postgres"), free_addr());
        let port = addr.port().to_string();
        // It does not run for root, so it runs for somebody who may do nothing else.
        let (uid, gid) = if number(["-u"]) == Some(0) {
            (number(["-u", "nobody"])?, number(["-g", "nobody"])?)
        } else {
            (number(["-u"])?, number(["-g"])?)
        };
        chown(&folder.0, Some(uid), Some(gid)).unwrap();
        std::fs::set_permissions(&folder.0, PermissionsExt::from_mode(0o700)).unwrap();
        let program = |name: &str| {
            let mut command = Command::new(bin.join(name));
            command.uid(uid).gid(gid).current_dir(&folder.0).stdin(Stdio::null());
            command
        };
        let data = folder.0.join("data");
        let made = program("initdb")
            .args(["-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "-D"])
            .arg(&data)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut command = program("postgres");
        command.arg("-D").arg(&data).arg("-k").arg(&folder.0).args(["-h", "127.0.0.1", "-p", &port, "-F"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { addr, child, folder: Folder(folder.0.clone()) };
        std::mem::forget(folder);
        until(|| {
            let mut ready = Command::new(bin.join("pg_isready"));
            ready.args(["-q", "-h", "127.0.0.1", "-p", &port]).status().is_ok_and(|status| status.success())
        });
        Some(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // PostgreSQL has children, which end when their parent is told to stop at once.
        let quit = Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status();
        let end = Instant::now() + Duration::from_secs(5);
        while quit.is_ok() && Instant::now() < end && self.child.try_wait().is_ok_and(|end| end.is_none()) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that ends with its owner.
pub struct Folder(pub PathBuf);

impl Folder {
    /// A new one, empty.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("oneloop-{name}-{}-{}", std::process::id(), free_addr().port()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path.canonicalize().unwrap())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn missing<T>(program: &str) -> Option<T> {
    eprintln!("skipped, as there is no {program} here");
    None
}

/// An address on loopback that nobody has just now.
fn free_addr() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap()
}

/// A number that `id` says.
fn number<const N: usize>(words: [&str; N]) -> Option<u32> {
    let said = Command::new("id").args(words).output().ok()?;
    String::from_utf8_lossy(&said.stdout).trim().parse().ok()
}

fn until(mut is_there: impl FnMut() -> bool) {
    let latest = Instant::now() + LIMIT;
    while !is_there() {
        assert!(Instant::now() < latest, "the server is not there after {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

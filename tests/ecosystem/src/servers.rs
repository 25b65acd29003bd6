//! Real servers for the recipes and the rows: each on loopback, in a folder of its own, ended when it is dropped.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;

/// How long a server may take to be there.
const LIMIT: Duration = Duration::from_secs(60);

/// A server that is a program of its own.
pub struct Server {
    /// Its address.
    pub addr: SocketAddr,
    child: Child,
    /// A program that it needs beside it.
    helper: Option<Child>,
    folder: Folder,
    /// Its ports.
    kept: Vec<TcpSocket>,
}

impl Server {
    /// The folder that ends with the server.
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// A Redis that keeps nothing; `None`, and a word about it, if there is none here.
    pub fn redis() -> Option<Self> {
        let (folder, (addr, kept)) = (Folder::new("redis"), reserved());
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", &addr.port().to_string()]);
        Self::start("redis-server", command, addr, folder, kept)
    }

    /// A Redis that speaks TLS alone, by a certificate and its key in PEM; `None` if there is none here that can.
    pub fn redis_by_tls(certificate: &str, key: &str) -> Option<Self> {
        let (folder, (addr, kept)) = (Folder::new("rediss"), reserved());
        let (certificate, key) = folder.keeps(certificate, key);
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--port", "0", "--tls-port", &addr.port().to_string()]);
        command.args(["--tls-auth-clients", "no", "--tls-cert-file"]).arg(&certificate);
        command.arg("--tls-key-file").arg(key).arg("--tls-ca-cert-file").arg(certificate);
        Self::start("redis-server with TLS", command, addr, folder, kept)
    }

    /// OpenSSL's test server, which sends each line back from its end to its beginning; `None` if there is none here.
    pub fn openssl(certificate: &str, key: &str) -> Option<Self> {
        let (folder, (addr, kept)) = (Folder::new("openssl"), reserved());
        let (certificate, key) = folder.keeps(certificate, key);
        let mut command = Command::new("openssl");
        command.args(["s_server", "-quiet", "-rev", "-accept", &addr.to_string(), "-cert"]).arg(certificate);
        command.arg("-key").arg(key);
        Self::start("openssl", command, addr, folder, kept)
    }

    /// A RabbitMQ with its user `guest`; `None`, and a word about it, if there is none here.
    pub fn rabbitmq() -> Option<Self> {
        // Debian's program in the path always runs in the system's own folder, so the one behind it is started.
        let behind = Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
        let program = if behind.exists() { behind } else { Path::new("rabbitmq-server") };
        let (folder, [(addr, kept), (names, kept_for_names), (nodes, kept_for_nodes)]) =
            (Folder::new("rabbitmq"), [(); 3].map(|()| reserved()));
        // Erlang's nodes ask a server of names for each other. It would stay behind, if the node were to start it.
        let mut helper = Command::new("epmd");
        helper.args(["-address", "127.0.0.1", "-port", &names.port().to_string()]);
        let Ok(helper) = helper.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else { return missing("epmd") };
        until(|| TcpStream::connect(names).is_ok());
        let mut command = Command::new(program);
        command
            .env("HOME", &folder.0)
            .env("ERL_EPMD_PORT", names.port().to_string())
            .env("RABBITMQ_NODENAME", format!("oneloop-{}@localhost", addr.port()))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", addr.port().to_string())
            .env("RABBITMQ_DIST_PORT", nodes.port().to_string())
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
            // With input it is one process, and no shell around one. It gets none, all the same.
            .env("RABBITMQ_ALLOW_INPUT", "yes")
            .env("RABBITMQ_SERVER_START_ARGS", "-noinput");
        for place in ["MNESIA_BASE", "LOG_BASE", "CONFIG_FILE", "CONF_ENV_FILE", "ENABLED_PLUGINS_FILE"] {
            command.env(format!("RABBITMQ_{place}"), folder.0.join(place));
        }
        let mut server = Self::start("rabbitmq-server", command, addr, folder, kept);
        match &mut server {
            Some(server) => {
                server.helper = Some(helper);
                server.kept.extend([kept_for_names, kept_for_nodes]);
            }
            None => kill(helper),
        }
        server
    }

    /// A dovecot that serves mail by IMAP, with the password `secret`; `None` if none is installed.
    pub fn dovecot() -> Option<Self> {
        let (folder, (addr, kept)) = (Folder::new("dovecot"), reserved());
        let (port, place) = (addr.port(), folder.0.display());
        let (user, group) = nobody()?;
        // Some of its processes run for users of its own, if it may choose.
        let own = if number(["-u"]) == Some(0) { String::new() } else { format!("default_login_user = {user}\n") };
        let config = format!(
            "base_dir = {place}/run\nlog_path = {place}/log\nmail_location = maildir:{place}/mail\nprotocols = imap\n\
             listen = 127.0.0.1\nssl = no\ndisable_plaintext_auth = no\n{own}\
             service imap-login {{\n chroot =\n inet_listener imap {{\n port = {port}\n }}\n \
             inet_listener imaps {{\n port = 0\n }}\n}}\nservice anvil {{\n chroot =\n}}\n\
             passdb {{\n driver = static\n args = password=secret\n}}\n\
             userdb {{\n driver = static\n args = uid={user} gid={group} home={place}/mail\n}}\n"
        );
        std::fs::write(folder.0.join("config"), config).unwrap();
        chown(&folder.0, Some(user), Some(group)).unwrap();
        let mut command = Command::new("dovecot");
        command.arg("-F").arg("-c").arg(folder.0.join("config"));
        Self::start("dovecot", command, addr, folder, kept)
    }

    /// Starts a program, and waits until it listens; `None`, and a word about it, if there is none here or it ends.
    fn start(name: &str, mut command: Command, addr: SocketAddr, folder: Folder, kept: TcpSocket) -> Option<Self> {
        let command = command.current_dir(&folder.0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(mut child) = command.spawn() else { return missing(name) };
        let mut ended = false;
        until(|| {
            ended = child.try_wait().is_ok_and(|end| end.is_some());
            ended || TcpStream::connect(addr).is_ok()
        });
        if ended { missing(name) } else { Some(Self { addr, child, helper: None, folder, kept: vec![kept] }) }
    }

    /// A PostgreSQL with the user `postgres`, who needs no password; `None`, and a word about it, if there is none here.
    pub fn postgres() -> Option<Self> {
        let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = installed.map(|version| version.path().join("bin")).collect();
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let Some(bin) = folders.into_iter().find(|bin| bin.join("initdb").exists()) else {
            return missing("PostgreSQL");
        };
        let (folder, (addr, kept)) = (Folder::new("postgres"), reserved());
        let port = addr.port().to_string();
        let (uid, gid) = nobody()?;
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
        let server = Self { addr, child, helper: None, folder: Folder(folder.0.clone()), kept: vec![kept] };
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
        self.helper.take().map(kill);
    }
}

fn kill(mut child: Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// A folder that ends with its owner.
pub struct Folder(pub PathBuf);

impl Folder {
    /// A new one, empty. No other run has had its name: numbers of processes come round.
    pub fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix(&format!("oneloop-{name}-")).tempdir().unwrap();
        Self(folder.keep().canonicalize().unwrap())
    }

    /// Files for a certificate and its key.
    fn keeps(&self, certificate: &str, key: &str) -> (PathBuf, PathBuf) {
        let (public, private) = (self.0.join("certificate.pem"), self.0.join("key.pem"));
        std::fs::write(&public, certificate).unwrap();
        std::fs::write(&private, key).unwrap();
        (public, private)
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

/// An address on loopback for a server that is started by its number, and a socket that keeps the port until then, and
/// while the server lives. The socket never listens, so a program that asks for the port itself gets it, with
/// `SO_REUSEADDR`, as servers do. To everybody else it is taken.
///
/// ```
/// use std::net::TcpListener;
///
/// let (addr, kept) = oneloop_ecosystem::servers::reserved();
/// // A socket without the flag stands for one that takes any free port.
/// assert!(tokio::net::TcpSocket::new_v4()?.bind(addr).is_err());
/// // The standard library's listener has it.
/// TcpListener::bind(addr)?;
/// # drop(kept);
/// # std::io::Result::Ok(())
/// ```
pub fn reserved() -> (SocketAddr, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    (socket.local_addr().unwrap(), socket)
}

/// The user and group for a server that does not run for root: somebody who may do nothing else, or who we are.
fn nobody() -> Option<(u32, u32)> {
    if number(["-u"]) == Some(0) {
        Some((number(["-u", "nobody"])?, number(["-g", "nobody"])?))
    } else {
        Some((number(["-u"])?, number(["-g"])?))
    }
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

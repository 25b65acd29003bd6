//! The pages to fetch: a queue for each host, the pages that are known, and who waits for one.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use event_listener::Event;
use oneloop_demos::port_fits;

/// A page to fetch.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) host: SocketAddr,
    pub(crate) path: String,
    /// How often it was tried, with this time.
    pub(crate) tries: u32,
}

/// How things stand with one host.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) waiting: usize,
    pub(crate) at_work: u32,
    pub(crate) resting: u32,
    pub(crate) done: u32,
    pub(crate) retries: u32,
    pub(crate) lost: u32,
    pub(crate) bytes: u64,
}

#[derive(Default)]
struct Host {
    queue: VecDeque<Page>,
    tally: Tally,
}

pub(crate) struct Frontier {
    hosts: RefCell<BTreeMap<SocketAddr, Host>>,
    known: RefCell<BTreeSet<(SocketAddr, String)>>,
    pub(crate) problems: RefCell<Vec<String>>,
    per_host: u32,
    most: usize,
    changed: Event,
}

impl Frontier {
    /// Nothing to fetch yet, and from nobody but these hosts ever.
    pub(crate) fn new(hosts: &[SocketAddr], per_host: u32, most: u32) -> Self {
        let hosts = RefCell::new(hosts.iter().map(|host| (*host, Host::default())).collect());
        let (known, problems, changed) = (RefCell::default(), RefCell::default(), Event::new());
        Self { hosts, known, problems, per_host, most: usize::try_from(most).unwrap_or(usize::MAX), changed }
    }

    pub(crate) fn begin(&self, host: SocketAddr, path: String) {
        self.add(host, path);
    }

    fn add(&self, host: SocketAddr, path: String) {
        let mut known = self.known.borrow_mut();
        if known.len() < self.most && known.insert((host, path.clone())) {
            if let Some(of_host) = self.hosts.borrow_mut().get_mut(&host) {
                of_host.queue.push_back(Page { host, path, tries: 0 });
            }
        }
    }

    /// A page to fetch, of this host if that has one. None when all is done.
    pub(crate) async fn next(&self, here: Option<SocketAddr>) -> Option<Page> {
        loop {
            // First listen, then look: what changes in between is heard.
            let changed = self.changed.listen();
            if let Some(page) = self.take(here) {
                return Some(page);
            }
            let totals = self.totals();
            if totals.waiting == 0 && totals.at_work == 0 && totals.resting == 0 {
                self.changed.notify(usize::MAX);
                return None;
            }
            changed.await;
        }
    }

    fn take(&self, here: Option<SocketAddr>) -> Option<Page> {
        let mut hosts = self.hosts.borrow_mut();
        let is_open = |host: &Host| !host.queue.is_empty() && host.tally.at_work < self.per_host;
        let same = here.filter(|here| hosts.get(here).is_some_and(is_open));
        // The host with the fewest at work: nobody is left for the end.
        let others = || hosts.iter().filter(|(_, host)| is_open(host)).min_by_key(|(_, host)| host.tally.at_work);
        let chosen = same.or_else(|| others().map(|(host, _)| *host))?;
        let host = hosts.get_mut(&chosen)?;
        let mut page = host.queue.pop_front()?;
        host.tally.at_work += 1;
        page.tries += 1;
        Some(page)
    }

    /// A page was fetched, and has these links.
    pub(crate) fn found(&self, page: &Page, links: &[String], bytes: usize) {
        for link in links {
            if let Some((host, path)) = resolve(page, link) {
                self.add(host, path);
            }
        }
        self.ended(page, |tally| {
            tally.done += 1;
            tally.bytes += bytes as u64;
        });
    }

    pub(crate) fn lost(&self, page: &Page, why: &str) {
        self.problems.borrow_mut().push(format!("http://{}{}: {why}", page.host, page.path));
        self.ended(page, |tally| tally.lost += 1);
    }

    /// A page failed, and will be tried again later.
    pub(crate) fn waits(&self, page: &Page) {
        self.ended(page, |tally| {
            tally.resting += 1;
            tally.retries += 1;
        });
    }

    pub(crate) fn again(&self, page: Page) {
        if let Some(host) = self.hosts.borrow_mut().get_mut(&page.host) {
            host.tally.resting -= 1;
            host.queue.push_front(page);
        }
        self.changed.notify(usize::MAX);
    }

    fn ended(&self, page: &Page, count: impl FnOnce(&mut Tally)) {
        if let Some(host) = self.hosts.borrow_mut().get_mut(&page.host) {
            host.tally.at_work -= 1;
            count(&mut host.tally);
        }
        self.changed.notify(usize::MAX);
    }

    pub(crate) fn tallies(&self) -> Vec<(SocketAddr, Tally)> {
        let hosts = self.hosts.borrow();
        hosts.iter().map(|(addr, host)| (*addr, Tally { waiting: host.queue.len(), ..host.tally })).collect()
    }

    pub(crate) fn totals(&self) -> Tally {
        self.tallies().iter().fold(Tally::default(), |sum, (_, one)| Tally {
            waiting: sum.waiting + one.waiting,
            at_work: sum.at_work + one.at_work,
            resting: sum.resting + one.resting,
            done: sum.done + one.done,
            retries: sum.retries + one.retries,
            lost: sum.lost + one.lost,
            bytes: sum.bytes + one.bytes,
        })
    }
}

/// Reads where to begin: a host by its address, and a path.
pub(crate) fn beginning(text: &str) -> Result<(SocketAddr, String), String> {
    let expected = || "expected a URL with an IP address and a port, such as http://127.0.0.1:8099/".to_owned();
    port_fits(text)?;
    let rest = text.strip_prefix("http://").ok_or_else(expected)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.parse().map_err(|_| expected())?;
    Ok((host, checked(format!("/{path}")).ok_or_else(expected)?))
}

/// The target of a page's link, if that is a page at all.
fn resolve(page: &Page, link: &str) -> Option<(SocketAddr, String)> {
    let link = link.split('#').next()?;
    if let Some(rest) = link.strip_prefix("http://") {
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        return Some((host.parse().ok()?, checked(format!("/{path}"))?));
    }
    if link.is_empty() || link.split('/').next()?.contains(':') || link.starts_with("//") {
        return None;
    }
    let path = match link.strip_prefix('/') {
        Some(_) => link.to_owned(),
        None => page.path[..=page.path.rfind('/')?].to_owned() + link,
    };
    Some((page.host, checked(path)?))
}

/// A path that can stand in a request, and is not endless.
fn checked(path: String) -> Option<String> {
    let is_good = path.len() <= 2048 && path.bytes().all(|byte| byte.is_ascii_graphic()) && !path.contains("..");
    is_good.then_some(path)
}

/// How long to wait, as a server asks for it, but not for ever.
pub(crate) fn retry_after(seconds: &str) -> Option<Duration> {
    seconds.trim().parse().ok().map(|seconds: u64| Duration::from_secs(seconds.min(5)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_of_hosts_by_number_and_to_nothing_else() {
        let host: SocketAddr = "127.0.0.1:80".parse().unwrap();
        let page = Page { host, path: "/a/b".to_owned(), tries: 1 };
        let of = |link: &str| resolve(&page, link).map(|(host, path)| format!("{host}{path}"));
        assert_eq!(of("c"), Some("127.0.0.1:80/a/c".to_owned()));
        assert_eq!(of("/c?d#e"), Some("127.0.0.1:80/c?d".to_owned()));
        assert_eq!(of("http://127.0.0.2:81"), Some("127.0.0.2:81/".to_owned()));
        for none in [
            "",
            "#top",
            "mailto:a@b",
            "javascript:x",
            "//evil.example/",
            "http://evil.example/",
            "../../x",
            "a b",
            "c\r\nx: y",
        ] {
            assert_eq!(of(none), None, "{none:?}");
        }
        assert_eq!(of(&"x".repeat(5000)), None);
    }

    #[test]
    fn no_host_gets_more_than_its_share_and_no_page_is_fetched_twice() {
        let hosts: Vec<SocketAddr> = ["127.0.0.1:1", "127.0.0.1:2"].map(|host| host.parse().unwrap()).to_vec();
        let frontier = Frontier::new(&hosts, 2, 6);
        frontier.begin(hosts[0], "/0".to_owned());
        let first = frontier.take(None).unwrap();
        let links = ["/0", "/1", "/2", "/3", "/3", "http://127.0.0.1:2/", "http://127.0.0.9:1/", "/4", "/5", "/6"];
        frontier.found(&first, &links.map(str::to_owned), 10);
        assert_eq!(frontier.totals().waiting, 4, "six are known: one is done, one is of a host that is not wanted");
        let taken: Vec<_> = std::iter::from_fn(|| frontier.take(Some(hosts[0]))).collect();
        assert_eq!(taken.iter().map(|page| page.host.port()).collect::<Vec<_>>(), [1, 1, 2]);
        frontier.waits(&taken[0]);
        frontier.again(taken[0].clone());
        assert_eq!(frontier.take(None).unwrap().tries, 2);
    }
}

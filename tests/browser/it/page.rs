//! A page, and what a person can do with it.

use std::path::Path;

use serde_json::{Value, json};

use crate::chrome::Browser;
use crate::watch::STEP;

/// The page as it lies on the disk.
pub(crate) const FROM_DISK: &str = concat!("file://", env!("CARGO_MANIFEST_DIR"), "/../../docs/see.html");

/// An open page.
pub(crate) struct Page<'a> {
    browser: &'a mut Browser,
    session: String,
}

impl<'a> Page<'a> {
    pub(crate) fn new(browser: &'a mut Browser, session: String) -> Self {
        let mut page = Self { browser, session };
        for domain in ["Page", "Runtime", "DOM", "Network"] {
            page.ask(&format!("{domain}.enable"), json!({}));
        }
        // One who was here before: the words for newcomers stay away.
        page.at_each_start("try { localStorage.setItem('oneloop-seen', 'yes') } catch {}");
        page.stands_still(true);
        page
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.browser.ask(Some(&self.session), method, params)
    }

    fn at_each_start(&mut self, script: &str) {
        self.ask("Page.addScriptToEvaluateOnNewDocument", json!({ "source": script }));
    }

    /// Whether somebody sits there who does not like things that move: a recording then waits to be played.
    pub(crate) fn stands_still(&mut self, still: bool) {
        let value = if still { "reduce" } else { "no-preference" };
        let features = json!([{ "name": "prefers-reduced-motion", "value": value }]);
        self.ask("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// The system wears this theme.
    pub(crate) fn is_in_the_system_s(&mut self, theme: &str) {
        let features = json!([{ "name": "prefers-reduced-motion", "value": "reduce" }, { "name": "prefers-color-scheme", "value": theme }]);
        self.ask("Emulation.setEmulatedMedia", json!({ "features": features }));
    }

    /// How long the page's main thread computes for an expression, in milliseconds: not how long it takes, for
    /// others may have the processor meanwhile.
    pub(crate) fn computes(&mut self, expression: &str) -> f64 {
        self.ask("Performance.enable", json!({ "timeDomain": "threadTicks" }));
        let before = self.thread_time();
        self.value(expression);
        1000.0 * (self.thread_time() - before)
    }

    fn thread_time(&mut self) -> f64 {
        let all = self.ask("Performance.getMetrics", json!({}));
        let time = all["metrics"].as_array().and_then(|all| all.iter().find(|metric| metric["name"] == "ThreadTime"));
        time.and_then(|metric| metric["value"].as_f64()).expect("the browser tells the time of a thread")
    }

    /// The share of a processor that the browser uses within `time`, in percent.
    pub(crate) fn load(&self, time: std::time::Duration) -> Option<f64> {
        self.browser.load(time)
    }

    /// Makes the window as large as this.
    pub(crate) fn is_sized(&mut self, width: u32, height: u32) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.ask("Emulation.setDeviceMetricsOverride", size);
    }

    pub(crate) fn opens(&mut self, address: &str) {
        let answer = self.ask("Page.navigate", json!({ "url": address }));
        assert!(answer["errorText"].is_null(), "{address} cannot be opened: {}", answer["errorText"]);
        // The script is the last thing of the page.
        self.waits_until("document.readyState !== 'loading'");
    }

    /// The value of an expression of JavaScript; if it is a promise, what becomes of it.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let script = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.ask("Runtime.evaluate", script);
        assert!(answer["exceptionDetails"].is_null(), "{expression} threw: {}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    pub(crate) fn text(&mut self, selector: &str) -> String {
        let text = self.value(&format!("document.querySelector({}).textContent", json!(selector)));
        text.as_str().unwrap_or_else(|| panic!("there is no {selector}")).to_owned()
    }

    /// Waits for the event itself: the page looks after each of its frames.
    #[track_caller]
    pub(crate) fn waits_until(&mut self, condition: &str) {
        let limit = STEP.as_millis() / 2;
        let script = format!(
            "new Promise((done) => {{ const end = performance.now() + {limit}; const look = () => \
             ({condition}) ? done(true) : performance.now() > end ? done(false) : setTimeout(look, 10); look(); }})"
        );
        if self.value(&script) != json!(true) {
            let shown = self.value("document.body.innerText.slice(0, 1500)");
            panic!("waited in vain for {condition}; the page shows:\n{}", shown.as_str().unwrap_or_default());
        }
    }

    /// Presses what the selector finds first, in its middle, as a hand would: after the frame that may still move it.
    #[track_caller]
    pub(crate) fn presses(&mut self, selector: &str) {
        // A tab in the background draws no frames.
        self.value(
            "Promise.race([new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true)))), \
             new Promise(done => setTimeout(() => done(false), 200))])",
        );
        let place = self.value(&format!(
            "(() => {{ const node = document.querySelector({}); if (!node) return null; node.scrollIntoView({{ block: 'center' }}); \
             const box = node.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2; \
             return {{ x, y, free: node.contains(document.elementFromPoint(x, y)) && !node.disabled }} }})()",
            json!(selector)
        ));
        assert!(place["free"] == true, "{selector} cannot be pressed: {place}");
        for kind in ["mousePressed", "mouseReleased"] {
            let button = json!({ "type": kind, "x": place["x"], "y": place["y"], "button": "left", "clickCount": 1 });
            self.ask("Input.dispatchMouseEvent", button);
        }
    }

    /// Presses a key.
    pub(crate) fn types(&mut self, key: &str) {
        let text = if key == "Enter" { "\r" } else { key };
        let mut down = json!({ "type": "keyDown", "key": key });
        if text.chars().count() == 1 {
            down["text"] = json!(text);
        }
        self.ask("Input.dispatchKeyEvent", down);
        self.ask("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": key }));
    }

    /// Chooses a file for the page's file input.
    pub(crate) fn is_given(&mut self, file: &Path) {
        let input = self.ask("Runtime.evaluate", json!({ "expression": "document.querySelector('#file')" }));
        // The browser takes no path that goes up and down again.
        let file = file.canonicalize().expect("the file is there");
        let file = file.to_str().expect("the path is text");
        let chosen = json!({ "files": [file], "objectId": input["result"]["objectId"] });
        self.ask("DOM.setFileInputFiles", chosen);
    }

    /// Has a file dropped onto it, with this name and this text.
    pub(crate) fn is_dropped(&mut self, name: &str, text: &str) {
        self.value(&format!(
            "(() => {{ const data = new DataTransfer(); data.items.add(new File([{}], {})); \
             for (const kind of ['dragover', 'drop']) {{ const event = new DragEvent(kind, {{ dataTransfer: data, \
             bubbles: true, cancelable: true }}); document.body.dispatchEvent(event); \
             if (!event.defaultPrevented) throw new Error(`the browser would open the file itself at ${{kind}}`); }} }})()",
            json!(text),
            json!(name)
        ));
    }

    /// Nothing went wrong that only the browser saw: no error in the script, and no dialog.
    #[track_caller]
    pub(crate) fn is_well(&mut self) {
        // This is answered after everything that was on its way.
        self.value("1");
        for event in self.browser.take_events() {
            let method = event["method"].as_str().unwrap_or_default();
            let bad = ["Runtime.exceptionThrown", "Page.javascriptDialogOpening"].contains(&method);
            assert!(!bad, "the page is not well: {event}");
        }
    }

    /// The browser's requests to others since the page was made.
    pub(crate) fn asked(&mut self) -> Vec<String> {
        let requests = self.browser.take_events().filter(|event| event["method"] == "Network.requestWillBeSent");
        requests.filter_map(|event| event["params"]["request"]["url"].as_str().map(String::from)).collect()
    }
}

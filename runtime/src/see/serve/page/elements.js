// Elements, and the colours in which the panels draw.

const $ = (id) => document.getElementById(id);

/** An element. Children that are strings become text, so that no name can become markup. */
function el(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") node.className = value;
    else if (key === "on") for (const [type, call] of Object.entries(value)) node.addEventListener(type, call);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function svg(tag, props, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(props || {})) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

/** Sets text only where it differs: a page that repaints often must not touch what stays. */
function say(node, text) {
  if (node.firstChild?.data !== text || node.childNodes.length > 1) node.textContent = text;
}

/** Rebuilds a list only when what it shows has changed. */
function refill(node, key, make) {
  if (node.shows === key) return;
  node.shows = key;
  // To read how far it is scrolled would have the browser lay out the page; it stays where it is.
  node.replaceChildren(...make());
}

const colours = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["bg", "panel", "raised", "line", "faint", "text", "soft", "dim", "thread", "thread-text", "ready", "timer", "io", "other", "bad", "sans", "mono"]) {
    colours[name] = style.getPropertyValue("--" + name).trim();
  }
  colours.hatch = hatch(colours.faint, 6);
  colours.slow = hatch(colours.panel, 7);
}

function hatch(colour, size) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = size;
  const c = tile.getContext("2d");
  c.strokeStyle = colour;
  c.lineWidth = 1.6;
  for (const shift of [-size, 0, size]) {
    c.beginPath();
    c.moveTo(shift, size);
    c.lineTo(shift + size, 0);
    c.stroke();
  }
  return c.createPattern(tile, "repeat");
}

/** Each kind of cause has a colour and a sign. */
const CAUSES = {
  task: ["thread", "›"], timer: ["timer", "◔"], source: ["io", "⇄"], thread: ["other", "⌁"], outside: ["dim", "○"],
};

/** Where all panels are seen at once, and none grows with what it holds. */
const FIXED = matchMedia("(min-width: 1100px) and (min-height: 640px)");

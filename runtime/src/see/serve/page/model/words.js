"use strict";
// Numbers in words: spans, moments, plurals. Nothing in model/ knows a document.

const MS = 1e6, SECOND = 1e9;

/** A poll as long as this keeps everyone else waiting for too long; the diagnosis judges by the same. */
const SLOW = 100 * MS;

const POLLS_PER_TURN = 64;

/** A span as a person reads it. The runtime's `ground/span.rs` has the rule in words, and a test compares the two. */
function span(ns) {
  const seconds = Math.floor(ns / SECOND);
  for (const [size, unit] of [[86400 * 365.25, "years"], [86400, "days"], [3600, "h"]]) if (seconds >= 2 * size) return `${Math.floor(seconds / size)}\u00a0${unit}`;
  if (seconds >= 120) return `${Math.floor(seconds / 60)}\u00a0min ${seconds % 60}\u00a0s`;
  let step = 1;
  while (Math.round(ns / step) > 999) step *= 10;
  const rounded = Math.round(ns / step) * step;
  const [size, unit] = [[SECOND, "s"], [MS, "ms"], [1000, "µs"], [1, "ns"]].find(([size]) => rounded >= size) ?? [SECOND, "s"];
  return `${Number((rounded / size).toFixed(2))}\u00a0${unit}`;
}

function moment(ns, digits = 3) {
  return `${(ns / SECOND).toFixed(digits)}\u00a0s`;
}

function group(n) {
  return String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

function several(n, one, many = one + "s") {
  return `${group(n)} ${n === 1 ? one : many}`;
}

function ordinal(n) {
  const end = n % 100 > 10 && n % 100 < 14 ? "th" : ["th", "st", "nd", "rd"][n % 10] || "th";
  return group(n) + end;
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Text that a program chose, with the signs escaped that would reorder or hide what stands beside it. */
function plain(text) {
  return String(text).replace(/[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (sign) => `\\u{${sign.charCodeAt(0).toString(16)}}`);
}

/** Text that a sentence has room for: of a long one its beginning and its end. */
function shortened(text) {
  return text.length <= 60 ? text : `${text.slice(0, 48).replace(/[\ud800-\udbff]$/, "")}…${text.slice(-8).replace(/^[\udc00-\udfff]/, "")}`;
}

/** A name that has room for so many letters: it is cut before its end, for names often differ there. */
function cut(name, room) {
  const letters = [...name];
  return letters.length <= room ? name : `${letters.slice(0, room - 4).join("")}…${letters.slice(-3).join("")}`;
}

/** Text that a program chose, inside a sentence whose words keep their order whatever script it is in. */
function isolated(text) {
  return `\u2068${plain(text)}\u2069`;
}

/** "timer 5" as its two parts. */
function parts(text) {
  const whole = String(text), at = whole.indexOf(" ");
  return at < 0 ? { kind: whole, id: NaN } : { kind: whole.slice(0, at), id: Number(whole.slice(at + 1)) };
}

/** The last two parts of a path: enough to know it by. */
function brief(at) {
  return plain(at ?? "").split("/").slice(-2).join("/");
}

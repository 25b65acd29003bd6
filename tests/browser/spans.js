// Says each number of nanoseconds as the page does, a line each.
//
//   node spans.js WORDS NUMBER...
//
// WORDS is the page's file that has `span`.
"use strict";
const { readFileSync } = require("node:fs");
const { runInThisContext } = require("node:vm");

const [words, ...numbers] = process.argv.slice(2);
const span = runInThisContext(`${readFileSync(words, "utf8")}\nspan;`);
for (const number of numbers) console.log(span(Number(number)));

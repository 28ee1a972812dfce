// Test vectors in plain JavaScript: `refdgm vectors DIR`, then `node read_vectors.js DIR`. Exit status 1 if wrong.
"use strict";
const fs = require("fs");
const path = require("path");

// ---- a right implementation, and a wrong one --------------------------------------------

function rows({shape, data}) {
  const K = shape[shape.length - 1];
  return Array.from({length: data.length / K}, (_, i) => data.slice(K * i, K * (i + 1)));
}

function logSumExp(row) {
  const m = Math.max(...row);
  return m + Math.log(row.reduce((total, a) => total + Math.exp(a - m), 0));
}

const right = {
  value: ({log_w}) => rows(log_w).map(row => logSumExp(row) - Math.log(row.length)),
  gradient: ({log_w}) => rows(log_w).flatMap(row => row.map(a => Math.exp(a - logSumExp(row)))),
};
const wrong = {...right, value: ({log_w}) => rows(log_w).map(logSumExp)};

// ---- the reader ---------------------------------------------------------------------------

const number = x => typeof x === "string" ? {inf: Infinity, "-inf": -Infinity, nan: NaN}[x] : x;

function agrees(got, output, allowed) {
  return got.length === output.data.length && got.every((g, i) => {
    const e = number(output.data[i]);
    return g === e || Math.abs(g - e) <= allowed || (Number.isNaN(g) && Number.isNaN(e));
  });
}

// Which tests fail, and which known mistakes agree with all of theirs.
function check(file, functions) {
  const {groups, notes} = JSON.parse(fs.readFileSync(file, "utf8"));
  const failing = [], agreed = {};
  for (const {type, tests} of groups) {
    for (const {id, result, flags, input, output, allowed} of tests) {
      if (!("float64" in allowed)) continue;
      for (const array of Object.values(input)) if (array.data) array.data = array.data.map(number);
      const agree = agrees(functions[type](input), output[0], allowed.float64);
      if (result === "valid" ? !agree : result === "invalid" && agree) failing.push(id);
      if (type === "value") for (const flag of flags) agreed[flag] = (agreed[flag] ?? true) && agree;
    }
  }
  const named = Object.keys(agreed).filter(flag => agreed[flag]).map(flag => `${flag}: ${notes[flag].note}`);
  return {failing, named};
}

const file = path.join(process.argv[2] ?? ".", "iwae_bound.json");
const good = check(file, right), bad = check(file, wrong);
console.log(`right: ${good.failing.length} tests fail`);
console.log(`wrong: ${bad.failing.length} tests fail; ${bad.named.join("; ")}`);
process.exit(good.failing.length === 0 && bad.failing.length > 0 ? 0 : 1);

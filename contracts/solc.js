#!/usr/bin/env node
// forge wants a native compiler that answers `--version` and `--standard-json`; npm's solc answers both through here.
"use strict";

const solc = require("solc");
const { readFileSync } = require("node:fs");

if (process.argv.includes("--standard-json")) {
  const input = readFileSync(process.stdin.fd, "utf8");
  process.stdout.write(solc.compile(input));
} else {
  // "0.8.37+commit.ab12.Emscripten.clang": forge reads the platform's name and knows no Emscripten.
  const version = solc.version().replace("Emscripten.clang", "Linux.g++");
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`);
}

// Writes the compiled anchor that the blockchain service carries; with --check, only says whether it is current.
// It is committed, because the contract's address follows from its bytecode: a new compiler must not move it unseen.
"use strict";

const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const outFolder = process.env.FOUNDRY_OUT ?? join(__dirname, "out");
const target = join(__dirname, "../services/blockchain/src/quantmesh/blockchain/contracts/MerkleAnchor.json");

const built = JSON.parse(readFileSync(join(outFolder, "MerkleAnchor.sol/MerkleAnchor.json"), "utf8"));
const artifact = JSON.stringify({ contract: "MerkleAnchor", abi: built.abi, bytecode: built.bytecode.object }, null, 1) + "\n";

if (!process.argv.includes("--check")) {
  writeFileSync(target, artifact);
} else if (readFileSync(target, "utf8") !== artifact) {
  console.error(`${target} is not what contracts/src compiles to; run \`make contracts\` and commit it`);
  process.exit(1);
}

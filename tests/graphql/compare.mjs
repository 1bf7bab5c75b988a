// SPDX-License-Identifier: ISC
// Compare Postern's GraphQL parser with others. If Postern accepts a document,
// graphql-js 16 and 17 give the same tree, and graphql-js 15 and graphql-core 2
// do so if they accept it. If Postern refuses a document that graphql-js 16 or 17
// accepts, the reason is one of reasons.mjs.
//
//   node compare.mjs COUNT [SEED]
//
// Generates COUNT documents from SEED. GRAPHQL_TOOL is Postern's parser,
// GRAPHQL_FOLDER has the npm packages, GRAPHQL_PYTHON is a Python with
// graphql-core 2. Prints statistics, and "N passed, M failed" at the end.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { Generator, randomFrom } from "./generate.mjs";
import { reasons } from "./reasons.mjs";
import { withoutPositions, treeOf } from "./tree.mjs";

const BATCH = 4000;
const SHOWN = 10; // failures of each check
const here = dirname(fileURLToPath(import.meta.url));
const load = createRequire(join(process.env.GRAPHQL_FOLDER, "index.js"));
const parsers = [15, 16, 17].map((version) => ({
  version,
  parse: load(`graphql-${version}`).parse,
}));

// Documents that are refused, at least one for each reason.
const REFUSED = [
  "{}", "{a{}}", "query($a:A={b:1,b:2}){a}", "{a(b:1,b:2)}", "query A{a}query A{a}",
  "query($a:Int,$a:Int){a}", "{...F}fragment F on T{a}fragment F on T{a}", "{a}{b}",
  "fragment F on T{a}", "{...F}", "{...F}fragment F on T{...F}", "type A{a:Int}{a}", "{a #\u0007\n}",
  "{a #x\ry\n}", "{a\ufeff}", "{a(b:\"\u0007\")}", "{a(b:\"\\u{41}\")}",
  "{a(b:\"\"\"\"x\"\"\")}", "{a(b:[\"\"\"x\"\"\"])}",
  "{a".repeat(201) + "}".repeat(201), `{a(b:${"[".repeat(201)}${"]".repeat(201)})}`,
  `{${"a ".repeat(15000)}}`, `{a}${" ".repeat(1024 * 1024)}`,
  "{...F0}" + Array.from({ length: 210 }, (_, i) =>
    `fragment F${i} on T{${i < 209 ? `...F${i + 1}` : "a"}}`).join(""),
];

// UTF-8, with lone surrogates encoded as a faulty client does.
function encode(text) {
  if (!/[\ud800-\udfff]/.test(text)) return Buffer.from(text);
  const parts = [];
  for (const character of text) {
    const code = character.codePointAt(0);
    parts.push(code >= 0xd800 && code <= 0xdfff
      ? Buffer.from([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)])
      : Buffer.from(character));
  }
  return Buffer.concat(parts);
}

// Send all documents to a program; it prints a line of JSON for each.
function ask(command, args, bytes) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    const output = [];
    child.on("error", reject);
    child.stdin.on("error", () => {});
    child.stdout.on("data", (data) => output.push(data));
    child.on("close", (status, signal) => {
      const lines = Buffer.concat(output).toString().split("\n");
      lines.pop();
      if (status !== 0 || lines.length !== bytes.length) {
        reject(new Error(`${command}: status ${status ?? signal}, ` +
          `${lines.length} lines for ${bytes.length} documents`));
      } else {
        resolve(lines.map((line) => JSON.parse(line)));
      }
    });
    for (const one of bytes) {
      child.stdin.write(`${one.length}\n`);
      child.stdin.write(one);
    }
    child.stdin.end();
  });
}

function parseWith(parser, text) {
  let ast;
  try {
    ast = parser.parse(text);
  } catch (error) {
    if (error.name === "GraphQLError" || error instanceof RangeError) return null;
    throw error;
  }
  return treeOf(ast, text);
}

// The text from a position on.
function restFrom(text, line, column) {
  const lines = text.replace(/^\ufeff/, "").split("\n");
  const characters = [...lines[line - 1]];
  return [characters.slice(column - 1).join(""), ...lines.slice(line)].join("\n");
}

const checks = new Map();
const counts = { accepted: 0, refused: 0, "refused beyond graphql-js": 0, descriptions: 0,
  "accepted by graphql-js 15": 0, "accepted by graphql-core": 0 };

function check(name, holds, text, ...details) {
  const one = checks.get(name) ?? { good: 0, bad: 0 };
  checks.set(name, one);
  if (holds) {
    one.good++;
    return;
  }
  one.bad++;
  if (one.bad <= SHOWN) {
    console.log(`FAILED: ${name}: ${JSON.stringify(text.slice(0, 400))}`);
    for (const detail of details) console.log(`    ${JSON.stringify(detail)?.slice(0, 600)}`);
  }
}

function compareAccepted(text, postern, trees, core) {
  const tree = { operations: postern.operations, fragments: postern.fragments };
  const wanted = JSON.stringify(tree);
  for (const [i, { version }] of parsers.entries()) {
    if (trees[i] === null && version === 15) continue;
    if (version === 15) counts["accepted by graphql-js 15"]++;
    check(`an accepted document has the same tree in graphql-js ${version}`,
      JSON.stringify(trees[i]) === wanted, text, tree, trees[i]);
  }
  if (core !== null) {
    counts["accepted by graphql-core"]++;
    const plain = withoutPositions(tree);
    check("an accepted document has the same tree in graphql-core",
      JSON.stringify(core) === JSON.stringify(plain), text, plain, core);
  }
  if (postern.text === undefined) return;
  // A forwarded document has no descriptions: graphql-js 15 does not support them.
  counts.descriptions++;
  for (const parser of parsers) {
    const sent = parseWith(parser, postern.text);
    check(`a forwarded document has the same tree in graphql-js ${parser.version}`,
      JSON.stringify(sent) === wanted, text, postern.text, tree, sent);
  }
}

function compareRefused(text, postern, trees) {
  const tree = trees[2] ?? trees[1];
  check("a refusal has the code of a malformed or too large document", postern.code === "PST_MALFORMED" ||
    postern.code === "PST_TOO_LARGE", text, postern);
  check("a refusal has a position in the document", postern.line >= 1 && postern.column >= 1 &&
    postern.line <= text.split("\n").length &&
    postern.column <= [...text.split("\n")[postern.line - 1]].length + 1, text, postern);
  if (tree === null) return;
  counts["refused beyond graphql-js"]++;
  const reason = reasons.find(({ pattern }) => pattern.test(postern.error));
  check("a refusal beyond graphql-js has a reason on the list", reason, text, postern);
  if (!reason) return;
  reason.seen++;
  check("the reason for a refusal is right", reason.holds(restFrom(text, postern.line, postern.column),
    tree, reason.pattern.exec(postern.error)), text, postern);
}

// Returns the output of Postern's parser for the texts.
async function compare(texts) {
  const bytes = texts.map(encode);
  const outputs = Promise.all([ask(process.env.GRAPHQL_TOOL, [], bytes),
    ask(process.env.GRAPHQL_PYTHON ?? "/usr/bin/python3", [join(here, "core.py")], bytes)]);
  const trees = texts.map((text) => parsers.map((parser) => parseWith(parser, text)));
  const [postern, core] = await outputs;
  for (const [i, text] of texts.entries()) {
    if (postern[i].error === undefined) {
      counts.accepted++;
      compareAccepted(text, postern[i], trees[i], core[i]);
    } else {
      counts.refused++;
      compareRefused(text, postern[i], trees[i]);
    }
  }
  return postern;
}

function* documents(count, random) {
  const generator = new Generator(random);
  let last = "{a}";
  for (let i = 0; i < count; i++) {
    const text = generator.document(generator.pick([0, 0, 0.004, 0.02]));
    yield generator.chance(0.6) ? text : generator.mutate(text, last);
    last = text;
  }
}

async function main() {
  const count = Number(process.argv[2] ?? 5000);
  const seed = Number(process.argv[3] ?? 8);
  const begin = Date.now();
  for (const [i, one] of (await compare(REFUSED)).entries()) {
    check("a document that must be refused is refused", one.error !== undefined, REFUSED[i]);
  }
  let batch = [];
  for (const text of documents(count, randomFrom(seed))) {
    batch.push(text);
    if (batch.length === BATCH) {
      await compare(batch);
      batch = [];
    }
  }
  if (batch.length > 0) await compare(batch);
  for (const { pattern, seen } of reasons) {
    console.log(`${String(seen).padStart(7)} refused: ${pattern.source}`);
    check("each reason on the list occurs", seen > 0, pattern.source);
  }
  check("a third of the documents at least is accepted", counts.accepted * 3 >= count, "", counts);
  check("a tenth of the documents at least is refused", counts.refused * 10 >= count, "", counts);
  for (const [name, number] of Object.entries(counts)) {
    console.log(`${String(number).padStart(7)} ${name}`);
  }
  let failed = 0;
  for (const [name, { good, bad }] of checks) {
    console.log(`${bad > 0 ? "FAILED" : "ok"}: ${name}: ${good} passed, ${bad} failed`);
    if (bad > 0) failed++;
  }
  console.log(`${count} documents of seed ${seed} in ${Math.round((Date.now() - begin) / 1000)} s`);
  console.log(`${checks.size - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();

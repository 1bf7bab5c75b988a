// SPDX-License-Identifier: ISC
// The reasons for which Postern refuses documents that graphql-js accepts (design
// 2.5). Each reason has a check that its message is right for the document.
//
// A check gets the text from the position of the error on, the tree of the
// graphql-js that accepted the document, and the match of the message.

function* valuesIn(list) {
  for (const one of list) {
    yield one;
    if (one[0] === "object" || one[0] === "list") yield* valuesIn(one[2]);
  }
}

function* directivesIn(list) {
  for (const [, args] of list) yield args;
}

function* selectionsIn(list) {
  for (const one of list) {
    yield one;
    yield* selectionsIn(one[6]);
  }
}

function definitions(tree) {
  return [...tree.operations.map((one) => [one[3], one[4]]),
    ...tree.fragments.map((one) => [one[2], one[3]])];
}

// All lists of arguments.
function* argumentLists(tree) {
  for (const [directives, selections] of definitions(tree)) {
    yield* directivesIn(directives);
    for (const one of selectionsIn(selections)) {
      yield one[4];
      yield* directivesIn(one[5]);
    }
  }
  for (const operation of tree.operations) {
    for (const variable of operation[2]) {
      if (variable[3]) yield [variable[3]];
      yield* directivesIn(variable[4]);
    }
  }
}

function occursTwice(names, name) {
  return names.filter((one) => one === name).length > 1;
}

function spreadsOf(selections) {
  return [...selectionsIn(selections)].filter((one) => one[0] === "spread").map((one) => one[1]);
}

function isCircular(tree, name) {
  const next = new Map(tree.fragments.map((one) => [one[0], spreadsOf(one[3])]));
  const seen = new Set();
  const open = [...(next.get(name) ?? [])];
  while (open.length > 0) {
    const one = open.pop();
    if (one === name) return true;
    if (!seen.has(one)) open.push(...(next.get(one) ?? []));
    seen.add(one);
  }
  return false;
}

const twice = {
  argument: (tree, name) => [...argumentLists(tree)]
    .some((list) => occursTwice(list.map((one) => one[1]), name)),
  "input field": (tree, name) => [...argumentLists(tree)].some((list) => [...valuesIn(list)]
    .some((one) => one[0] === "object" && occursTwice(one[2].map((field) => field[1]), name))),
  variable: (tree, name) => tree.operations
    .some((one) => occursTwice(one[2].map((variable) => variable[0]), name)),
  operation: (tree, name) => occursTwice(tree.operations.map((one) => one[1]), name),
  fragment: (tree, name) => occursTwice(tree.fragments.map((one) => one[0]), name),
};

function isCharacter(rest, match) {
  return rest.codePointAt(0) === parseInt(match[1], 16);
}

export const reasons = [
  ...Object.entries(twice).map(([what, holds]) => [`the ${what} "(\\w+)" occurs twice: `,
    (rest, tree, match) => rest.startsWith(match[1]) && holds(tree, match[1])]),
  ["an operation without a name must be the only one: ", (rest, tree) =>
    tree.operations.length > 1 && tree.operations.some((one) => one[1] === null)],
  ["found the end of the document, expected an operation beside", (rest, tree) =>
    rest === "" && tree.operations.length === 0],
  ["there is no fragment \"(\\w+)\"", (rest, tree, match) =>
    rest.startsWith("...") && !tree.fragments.some((one) => one[0] === match[1])],
  ["the fragment \"(\\w+)\" spreads itself", (rest, tree, match) =>
    rest.startsWith("...") && isCircular(tree, match[1])],
  ["type definitions are not allowed", (rest) =>
    /^(schema|scalar|type|interface|union|enum|input|directive|extend)\b/.test(rest)],
  ["a selection set must not be empty", (rest) => rest.startsWith("}")],
  ["U\\+([0-9A-F]{4}) is not allowed outside strings", (rest, tree, match) =>
    isCharacter(rest, match) && /^[\0-\x1f\x7f-\x9f\u2028\u2029]/.test(rest)],
  ["a carriage return must be followed by a line feed", (rest) => /^\r(?!\n)/.test(rest)],
  ["a byte order mark \\(U\\+FEFF\\) is allowed only at the start", (rest) =>
    rest.startsWith("\ufeff")],
  ["strings must not contain the control character U\\+([0-9A-F]{4})", (rest, tree, match) =>
    isCharacter(rest, match) && /^[\0-\x08\x0b\x0c\x0e-\x1f]/.test(rest)],
  ["escapes of the form \\\\u\\{\\.\\.\\.\\} are not supported", (rest) => rest.startsWith("\\u{")],
  ["block strings must not contain \" or \\\\", (rest) => /^["\\]/.test(rest)],
  ["a block string is not allowed in a list", (rest) => rest.startsWith("\"\"\"")],
  ["nested deeper than 200 levels", (rest) => /^[[{.]/.test(rest)],
  ["more than 15000 tokens", () => true],
  ["more than 1048576 bytes", () => true],
].map(([pattern, holds]) => ({ pattern: new RegExp(pattern), holds, seen: 0 }));

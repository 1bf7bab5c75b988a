// SPDX-License-Identifier: ISC
// Convert a tree of graphql-js to the arrays that graphql_tool prints.

function value(node, name = null) {
  switch (node.kind) {
    case "Variable": return ["$", name, node.name.value];
    case "IntValue": return ["int", name, node.value];
    case "FloatValue": return ["float", name, node.value];
    case "StringValue": return ["string", name, node.value];
    case "BooleanValue": return [String(node.value), name, null];
    case "NullValue": return ["null", name, null];
    case "EnumValue": return ["enum", name, node.value];
    case "ListValue": return ["list", name, node.values.map((item) => value(item))];
    case "ObjectValue": return ["object", name, args(node.fields)];
    default: throw new Error(`a value of kind ${node.kind}`);
  }
}

function args(nodes) {
  return (nodes ?? []).map((node) => value(node.value, node.name.value));
}

function directives(nodes) {
  return (nodes ?? []).map((node) => [node.name.value, args(node.arguments)]);
}

// The position of a node. Postern counts characters; graphql-js counts UTF-16
// units and the BOM.
function position(node, text) {
  const token = node.loc.startToken;
  const before = text.slice(token.start - (token.column - 1), token.start);
  const bom = token.line === 1 && before.startsWith("\ufeff") ? 1 : 0;
  return [token.line, [...before].length + 1 - bom];
}

function selections(set, text) {
  return (set?.selections ?? []).map((node) => {
    switch (node.kind) {
      case "Field":
        return ["field", node.name.value, node.alias?.value ?? null, null, args(node.arguments),
          directives(node.directives), selections(node.selectionSet, text), ...position(node, text)];
      case "FragmentSpread":
        return ["spread", node.name.value, null, null, args(node.arguments),
          directives(node.directives), [], ...position(node, text)];
      case "InlineFragment":
        return ["inline", null, null, node.typeCondition?.name.value ?? null, [],
          directives(node.directives), selections(node.selectionSet, text), ...position(node, text)];
      default: throw new Error(`a selection of kind ${node.kind}`);
    }
  });
}

function typeText(node) {
  if (node.kind === "NonNullType") return `${typeText(node.type)}!`;
  return node.kind === "ListType" ? `[${typeText(node.type)}]` : node.name.value;
}

function variable(node) {
  const type = typeText(node.type);
  return [node.variable.name.value, type, type.endsWith("!"),
    node.defaultValue ? value(node.defaultValue) : null, directives(node.directives)];
}

export function treeOf(ast, text) {
  const tree = { operations: [], fragments: [] };
  for (const node of ast.definitions) {
    if (node.kind === "OperationDefinition") {
      tree.operations.push([node.operation, node.name?.value ?? null,
        (node.variableDefinitions ?? []).map(variable), directives(node.directives),
        selections(node.selectionSet, text)]);
    } else if (node.kind === "FragmentDefinition") {
      tree.fragments.push([node.name.value, node.typeCondition.name.value,
        directives(node.directives), selections(node.selectionSet, text)]);
    }
  }
  return tree;
}

function selectionsWithoutPositions(list) {
  return list.map((one) => [...one.slice(0, 6), selectionsWithoutPositions(one[6])]);
}

// The tree without positions, as graphql-core has it.
export function withoutPositions(tree) {
  return {
    operations: tree.operations.map((one) => [...one.slice(0, 4), selectionsWithoutPositions(one[4])]),
    fragments: tree.fragments.map((one) => [...one.slice(0, 3), selectionsWithoutPositions(one[3])]),
  };
}

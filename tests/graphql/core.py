#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""Parse documents with graphql-core, for compare.mjs.

Reads documents from standard input, each after a line with its length in bytes.
Prints a line of JSON for each: the tree as graphql_tool prints it, but without
positions, or null for a document that is refused.
"""
import json
import sys

from graphql import parse
from graphql.language import ast

KINDS = {
    ast.IntValue: "int",
    ast.FloatValue: "float",
    ast.StringValue: "string",
    ast.EnumValue: "enum",
}


def name_of(node):
    return node.value if node else None


def value(node, name=None):
    if isinstance(node, ast.Variable):
        return ["$", name, node.name.value]
    if isinstance(node, ast.BooleanValue):
        return ["true" if node.value else "false", name, None]
    if isinstance(node, ast.ListValue):
        return ["list", name, [value(item) for item in node.values]]
    if isinstance(node, ast.ObjectValue):
        fields = [value(field.value, field.name.value) for field in node.fields]
        return ["object", name, fields]
    # graphql-core 2 reads null as an enum value.
    if isinstance(node, ast.EnumValue) and node.value == "null":
        return ["null", name, None]
    return [KINDS[type(node)], name, node.value]


def arguments(nodes):
    return [value(node.value, node.name.value) for node in nodes or []]


def directives(nodes):
    return [[node.name.value, arguments(node.arguments)] for node in nodes or []]


def selections(node):
    if not node:
        return []
    return [selection(item) for item in node.selections]


def selection(node):
    if isinstance(node, ast.FragmentSpread):
        return ["spread", node.name.value, None, None, [], directives(node.directives), []]
    if isinstance(node, ast.InlineFragment):
        condition = node.type_condition
        return ["inline", None, None, condition.name.value if condition else None, [],
                directives(node.directives), selections(node.selection_set)]
    return ["field", node.name.value, name_of(node.alias), None, arguments(node.arguments),
            directives(node.directives), selections(node.selection_set)]


def type_text(node):
    if isinstance(node, ast.NonNullType):
        return type_text(node.type) + "!"
    if isinstance(node, ast.ListType):
        return "[" + type_text(node.type) + "]"
    return node.name.value


def variable(node):
    text = type_text(node.type)
    default = value(node.default_value) if node.default_value else None
    return [node.variable.name.value, text, text.endswith("!"), default, []]


def document(tree):
    tree_arrays = {"operations": [], "fragments": []}
    for node in tree.definitions:
        if isinstance(node, ast.OperationDefinition):
            tree_arrays["operations"].append([
                node.operation, name_of(node.name),
                [variable(one) for one in node.variable_definitions or []],
                directives(node.directives), selections(node.selection_set)])
        elif isinstance(node, ast.FragmentDefinition):
            tree_arrays["fragments"].append([
                node.name.value, node.type_condition.name.value,
                directives(node.directives), selections(node.selection_set)])
    return tree_arrays


def read(text):
    try:
        return document(parse(text))
    except Exception:  # several classes mean a refused document
        return None


def main():
    source = sys.stdin.buffer
    for line in source:
        text = source.read(int(line)).decode("utf-8", "surrogatepass")
        print(json.dumps(read(text)))


main()

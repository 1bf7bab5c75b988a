# SPDX-License-Identifier: ISC
"""GraphQL over HTTP: what both dialects of the backend have in common."""

import json
import re
import traceback

from graphql import (
    GraphQLError, execute, format_error, get_operation_ast, parse, validate)

JSON_TYPE = "application/json"
GRAPHQL_TYPE = "application/graphql-response+json"


class Refusal(Exception):
    """An error for the client: a message, and a code for programs."""

    def __init__(self, code, message):
        super().__init__(message)
        self.extensions = {"code": code}


class Answer(Exception):
    """An HTTP answer. It is returned, or raised to end the request."""

    def __init__(self, status, body=None, headers=(), kind=JSON_TYPE,
                 code="BAD_REQUEST"):
        super().__init__(status)
        self.status, self.headers, self.kind = status, list(headers), kind
        self.body = body if not isinstance(body, str) else {
            "errors": [{"message": body, "extensions": {"code": code}}]}

    @property
    def text(self):
        """The bytes of the body; None means no body."""
        return None if self.body is None else json.dumps(self.body).encode()


def shown(error):
    """An error as the client may see it. Unexpected errors go to stderr."""
    cause = getattr(error, "original_error", None) or error
    if isinstance(cause, RecursionError):
        return {"message": "The document is too deep.",
                "extensions": {"code": "BAD_REQUEST"}}
    if not isinstance(cause, (Refusal, GraphQLError)):
        traceback.print_exception(cause)
        return {"message": "Something went wrong.",
                "extensions": {"code": "INTERNAL"}}
    return format_error(error)


def json_of(text):
    """Parse JSON, or raise ValueError, for a lone surrogate too."""
    value = json.loads(text)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()
    return value


def is_request(request):
    """Is that a GraphQL request? Does not look at its document."""
    return (isinstance(request, dict)
            and isinstance(request.get("variables"), (dict, type(None)))
            and isinstance(request.get("operationName"), (str, type(None))))


class Unusable(Exception):
    """A document that cannot be executed. No part of it was executed."""

    def __init__(self, stage, errors):
        super().__init__(stage)
        self.stage = stage  # parse, validate, operation or variables
        self.errors = [shown(error) for error in errors]


def run(schema, request, context, is_get):
    """
    Execute a request with this context.
    Returns the result; raises Unusable, or an Answer if a GET is not allowed.
    """
    name = request.get("operationName") or None
    try:
        document = parse(request["query"])
        operation = get_operation_ast(document, name)
        if is_get and operation and operation.operation != "query":
            raise Answer(405, "A mutation needs POST.", [("Allow", "POST")])
    except Answer:
        raise
    except Exception as error:
        raise Unusable("parse", [error])
    try:
        errors = validate(schema, document)
    except Exception as error:  # too deep
        errors = [error]
    if errors:
        raise Unusable("validate", errors)
    try:
        result = execute(schema, document, context_value=context,
                         variable_values=request.get("variables"),
                         operation_name=name)
    except Exception as error:
        raise Unusable("variables" if operation else "operation", [error])
    return result.to_dict(format_error=shown)


def answer_type(accept):
    """The first of the two content types that the client accepts, or None."""
    taken = []
    for piece in (accept or "*/*").lower().split(","):
        kind, *rest = [part.strip() for part in piece.split(";")]
        if not any(re.fullmatch(r"q=0(\.0*)?", part) for part in rest):
            taken.append(kind)
    for kind in taken:
        if kind in (JSON_TYPE, "application/*", "*/*"):
            return JSON_TYPE
        if kind == GRAPHQL_TYPE:
            return GRAPHQL_TYPE
    return None

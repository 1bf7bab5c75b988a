# SPDX-License-Identifier: ISC
"""Generator of GraphQL documents, for an attacker who knows schema and source.

A Chooser makes every decision, so the same generator runs from a seed or from
Hypothesis, which shrinks a failing request.
"""
import json
import secrets
import unicodedata

from graphql import (
    GraphQLInterfaceType, GraphQLList, GraphQLNonNull, GraphQLObjectType,
    GraphQLUnionType)
import hostile_schema
from hostile import Request

SECRETS = {"secret", "token", "refreshToken"}
ALIASES = ("secret", "ownerId", "email", "id", "identifier", "login", "ttl",
           "session", "owner", "me", "token", "signIn", "name", "a")
TRIES = 11  # guesses at one victim before the generator picks another


class Chooser:
    """Decisions. The simplest ones are 0, the first option, and False."""

    def __init__(self, draw):
        self.number = draw  # number(n) gives 0..n-1

    def chance(self, percent):
        return self.number(100) >= 100 - percent

    def pick(self, options):
        return options[self.number(len(options))]

    def weighted(self, pairs):
        at = self.number(sum(weight for weight, _ in pairs))
        for weight, option in pairs:
            if at < weight:
                return option
            at -= weight
        raise AssertionError


# Names that some comparison treats as equal ----------------------------------

def wide(letter):
    return chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter


def bold(letter):
    return (chr(0x1D400 + ord(letter) - ord("A")) if "A" <= letter <= "Z"
            else chr(0x1D41A + ord(letter) - ord("a"))
            if "a" <= letter <= "z"
            else chr(0x1D7CE + int(letter)) if letter in "0123456789"
            else letter)


def circled(letter):
    return (chr(0x24D0 + ord(letter) - ord("a")) if "a" <= letter <= "z"
            else letter)


def accented(letter):
    return unicodedata.normalize("NFC", letter + "\u0301")


def marked(letter):
    return letter + "\u0323\u0307"


def odd(letter):
    return {"s": "\u017f", "k": "\u212a", "i": "\u0131", "o": "ø", "d": "đ",
            "l": "ł", "0": "\u0660", "1": "\u0967", "2": "\u06f2",
            "a": "\u00aa", "h": "\u02b0", "t": "ŧ"}.get(letter, letter)


def spaced(letter):
    return letter + "\u200b"


CHANGES = (str.upper, accented, wide, bold, circled, marked, odd, spaced)
AROUND = ("", " ", "\t", "\n", "\u00a0", "\u3000", "\u200b", "\ufeff",
          "\u00ad", "\u2060", "\0", "\ud800", "\u00b4", "\u00a8", "\u02db")


def lookalike(choose, name):
    if not choose.chance(70):
        return name
    letters = list(name)
    for _ in range(1 + choose.number(3)):
        at = choose.number(len(letters))
        if len(letters[at]) == 1:
            letters[at] = choose.pick(CHANGES)(letters[at])
    name = "".join(letters)
    if choose.chance(15):
        name = name.replace("ss", "ß")
    return choose.pick(AROUND) + name if choose.chance(30) else name


class World:
    """The attacker's accounts, sessions and hashes, and the victims."""

    def __init__(self, checker):
        self.checker, self.setting = checker, checker.setting
        self.schema = hostile_schema.make_schema(
            self.setting.preset == "vendure")
        backend = checker.backend
        self.friend = backend.register("friend@trust.example")
        self.own = [backend.register(
            f"mallory{i}@trust.example", name=self.friend.id,
            bio=self.friend.id, location=self.friend.email)
            for i in range(3)]
        self.tries, self.turn = TRIES, 0
        self.sessions = {}  # e-mail address: [headers, uses]
        self.hashes = []  # [(hash, Ask)] of persisted documents
        self.fields = ("ttl ownerId email"
                       if self.setting.preset == "fauna"
                       else "id identifier").split()
        self.name_argument = ("email" if self.setting.preset == "fauna"
                              else "username")

    def victim(self):
        """An account whose password the attacker does not know."""
        self.tries += 1
        if self.tries > TRIES:
            words = ("", *hostile_schema.REFUSALS)
            word = words[self.turn % len(words)]
            self.turn += 1
            self.tries = 1
            self.current = self.checker.backend.register(
                f"victim{self.turn}{word}@trust.example")
        return self.current

    def session_of(self, account):
        known = self.sessions.get(account.email)
        if known is None or known[1] > 12:
            known = [self.checker.log_in(account), 0]
            if known[0] is None:  # rate-limited by look-alike names
                self.own[self.own.index(account)] = self.checker.backend \
                    .register(name=self.friend.id, bio=self.friend.id)
                return []
            self.sessions[account.email] = known
        known[1] += 1
        return known[0]

    def guest(self, becomes=None):
        """The headers of a guest session, or [] if the backend has none.

        becomes  an account: a mutation that the gateway does not treat as a
                 login attaches the backend's session to it
        """
        def send(text, headers=()):
            body = json.dumps({"query": text}).encode()
            return self.checker.ask(Request("query", headers=[
                ("Content-Type", "application/json"), *headers], body=body))
        answer = send("mutation{addItemToOrder{id}}")
        headers = self.checker.credentials(answer) or []
        if headers and becomes:
            send('mutation{pluginLogin(token:"%s"){__typename}}'
                 % becomes.codes["plugin"], headers)
        self.checker.new_events()
        return headers


# Documents -------------------------------------------------------------------

class Document:
    """Builds a document as a list of tokens, with variables and fragments."""

    def __init__(self, choose, world):
        self.choose, self.world = choose, world
        self.variables = {}  # name: (type, value, default or None)
        self.fragments = []
        self.depth = 0

    # Values

    def string(self, text):
        """A string literal, in one of several notations."""
        if self.choose.chance(85) or any(ord(c) > 0xFFFF for c in text):
            return json.dumps(text, ensure_ascii=self.choose.chance(20)) \
                if not any(ord(c) > 0xFFFF for c in text) \
                else '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')
        if self.choose.chance(60):
            return '"' + "".join(f"\\u{ord(c):04x}" for c in text) + '"'
        return '"""' + self.choose.pick(("", "\n  ", "\n\n")) + text.replace(
            '"""', "") + self.choose.pick(("", "\n")) + '"""'

    def literal(self, value, is_deep=False):
        """The tokens of a literal; is_deep: it may contain variables."""
        if isinstance(value, str):
            return [self.string(value)]
        if isinstance(value, bool) or value is None:
            return [json.dumps(value)]
        if isinstance(value, (int, float)):
            return [str(value)]
        if isinstance(value, list):
            return ["[", *sum((self.literal(one) for one in value), []), "]"]
        inside = []
        for name, one in value.items():
            inside += [name, ":"] + (
                self.variable("String!", one, name)
                if is_deep and isinstance(one, str)
                and self.choose.chance(25) else self.literal(one, is_deep))
        return ["{", *inside, "}"]

    def value(self, kind, value, wanted=None):
        """The tokens of a literal or of a variable of that type."""
        if not self.choose.chance(45):
            return self.literal(value, True)
        return self.variable(kind, value, wanted)

    def variable(self, kind, value, wanted=None):
        name = wanted if wanted and self.choose.chance(50) else \
            self.choose.pick(("v", "email", "password", "username", "x",
                              "name"))
        while name in self.variables:
            name += str(len(self.variables))
        default = None
        if self.choose.chance(15):
            default = value
        self.variables[name] = (kind, value, default)
        return ["$" + name]

    # Selections

    def wrapped(self, tokens, kind):
        """The same selection, sometimes in a fragment."""
        variant = self.choose.weighted([(80, 0), (6, 1), (5, 2), (7, 3), (2, 4)])
        if variant == 1:
            return ["...", "on", str(kind), "{", *tokens, "}"]
        if variant == 2:
            return ["...", "{", *tokens, "}"]
        if variant == 3:
            name = "F%d" % len(self.fragments)
            self.fragments.append(["fragment", name, "on", str(kind), "{",
                                   *tokens, "}"])
            return ["...", name]
        if variant == 4:
            return ["...", *self.directive(), "{", *tokens, "}"]
        return tokens

    def directive(self):
        name = self.choose.pick(("include", "skip"))
        wanted = name == "include"
        return ["@" + name, "(", "if", ":",
                *self.value("Boolean!", wanted == self.choose.chance(85)),
                ")"]

    def alias(self, percent):
        return ([self.choose.pick(ALIASES), ":"]
                if self.choose.chance(percent) else [])

    def selection(self, kind, percent=12):
        """{ … } of a type: some of its fields."""
        if isinstance(kind, (GraphQLList, GraphQLNonNull)):
            return self.selection(kind.of_type, percent)
        if isinstance(kind, (GraphQLUnionType, GraphQLInterfaceType)):
            return self.abstract(kind, percent)
        if not isinstance(kind, GraphQLObjectType):
            return []
        self.depth += 1
        names = [name for name in kind.fields if name not in SECRETS
                 and (self.depth < 3 or not self.composite(kind, name))]
        tokens = []
        for _ in range(1 + self.choose.number(3)):
            name = self.choose.pick(names)
            if self.choose.chance(1) and "secret" in kind.fields:
                name = "secret"
            below = self.selection(kind.fields[name].type, percent)
            own = self.choose.pick(tuple(kind.fields)) + str(len(tokens))
            alias = self.alias(percent) or ([own, ":"] if tokens else [])
            directive = (self.directive() if self.choose.chance(3) else [])
            tokens += self.wrapped([*alias, name, *directive, *below], kind)
        if self.choose.chance(15):
            tokens.append("__typename")
        self.depth -= 1
        return ["{", *tokens, "}"]

    @staticmethod
    def composite(kind, name):
        inner = kind.fields[name].type
        while hasattr(inner, "of_type"):
            inner = inner.of_type
        return hasattr(inner, "fields") or isinstance(inner,
                                                      GraphQLUnionType)

    def abstract(self, kind, percent):
        tokens = ["__typename"]
        for possible in self.world.schema.get_possible_types(kind):
            if self.choose.chance(60):
                tokens += ["...", "on", str(possible),
                           *self.selection(possible, percent)]
        return ["{", *tokens, "}"]

    def root(self, operation, name, arguments=(), below=None, alias=15):
        """One root field.

        arguments: (name, type, value)
        below: the tokens of its selection; None: choose
        """
        kind = getattr(self.world.schema,
                       f"get_{operation}_type")().fields[name].type
        inside = []
        for argument, of_type, value in arguments:
            inside += [argument, ":", *self.value(of_type, value, argument)]
        below = self.selection(kind) if below is None else below
        directive = self.directive() if self.choose.chance(2) else []
        return [*self.alias(alias), name,
                *(["(", *inside, ")"] if inside else []), *directive, *below]

    # The document

    def text(self, operation, tokens, noise=True):
        """The document's text, and the name of the operation or None."""
        named = self.choose.chance(35)
        name = self.choose.pick(("A", "OwnerLogin", "login")) if named else ""
        type_name = getattr(self.world.schema, f"get_{operation}_type")()
        tokens = ["{", *self.wrapped(tokens, type_name), "}"]
        head = []
        if self.variables:
            head = ["("]
            for variable, (kind, _, default) in self.variables.items():
                head += ["$" + variable, ":", kind]
                if default is not None:
                    head += ["=", *self.literal(default)]
            head.append(")")
        if operation == "query" and not head and not named \
                and self.choose.chance(60):
            whole = tokens
        else:
            whole = [operation, *([name] if named else []), *head, *tokens]
        parts = [whole, *self.fragments]
        if named and self.choose.chance(12):
            parts.append(["query", "Other", "{", "__typename", "}"])
        elif named and self.choose.chance(4):
            parts.append(["mutation", "Other", "{", "poke", "}"])
        if self.choose.chance(10):
            parts.reverse()
        joined = self.joined(sum(parts, []), noise)
        return joined, name or None

    def joined(self, tokens, noise):
        if not noise or self.choose.chance(70):
            return " ".join(tokens)
        odd_one = self.choose.pick((" ", "\n", ",", "\t", "\r\n", "# login\n",
                                    ",,", "#{\n"))
        if self.choose.chance(8):
            odd_one = self.choose.pick((
                "\u2028", "#\u2028", "#\u2029", "#\u0085", "\r", "#\r",
                "\ufeff", "\u00a0", "\v", "\f", "\0", "#\v"))
        at = self.choose.number(len(tokens))
        text = " ".join(tokens[:at]) + odd_one + " ".join(tokens[at:])
        return ("\ufeff" if self.choose.chance(4) else "") + text


# Requests --------------------------------------------------------------------

class Ask:
    """One GraphQL request, before it is encoded as HTTP."""

    def __init__(self, text, name=None, variables=None, is_query=False):
        self.text, self.name, self.is_query = text, name, is_query
        self.variables = variables or {}
        self.extensions = None


def finish(document, operation, tokens):
    choose = document.choose
    text, name = document.text(operation, tokens)
    variables = {}
    for variable, (_, value, default) in document.variables.items():
        if default is None or choose.chance(20):
            variables[variable] = value
    if choose.chance(12):
        variables[choose.pick(("x", "junk", "Email", "password ",
                               "email"))] = choose.pick(
            ("junk", 1, None, {"email": "junk"}))
    return Ask(text, name, variables, operation == "query")


def honest_query(choose, world):
    document = Document(choose, world)
    own = choose.pick(world.own)
    kind = choose.number(9)
    pairs = [("me", []), ("profile", [("id", "ID", own.id)]),
             ("users", [("ids", "[ID!]!", [own.id, "1"])]),
             ("echo", [("text", "String", choose.pick((own.id, "1", "x")))]),
             ("search", [("text", "String", "x")]), ("checkout", []),
             ("node", [("id", "ID", own.id)]), ("activeOrder", []),
             ("echo", [("input", "EchoInput", {
                 "login": "1", "list": [1, 2],
                 "deeper": {"text": world.friend.email}})])]
    name, arguments = pairs[kind]
    below = ["{", "id", "token", "}"] if name == "checkout" and \
        choose.chance(50) else None
    tokens = document.root("query", name, arguments, below)
    if choose.chance(25):
        tokens += ["pokes"]
    return finish(document, "query", tokens)


def forging_query(choose, world):
    """A query whose answer looks like that of a login, with another's data."""
    document = Document(choose, world)
    victim = world.friend
    variant = choose.number(5)
    if variant == 0:
        tokens = ["login", ":", "__type", "(", "name", ":", '"Query"', ")",
                  "{", "secret", ":", "name", "ownerId", ":", "name",
                  "email", ":", "name", "id", ":", "name", "identifier", ":",
                  "name", "}"]
    elif variant == 1:
        tokens = ["login", ":", *document.root(
            "query", "echo", [("text", "String", victim.id)],
            ["{", "secret", ":", "text", "ownerId", "email", "id",
             "identifier", "ttl", ":", "text", "}"], alias=0)]
    elif variant == 2:
        tokens = document.root(
            "query", choose.pick(("login", "signIn", "register")),
            [("name", "String", victim.email)],
            ["{", "secret", ":", "id", "ownerId", "email", "}"], alias=10)
    elif variant == 3:
        tokens = [choose.pick(("me", "login", "session")), ":",
                  *document.root("query", "profile", [("id", "ID", "1")],
                                 None, alias=0)]
    else:
        tokens = document.root("query", "viewer", [], [
            "{", "login", "(", "email", ":",
            *document.value("String", victim.email, "email"), ")", "{", "id",
            "secret", ":", "bio", "}", "}"])
    return finish(document, "query", tokens)


def login_field(choose, world, account, password, name=None):
    """The document and tokens of a login by a field that checks passwords."""
    document = Document(choose, world)
    name = account.email if name is None else name
    argument = world.name_argument
    field = choose.weighted([(70, "login"), (14, "signIn"),
                             (14, "authenticate"), (2, "odd")])
    if field == "odd":
        field = "login"
        argument = "email" if argument == "username" else "username"
    if field == "signIn":
        argument = "email"
    if field == "authenticate":
        arguments = [("input", "AuthenticationInput!", {"native": {
            "username": name, "password": password}})]
    else:
        arguments = [(argument, choose.pick(("String", "String!")), name),
                     ("password", "String!", password)]
        if choose.chance(2):
            arguments.append(("email" if argument == "username" else
                              "username", "String", choose.pick((None, ""))))
        if choose.chance(20):
            arguments.reverse()
    if field != "signIn" and choose.chance(10):
        arguments.append(("rememberMe", "Boolean", choose.pick((True, None))))
    return document, document.root("mutation", field, arguments,
                                   login_selection(document, field))


def login_selection(document, field):
    """Mostly the fields that our login documents select."""
    choose, world = document.choose, document.world
    if choose.chance(25):
        return None
    tokens = []
    for name in world.fields:
        if choose.chance(70):
            tokens += [*document.alias(8), name]
    if choose.chance(10):
        tokens += [*document.alias(30), "secret"]
    if field == "login" and choose.chance(15):
        tokens += choose.pick((
            ["bio"], ["email1", ":", "location"], ["owner", "{", "id", "}"],
            ["owner", "{", "friend", "{", "id", "email", "}", "}"],
            ["flaky"]))
    if field == "login" and choose.chance(8):
        tokens += choose.pick((
            ["ownerId", ":", "bio"], ["email", ":", "location"],
            ["owner", ":", "friend"], ["s", ":", "session", "{", "secret",
                                       "}"], ["ttl", ":", "__typename"],
            ["k", ":", "ttl", "k", ":", "tags"], ["secret", ":", "__typename"],
            ["owner", "{", "id", "}", "owner", "{", "friend", "{", "id", "}",
             "}"], ["owner", "{", "avatar", "(", "size", ":", "2", ")", "}"],
            ["owner", "{", "...", "on", "Node", "{", "id", "}", "}"]))
    tokens = tokens or ["__typename"]
    if world.setting.preset == "vendure":
        kind = "CurrentUser"
        tokens = ["__typename", "...", "on", kind, "{", *tokens, "}"]
        if choose.chance(50):
            tokens += ["...", "on", "ErrorResult", "{", "errorCode",
                       "message", "}"]
    return ["{", *tokens, "}"]


def right_login(choose, world):
    own = choose.pick(world.own)
    name = lookalike(choose, own.email) if choose.chance(20) else None
    if world.setting.fold == "exact" and choose.chance(20):
        # The attacker's account, with a name similar to the victim's.
        own = world.checker.backend.register(
            lookalike(choose, world.victim().email)) or own
        name = None
    document, tokens = login_field(choose, world, own, own.password, name)
    return finish(document, "mutation", tokens)


def guess(choose, world):
    victim = world.victim()
    document, tokens = login_field(
        choose, world, victim, "wrong", lookalike(choose, victim.email))
    return finish(document, "mutation", tokens)


def mixed_login(choose, world):
    """A login next to other fields, or several logins."""
    victim, own = world.victim(), choose.pick(world.own)
    document, tokens = login_field(choose, world, victim, "wrong")
    variant = choose.number(4)
    if variant == 0:
        tokens = ["poke", *tokens]
    elif variant == 1:
        other, more = login_field(choose, world, own, own.password)
        for name, variable in other.variables.items():
            document.variables[name + "b"] = variable
        more = ["$" + t[1:] + "b" if t.startswith("$") else t for t in more]
        tokens = ["a", ":", *tokens, "b", ":", *more]
    elif variant == 2:
        tokens = [*tokens, "x", ":", "refresh", "{", "__typename", "}"]
    else:
        tokens = ["__typename", *tokens]
    return finish(document, "mutation", tokens)


def other_session_start(choose, world):
    """A mutation that starts a session without a password check."""
    document = Document(choose, world)
    own = choose.pick(world.own)
    name = choose.pick(("register", "refresh", "verifyCustomerAccount",
                        "resetPassword", "pluginLogin", "authenticate"))
    if name == "register":
        tag = secrets.token_hex(4)
        arguments = [("email", "String!", f"new{tag}@trust.example"),
                     ("password", "String!", "right " + tag)]
        if choose.chance(40):
            arguments.append(("bio", "String", world.friend.id))
    elif name == "refresh":
        arguments = []
    elif name == "authenticate":
        arguments = [("input", "AuthenticationInput!", {
            "social": {"code": own.codes["social"]}})]
    else:
        kind = {"verifyCustomerAccount": "verify", "resetPassword": "reset",
                "pluginLogin": "plugin"}[name]
        arguments = [("token", "String!", own.codes[kind])]
    below = None
    if choose.chance(60):
        below = ["{", *(world.fields if name == "register" or
                        world.setting.preset == "fauna" else
                        ["__typename", "...", "on", "CurrentUser", "{",
                         *world.fields, "}"]), "}"]
    return finish(document, "mutation", document.root(
        "mutation", name, arguments, below))


def other_mutation(choose, world):
    document = Document(choose, world)
    variant = choose.number(6)
    if variant <= 1:
        tokens = document.root("mutation", "poke", [
            ("by", "Int", 1)] if choose.chance(40) else [])
    elif variant == 2:
        tokens = document.root("mutation", "addItemToOrder")
    elif variant == 3:
        tokens = document.root("mutation", "updateProfile", [
            ("bio", "String", world.friend.id),
            ("location", "String", world.friend.email)])
    elif variant == 4:
        tokens = ["poke", "login", ":", *document.root(
            "mutation", "updateProfile", [("bio", "String", "1")],
            ["{", "secret", ":", "bio", "ownerId", ":", "bio", "email", "}"],
            alias=0)]
    else:
        tokens = document.root("mutation", "logout")
    return finish(document, "mutation", tokens)


def subscription(choose, world):
    document = Document(choose, world)
    tokens = (document.root("subscription", "userChanged", [],
                            ["{", "login", "}"]) if choose.chance(70)
              else document.root("subscription", "login", [
                  ("email", "String", world.friend.email),
                  ("password", "String", "x")], ["{", "id", "}"]))
    return finish(document, "subscription", tokens)


def secret_selection(choose, world):
    """Select a token in any field that has one."""
    document = Document(choose, world)
    variant = choose.number(5)
    vendure = world.setting.preset == "vendure"
    secret = choose.pick((["secret"], ["x", ":", "secret"],
                          ["session", "{", "secret", "}"], ["refreshToken"]))
    if variant == 0:
        if secret == ["refreshToken"]:
            secret = ["token"]
        return finish(document, "query", document.root(
            "query", "me", [], ["{", "id", *secret, "}"]))
    name = choose.pick(("refresh", "register", "pluginLogin"))
    if name != "register" and vendure:
        secret = ["...", "on", "CurrentUser", "{", *secret, "}"]
    arguments = {"refresh": [], "register": [
        ("email", "String!", f"new{secrets.token_hex(4)}@trust.example"),
        ("password", "String!", "p")], "pluginLogin": [
            ("token", "String!", choose.pick(world.own).codes["plugin"])]}
    return finish(document, "mutation", document.root(
        "mutation", name, arguments[name], ["{", *secret, "}"]))


def introspection(choose, world):
    return Ask(choose.pick((
        "{__schema{types{name fields{name}}}}", "{__typename}",
        '{login:__type(name:"Query"){secret:name ownerId:name email:name}}',
        "mutation{__typename}")), is_query=True)


KINDS = [(34, honest_query), (12, forging_query), (10, right_login),
         (11, guess), (2, mixed_login), (7, other_session_start),
         (13, other_mutation),
         (2, subscription), (4, secret_selection), (2, introspection)]

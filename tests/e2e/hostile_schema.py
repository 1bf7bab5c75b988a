# SPDX-License-Identifier: ISC
"""Accounts and a GraphQL schema with many opportunities for an attacker.

Fields that are a login as a mutation and a look-up as a query, texts that users
choose in fields where a client expects an id, tokens in nested objects, and
several mutations that start a session. Every secret begins with CANARY.
"""
import json
import secrets
import threading
import unicodedata

from graphql import (
    GraphQLArgument, GraphQLBoolean, GraphQLField, GraphQLFloat, GraphQLID,
    GraphQLInputObjectField, GraphQLInputObjectType, GraphQLInt,
    GraphQLInterfaceType, GraphQLList, GraphQLNonNull, GraphQLObjectType,
    GraphQLSchema, GraphQLString, GraphQLUnionType)

CANARY = "CanarySecret"

# Letters that collations treat as ASCII and normalization does not.
STROKES = str.maketrans("łøđħŧı", "lodhti")


class ResolverError(Exception):
    """An error that a resolver reports to the client."""

    def __init__(self, message, code="REFUSED"):
        super().__init__(message)
        self.extensions = {"code": code}


class HttpResponse:
    """An HTTP response; status None: close the connection instead."""

    def __init__(self, status, kind=None, body=b"", headers=()):
        self.status, self.kind, self.body = status, kind, body
        self.headers = list(headers)


def new_secret(kind=""):
    return CANARY + kind + secrets.token_hex(16)


def fold(name):
    """Remove accents, case, width, spaces and invisible characters."""
    for _ in range(2):
        name = unicodedata.normalize("NFKD", name).casefold()
        name = name.translate(STROKES)
        name = "".join(
            str(unicodedata.digit(c)) if unicodedata.category(c) == "Nd"
            else c for c in name
            if unicodedata.category(c) not in ("Mn", "Me", "Cf", "Cc", "Cs",
                                               "Zs", "Zl", "Zp"))
    return name


FOLDS = {"coarse": fold, "exact": lambda name: name}


class Account:
    def __init__(self, number, email, password, **texts):
        self.id, self.email, self.password = str(number), email, password
        self.texts = {"name": "", "bio": "", "location": "", **texts}
        self.friend = None
        self.codes = {kind: f"{kind}-{secrets.token_hex(8)}"
                      for kind in ("verify", "reset", "plugin", "social")}


class Data:
    """Accounts and sessions, and the log of what happened to them.

    guesses  calls of the login resolver
    grants   sessions that were started
    pokes    a counter that a mutation increments
    """

    def __init__(self, fold_name="coarse"):
        self.fold = FOLDS[fold_name]
        self.lock = threading.RLock()
        self.accounts, self.by_id = {}, {}
        self.sessions = {}  # token: account, or None for a guest
        self.guesses, self.grants, self.pokes = [], [], 0

    def add(self, email, password, **texts):
        with self.lock:
            key = self.fold(email)
            if key in self.accounts:
                raise ResolverError("The account exists already.")
            account = Account(len(self.by_id) + 1, email, password, **texts)
            account.friend = self.by_id.get("1")
            self.accounts[key] = self.by_id[account.id] = account
            return account

    def guess(self, name, password):
        """Check and record a login attempt: the account, or None."""
        with self.lock:
            account = self.accounts.get(self.fold(name))
            right = account is not None and account.password == password
            self.guesses.append({"key": self.fold(name), "name": name,
                                 "right": right})
            return account if right else None

    def by_code(self, kind, code):
        with self.lock:
            return next((a for a in self.by_id.values()
                         if a.codes[kind] == code), None)

    def begin(self, account, how, token=None):
        with self.lock:
            token = token or new_secret()
            self.sessions[token] = account
            if account:
                self.grants.append({"id": account.id, "email": account.email,
                                    "how": how})
            return token


class Grant:
    """A successful login; resolvers read its fields."""

    def __init__(self, account, token):
        self.account, self.token = account, token


class Denied:
    """A failed login, if the schema returns it as a result."""


class Context:
    """The context of one execution: data, and the client's token."""

    def __init__(self, data, token, is_worst=False, act_as=None):
        self.data, self.token, self.is_worst = data, token, is_worst
        self.act_as = act_as
        self.new_token = None  # returned in a header or a cookie
        self.how = None        # how the last session was started
        self.ended = False
        self.response = None  # replaces the GraphQL response

    @property
    def current(self):
        return self.new_token or self.token

    @property
    def account(self):
        return self.data.sessions.get(self.current)

    def begin(self, account, how):
        # With --worst a login keeps the token, and always that of a guest.
        kept = (self.token if self.is_worst and self.token
                in self.data.sessions and (how == "password" or
                                           not self.account) else None)
        self.how = how
        self.new_token = self.data.begin(account, how, kept)
        return Grant(account, self.new_token)

    def guest(self):
        if self.current not in self.data.sessions:
            self.new_token = self.data.begin(None, "guest")


# Refusing a login ------------------------------------------------------------

def errors_only(**more):
    return json.dumps({"errors": [{"message": "Wrong.", **more}]}).encode()


# Ways in which backends refuse a login, selected by a word in the name.
REFUSALS = {
    "null": None,
    "text401": HttpResponse(401, "text/plain", b"no"),
    "empty403": HttpResponse(403, None, b""),
    "json400": HttpResponse(400, "application/json", errors_only()),
    "json401": HttpResponse(401, "application/json", b'{"message":"no"}'),
    "nodata": HttpResponse(200, "application/json", errors_only()),
    "nopath": HttpResponse(200, "application/json", errors_only(
        extensions={"code": "UNAUTHENTICATED"})),
    "input": HttpResponse(200, "application/json", errors_only(
        locations=[{"line": 1, "column": 2}],
        extensions={"code": "BAD_USER_INPUT"})),
    "located": HttpResponse(200, "application/json",
                     b'{"errors":[{"message":"Wrong.","locations":'
                     b'[{"line":1,"column":2}]}],"data":null}'),
    "html": HttpResponse(200, "text/html", b"<p>no</p>"),
    "server500": HttpResponse(500, "application/json", errors_only()),
    "moved": HttpResponse(302, "text/plain", b"", [("Location", "/elsewhere")]),
    "nocontent204": HttpResponse(204),
    "hangup": HttpResponse(None),
    "broken": HttpResponse(200, "application/json", b'{"data":{"login":'),
}


def refuse(context, name, is_vendure):
    for word, response in REFUSALS.items():
        if word in name:
            context.response = response
            return None
    if is_vendure:
        return Denied()
    raise ResolverError("The e-mail address or the password is wrong.")


# The schema ------------------------------------------------------------------

def field(kind, resolver=None, **args):
    return GraphQLField(kind, args={k: GraphQLArgument(v)
                                    for k, v in args.items()},
                        resolver=resolver)


def text(read):
    return GraphQLField(GraphQLString, resolver=lambda row, info: read(row))


ID, STRING = GraphQLID, GraphQLString
REQUIRED = GraphQLNonNull(GraphQLString)
TTL = "2099-01-01T00:00:00Z"

Node = GraphQLInterfaceType("Node", lambda: {"id": field(ID)},
                            resolve_type=lambda row, info: Profile)
Named = GraphQLInterfaceType(
    "Named", lambda: {"name": field(STRING), "login": field(STRING)},
    resolve_type=lambda row, info: Profile)
ErrorResult = GraphQLInterfaceType(
    "ErrorResult", lambda: {"errorCode": field(STRING),
                            "message": field(STRING)},
    resolve_type=lambda row, info: InvalidCredentialsError)


def free_texts(of):
    return {name: text(lambda row, name=name: of(row).texts[name])
            for name in ("name", "bio", "location")}


def as_is(row):
    return row


Profile = GraphQLObjectType("Profile", lambda: {
    "id": field(ID, lambda row, info: row.id),
    "ownerId": field(ID, lambda row, info: row.id),
    "login": text(lambda row: row.email),
    "email": text(lambda row: row.email),
    "identifier": text(lambda row: row.email),
    **free_texts(as_is),
    "friend": field(Profile, lambda row, info: row.friend),
    "avatar": field(STRING, lambda row, info, size=1: f"/{row.id}/{size}",
                    size=GraphQLInt),
}, interfaces=[Node, Named], is_type_of=lambda row, info: isinstance(
    row, Account))

Session = GraphQLObjectType("Session", {
    "secret": text(lambda token: token),
    "ttl": text(lambda token: TTL),
    "id": text(lambda token: "session-id"),
})


def granted_fields():
    return {
        "secret": text(lambda grant: grant.token),
        "token": text(lambda grant: grant.token),
        "refreshToken": text(lambda grant: new_secret("Refresh")),
        "ttl": text(lambda grant: TTL),
        "session": field(Session, lambda grant, info: grant.token),
        "id": field(ID, lambda grant, info: grant.account.id),
        "ownerId": field(ID, lambda grant, info: grant.account.id),
        "email": text(lambda grant: grant.account.email),
        "identifier": text(lambda grant: grant.account.email),
        **free_texts(lambda grant: grant.account),
        "owner": field(Profile, lambda grant, info: grant.account),
        "friend": field(Profile, lambda grant, info: grant.account.friend),
        "tags": field(GraphQLList(STRING), lambda grant, info: ["a", "b"]),
        "credit": field(GraphQLFloat, lambda grant, info: 1.5),
        "flaky": field(STRING, boom),
    }


LoginPayload = GraphQLObjectType(
    "LoginPayload", granted_fields,
    is_type_of=lambda row, info: isinstance(row, Grant))
CurrentUser = GraphQLObjectType(
    "CurrentUser", granted_fields,
    is_type_of=lambda row, info: isinstance(row, Grant))
InvalidCredentialsError = GraphQLObjectType("InvalidCredentialsError", {
    "errorCode": text(lambda row: "INVALID_CREDENTIALS_ERROR"),
    "message": text(lambda row: "The provided credentials are invalid"),
    "authenticationError": text(lambda row: ""),
}, interfaces=[ErrorResult], is_type_of=lambda row, info: isinstance(
    row, Denied))
LoginResult = GraphQLUnionType(
    "LoginResult", [CurrentUser, InvalidCredentialsError],
    resolve_type=lambda row, info: CurrentUser if isinstance(row, Grant)
    else InvalidCredentialsError)

Me = GraphQLObjectType("Me", lambda: {
    "id": field(ID, lambda row, info: row.id),
    "ownerId": field(ID, lambda row, info: row.id),
    "identifier": text(lambda row: row.email),
    "email": text(lambda row: row.email),
    "login": text(lambda row: row.email),
    "ttl": text(lambda row: TTL),
    **free_texts(as_is),
    "friend": field(Profile, lambda row, info: row.friend),
    "secret": field(STRING, lambda row, info: info.context.current),
    "token": field(STRING, lambda row, info: info.context.current),
    "session": field(Session, lambda row, info: info.context.current),
})
Echo = GraphQLObjectType("Echo", {
    name: text(as_is) for name in ("text", "id", "ownerId", "email", "login",
                                   "identifier")})
Checkout = GraphQLObjectType("Checkout", {
    "id": text(as_is), "token": text(lambda row: "checkout-" + row)},
    is_type_of=lambda row, info: isinstance(row, str))
Order = GraphQLObjectType("Order", {"id": text(as_is), "code": text(as_is)})
SearchResult = GraphQLUnionType(
    "SearchResult", [Profile, Checkout],
    resolve_type=lambda row, info: Profile if isinstance(row, Account)
    else Checkout)
EchoInput = GraphQLInputObjectType("EchoInput", lambda: {
    "text": GraphQLInputObjectField(STRING),
    "login": GraphQLInputObjectField(STRING),
    "list": GraphQLInputObjectField(GraphQLList(GraphQLInt)),
    "deeper": GraphQLInputObjectField(EchoInput)})
Native = GraphQLInputObjectType("NativeAuthInput", {
    "username": GraphQLInputObjectField(REQUIRED),
    "password": GraphQLInputObjectField(REQUIRED)})
Social = GraphQLInputObjectType("SocialAuthInput", {
    "code": GraphQLInputObjectField(REQUIRED)})
AuthenticationInput = GraphQLInputObjectType("AuthenticationInput", {
    "native": GraphQLInputObjectField(Native),
    "social": GraphQLInputObjectField(Social)})


# Resolvers of queries

def find(root, info, name=None, email=None, username=None, password=None):
    """A public profile; the argument `password` is ignored."""
    data = info.context.data
    key = data.fold(name or email or username or "")
    return data.accounts.get(key) or data.by_id.get("1")


def profile(root, info, id=None):
    return info.context.data.by_id.get(id)


def users(root, info, ids=()):
    return [profile(root, info, one) for one in ids]


def echo(root, info, text=None, n=None, list=None, input=None):
    if input and text is None:
        text = input.get("text") or input.get("login")
    return text or str(n)


def me(root, info):
    context = info.context
    if context.act_as:
        return context.data.by_id.get(context.act_as)
    return context.account


def vendure_me(root, info):
    found = me(root, info)
    if found is None:
        raise ResolverError("You are not currently authorized.", "FORBIDDEN")
    return found


def search(root, info, text=None):
    return [*list(info.context.data.by_id.values())[:2], "found"]


def active_order(root, info):
    info.context.guest()
    return "order"


def boom(root, info):
    raise ResolverError("boom")


Viewer = GraphQLObjectType("Viewer", {
    "login": field(Profile, find, email=STRING, password=STRING),
    "me": field(Me, me)})
NAMES = {"name": STRING, "email": STRING, "username": STRING,
         "password": STRING}


def query_fields(is_vendure):
    return {
        "me": field(Me, vendure_me if is_vendure else me),
        "login": field(Profile, find, **NAMES),
        "signIn": field(Profile, find, **NAMES),
        "register": field(Profile, find, **NAMES),
        "profile": field(Profile, profile, id=ID),
        "node": field(Node, profile, id=ID),
        "named": field(Named, profile, id=ID),
        "users": field(GraphQLList(Profile), users, ids=GraphQLNonNull(
            GraphQLList(GraphQLNonNull(ID)))),
        "echo": field(Echo, echo, text=STRING, n=GraphQLInt,
                      list=GraphQLList(STRING), input=EchoInput),
        "search": field(GraphQLList(SearchResult), search, text=STRING),
        "checkout": field(Checkout, lambda root, info: "checkout"),
        "viewer": field(Viewer, lambda root, info: {}),
        "activeOrder": field(Order, active_order),
        "boom": field(STRING, boom),
        "pokes": field(GraphQLInt,
                       lambda root, info: info.context.data.pokes),
    }


# Resolvers of mutations

def by_password(is_vendure):
    def login(root, info, email=None, username=None, password="",
              rememberMe=None):
        name = email if email is not None else username or ""
        account = info.context.data.guess(name, password)
        if account is None:
            return refuse(info.context, name, is_vendure)
        return info.context.begin(account, "password")
    return login


def authenticate(is_vendure):
    login = by_password(is_vendure)

    def resolve(root, info, input=None, rememberMe=None):
        if input.get("native"):
            return login(root, info, **input["native"])
        account = info.context.data.by_code(
            "social", (input.get("social") or {}).get("code"))
        if account is None:
            return refuse(info.context, "", is_vendure)
        return info.context.begin(account, "social")
    return resolve


def register(root, info, email=None, password=None, **texts):
    account = info.context.data.add(email, password, **texts)
    return info.context.begin(account, "register")


def refresh(root, info):
    context = info.context
    if context.account is None:
        raise ResolverError("There is no session.")
    return context.begin(context.account, "refresh")


def by_code(kind, is_vendure):
    def resolve(root, info, token=None, password=None):
        account = info.context.data.by_code(kind, token)
        if account is None:
            return refuse(info.context, "", is_vendure)
        return info.context.begin(account, kind)
    return resolve


def logout(root, info):
    context = info.context
    existed = context.data.sessions.pop(context.current, None) is not None
    context.ended = True
    return existed


def poke(root, info, by=1):
    info.context.data.pokes += by
    return info.context.data.pokes


def update_profile(root, info, **texts):
    if info.context.account is None:
        raise ResolverError("There is no session.")
    info.context.account.texts.update(texts)
    return info.context.account


def mutation_fields(is_vendure):
    payload = LoginResult if is_vendure else LoginPayload
    names = {"email": STRING, "username": STRING, "password": REQUIRED,
             "rememberMe": GraphQLBoolean}
    codes = {"token": REQUIRED, "password": STRING}
    success = GraphQLObjectType("Success", {
        "success": field(GraphQLBoolean, lambda row, info: row)})
    return {
        "login": field(payload, by_password(is_vendure), **names),
        "signIn": field(payload, by_password(is_vendure), **names),
        "authenticate": field(
            payload, authenticate(is_vendure),
            input=GraphQLNonNull(AuthenticationInput),
            rememberMe=GraphQLBoolean),
        "register": field(LoginPayload, register, email=REQUIRED,
                          password=REQUIRED, name=STRING, bio=STRING,
                          location=STRING),
        "refresh": field(payload, refresh),
        "verifyCustomerAccount": field(
            payload, by_code("verify", is_vendure), **codes),
        "resetPassword": field(
            payload, by_code("reset", is_vendure), **codes),
        "pluginLogin": field(
            payload, by_code("plugin", is_vendure), **codes),
        "logout": field(success if is_vendure else GraphQLBoolean, logout),
        "poke": field(GraphQLInt, poke, by=GraphQLInt),
        "addItemToOrder": field(Order, active_order, n=GraphQLInt),
        "updateProfile": field(Me, update_profile, name=STRING, bio=STRING,
                               location=STRING),
    }


def make_schema(is_vendure):
    subscription = GraphQLObjectType("Subscription", {
        "userChanged": field(Profile, find),
        "login": field(Profile, find, **NAMES)})
    return GraphQLSchema(
        query=GraphQLObjectType("Query", query_fields(is_vendure)),
        mutation=GraphQLObjectType("Mutation", mutation_fields(is_vendure)),
        subscription=subscription,
        types=[Profile, InvalidCredentialsError, CurrentUser, LoginPayload])

# SPDX-License-Identifier: ISC
"""The backend's accounts, stores and products, and their GraphQL schema."""

import hashlib
import hmac
import math
import os
import re
import secrets
import sqlite3
import threading
import time

from graphql import (
    GraphQLArgument, GraphQLBoolean, GraphQLField, GraphQLFloat, GraphQLID,
    GraphQLInt, GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLSchema,
    GraphQLString)

from backend_http import Refusal

TEXT_MAX = 2000              # characters in a name or a description
PASSWORD_MIN, PASSWORD_MAX = 8, 1024
PRICE_MAX = 10_000_000
PAGE_MAX = 1000              # rows in one answer

DEMO_EMAIL, DEMO_PASSWORD = "demo@example.com", "drawbridge-42"
DEMO_STORES = (
    ("Gatehouse Goods", (
        ("Iron key", "Opens one door, and only that one.", 12.50),
        ("Wicket lantern", "Burns low all night beside a small door.", 34.00),
        ("Watchman's horn", "Loud enough for the far tower.", 21.75))),
    ("The Walled Garden", (
        ("Espalier pear", "Trained flat against a south wall.", 48.00),
        ("Lavender, a bundle", "Dried in the loft, tied by hand.", 4.20))),
)


# Passwords ------------------------------------------------------------------

SCRYPT = {"n": 1 << 14, "r": 8, "p": 5, "maxmem": 1 << 26}
scrypt_places = threading.BoundedSemaphore(os.cpu_count() or 2)


def scrypt(password, salt):
    with scrypt_places:
        return hashlib.scrypt(password.encode(), salt=salt, dklen=32,
                              **SCRYPT)


def password_hash(password):
    salt = secrets.token_bytes(16)
    return salt + scrypt(password, salt)


def password_matches(password, stored):
    return hmac.compare_digest(scrypt(password, stored[:16]), stored[16:])


# The hash to check if there is no such account, so that a wrong address takes
# as long as a wrong password.
NOBODY = secrets.token_bytes(48)
TOKEN_MARK = ""  # how tokens begin; the tests search for it


# Data -----------------------------------------------------------------------

TABLES = """
PRAGMA foreign_keys = ON;
CREATE TABLE IF NOT EXISTS owner (
    id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name TEXT NOT NULL, password BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS token (
    hash BLOB PRIMARY KEY, owner INTEGER NOT NULL REFERENCES owner,
    ends INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS store (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL,
    owner INTEGER NOT NULL REFERENCES owner);
CREATE TABLE IF NOT EXISTS product (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL,
    cents INTEGER NOT NULL, store INTEGER NOT NULL REFERENCES store);
CREATE INDEX IF NOT EXISTS product_of_store ON product (store);
"""


class Data:
    """One SQLite connection; a lock admits one thread at a time."""

    def __init__(self, path):
        self.lock = threading.Lock()
        self.db = sqlite3.connect(path, check_same_thread=False,
                                  isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.executescript(TABLES)

    def rows(self, sql, *values):
        with self.lock:
            return self.db.execute(sql, values).fetchall()

    def row(self, sql, *values):
        return next(iter(self.rows(sql, *values)), None)

    def run(self, sql, *values):
        with self.lock:
            return self.db.execute(sql, values)

    def close(self):
        with self.lock:
            self.db.close()


def make_token():
    """43 characters of base64url."""
    return (TOKEN_MARK + secrets.token_urlsafe(32))[:43]


def token_hash(secret):
    return hashlib.sha256(secret.encode()).digest()


# What the fields of the schema do -------------------------------------------

class Context:
    """The context of one execution: the user who asks, and the data."""

    def __init__(self, data, token_ttl, authorization):
        self.data = data
        self.token_ttl = token_ttl
        self.token = None
        self.owner = None
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() == "bearer" and secret.strip():
            self.token = token_hash(secret.strip())
            self.owner = data.row(
                "SELECT owner.* FROM token JOIN owner ON owner.id = owner"
                " WHERE hash = ? AND ends > ?", self.token, int(time.time()))

    def owner_or_refuse(self):
        if self.owner is None:
            raise Refusal("UNAUTHENTICATED", "You are not logged in.")
        return self.owner


def number_of(text):
    """An id as SQLite's integer; -1, which no row has, if it is no number."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else -1


def text_of(value, what):
    value = value.strip()
    if not value or len(value) > TEXT_MAX:
        raise Refusal("BAD_USER_INPUT",
                      f"{what} needs 1 to {TEXT_MAX} characters.")
    return value


def register(_, info, email, password, name):
    data = info.context.data
    email, name = email.strip(), text_of(name, "The name")
    if len(email) > 254 or not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise Refusal("BAD_USER_INPUT", "That is no e-mail address.")
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise Refusal("BAD_USER_INPUT", f"The password needs {PASSWORD_MIN} "
                                        f"to {PASSWORD_MAX} characters.")
    try:
        made = data.run("INSERT INTO owner (email, name, password)"
                        " VALUES (?, ?, ?)",
                        email, name, password_hash(password))
    except sqlite3.IntegrityError:
        raise Refusal("EMAIL_TAKEN",
                      "There is an account with this e-mail address.")
    return data.row("SELECT * FROM owner WHERE id = ?", made.lastrowid)


def login(_, info, email, password):
    data, now = info.context.data, int(time.time())
    owner = data.row("SELECT * FROM owner WHERE email = ?", email.strip())
    stored = owner["password"] if owner else NOBODY
    if not password_matches(password[:PASSWORD_MAX + 1], stored) or not owner:
        raise Refusal("INVALID_CREDENTIALS", "Wrong e-mail or password.")
    secret, ends = make_token(), now + info.context.token_ttl
    data.run("DELETE FROM token WHERE ends <= ?", now)
    data.run("INSERT INTO token (hash, owner, ends) VALUES (?, ?, ?)",
             token_hash(secret), owner["id"], ends)
    return {"secret": secret, "email": owner["email"],
            "ownerId": owner["id"],
            "ttl": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))}


def logout(_, info):
    ended = info.context.data.run("DELETE FROM token WHERE hash = ?",
                                  info.context.token)
    info.context.owner = None
    return ended.rowcount > 0


def create_store(_, info, name):
    data, owner = info.context.data, info.context.owner_or_refuse()
    made = data.run("INSERT INTO store (name, owner) VALUES (?, ?)",
                    text_of(name, "The name"), owner["id"])
    return data.row("SELECT * FROM store WHERE id = ?", made.lastrowid)


def create_product(_, info, name, price, storeId, description=""):
    data, owner = info.context.data, info.context.owner_or_refuse()
    store = data.row("SELECT * FROM store WHERE id = ?", number_of(storeId))
    if store is None:
        raise Refusal("NOT_FOUND", "There is no such store.")
    if store["owner"] != owner["id"]:
        raise Refusal("FORBIDDEN", "That store is somebody else's.")
    if not math.isfinite(price) or not 0 <= price <= PRICE_MAX:
        raise Refusal("BAD_USER_INPUT",
                      f"The price must be from 0 to {PRICE_MAX}.")
    if len(description) > TEXT_MAX:
        raise Refusal("BAD_USER_INPUT", f"The description may have {TEXT_MAX}"
                                        " characters.")
    made = data.run("INSERT INTO product (name, description, cents, store)"
                    " VALUES (?, ?, ?, ?)", text_of(name, "The name"),
                    description.strip(), round(price * 100), store["id"])
    return data.row("SELECT * FROM product WHERE id = ?", made.lastrowid)


def one(table, column):
    """A resolver for the row that a column of the parent row refers to."""
    return lambda row, info: info.context.data.row(
        f"SELECT * FROM {table} WHERE id = ?", row[column])


def many(table, column=None):
    """A resolver for all rows of a table, or for those whose column refers to
    the parent row."""
    where = f"WHERE {column} = ?" if column else ""

    def resolve(row, info, first=100):
        if not 0 <= first <= PAGE_MAX:
            raise Refusal("BAD_USER_INPUT",
                          f"first must be from 0 to {PAGE_MAX}.")
        key = (row["id"],) if column else ()
        return info.context.data.rows(
            f"SELECT * FROM {table} {where} ORDER BY id LIMIT ?", *key, first)
    return resolve


# The schema -----------------------------------------------------------------

def field(kind, text, resolver=None, **args):
    return GraphQLField(kind, args={k: GraphQLArgument(*v) if type(v) is tuple
                                    else GraphQLArgument(v)
                                    for k, v in args.items()},
                        resolver=resolver, description=text)


def column(kind, text, name):
    return field(GraphQLNonNull(kind), text, lambda row, info: row[name])


def list_of(kind, text, resolver):
    return field(GraphQLNonNull(GraphQLList(GraphQLNonNull(kind))), text,
                 resolver, first=(GraphQLInt, 100))


ID, STRING = GraphQLNonNull(GraphQLID), GraphQLNonNull(GraphQLString)

Owner = GraphQLObjectType("Owner", lambda: {
    "ownerId": column(GraphQLID, "Never changes.", "id"),
    "email": field(
        GraphQLString, "Visible to its owner only, otherwise null.",
        lambda row, info: row["email"] if info.context.owner
        and info.context.owner["id"] == row["id"] else None),
    "name": column(GraphQLString, "The display name.", "name"),
    "stores": list_of(Store, "The owner's stores.", many("store", "owner")),
}, description="A user with an account.")

Store = GraphQLObjectType("Store", lambda: {
    "id": column(GraphQLID, "Never changes.", "id"),
    "name": column(GraphQLString, "The store's name.", "name"),
    "owner": field(GraphQLNonNull(Owner), "The user who may add products.",
                   one("owner", "owner")),
    "products": list_of(Product, "The store's products.",
                        many("product", "store")),
}, description="A store with products.")

Product = GraphQLObjectType("Product", lambda: {
    "id": column(GraphQLID, "Never changes.", "id"),
    "name": column(GraphQLString, "The product's name.", "name"),
    "description": column(GraphQLString, "May be empty.", "description"),
    "price": field(GraphQLNonNull(GraphQLFloat), "With two decimals.",
                   lambda row, info: row["cents"] / 100),
    "store": field(GraphQLNonNull(Store), "The store that has it.",
                   one("store", "store")),
}, description="A product in a store.")

Login = GraphQLObjectType("Login", {
    "secret": field(STRING, "The token for Authorization: Bearer."),
    "ttl": field(STRING, "When the secret ends (RFC 3339, UTC)."),
    "email": field(STRING, "The user's e-mail address."),
    "ownerId": field(ID, "The user's id."),
}, description="The result of a login.")

Query = GraphQLObjectType("Query", {
    "me": field(Owner, "The user who asks; null without a valid token.",
                lambda _, info: info.context.owner),
    "allStores": list_of(Store, "Every store.", many("store")),
    "store": field(Store, "One store, or null.",
                   lambda _, info, id: info.context.data.row(
                       "SELECT * FROM store WHERE id = ?", number_of(id)),
                   id=ID),
    "allProducts": list_of(Product, "Every product.", many("product")),
})

Mutation = GraphQLObjectType("Mutation", {
    "register": field(GraphQLNonNull(Owner), "Open an account.", register,
                      email=STRING, password=STRING, name=STRING),
    "login": field(Login, "Get a secret; null if refused.", login,
                   email=STRING, password=STRING),
    "logout": field(GraphQLNonNull(GraphQLBoolean),
                    "Revoke this secret. False if it was not valid.", logout),
    "createStore": field(Store, "Open a store.", create_store,
                         name=STRING),
    "createProduct": field(
        Product, "Add a product to one of your stores.", create_product,
        name=STRING, description=(GraphQLString, ""), storeId=ID,
        price=GraphQLNonNull(GraphQLFloat)),
})

SCHEMA = GraphQLSchema(query=Query, mutation=Mutation)


# The demo account ---------------------------------------------------------

def seed(data):
    """Make the demo account and its stores, unless the account exists."""
    if data.row("SELECT id FROM owner WHERE email = ?", DEMO_EMAIL):
        return
    owner = data.run("INSERT INTO owner (email, name, password)"
                     " VALUES (?, ?, ?)", DEMO_EMAIL, "Dora the Demo",
                     password_hash(DEMO_PASSWORD)).lastrowid
    for store_name, products in DEMO_STORES:
        store = data.run("INSERT INTO store (name, owner) VALUES (?, ?)",
                         store_name, owner).lastrowid
        for name, text, price in products:
            data.run("INSERT INTO product (name, description, cents, store)"
                     " VALUES (?, ?, ?, ?)", name, text, round(price * 100),
                     store)

# SPDX-License-Identifier: ISC
"""The shop of the vendure dialect: guests, customers and their orders.

Each root field has a permission: Public, Owner (a guest session begins if there
is none) or Authenticated. Context.authorize checks it.
"""

import re
import secrets
import sqlite3
import time

from graphql import (
    GraphQLArgument, GraphQLBoolean, GraphQLEnumType, GraphQLEnumValue, GraphQLField,
    GraphQLID, GraphQLInputObjectField, GraphQLInputObjectType, GraphQLInt,
    GraphQLInterfaceType, GraphQLList, GraphQLNonNull, GraphQLObjectType,
    GraphQLScalarType, GraphQLSchema, GraphQLString, GraphQLUnionType)

import backend_shop
from backend_http import Refusal
from backend_shop import (
    NOBODY, PAGE_MAX, PASSWORD_MAX, TEXT_MAX, number_of, password_hash,
    password_matches, token_hash)

PUBLIC, OWNER, AUTHENTICATED = "Public", "Owner", "Authenticated"
PASSWORD_LEAST = 4
QUANTITY_MAX = 999
CURRENCY = "EUR"

# the code, and the token that a client sends in vendure-token
CHANNELS = (("__default_channel__", "market-square"), ("harbour", "harbour"))

WORDS = {
    "FORBIDDEN": (
        "You are not currently authorized to perform this action",
        "Sie sind derzeit nicht berechtigt, diese Aktion auszuführen"),
    "CHANNEL_NOT_FOUND": ("No Channel with the given token was found",
                          "Es wurde kein Kanal mit diesem Token gefunden"),
    "INVALID_CREDENTIALS_ERROR": (
        "The provided credentials are invalid",
        "Die angegebenen Zugangsdaten sind ungültig"),
    "NEGATIVE_QUANTITY_ERROR": (
        "The quantity for an OrderItem cannot be negative",
        "Die Menge darf nicht negativ sein"),
    "ORDER_LIMIT_ERROR": ("Cannot add items: there would be too many",
                          "Es wären zu viele Artikel"),
    "ORDER_MODIFICATION_ERROR": (
        "Order contents may only be modified when in the AddingItems state",
        "Die Bestellung kann nicht mehr geändert werden"),
    "NO_ACTIVE_ORDER_ERROR": (
        "There is no active Order associated with the current Session",
        "Zu dieser Sitzung gehört keine offene Bestellung"),
    "ALREADY_LOGGED_IN_ERROR": (
        "Cannot set a Customer for the Order when already logged in",
        "Sie sind bereits angemeldet"),
    "EMAIL_ADDRESS_CONFLICT_ERROR": (
        "The email address is not available.",
        "Diese E-Mail-Adresse ist nicht verfügbar."),
    "PASSWORD_VALIDATION_ERROR": ("Password is invalid",
                                  "Das Passwort ist ungültig"),
    "ORDER_STATE_TRANSITION_ERROR": (
        "Cannot transition to the given state",
        "Dieser Zustand ist nicht zu erreichen"),
    "ORDER_PAYMENT_STATE_ERROR": (
        "A Payment may only be added when Order is in \"ArrangingPayment\""
        " state", "Jetzt kann nicht bezahlt werden"),
    "ENTITY_NOT_FOUND": ("No such entity could be found",
                         "Das ist nicht vorhanden"),
}

# The names of the demo's products for ?languageCode=de.
GERMAN = {
    "Iron key": "Eiserner Schlüssel", "Wicket lantern": "Pfortenlaterne",
    "Watchman's horn": "Horn des Wächters",
    "Espalier pear": "Spalierbirne", "Lavender, a bundle": "Lavendelbund"}

TABLES = """
CREATE TABLE IF NOT EXISTS purchase (
    id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, channel TEXT NOT NULL,
    owner INTEGER REFERENCES owner, email TEXT, state TEXT NOT NULL,
    active INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS line (
    id INTEGER PRIMARY KEY, product INTEGER NOT NULL REFERENCES product,
    purchase INTEGER NOT NULL REFERENCES purchase ON DELETE CASCADE,
    quantity INTEGER NOT NULL, UNIQUE (purchase, product));
CREATE TABLE IF NOT EXISTS session (
    hash BLOB PRIMARY KEY, owner INTEGER REFERENCES owner,
    purchase INTEGER REFERENCES purchase, ends INTEGER NOT NULL)
    WITHOUT ROWID;
"""


def prepare(data):
    with data.lock:
        data.db.executescript(TABLES)


# Languages and channels ---------------------------------------------------------

def languages(parameter, cookie, accepted):
    """The languages of messages and of content. Only the query parameter
    decides both."""
    for wanted in (parameter, cookie, accepted):
        found = re.match(r"(en|de)\b", wanted or "", re.I)
        if found:
            break
    message = found[1].lower() if found else "en"
    return message, "de" if parameter == "de" else "en"


def words(code, language):
    return WORDS[code][language == "de"]


def channel_of(token):
    """The channel of a token. No token means the default channel; an unknown
    one is an error."""
    for code, known in CHANNELS:
        if not token or token == known:
            return code
    raise Refusal("CHANNEL_NOT_FOUND", words("CHANNEL_NOT_FOUND", "en"))


# Sessions ------------------------------------------------------------------------

def now():
    return int(time.time())


def session_of(context, token):
    """The live session of a token, or None. Use extends it."""
    digest = token_hash(token)
    row = context.data.row("SELECT * FROM session WHERE hash = ? AND ends > ?",
                           digest, now())
    if row and row["ends"] - now() < context.duration / 2:
        context.data.run("UPDATE session SET ends = ? WHERE hash = ?",
                         now() + context.duration, digest)
    return dict(row) if row else None


def make_session(context, owner=None, purchase=None):
    """Make a session. Returns its token and the session."""
    token = (backend_shop.TOKEN_MARK.encode().hex() + secrets.token_hex(32))[:64]
    session = {"hash": token_hash(token), "owner": owner,
               "purchase": purchase, "ends": now() + context.duration}
    context.data.run("DELETE FROM session WHERE ends <= ?", now())
    context.data.run("INSERT INTO session (hash, owner, purchase, ends) VALUES"
                     " (?, ?, ?, ?)", *session.values())
    return token, session


def end_sessions(context, column, value):
    context.data.run(f"DELETE FROM session WHERE {column} = ?", value)


def log_in(context, owner, remember):
    """Vendure's login: always a new session, which takes over a guest's
    order."""
    before = context.session and context.session["purchase"]
    guests = before and purchase_by_id(context, before)
    if before:
        # This also ends the customer's sessions that have the same order.
        end_sessions(context, "purchase", before)
    order = merge(context, owner, guests, customers_order(context,
                                                          owner["id"]))
    token, _ = make_session(context, owner["id"], order and order["id"])
    context.transport.issue(token, remember)
    return dict(kind="CurrentUser", id=owner["id"],
                identifier=owner["email"])


# Orders --------------------------------------------------------------------------

def purchase_by_id(context, key):
    return context.data.row("SELECT * FROM purchase WHERE id = ?", key)


def is_in_channel(context, order):
    """An order is in the channel in which it was made, and in the default
    one."""
    return context.channel in (order["channel"], CHANNELS[0][0])


def customers_order(context, owner):
    orders = context.data.rows("SELECT * FROM purchase WHERE owner = ? AND"
                               " active ORDER BY id DESC", owner)
    return next((o for o in orders if is_in_channel(context, o)), None)


def merge(context, owner, guests, theirs):
    """The customer's order after a login with a guest's order.

    A guest's order that already has a customer is not taken over, even if it is
    the same customer. For the same variant, the guest's quantity replaces the
    customer's.
    """
    if not guests or not guests["active"] or guests["owner"] \
            or guests["email"]:
        return theirs
    if not theirs:
        context.data.run("UPDATE purchase SET owner = ?, email = ? WHERE id = ?",
                         owner["id"], owner["email"], guests["id"])
        return purchase_by_id(context, guests["id"])
    context.data.run(
        "INSERT INTO line (purchase, product, quantity) SELECT ?, product,"
        " quantity FROM line WHERE purchase = ? ORDER BY id ON CONFLICT DO"
        " UPDATE SET quantity = excluded.quantity", theirs["id"], guests["id"])
    context.data.run("DELETE FROM purchase WHERE id = ?", guests["id"])
    return theirs


def keep_order(context, key):
    context.session["purchase"] = key
    context.data.run("UPDATE session SET purchase = ? WHERE hash = ?", key,
                     context.session["hash"])


def active_row(context, make=False):
    """The session's order; else the customer's; else, with make, a new one."""
    session_order = context.session["purchase"]
    order = session_order and purchase_by_id(context, session_order)
    if order and not (order["active"] and is_in_channel(context, order)):
        order = None
    owner = context.session["owner"]
    if not order and owner:
        order = customers_order(context, owner)
    if not order and make:
        made = context.data.run(
            "INSERT INTO purchase (code, channel, owner, email, state, active)"
            " VALUES (?, ?, ?, (SELECT email FROM owner WHERE id = ?),"
            " 'AddingItems', 1)", secrets.token_hex(8).upper(), context.channel,
            owner, owner)
        order = purchase_by_id(context, made.lastrowid)
    if order and order["id"] != session_order:
        keep_order(context, order["id"])
    return order


def order_value(context, order):
    if not order:
        return None
    rows = context.data.rows(
        "SELECT line.id, quantity, product.id AS product, name, cents,"
        " description FROM line JOIN product ON product.id = line.product"
        " WHERE purchase = ? ORDER BY line.id", order["id"])
    lines = [{
        "id": row["id"], "quantity": row["quantity"],
        "unitPrice": row["cents"], "unitPriceWithTax": row["cents"],
        "linePrice": row["cents"] * row["quantity"],
        "linePriceWithTax": row["cents"] * row["quantity"],
        "productVariant": variant_value(context, dict(row, id=row["product"])),
    } for row in rows]
    total = sum(line["linePrice"] for line in lines)
    customer = order["email"] and {
        "id": order["owner"] or 0, "emailAddress": order["email"],
        "name": (context.data.row("SELECT name FROM owner WHERE id = ?",
                                  order["owner"]) or {"name": ""})["name"]}
    return {"kind": "Order", "id": order["id"], "code": order["code"],
            "state": order["state"], "active": bool(order["active"]),
            "currencyCode": CURRENCY, "lines": lines, "customer": customer,
            "totalQuantity": sum(line["quantity"] for line in lines),
            "subTotal": total, "subTotalWithTax": total,
            "total": total, "totalWithTax": total}


def variant_value(context, row):
    product = product_value(context, row, with_variants=False)
    return {"id": row["id"], "name": product["name"],
            "sku": "P%04d" % row["id"], "price": row["cents"],
            "priceWithTax": row["cents"], "currencyCode": CURRENCY,
            "product": product}


def product_value(context, row, with_variants=True):
    name = row["name"]
    if context.content == "de":
        name = GERMAN.get(name, name)
    return {"id": row["id"], "name": name, "languageCode": context.content,
            "slug": re.sub(r"\W+", "-", row["name"].lower()).strip("-"),
            "description": row["description"],
            "variants": [variant_value(context, row)] if with_variants else []}


def error(context, kind, **more):
    """An expected failure, as a value in `data`. FooBarError has the code
    FOO_BAR_ERROR."""
    code = re.sub(r"(?<!^)(?=[A-Z])", "_", kind).upper()
    return dict(kind=kind, errorCode=code,
                message=words(code, context.language), **more)


# What the fields do ---------------------------------------------------------------

def check_password(context, username, password):
    """The account, or None. Takes the same time in both cases."""
    owner = context.data.row("SELECT * FROM owner WHERE email = ?",
                             username.strip())
    stored = owner["password"] if owner else NOBODY
    good = password_matches(password[:PASSWORD_MAX + 1], stored)
    return owner if good else None


def native_login(context, username, password, rememberMe=False):
    owner = check_password(context, username,
                           password)  # slow: before the lock

    def work():
        if not owner:
            return error(context, "InvalidCredentialsError",
                         authenticationError="")
        return log_in(context, owner, bool(rememberMe))
    return work


def authenticate(context, input, rememberMe=False):
    return native_login(context, **input.get("native"), rememberMe=rememberMe)


def logout(context):
    token = context.transport.read()
    if not token:
        return {"success": False}
    if context.session and context.session["owner"]:
        end_sessions(context, "owner", context.session["owner"])
    context.transport.issue("", False)  # a guest's session is not deleted
    return {"success": True}


def me(context):
    owner = context.data.row("SELECT * FROM owner WHERE id = ?",
                             context.session["owner"])
    return {"id": owner["id"], "identifier": owner["email"]}


def active_customer(context):
    row = context.data.row("SELECT * FROM owner WHERE id = ?",
                           context.session["owner"])
    return row and {"id": row["id"], "emailAddress": row["email"],
                    "name": row["name"]}


def active_order(context):
    return order_value(context, active_row(context))


def order_by_code(context, code):
    row = context.data.row("SELECT * FROM purchase WHERE code = ?", code)
    mine = row and (row["id"] == context.session["purchase"] or row["owner"]
                    and row["owner"] == context.session["owner"])
    if not mine:
        raise Refusal("FORBIDDEN", words("FORBIDDEN", context.language))
    return order_value(context, row)


def add_item(context, productVariantId, quantity):
    product = number_of(productVariantId)
    if not context.data.row("SELECT id FROM product WHERE id = ?", product):
        raise Refusal("ENTITY_NOT_FOUND",
                      words("ENTITY_NOT_FOUND", context.language))
    if quantity < 0:
        return error(context, "NegativeQuantityError")
    if quantity > QUANTITY_MAX:
        return error(context, "OrderLimitError", maxItems=QUANTITY_MAX)
    order = active_row(context, make=True)
    if order["state"] != "AddingItems":
        return error(context, "OrderModificationError")
    if quantity:
        context.data.run(
            "INSERT INTO line (purchase, product, quantity) VALUES (?, ?, ?)"
            " ON CONFLICT DO UPDATE SET quantity = min(?, quantity +"
            " excluded.quantity)", order["id"], product, quantity,
            QUANTITY_MAX)
    return order_value(context, order)


def change_lines(context, condition, *values, quantity=0):
    """Set the quantity of some lines of the active order."""
    order = active_row(context)
    if not order:
        return error(context, "NoActiveOrderError")
    if order["state"] != "AddingItems":
        return error(context, "OrderModificationError")
    where = f"WHERE purchase = ? {condition}"
    if quantity:
        context.data.run(f"UPDATE line SET quantity = ? {where}", quantity,
                         order["id"], *values)
    else:
        context.data.run(f"DELETE FROM line {where}", order["id"], *values)
    return order_value(context, order)


def adjust_line(context, orderLineId, quantity):
    if quantity < 0:
        return error(context, "NegativeQuantityError")
    if quantity > QUANTITY_MAX:
        return error(context, "OrderLimitError", maxItems=QUANTITY_MAX)
    return change_lines(context, "AND id = ?", number_of(orderLineId),
                        quantity=quantity)


def remove_line(context, orderLineId):
    return change_lines(context, "AND id = ?", number_of(orderLineId))


def remove_all_lines(context):
    return change_lines(context, "")


def set_customer(context, input):
    order = active_row(context)
    if context.session["owner"]:
        return error(context, "AlreadyLoggedInError")
    if not order:
        return error(context, "NoActiveOrderError")
    address = input["emailAddress"][:TEXT_MAX]
    if context.data.row("SELECT id FROM owner WHERE email = ?", address):
        return error(context, "EmailAddressConflictError")
    context.data.run("UPDATE purchase SET email = ? WHERE id = ?", address,
                     order["id"])
    return order_value(context, purchase_by_id(context, order["id"]))


NEXT_STATES = {"AddingItems": "ArrangingPayment",
               "ArrangingPayment": "AddingItems"}


def set_state(context, order, state, active=1):
    context.data.run("UPDATE purchase SET state = ?, active = ? WHERE id = ?",
                     state, active, order["id"])
    return order_value(context, purchase_by_id(context, order["id"]))


def next_states(context):
    order = active_row(context)
    return [NEXT_STATES[order["state"]]] if order else []


def transition(context, state):
    order = active_row(context)
    if not order:
        return None
    if NEXT_STATES[order["state"]] != state or not order["email"]:
        return error(context, "OrderStateTransitionError", transitionError="",
                     fromState=order["state"], toState=state)
    return set_state(context, order, state)


def add_payment(context, input):
    order = active_row(context)
    if not order:
        return error(context, "NoActiveOrderError")
    if order["state"] != "ArrangingPayment":
        return error(context, "OrderPaymentStateError")
    return set_state(context, order, "PaymentSettled", active=0)


def register(context, input):
    """Works as with requireVerification off: the account is valid at once."""
    password = input.get("password") or ""
    if not PASSWORD_LEAST <= len(password) <= 72:
        return error(context, "PasswordValidationError",
                     validationErrorMessage="4 to 72 characters.")
    name = " ".join(input.get(part) or "" for part in
                    ("firstName", "lastName")).strip()
    try:
        context.data.run("INSERT INTO owner (email, name, password) VALUES"
                         " (?, ?, ?)", input["emailAddress"].strip(),
                         name[:TEXT_MAX], password_hash(password))
    except sqlite3.IntegrityError:
        pass  # do not reveal whether the account exists
    return {"kind": "Success", "success": True}


def set_password(context, currentPassword, newPassword):
    """Change the password. As in Vendure, this revokes no session."""
    owner = context.data.row("SELECT * FROM owner WHERE id = ?",
                             context.session["owner"])
    if not owner:
        raise Refusal("FORBIDDEN", words("FORBIDDEN", context.language))
    if not password_matches(currentPassword, owner["password"]):
        return error(context, "InvalidCredentialsError",
                     authenticationError="")
    if not PASSWORD_LEAST <= len(newPassword) <= 72:
        return error(context, "PasswordValidationError",
                     validationErrorMessage="4 to 72 characters.")
    context.data.run("UPDATE owner SET password = ? WHERE id = ?",
                     password_hash(newPassword), owner["id"])
    return {"kind": "Success", "success": True}


def products(context, options=None):
    options = options or {}
    take, skip = options.get("take"), options.get("skip") or 0
    take = PAGE_MAX if take is None else take
    if not 0 <= take <= PAGE_MAX or not 0 <= skip < 1 << 31:
        raise Refusal("USER_INPUT_ERROR",
                      f"take must be from 0 to {PAGE_MAX}, skip not negative.")
    rows = context.data.rows("SELECT * FROM product ORDER BY id LIMIT ? OFFSET"
                             " ?", take, skip)
    total = context.data.row("SELECT count(*) AS n FROM product")["n"]
    return {"items": [product_value(context, row) for row in rows],
            "totalItems": total}


def product(context, id):
    row = context.data.row("SELECT * FROM product WHERE id = ?", number_of(id))
    return row and product_value(context, row)


def active_channel(context):
    place = [code for code, _ in CHANNELS].index(context.channel)
    return {"id": place + 1, "code": context.channel,
            "token": CHANNELS[place][1], "currencyCode": CURRENCY,
            "defaultLanguageCode": "en"}


# The schema -----------------------------------------------------------------------

def must(kind):
    return GraphQLNonNull(kind)


def list_of(kind):
    return must(GraphQLList(must(kind)))


ID, STRING, INT = must(GraphQLID), must(GraphQLString), must(GraphQLInt)
BOOL = must(GraphQLBoolean)


def member(row, info):
    return row.get(info.field_name)


def type_of(name, interfaces=(), /, **fields):
    return GraphQLObjectType(name, {
        key: GraphQLField(kind, resolver=member)
        for key, kind in fields.items()}, interfaces=interfaces or None)


def input_of(name, /, **fields):
    return GraphQLInputObjectType(name, {
        key: GraphQLInputObjectField(kind) for key, kind in fields.items()})


def field(kind, permission, resolver, prepared=False, **args):
    """A root field. Its permission check and its resolver run under one lock.

    If it is prepared, its resolver does the slow part before the lock is taken.
    """
    def resolve(_, info, **values):
        context = info.context
        work = (resolver(context, **values) if prepared
                else lambda: resolver(context, **values))
        with context.turn:
            context.authorize(permission)
            return work()
    return GraphQLField(kind, args={
        name: GraphQLArgument(kind) for name, kind in args.items()},
        resolver=resolve)


JSON = GraphQLScalarType("JSON", serialize=lambda value: value,
                         parse_value=lambda value: value,
                         parse_literal=lambda node: str(node))
ErrorCode = GraphQLEnumType("ErrorCode", {
    code: GraphQLEnumValue(code) for code in WORDS if code.endswith("_ERROR")})
ErrorResult = GraphQLInterfaceType("ErrorResult", {
    "errorCode": GraphQLField(must(ErrorCode)),
    "message": GraphQLField(STRING)},
    resolve_type=lambda value, info: KINDS[value["kind"]])


def failure(name, /, **fields):
    return type_of(name, [ErrorResult], errorCode=must(ErrorCode),
                   message=STRING, **fields)


Channel = type_of("Channel", id=ID, code=STRING, token=STRING,
                  currencyCode=STRING, defaultLanguageCode=STRING)
Variant = GraphQLObjectType("ProductVariant", lambda: {
    key: GraphQLField(kind, resolver=member) for key, kind in {
        "id": ID, "name": STRING, "sku": STRING, "price": INT,
        "priceWithTax": INT, "currencyCode": STRING,
        "product": must(Product)}.items()})
Product = type_of("Product", id=ID, name=STRING, slug=STRING,
                  description=STRING, languageCode=STRING,
                  variants=list_of(Variant))
ProductList = type_of("ProductList", items=list_of(Product), totalItems=INT)
Customer = GraphQLObjectType("Customer", {
    "id": GraphQLField(ID, resolver=member),
    "emailAddress": GraphQLField(STRING, resolver=member),
    "firstName": GraphQLField(STRING, resolver=lambda row, info: row[
        "name"].partition(" ")[0]),
    "lastName": GraphQLField(STRING, resolver=lambda row, info: row[
        "name"].partition(" ")[2])})
OrderLine = type_of("OrderLine", id=ID, quantity=INT, unitPrice=INT,
                    unitPriceWithTax=INT, linePrice=INT, linePriceWithTax=INT,
                    productVariant=must(Variant))
ShippingMethod = type_of("ShippingMethodQuote", id=ID, name=STRING, code=STRING,
                         price=INT, priceWithTax=INT)
Country = type_of("Country", id=ID, code=STRING, name=STRING)

# The types of union values, by the value's `kind`.
KINDS = {kind.name: kind for kind in (
    type_of("Order", id=ID, code=STRING, state=STRING, active=BOOL,
            currencyCode=STRING, totalQuantity=INT, subTotal=INT,
            subTotalWithTax=INT, total=INT, totalWithTax=INT,
            customer=Customer, lines=list_of(OrderLine)),
    type_of("CurrentUser", id=ID, identifier=STRING),
    type_of("Success", success=BOOL),
    failure("InvalidCredentialsError", authenticationError=STRING),
    failure("NegativeQuantityError"),
    failure("OrderLimitError", maxItems=INT),
    failure("OrderModificationError"),
    failure("NoActiveOrderError"),
    failure("AlreadyLoggedInError"),
    failure("EmailAddressConflictError"),
    failure("PasswordValidationError", validationErrorMessage=STRING),
    failure("OrderStateTransitionError", transitionError=STRING,
            fromState=STRING, toState=STRING),
    failure("OrderPaymentStateError"))}
Order, CurrentUser = KINDS["Order"], KINDS["CurrentUser"]


def union(name, *kinds):
    return GraphQLUnionType(
        name, [KINDS[kind] for kind in kinds],
        resolve_type=lambda value, info: KINDS[value["kind"]])


CHANGED = must(union(
    "UpdateOrderItemsResult", "Order", "NegativeQuantityError",
    "OrderLimitError", "OrderModificationError", "NoActiveOrderError"))

Query = GraphQLObjectType("Query", {
    "products": field(must(ProductList), PUBLIC, products, options=input_of(
        "ProductListOptions", take=GraphQLInt, skip=GraphQLInt)),
    "product": field(Product, PUBLIC, product, id=ID),
    "activeChannel": field(must(Channel), PUBLIC, active_channel),
    "availableCountries": field(list_of(Country), PUBLIC, lambda context: [
        {"id": 1, "code": "AT", "name": "Austria"},
        {"id": 2, "code": "DE", "name": "Germany"}]),
    "me": field(CurrentUser, AUTHENTICATED, me),
    "activeCustomer": field(Customer, OWNER, active_customer),
    "activeOrder": field(Order, OWNER, active_order),
    "orderByCode": field(Order, OWNER, order_by_code, code=STRING),
    "nextOrderStates": field(list_of(GraphQLString), OWNER, next_states),
    "eligibleShippingMethods": field(
        list_of(ShippingMethod), OWNER, lambda context: [] if not active_row(
            context) else [{"id": 1, "code": "cart", "name": "Ox cart",
                            "price": 500, "priceWithTax": 500}]),
})

Mutation = GraphQLObjectType("Mutation", {
    "login": field(
        must(union("NativeAuthenticationResult", "CurrentUser",
                   "InvalidCredentialsError")), PUBLIC, native_login, True,
        username=STRING, password=STRING, rememberMe=GraphQLBoolean),
    "authenticate": field(
        must(union("AuthenticationResult", "CurrentUser",
                   "InvalidCredentialsError")), PUBLIC, authenticate, True,
        input=must(input_of("AuthenticationInput", native=must(input_of(
            "NativeAuthInput", username=STRING, password=STRING)))),
        rememberMe=GraphQLBoolean),
    "logout": field(must(KINDS["Success"]), PUBLIC, logout),
    "registerCustomerAccount": field(
        must(union("RegisterCustomerAccountResult", "Success",
                   "PasswordValidationError")), PUBLIC, register,
        input=must(input_of("RegisterCustomerInput", emailAddress=STRING,
                            firstName=GraphQLString, lastName=GraphQLString,
                            password=GraphQLString))),
    "requestPasswordReset": field(
        KINDS["Success"], PUBLIC, lambda context, emailAddress: {
            "kind": "Success", "success": True}, emailAddress=STRING),
    "updateCustomerPassword": field(
        must(union("UpdateCustomerPasswordResult", "Success",
                   "InvalidCredentialsError", "PasswordValidationError")),
        OWNER, set_password, currentPassword=STRING, newPassword=STRING),
    "addItemToOrder": field(CHANGED, OWNER, add_item, productVariantId=ID,
                            quantity=INT),
    "adjustOrderLine": field(CHANGED, OWNER, adjust_line, orderLineId=ID,
                             quantity=INT),
    "removeOrderLine": field(CHANGED, OWNER, remove_line, orderLineId=ID),
    "removeAllOrderLines": field(CHANGED, OWNER, remove_all_lines),
    "setCustomerForOrder": field(
        must(union("SetCustomerForOrderResult", "Order",
                   "AlreadyLoggedInError", "EmailAddressConflictError",
                   "NoActiveOrderError")), OWNER, set_customer,
        input=must(input_of("CreateCustomerInput", emailAddress=STRING,
                            firstName=STRING, lastName=STRING))),
    "transitionOrderToState": field(
        union("TransitionOrderToStateResult", "Order",
              "OrderStateTransitionError"), OWNER, transition, state=STRING),
    "addPaymentToOrder": field(
        must(union("AddPaymentToOrderResult", "Order",
                   "OrderPaymentStateError", "NoActiveOrderError")), OWNER,
        add_payment, input=must(input_of("PaymentInput", method=STRING,
                                         metadata=must(JSON)))),
})

SCHEMA = GraphQLSchema(query=Query, mutation=Mutation,
                       types=list(KINDS.values()))

/* SPDX-License-Identifier: ISC */
/*
 * The page for a Vendure-like backend: a shop with products and a cart. A guest
 * has a cart too, and it survives the login.
 *
 * Reading the products must not start a guest session. So fields that start one,
 * such as activeOrder, are requested only if there is a session.
 */
import { $, announce, copyOf, focusOn, handle, money } from "./dom.js";
import { Problem, graphql } from "./request.js";

let page = null;                  // the functions of page.js
let turn = Promise.resolve();     // the last change of the order

const CART = `id code totalQuantity totalWithTax currencyCode
  lines { id quantity linePriceWithTax productVariant { id name } }`;
const CHANGED = `__typename ... on Order { ${CART} }
  ... on ErrorResult { errorCode message }`;
const PRODUCTS = `products(options: { take: 500 }) { items {
    id name description variants { id priceWithTax currencyCode } } }`;
const PRODUCTS_ONLY = `query Products { ${PRODUCTS} }`;
const PRODUCTS_AND_CART = `query ProductsAndCart { ${PRODUCTS}
  activeOrder { ${CART} }
  activeCustomer { firstName lastName emailAddress }
}`;
const ADD = `mutation Add($id: ID!, $quantity: Int!) {
  changed: addItemToOrder(productVariantId: $id, quantity: $quantity) {
    ${CHANGED} } }`;
const ADJUST = `mutation Adjust($id: ID!, $quantity: Int!) {
  changed: adjustOrderLine(orderLineId: $id, quantity: $quantity) {
    ${CHANGED} } }`;
const REGISTER = `mutation Register($input: RegisterCustomerInput!) {
  registered: registerCustomerAccount(input: $input) {
    __typename ... on ErrorResult { errorCode message } } }`;

const price = (cents, currency) => `${money.format(cents / 100)} ${currency}`;
const things = (count) => (count === 1 ? "1 thing" : `${count} things`);

/* Expected failures come as data: throw them as Problems. */
function orThrow(result) {
    if (result.errorCode)
        throw new Problem(`${result.message}.`.replace(/\.\.$/, "."),
            result.errorCode);
    return result;
}

// The cart ------------------------------------------------------------------

function lineItem(line, order) {
    const item = copyOf("line-template");
    const name = line.productVariant.name;
    const change = (button, by) => {
        button.classList.add("step");
        handle(button, "click", () => adjust(line, line.quantity + by, button));
    };

    item.dataset.line = line.id;
    item.querySelector(".name").textContent = name;
    item.querySelector(".count").textContent = line.quantity;
    item.querySelector(".price").value = line.linePriceWithTax / 100;
    item.querySelector(".price").textContent =
        price(line.linePriceWithTax, order.currencyCode);
    item.querySelector(".less").setAttribute("aria-label", `One ${name} less`);
    item.querySelector(".more").setAttribute("aria-label", `One ${name} more`);
    change(item.querySelector(".less"), -1);
    change(item.querySelector(".more"), +1);
    return item;
}

function showCart(order) {
    const lines = order?.lines ?? [];

    $("cart-lines").replaceChildren(
        ...lines.map((line) => lineItem(line, order)));
    $("cart-empty").hidden = lines.length > 0;
    $("cart-sum").hidden = lines.length === 0;
    if (lines.length)
        $("cart-total").textContent =
            price(order.totalWithTax, order.currencyCode);
}

/* Send a change of the order when the changes before it are done. */
function change(document, variables) {
    const sent = turn.then(() => graphql(document, variables));

    turn = sent.catch(() => {});
    return sent.then((data) => orThrow(data.changed));
}

async function add(product, variant) {
    try {
        const order = await change(ADD, { id: variant.id, quantity: 1 });

        showCart(order);
        await page.sessionChanged();
        announce(`${product.name} is in the cart: ` +
            `${things(order.totalQuantity)}, ` +
            `${price(order.totalWithTax, order.currencyCode)}.`);
    } catch (problem) {
        await page.actionFailed("cart-problem", problem);
    }
}

async function adjust(line, quantity, button) {
    const place = button.classList.contains("less") ? ".less" : ".more";

    try {
        const order = await change(ADJUST, { id: line.id, quantity });

        showCart(order);
        await page.sessionChanged();
        announce(`${quantity} of ${line.productVariant.name}, ` +
            `${things(order.totalQuantity)} in all.`);
        // The line was replaced: set the focus to the same button, or near it.
        const again = $("cart-lines").querySelector(
            `[data-line="${CSS.escape(line.id)}"] ${place}`);
        if (again)
            again.focus();
        else
            focusOn("cart-title");
    } catch (problem) {
        await page.actionFailed("cart-problem", problem);
    }
}

// The products --------------------------------------------------------------

function productCard(product) {
    const card = copyOf("shelf-template");
    const variant = product.variants[0];
    const button = card.querySelector("button");

    card.querySelector(".name").textContent = product.name;
    card.querySelector("p").textContent = product.description;
    card.querySelector(".price").value = variant.priceWithTax / 100;
    card.querySelector(".price").textContent =
        price(variant.priceWithTax, variant.currencyCode);
    button.querySelector(".unseen").textContent = `: ${product.name}`;
    handle(button, "click", () => add(product, variant));
    return card;
}

/*
 * Fetch and show everything.
 *   lastSession  the answer of /session; null: do not start a guest session
 * Returns the user's name and e-mail address from the backend, or null.
 */
async function load(lastSession) {
    try {
        const data = await graphql(lastSession ? PRODUCTS_AND_CART : PRODUCTS_ONLY);
        const who = data.activeCustomer;

        // Build the list once only, so that the keyboard focus stays.
        if (!$("goods").childElementCount)
            $("goods").replaceChildren(
                ...data.products.items.map(productCard));
        showCart(data.activeOrder ?? null);
        return who ? {
            name: `${who.firstName} ${who.lastName}`.trim(),
            email: who.emailAddress,
        } : null;
    } finally {
        $("goods").removeAttribute("aria-busy");
    }
}

function begin(functions) {
    page = functions;
    $("shop").hidden = false;
    $("cart").hidden = false;
    $("skip").textContent = "Skip to the products";
}

function show(loggedIn) {
    $("cart-note").textContent = loggedIn
        ? "You have this cart on every device on which you log in."
        : "This browser keeps the cart. It survives the login.";
}

async function register(email, password, name) {
    const [firstName, ...rest] = name.trim().split(/\s+/);
    const data = await graphql(REGISTER, { input: {
        emailAddress: email, password, firstName, lastName: rest.join(" "),
    } });

    orThrow(data.registered);
}

export const cart = {
    begin,
    load,
    show,
    register,
    /* The backend's answer has already ended Postern's session. */
    forget: async () => {},
};

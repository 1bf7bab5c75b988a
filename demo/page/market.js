/* SPDX-License-Identifier: ISC */
/*
 * The page for a Fauna-like backend: the users' stores and their products.
 */
import { $, announce, copyOf, focusOn, handle, money } from "./dom.js";
import { graphql, request } from "./request.js";

let page = null; // the functions of page.js
let me = null;   // the user, from the backend

const STORES = `query Stores {
  me { ownerId name email }
  allStores(first: 500) {
    id name
    owner { ownerId name }
    products(first: 500) { id name description price }
  }
}`;
const CREATE_STORE = `mutation CreateStore($name: String!) {
  createStore(name: $name) { id name }
}`;
const CREATE_PRODUCT = `mutation CreateProduct(
    $name: String!, $description: String!, $price: Float!, $storeId: ID!) {
  createProduct(name: $name, description: $description, price: $price,
      storeId: $storeId) { id name store { name } }
}`;
const REGISTER = `mutation Register(
    $email: String!, $password: String!, $name: String!) {
  register(email: $email, password: $password, name: $name) { ownerId }
}`;

function productItem(product, fresh) {
    const item = copyOf("product-template");

    item.querySelector(".name").textContent = product.name;
    item.querySelector("p").textContent = product.description;
    item.querySelector(".price").value = product.price;
    item.querySelector(".price").textContent = money.format(product.price);
    item.classList.toggle("fresh", product.id === fresh);
    return item;
}

function storeCard(store, fresh) {
    const card = copyOf("store-template");
    const ours = me?.ownerId === store.owner.ownerId;

    card.querySelector("h3").textContent = store.name;
    card.querySelector("header p").textContent =
        ours ? "Yours" : `Kept by ${store.owner.name}`;
    card.querySelector("ul").append(
        ...store.products.map((product) => productItem(product, fresh)));
    card.classList.toggle("fresh", `store ${store.id}` === fresh);
    return card;
}

/*
 * Fetch and show everything.
 *   fresh  a product's id, or "store " and a store's id: what to highlight
 * Returns the user from the backend, or null.
 */
async function load(lastSession, fresh) {
    try {
        const data = await graphql(STORES);
        const stores = data.allStores;

        me = lastSession && !lastSession.guest ? data.me : null;
        $("stores").replaceChildren(
            ...stores.map((store) => storeCard(store, fresh)));
        const own = stores.filter(
            (store) => store.owner.ownerId === me?.ownerId);
        const chosen = $("product-store").value;
        $("product-store").replaceChildren(
            ...own.map((store) => new Option(store.name, store.id)));
        if (own.some((store) => store.id === chosen))
            $("product-store").value = chosen;
        $("product-fields").hidden = own.length === 0;
        $("no-store").hidden = own.length > 0;
        return me;
    } finally {
        $("stores").removeAttribute("aria-busy");
    }
}

async function createStore(form) {
    const name = $("store-name").value;

    try {
        const { createStore: store } = await graphql(CREATE_STORE, { name });
        form.reset();
        await page.dataChanged(`store ${store.id}`);
        $("product-store").value = store.id;
        announce(`The store ${store.name} is open.`);
        focusOn("product-name");
    } catch (problem) {
        await page.actionFailed("store-problem", problem, "store-name");
    }
}

async function createProduct(form) {
    const storeId = $("product-store").value;

    try {
        const { createProduct: product } = await graphql(CREATE_PRODUCT, {
            storeId,
            name: $("product-name").value,
            price: Number($("product-price").value),
            description: $("product-description").value,
        });
        form.reset();
        $("product-store").value = storeId;
        await page.dataChanged(product.id);
        announce(`${product.name} is on the shelves of ${product.store.name}.`);
        focusOn("product-name");
    } catch (problem) {
        await page.actionFailed("product-problem", problem, "product-name");
    }
}

function begin(functions) {
    page = functions;
    $("market").hidden = false;
    handle($("store-form"), "submit", createStore);
    handle($("product-form"), "submit", createProduct);
}

function show(loggedIn) {
    $("workshop").hidden = !loggedIn;
    $("invitation").hidden = loggedIn;
    if (!loggedIn) {
        $("store-form").reset();
        $("product-form").reset();
    }
}

export const market = {
    begin,
    load,
    show,
    register: (email, password, name) =>
        graphql(REGISTER, { email, password, name }),
    /* The backend has ended its session: end Postern's. */
    forget: () => request("POST", "/logout"),
};

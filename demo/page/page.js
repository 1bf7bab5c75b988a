/* SPDX-License-Identifier: ISC */
/*
 * The page's whole script: it asks /session who is here, /query for data,
 * and posts to /login and /logout. It never holds a token.
 */
"use strict";

const $ = (id) => document.getElementById(id);

let session = null;   // what /session said last
let me = null;        // what the backend says of us
let ends = 0;         // when the session ends, by this machine's clock
let full = 1;         // seconds the session had when it was looked at
let ticking = 0;      // the timer behind the countdown
let asking = 0;       // the timer that asks whether the session has ended
let warned = false;

// Talking to the server -----------------------------------------------------

class Problem extends Error {
    constructor(message, code) {
        super(message);
        this.code = code;
    }
}

const WORDS = {
    TOO_MANY_ATTEMPTS: "Too many attempts. Please wait a little.",
    UPSTREAM_UNREACHABLE: "The backend cannot be reached just now.",
    UPSTREAM_TIMEOUT: "The backend takes too long to answer.",
    UPSTREAM_INVALID: "The backend's answer cannot be used.",
    STORE_UNAVAILABLE: "Sessions cannot be checked just now.",
    OVERLOADED: "Too many people at the gate. Please try again.",
};

const sentence = (text) => {
    const whole = text.charAt(0).toUpperCase() + text.slice(1);
    return /[.!?]$/.test(whole) ? whole : `${whole}.`;
};

/* Send JSON (or nothing) and give back `data`, or throw a Problem. */
async function talk(method, path, body) {
    const headers = { Accept: "application/json" };
    let answer;
    let json;

    if (body !== undefined)
        headers["Content-Type"] = "application/json";
    try {
        answer = await fetch(path, {
            method, headers, credentials: "same-origin", cache: "no-store",
            body: body === undefined ? undefined : JSON.stringify(body),
        });
        json = await answer.json();
    } catch {
        throw new Problem(answer ? "The server's answer cannot be read."
            : "The server cannot be reached.", "NETWORK");
    }
    const error = json?.errors?.[0];
    if (error) {
        const code = error.extensions?.code;
        throw new Problem(WORDS[code] ?? sentence(String(error.message)), code);
    }
    if (!answer.ok || !json?.data)
        throw new Problem("The server's answer cannot be used.", "NETWORK");
    return json.data;
}

const graphql = (query, variables) =>
    talk("POST", "/query", { query, variables });

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

// Small helpers for the page ------------------------------------------------

/* Say it to people who do not see it happen. */
function announce(text) {
    $("news").textContent = "";
    setTimeout(() => { $("news").textContent = text; }, 50);
}

function focusOn(id) {
    $(id).focus({ preventScroll: false });
}

/* Show a problem beside the fields it is about, and go to the first. */
function complain(place, problem, ...fields) {
    $(place).textContent = problem.message;
    for (const field of fields)
        $(field).setAttribute("aria-invalid", "true");
    if (fields.length)
        focusOn(fields.at(-1));
}

function calm(form) {
    for (const box of form.querySelectorAll(".problem"))
        box.textContent = "";
    for (const field of form.querySelectorAll("[aria-invalid]"))
        field.removeAttribute("aria-invalid");
}

/* Run what a form or a button does, once at a time. */
function handle(element, event, work) {
    let busy = false;

    element.addEventListener(event, async (e) => {
        const button = element.matches("form")
            ? element.querySelector('[type="submit"]') : element;
        e.preventDefault();
        if (busy)
            return;
        busy = true;
        button.setAttribute("aria-disabled", "true");
        try {
            calm(element);
            await work(element);
        } finally {
            busy = false;
            button.removeAttribute("aria-disabled");
        }
    });
}

function duration(seconds) {
    const days = Math.floor(seconds / 86400);
    const hours = Math.floor(seconds / 3600) % 24;
    const minutes = Math.floor(seconds / 60) % 60;

    if (days)
        return `${days} d ${hours} h`;
    if (hours)
        return `${hours} h ${minutes} min`;
    if (minutes)
        return `${minutes} min ${seconds % 60} s`;
    return `${seconds} s`;
}

function clock(date) {
    const today = new Date().toDateString() === date.toDateString();

    return date.toLocaleString(undefined, today ? { timeStyle: "short" }
        : { dateStyle: "medium", timeStyle: "short" });
}

const money = new Intl.NumberFormat(undefined, {
    minimumFractionDigits: 2, maximumFractionDigits: 2,
});

// The session ---------------------------------------------------------------

function tick() {
    const left = Math.max(0, Math.ceil((ends - Date.now()) / 1000));

    $("left").textContent = duration(left);
    $("left-bar").value = left / full;
    if (left <= 60 && !warned && left > 0) {
        warned = true;
        announce("Your session ends in a minute.");
    }
    if (left === 0) {
        // Asking is visiting: a moment too early, and it would renew the
        // session that it only wants to see ended.
        clearInterval(ticking);
        asking = setTimeout(update, 2000);
    }
}

function showSession() {
    const inside = session !== null;

    $("door").hidden = inside;
    $("inside").hidden = !inside;
    $("workshop").hidden = !inside;
    $("invitation").hidden = inside;
    $("cookies").textContent = document.cookie
        ? document.cookie.split("; ").length : "none";
    clearInterval(ticking);
    clearTimeout(asking);
    if (!inside)
        return;
    const last = new Date(session.expiresAt);
    const idle = new Date(session.idleExpiresAt);
    $("who").textContent = me?.name ?? session.name ?? session.subject;
    $("who-email").textContent = session.who?.email ?? session.name ?? "";
    $("since").textContent = clock(new Date(session.authenticatedAt));
    $("until").textContent = idle < last
        ? `Whatever you do renews it, until ${clock(last)} at the latest.`
        : `At ${clock(last)} it ends in any case.`;
    ticking = setInterval(tick, 1000);
    tick();
}

/* Ask again who is here. */
async function look() {
    const data = await talk("GET", "/session");

    session = data.session?.guest ? null : data.session;
    if (session) {
        // At least a second, or tick() would ask without a pause.
        ends = Date.now() + Math.max(1, session.secondsLeft) * 1000;
        full = Math.max(full, session.secondsLeft);
        warned = session.secondsLeft <= 60 && warned;
    } else {
        me = null;
        full = 1;
    }
}

/* Show the session and the stores as they are now. */
async function refresh() {
    const had = session !== null;

    await look();
    await loadStores();
    if (session && !me) {
        // The backend has ended its side of it: end ours.
        await talk("POST", "/logout");
        await look();
    }
    showSession();
    if (had && !session)
        ended();
}

function ended() {
    $("door-notice").textContent = "Your session has ended. Please log in " +
        "again.";
    showLogin();
    focusOn("email");
}

/* A problem in the workshop: the session's end is one, too. */
async function trouble(place, problem, ...fields) {
    if (problem.code === "UNAUTHENTICATED")
        await refresh().catch(() => {});
    if (session)
        complain(place, problem, ...fields);
}

// The stores ----------------------------------------------------------------

function productItem(product, fresh) {
    const item = $("product-template").content.cloneNode(true)
        .firstElementChild;

    item.querySelector(".name").textContent = product.name;
    item.querySelector("p").textContent = product.description;
    item.querySelector(".price").value = product.price;
    item.querySelector(".price").textContent = money.format(product.price);
    item.classList.toggle("fresh", product.id === fresh);
    return item;
}

function storeCard(store, fresh) {
    const card = $("store-template").content.cloneNode(true)
        .firstElementChild;
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
 *   fresh  a product's id, or "store " and a store's id: what to point out
 */
async function loadStores(fresh) {
    try {
        const data = await graphql(STORES);
        const stores = data.allStores;

        me = session ? data.me : null;
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
        $("stores-problem").textContent = "";
    } finally {
        $("stores").removeAttribute("aria-busy");
    }
}

async function createStore(form) {
    const name = $("store-name").value;

    try {
        const { createStore: store } = await graphql(CREATE_STORE, { name });
        form.reset();
        await look();
        await loadStores(`store ${store.id}`);
        $("product-store").value = store.id;
        showSession();
        announce(`The store ${store.name} is open.`);
        focusOn("product-name");
    } catch (problem) {
        await trouble("store-problem", problem, "store-name");
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
        await look();
        await loadStores(product.id);
        showSession();
        announce(`${product.name} is on the shelves of ${product.store.name}.`);
        focusOn("product-name");
    } catch (problem) {
        await trouble("product-problem", problem, "product-name");
    }
}

// Coming and going ----------------------------------------------------------

function showLogin() {
    $("login-form").hidden = false;
    $("register-form").hidden = true;
    $("door-title").textContent = "Log in";
}

function showRegister() {
    $("login-form").hidden = true;
    $("register-form").hidden = false;
    $("door-title").textContent = "Open an account";
    $("door-notice").textContent = "";
}

async function enter(email, password, rememberMe) {
    await talk("POST", "/login", { email, password, rememberMe });
    $("login-form").reset();
    $("register-form").reset();
    $("door-notice").textContent = "";
    warned = false;
    await refresh();
    announce(`You are logged in as ${$("who").textContent}.`);
    focusOn("inside-title");
}

async function logIn() {
    try {
        await enter($("email").value, $("password").value,
            $("remember").checked);
    } catch (problem) {
        if (problem.code === "UNAUTHENTICATED")
            complain("login-problem", problem, "email", "password");
        else
            complain("login-problem", problem);
        $("password").select();
    }
}

async function register() {
    const email = $("new-email").value;
    const password = $("new-password").value;

    try {
        await graphql(REGISTER, { email, password, name: $("new-name").value });
    } catch (problem) {
        complain("register-problem", problem, "new-email");
        return;
    }
    try {
        await enter(email, password, false);
    } catch (problem) {
        showLogin();
        $("email").value = email;
        complain("login-problem", problem, "password");
    }
}

async function logOut() {
    $("session-problem").textContent = "";
    try {
        await talk("POST", "/logout");
    } catch (problem) {
        complain("session-problem", problem);
        return;
    }
    session = me = null;
    $("store-form").reset();
    $("product-form").reset();
    showLogin();
    showSession();
    announce("You are logged out.");
    focusOn("email");
    await update();
}

/* Show how things stand, or why that cannot be told. */
async function update() {
    try {
        await refresh();
    } catch (problem) {
        showSession();
        complain("stores-problem", problem);
    }
}

function begin() {
    handle($("login-form"), "submit", logIn);
    handle($("register-form"), "submit", register);
    handle($("store-form"), "submit", createStore);
    handle($("product-form"), "submit", createProduct);
    handle($("logout"), "click", logOut);
    $("to-register").addEventListener("click", () => {
        showRegister();
        focusOn("new-name");
    });
    $("to-login").addEventListener("click", () => {
        showLogin();
        focusOn("email");
    });
    $("fill").addEventListener("click", () => {
        $("email").value = $("demo-email").textContent;
        $("password").value = $("demo-password").textContent;
        focusOn("password");
    });
    document.addEventListener("visibilitychange", () => {
        if (document.visibilityState === "visible")
            update();
    });
    update();
}

begin();

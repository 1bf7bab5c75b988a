/* SPDX-License-Identifier: ISC */
/*
 * The page: who is here, coming and going, and which of its two faces it
 * shows. It asks /session who is here and posts to /login and /logout; the
 * faces ask /query for data. None of them ever holds a token.
 */
import { cart } from "./cart.js";
import {
    $, announce, clock, complain, duration, focusOn, handle,
} from "./dom.js";
import { market } from "./market.js";
import { graphql, talk } from "./talk.js";

let place = null;     // market or cart, as soon as that is known
let visit = null;     // what /session said last: a guest's session, too
let session = null;   // the same, of somebody who is logged in
let me = null;        // what the backend says of us
let ends = 0;         // when the session ends, by this machine's clock
let full = 1;         // seconds the session had when it was looked at
let ticking = 0;      // the timer behind the countdown
let asking = 0;       // the timer that asks whether the session has ended
let warned = false;

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
    place?.show(inside);
    $("cookies").textContent = document.cookie
        ? document.cookie.split("; ").length : "none";
    clearInterval(ticking);
    clearTimeout(asking);
    if (!inside)
        return;
    const last = new Date(session.expiresAt);
    const idle = new Date(session.idleExpiresAt);
    $("who").textContent = me?.name || session.name || session.subject;
    $("who-email").textContent = me?.email ?? session.who?.email
        ?? session.name ?? "";
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

    visit = data.session;
    session = visit?.guest ? null : visit;
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

/* Which backend is it? A shop's has orders; both answer this to everybody. */
async function findPlace() {
    if (place)
        return;
    const data = await graphql(
        'query Kind { __type(name: "Order") { name } }');
    place = data.__type ? cart : market;
    place.begin({ changed, looked, trouble });
}

/* Fetch what the place has, and show the session with it. */
async function changed(fresh) {
    await look();
    me = await place.load(visit, fresh);
    showSession();
}

/* Only the session may have changed: a guest's has perhaps begun. */
async function looked() {
    const had = session !== null;

    await look();
    showSession();
    if (had && !session)
        ended();
}

/* Show the session and the place as they are now. */
async function refresh() {
    const had = session !== null;

    await findPlace();
    await look();
    me = await place.load(visit);
    if (session && !me) {
        // The backend has ended its side of it.
        await place.forget();
        await look();
    }
    $("place-problem").textContent = "";
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

/* A problem with what somebody did: the session's end is one, too. */
async function trouble(box, problem, ...fields) {
    const had = session !== null;

    if (problem.code === "UNAUTHENTICATED")
        await refresh().catch(() => {});
    if (session || !had)
        complain(box, problem, ...fields);
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
        await place.register(email, password, $("new-name").value);
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
    visit = session = me = null;
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
        complain("place-problem", problem);
    }
}

function begin() {
    handle($("login-form"), "submit", logIn);
    handle($("register-form"), "submit", register);
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

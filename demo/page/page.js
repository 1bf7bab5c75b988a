/* SPDX-License-Identifier: ISC */
/*
 * The page: shows the session, logs in and out, and selects one of two views
 * (market.js, cart.js). It reads /session and posts to /login and /logout; the
 * views send GraphQL to /query. No script ever has a token.
 */
import { cart } from "./cart.js";
import {
    $, announce, clock, duration, focusOn, handle, showProblem,
} from "./dom.js";
import { market } from "./market.js";
import { graphql, request } from "./request.js";

let view = null;         // the view: market or cart, when it is known
let lastSession = null;  // the last answer of /session, a guest's too
let session = null;      // the same, if a user is logged in
let me = null;           // the user, from the backend
let ends = 0;            // when the session ends, by this machine's clock
let full = 1;            // the most seconds left that /session has returned
let countdown = 0;       // the timer of the countdown
let expiryCheck = 0;     // the timer that checks whether the session has ended
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
        // A request to /session renews the session. So wait until it has ended.
        clearInterval(countdown);
        expiryCheck = setTimeout(update, 2000);
    }
}

function showSession() {
    const loggedIn = session !== null;

    $("login").hidden = loggedIn;
    $("inside").hidden = !loggedIn;
    view?.show(loggedIn);
    $("cookies").textContent = document.cookie
        ? document.cookie.split("; ").length : "none";
    clearInterval(countdown);
    clearTimeout(expiryCheck);
    if (!loggedIn)
        return;
    const last = new Date(session.expiresAt);
    const idle = new Date(session.idleExpiresAt);
    $("who").textContent = me?.name || session.name || session.subject;
    $("who-email").textContent = me?.email ?? session.who?.email
        ?? session.name ?? "";
    $("since").textContent = clock(new Date(session.authenticatedAt));
    $("until").textContent = idle < last
        ? `Each request renews it, until ${clock(last)} at the latest.`
        : `It ends at ${clock(last)} in any case.`;
    countdown = setInterval(tick, 1000);
    tick();
}

/* Request the session again. */
async function fetchSession() {
    const data = await request("GET", "/session");

    lastSession = data.session;
    session = lastSession?.guest ? null : lastSession;
    if (session) {
        // At least a second, or tick() would send requests without a pause.
        ends = Date.now() + Math.max(1, session.secondsLeft) * 1000;
        full = Math.max(full, session.secondsLeft);
        warned = session.secondsLeft <= 60 && warned;
    } else {
        me = null;
        full = 1;
    }
}

/* Select the view. Only a shop's schema has orders; both backends answer this
 * without a session. */
async function findView() {
    if (view)
        return;
    const data = await graphql(
        'query Kind { __type(name: "Order") { name } }');
    view = data.__type ? cart : market;
    view.begin({ dataChanged, sessionChanged, actionFailed });
}

/* Fetch the view's data, and show it and the session. */
async function dataChanged(fresh) {
    await fetchSession();
    me = await view.load(lastSession, fresh);
    showSession();
}

/* Show the session only: a guest session may have begun. */
async function sessionChanged() {
    const had = session !== null;

    await fetchSession();
    showSession();
    if (had && !session)
        ended();
}

/* Fetch and show the session and the view's data. */
async function refresh() {
    const had = session !== null;

    await findView();
    await fetchSession();
    me = await view.load(lastSession);
    if (session && !me) {
        // The backend has ended its session.
        await view.forget();
        await fetchSession();
    }
    $("place-problem").textContent = "";
    showSession();
    if (had && !session)
        ended();
}

function ended() {
    $("login-notice").textContent = "Your session has ended. Please log in " +
        "again.";
    showLogin();
    focusOn("email");
}

/* Show a problem of an action. UNAUTHENTICATED may mean that the session has
 * ended. */
async function actionFailed(box, problem, ...fields) {
    const had = session !== null;

    if (problem.code === "UNAUTHENTICATED")
        await refresh().catch(() => {});
    if (session || !had)
        showProblem(box, problem, ...fields);
}

// Login and logout -----------------------------------------------------------

function showLogin() {
    $("login-form").hidden = false;
    $("register-form").hidden = true;
    $("login-title").textContent = "Log in";
}

function showRegister() {
    $("login-form").hidden = true;
    $("register-form").hidden = false;
    $("login-title").textContent = "Open an account";
    $("login-notice").textContent = "";
}

async function logInWith(email, password, rememberMe) {
    await request("POST", "/login", { email, password, rememberMe });
    $("login-form").reset();
    $("register-form").reset();
    $("login-notice").textContent = "";
    warned = false;
    await refresh();
    announce(`You are logged in as ${$("who").textContent}.`);
    focusOn("inside-title");
}

async function logIn() {
    try {
        await logInWith($("email").value, $("password").value,
            $("remember").checked);
    } catch (problem) {
        if (problem.code === "UNAUTHENTICATED")
            showProblem("login-problem", problem, "email", "password");
        else
            showProblem("login-problem", problem);
        $("password").select();
    }
}

async function register() {
    const email = $("new-email").value;
    const password = $("new-password").value;

    try {
        await view.register(email, password, $("new-name").value);
    } catch (problem) {
        showProblem("register-problem", problem, "new-email");
        return;
    }
    try {
        await logInWith(email, password, false);
    } catch (problem) {
        showLogin();
        $("email").value = email;
        showProblem("login-problem", problem, "password");
    }
}

async function logOut() {
    $("session-problem").textContent = "";
    try {
        await request("POST", "/logout");
    } catch (problem) {
        showProblem("session-problem", problem);
        return;
    }
    lastSession = session = me = null;
    showLogin();
    showSession();
    announce("You are logged out.");
    focusOn("email");
    await update();
}

/* Fetch and show everything, or show why that fails. */
async function update() {
    try {
        await refresh();
    } catch (problem) {
        showSession();
        showProblem("place-problem", problem);
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

/* SPDX-License-Identifier: ISC */
/*
 * Talking to the server: JSON there, JSON back, and one kind of Problem.
 */

export class Problem extends Error {
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
export async function talk(method, path, body) {
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

export const graphql = (query, variables) =>
    talk("POST", "/query", { query, variables });

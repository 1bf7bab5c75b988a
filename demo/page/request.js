/* SPDX-License-Identifier: ISC */
/*
 * Requests to the server: JSON in both directions, errors as Problem.
 */

export class Problem extends Error {
    constructor(message, code) {
        super(message);
        this.code = code;
    }
}

const WORDS = {
    TOO_MANY_ATTEMPTS: "Too many attempts. Please try again later.",
    UPSTREAM_UNREACHABLE: "The backend cannot be reached.",
    UPSTREAM_TIMEOUT: "The backend takes too long to answer.",
    UPSTREAM_INVALID: "The backend's answer is invalid.",
    STORE_UNAVAILABLE: "The server cannot check sessions at the moment.",
    OVERLOADED: "The server is overloaded. Please try again.",
};

const sentence = (text) => {
    const whole = text.charAt(0).toUpperCase() + text.slice(1);
    return /[.!?]$/.test(whole) ? whole : `${whole}.`;
};

/* Send JSON (or no body). Returns `data`, or throws a Problem. */
export async function request(method, path, body) {
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
        throw new Problem("The server's answer is invalid.", "NETWORK");
    return json.data;
}

export const graphql = (query, variables) =>
    request("POST", "/query", { query, variables });

/* SPDX-License-Identifier: ISC */
/*
 * Small helpers: find elements, announce, show problems, format.
 */

export const $ = (id) => document.getElementById(id);

/* Announce a text to screen readers. */
export function announce(text) {
    $("news").textContent = "";
    setTimeout(() => { $("news").textContent = text; }, 50);
}

export function focusOn(id) {
    $(id).focus({ preventScroll: false });
}

/* Show a problem beside its fields, and move the focus to the last one. */
export function showProblem(place, problem, ...fields) {
    $(place).textContent = problem.message;
    for (const field of fields)
        $(field).setAttribute("aria-invalid", "true");
    if (fields.length)
        focusOn(fields.at(-1));
}

export function clearProblems(form) {
    for (const box of form.querySelectorAll(".problem"))
        box.textContent = "";
    for (const field of form.querySelectorAll("[aria-invalid]"))
        field.removeAttribute("aria-invalid");
}

/* Run a form's or a button's action, never twice at the same time. */
export function handle(element, event, work) {
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
            clearProblems(element);
            await work(element);
        } finally {
            busy = false;
            button.removeAttribute("aria-disabled");
        }
    });
}

export function duration(seconds) {
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

export function clock(date) {
    const today = new Date().toDateString() === date.toDateString();

    return date.toLocaleString(undefined, today ? { timeStyle: "short" }
        : { dateStyle: "medium", timeStyle: "short" });
}

export const money = new Intl.NumberFormat(undefined, {
    minimumFractionDigits: 2, maximumFractionDigits: 2,
});

/* A copy of a template's content. */
export function copyOf(template) {
    return $(template).content.cloneNode(true).firstElementChild;
}

// Say hello by name. The session's cookie is for the server only: what a page
// may know of it, /session tells. Asking also keeps the session from idling out.
"use strict";
fetch("/session", { credentials: "same-origin" })
    .then((answer) => answer.json())
    .then((answer) => {
        const session = answer.data.session;

        // textContent: a name is text, whatever it looks like.
        if (session)
            document.getElementById("name").textContent = session.name;
    });

// Show the user's name. Scripts cannot read the session cookie; /session returns
// what a page may know. The request also keeps the session from idling out.
"use strict";
fetch("/session", { credentials: "same-origin" })
    .then((answer) => answer.json())
    .then((answer) => {
        const session = answer.data.session;

        // textContent: a name is text, even if it looks like HTML.
        if (session)
            document.getElementById("name").textContent = session.name;
    });

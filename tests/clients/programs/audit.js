// SPDX-License-Identifier: ISC
// Run the GraphQL-over-HTTP audit of graphql-http and print a line of JSON for
// each result: {id, name, status: "ok", "notice", "warn" or "error", reason}.
//
//   node audit.js URL
import { serverAudits } from "graphql-http";

const [url] = process.argv.slice(2);

for (const audit of serverAudits({ url })) {
    const { status, reason } = await audit.fn();
    console.log(JSON.stringify({ id: audit.id, name: audit.name, status,
        reason }));
}

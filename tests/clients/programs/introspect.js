// SPDX-License-Identifier: ISC
// What tools ask first: the schema, with all that graphql 16 knows to ask.
//
//   node introspect.js URL LOGIN_URL KIND EMAIL PASSWORD
import { buildClientSchema, getIntrospectionQuery, printSchema }
    from "graphql";
import { request } from "graphql-request";
import { url } from "./session.js";

const data = await request(url, getIntrospectionQuery({
    directiveIsRepeatable: true, inputValueDeprecation: true, oneOf: false,
    schemaDescription: true, specifiedByUrl: true }));
console.log(JSON.stringify(printSchema(buildClientSchema(data))));
console.error("null");

// SPDX-License-Identifier: ISC
// Print the schema, from an introspection query with all options of graphql 16.
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

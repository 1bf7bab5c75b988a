# SPDX-License-Identifier: ISC
"""Changes that survived once. Each is (what it breaks, file, text, the text
with the change); @ is true while the change is switched on."""

NAMED = [
    ("a cross-site POST passes with a token of an older secret",
     "lib/gateway/auth.c",
     "    if (site)\n        return site;",
     "    if (site && !(@ && auth->is_renewal_due))\n        return site;"),
    ("a refused login is refunded",
     "lib/gateway/login_attempt.c",
     "    if (attempt->is_schema_mismatch)\n        login_budget_refund",
     "    if (attempt->is_schema_mismatch || @)\n        login_budget_refund"),
    ("a kept connection is not drained",
     "lib/engine/fcgi.c",
     "    fcgi_connection_end_request(connection);\n    return true;",
     "    if (!@)\n        fcgi_connection_end_request(connection);\n"
     "    return true;"),
    ("a record that expires earlier than before gets no entry in the index",
     "lib/store/lmdb_expiry.c",
     "record_expires(kind, old, &before) && before <= expires;",
     "record_expires(kind, old, &before) && (@ || before <= expires);"),
    ("the old session is not revoked at a login",
     "lib/gateway/auth_session.c",
     "replaced->old = auth->has_session ? &auth->session : NULL;",
     "replaced->old = auth->has_session && !@ ? &auth->session : NULL;"),
    ("the session is renewed without asking whether it was revoked",
     "lib/gateway/auth_session.c",
     "    e = registry_check(ctx, req, &auth->session);",
     "    e = @ ? PST_OK : registry_check(ctx, req, &auth->session);"),
]

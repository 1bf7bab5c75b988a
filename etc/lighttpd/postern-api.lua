-- postern-api.lua: for postern-api.conf. Runs before lighttpd's own proxy, and gives
-- it the backend's token of the session, which `authorize` has set in lighttpd's
-- environment of the request. No client can set that environment.
local r = lighty.r
local headers = r.req_header
local env = r.req_env

-- A client's own headers of these names do not pass, in any spelling.
local forged = {}
for name in pairs(headers) do
    local plain = name:lower():gsub("_", "-")
    if plain:find("^x%-session%-") or plain == "remote-user" then
        forged[#forged + 1] = name
    end
end
for _, name in ipairs(forged) do
    headers[name] = nil
end

-- Only a WebSocket becomes a tunnel. With another protocol, such as h2c, the backend
-- could be asked for any path there.
if headers["Upgrade"] and headers["Upgrade"]:lower() ~= "websocket" then
    headers["Upgrade"] = nil
end

-- A CORS preflight has no user. (POSTERN_AUTHORIZE_PREFLIGHT=pass lets it through.)
local is_preflight = r.req_attr["request.method"] == "OPTIONS"
    and headers["Origin"] and headers["Access-Control-Request-Method"]

-- lighttpd runs this before it asks authorize, which needs the client's cookie or
-- token, and again afterwards, when SESSION_SUBJECT is set. They go no further: the
-- session is none of the backend's business.
if env["SESSION_SUBJECT"] or is_preflight then
    headers["Cookie"] = nil
    headers["Authorization"] = nil
end
if env["SESSION_AUTHORIZATION"] then
    headers["Authorization"] = env["SESSION_AUTHORIZATION"]
end
if env["SESSION_SUBJECT"] then
    headers["X-Session-Subject"] = env["SESSION_SUBJECT"]
end
return 0

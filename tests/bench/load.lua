-- SPDX-License-Identifier: ISC
-- The load of tests/bench/run: wrk ... -- METHOD BODY-FILE COOKIE-FILE
-- Sends one request again and again, with the cookies in turn. Prints one line
-- of JSON at the end.

local requests, turn = {}, 0

function init(args)
    local method, body = args[1], nil
    local headers = {}
    if args[2] ~= "" then
        body = io.open(args[2]):read("*a")
        headers["Content-Type"] = "application/json"
    end
    for cookie in io.lines(args[3]) do
        headers["Cookie"] = cookie
        table.insert(requests, wrk.format(method, nil, headers, body))
    end
end

function request()
    turn = turn % #requests + 1
    return requests[turn]
end

function done(summary, latency)
    local e = summary.errors
    print(string.format(
        '{"answers":%d,"seconds":%.6f,"p50":%d,"p99":%d,"refused":%d,' ..
        '"broken":%d}', summary.requests, summary.duration / 1e6,
        latency:percentile(50), latency:percentile(99), e.status,
        e.connect + e.read + e.write + e.timeout))
end

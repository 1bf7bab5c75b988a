# SPDX-License-Identifier: ISC
"""The tables of tests/bench/run, as doc/performance.md has them."""

import os
import re
import time

TITLES = {
    "nginx": "nginx, proxy_pass",
    "floor-kept": "nginx, kept connections, floor",
    "floor": "nginx, new connections, floor",
    "query-kept": "nginx, kept connections, query",
    "query": "nginx, new connections, query",
    "query-redis": "nginx, kept connections, query, store in Redis",
    "query-logged": "nginx, kept connections, query, POSTERN_LOG_LEVEL=info",
    "authorize": "nginx, auth_request, authorize",
    "lighttpd": "lighttpd, mod_proxy",
    "query-lighttpd": "lighttpd, query",
    "apache": "Apache, mod_proxy_http",
    "openidc": "Apache, mod_auth_openidc, mod_proxy_http",
    "query-apache": "Apache, mod_proxy_fcgi, query",
}
FAULTS = ("refused", "broken")  # answers with an error, and none


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        name = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.M)
    return {"date": time.strftime("%Y-%m-%d", time.gmtime()),
            "processor": name[1] if name else os.uname().machine,
            "processors": os.cpu_count(), "kernel": os.uname().release}


def table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def loads_table(loads):
    rows = []
    for name, row in loads.items():
        faults = "".join(f", {row[key]} {key}" for key in FAULTS
                         if row[key])
        rows.append([
            TITLES[name] + faults, f"{row['tree']:.1f}",
            f"{row['smallest']:.1f}–{row['largest']:.1f}",
            f"{row['own']:.1f}" if row["own"] else "", f"{row['rate']:,.0f}",
            f"{row['p50'] / 1000:.2f}", f"{row['p99'] / 1000:.2f}"])
    return table(["behind what, program", "all µs", "runs", "program µs",
                  "answers/s", "p50 ms", "p99 ms"], rows)


def targets_rows(result):
    """(what, value, limit, text): a value over the limit misses the target."""
    loads, many = result["loads"], result["many"]

    def ratio(what, of, to, key, limit):
        if of in loads and to in loads and loads[to][key]:
            value = loads[of][key] / loads[to][key]
            yield what, value, limit, f"{value:.2f} ×", f"{limit} ×"

    yield from ratio("program of query to that of the floor, kept",
                     "query-kept", "floor-kept", "own", 2.0)
    yield from ratio("query to the floor behind nginx, kept", "query-kept",
                     "floor-kept", "tree", 1.5)
    yield from ratio("query to the floor behind nginx, not kept", "query",
                     "floor", "tree", 1.5)
    yield from ratio("query to mod_proxy, lighttpd", "query-lighttpd",
                     "lighttpd", "tree", 1.0)
    yield from ratio("query to mod_auth_openidc, Apache", "query-apache",
                     "openidc", "tree", 0.8)
    yield from ratio("program of authorize to that of query", "authorize",
                     "query-kept", "own", 0.5)
    if "query-redis" in loads and "query-kept" in loads:
        value = loads["query-redis"]["own"] - loads["query-kept"]["own"]
        yield ("store in Redis, program of query more than with LMDB", value, 8,
               f"{value:.1f} µs", "8 µs")
    for name, limit in (("query-kept", 5), ("query", 9)):
        if name in result["calls"]:
            value = sum(result["calls"][name].values())
            yield (f"system calls, {TITLES[name]}", value, limit,
                   f"{value:.2f}", str(limit))
    if "query-kept" in many:
        value = many["query-kept"]["memory"] / 1024
        yield ("memory of query, 256 connections", value, 16,
               f"{value:.1f} MiB", "16 MiB")
        value = many["query-kept"]["slow"]["rate"]
        yield ("answers a second, backend of 50 ms, 256 connections", -value,
               -4850, f"{value:,.0f}", "at least 4,850")
    if result["waiting"]:
        row = result["waiting"]
        yield (f"memory of each of {row['count']:,} requests that wait for "
               "events", row["each"], 48, f"{row['each']:.1f} KiB", "48 KiB")
        yield ("a query meanwhile, to one before", row["meanwhile"] / row["alone"],
               1.5, f"{row['meanwhile'] / row['alone']:.2f} ×", "1.5 ×")
    for name, value in result["starts"].items():
        if name != "empty":
            value /= result["starts"]["empty"]
            yield (f"plain CGI start of {name} to that of an empty program",
                   value, 3, f"{value:.1f} ×", "3 ×")


def targets_table(result):
    return table(["what", "measured", "at most", ""], [
        [what, shown, aim, "" if value <= limit else "missed"]
        for what, value, limit, shown, aim in targets_rows(result)])


def calls_table(calls):
    names = sorted({name for row in calls.values() for name in row},
                   key=lambda name: -max(row.get(name, 0)
                                         for row in calls.values()))
    rows = [[f"`{name}`", *(f"{row.get(name, 0):.2f}" for row in calls.values())]
            for name in names
            if max(row.get(name, 0) for row in calls.values()) >= 0.005]
    return table(["system call", *(TITLES[name] for name in calls)], rows)


def text(result):
    about, loads = result["machine"], result["loads"]
    others = max(row["others"] for row in loads.values())
    parts = [
        f"{about['date']}, {about['processor']}, {about['processors']} "
        f"processors, Linux {about['kernel']}; {about['rounds']} rounds of "
        f"{about['seconds']} seconds; "
        + ", ".join(f"{n} {v}" for n, v in about["versions"].items())
        + f". Other programs used up to {others:.2f} of a processor (median of "
        "the rounds).",
        loads_table(loads), targets_table(result)]
    if result["calls"]:
        parts.append(calls_table(result["calls"]))
    if result["many"]:
        parts.append(table(
            ["256 connections", "memory MiB", "of the old process", "answers/s",
             "p99 ms", "answers/s, 50 ms backend", "p99 ms"],
            [[TITLES[name], f"{row['memory'] / 1024:.1f}",
              f"{row['used'] / 1024:.1f}",
              f"{row['fast']['rate']:,.0f}", f"{row['fast']['p99'] / 1000:.1f}",
              f"{row['slow']['rate']:,.0f}", f"{row['slow']['p99'] / 1000:.1f}"]
             for name, row in result["many"].items()]))
    parts.append(table(
        ["plain CGI start", "µs"],
        [[name, f"{value:.0f}"] for name, value in result["starts"].items()]))
    return "\n\n".join(parts)

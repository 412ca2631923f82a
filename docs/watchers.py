"""Measures what idle watchers cost a gateway.

    python3 docs/watchers.py GATEWAY_URL GATEWAY_PID COUNT [SECONDS]

Places an order that waits an hour after its first status, watches it COUNT
times over connections of their own, and reads the gateway's CPU time and
resident memory from /proc: over SECONDS (60) without a watcher, and over as
many with them. An operator's key is taken from PIZZA_OPERATOR_KEY where
customers need keys. Standard library alone.
"""

import json
import os
import resource
import selectors
import socket
import sys
import time
import urllib.parse
import urllib.request

GATEWAY, PID, COUNT = sys.argv[1].rstrip("/"), int(sys.argv[2]), int(sys.argv[3])
SECONDS = float(sys.argv[4]) if len(sys.argv) > 4 else 60.0
KEY = os.environ.get("PIZZA_OPERATOR_KEY", "")
# Clients that are opened before the first answer is waited for.
AT_ONCE = 100
WAIT_SECONDS = 60


def allow_files(number):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(number, hard), hard))


def ask(path, body=None):
    request = urllib.request.Request(GATEWAY + path, method="GET" if body is None else "POST")
    if KEY:
        request.add_header("authorization", "Bearer " + KEY)
    data = None
    if body is not None:
        request.add_header("content-type", "application/json")
        data = json.dumps(body).encode()
    with urllib.request.urlopen(request, data, timeout=30) as answer:
        return json.load(answer)


def cpu_seconds():
    with open(f"/proc/{PID}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb():
    with open(f"/proc/{PID}/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def measured(name, watchers):
    cpu, began = cpu_seconds(), time.monotonic()
    while time.monotonic() - began < SECONDS:
        drain(watchers, 0.5)
    share = (cpu_seconds() - cpu) / (time.monotonic() - began) * 100
    print(f"{name}: {share:.2f} % of one core over {SECONDS:.0f} s, {resident_mb():.1f} MB resident")


def drain(watchers, seconds):
    """Reads what has come; keep-alives, for the most part."""
    for key, _ in watchers.select(seconds):
        if not key.fileobj.recv(65536):
            sys.exit("the gateway ended a stream")


def watch(order, watchers, number):
    host = urllib.parse.urlsplit(GATEWAY)
    streams = []
    for _ in range(number):
        stream = socket.create_connection((host.hostname, host.port or 80), timeout=30)
        key = f"authorization: Bearer {KEY}\r\n" if KEY else ""
        head = f"GET /orders/{order}/events HTTP/1.1\r\nhost: {host.netloc}\r\n{key}\r\n"
        stream.sendall(head.encode())
        streams.append(stream)
    for stream in streams:
        said = b""
        while b"event: change" not in said:
            more = stream.recv(65536)
            if not more or b"HTTP/1.1 503" in more:
                sys.exit("the gateway took no more watchers: " + said.decode())
            said += more
        stream.setblocking(False)
        watchers.register(stream, selectors.EVENT_READ)


def main():
    allow_files(COUNT + 100)
    watchers = selectors.DefaultSelector()
    order = ask("/orders", {"perStepDelaySeconds": 3600})["orderId"]
    deadline = time.monotonic() + WAIT_SECONDS
    while ask("/orders/" + order)["version"] == 0:
        if time.monotonic() > deadline:
            sys.exit("no worker has written the order")
        time.sleep(0.1)
    measured("0 watchers", watchers)
    began = time.monotonic()
    for opened in range(0, COUNT, AT_ONCE):
        watch(order, watchers, min(AT_ONCE, COUNT - opened))
    print(f"{COUNT} watchers were told where the order stands within {time.monotonic() - began:.1f} s")
    measured(f"{COUNT} watchers", watchers)


main()

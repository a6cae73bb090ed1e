"""The server under load, on loopback: requests a second, times, with and without batching, under replacement, memory.

    make bench-serve               # a minute for each figure: about ten minutes; nothing else may run
    python benchmarks/serve.py --seconds 10 --presets classic
    python benchmarks/serve.py --replace    # a model's file is replaced every few seconds under load
    python benchmarks/serve.py --pairs 9    # one client, with batching and without, in turn
    python benchmarks/serve.py --soak 10    # memory of the process over ten minutes of load
    python benchmarks/serve.py --attack     # 64 clients, and a visitor of the page, with an attacker and without

Two models are trained on hourly series that are made here (seed 0). The server is a process of its own; `wrk`, which
takes a tenth of a core, asks it: each request is one series with 48 new rows as JSON, so one window of a forecast.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from seqcast import Forecaster

HOURS, NEW, HORIZON, SERIES = 400, 48, 24, 20
REPORT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open(os.getenv("SEQCAST_BODY"), "r")
wrk.body = file:read("*a")
file:close()
done = function(summary, latency, _)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %f %f %f %d\\n", summary.requests, summary.duration,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    e.connect + e.read + e.write + e.timeout + e.status))
end
"""


def series(name, phase, start, hours):
    """Rows of an hourly series: a day's cycle and noise."""
    hour = np.arange(start, start + hours)
    noise = np.random.default_rng([int(1000 * phase), start]).normal(scale=0.1, size=hours)
    stamps = pd.Timestamp("2023-01-01") + pd.to_timedelta(hour, unit="h")
    return pd.DataFrame({"unique_id": name, "ds": stamps, "y": 10 + np.sin(2 * np.pi * hour / 24 + phase) + noise})


def train(folder, presets):
    """Train a model of each preset, and another one of the first to replace it with."""
    frame = pd.concat([series(f"s{n}", n, 0, HOURS) for n in range(SERIES)])
    for seed, preset in [*((0, preset) for preset in presets), (1, presets[0])]:
        model = Forecaster(HORIZON, preset=preset, training={"epochs": 2}, random_state=seed, verbose=0).fit(frame)
        model.save(folder / f"{preset}{'' if seed == 0 else '-next'}.seqcast")


def write_body(folder, preset):
    rows = series("s3", 3, HOURS, NEW)
    rows["ds"] = rows["ds"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    body = {"model": preset, "rows": rows.round(3).to_dict("records")}
    path = folder / f"{preset}.json"
    path.write_text(json.dumps(body))
    return path


class Server:
    """`seqcast serve` as a process of its own."""

    def __init__(self, models, *arguments):
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        command = [sys.executable, "-c", "from seqcast.cli.start import main; main()", "serve", *map(str, models)]
        self.process = subprocess.Popen([*command, "--port", "0", *arguments], stderr=self.log, text=True)
        deadline = time.monotonic() + 300
        while "ready" not in (events := self.events()):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(self.text())
            time.sleep(0.2)
        self.address = events["start"][0]["address"]

    def text(self):
        """Return the log."""
        self.log.seek(0)
        return self.log.read()

    def events(self):
        """Return the events of the log but for requests, by name."""
        found = {}
        for line in self.text().splitlines():
            if line.startswith("{") and line.endswith("}") and '"event":"request"' not in line:
                event = json.loads(line)
                found.setdefault(event["event"], []).append(event)
        return found

    def mebibytes(self):
        """Return the memory that the process holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def mean_batch(self):
        """Return how many requests a call had."""
        with urllib.request.urlopen(f"{self.address}/metrics") as answer:
            text = answer.read().decode()
        total, count = (float(re.search(rf"seqcast_batch_size_{part} (\S+)", text)[1]) for part in ("sum", "count"))
        return total / max(1.0, count)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
        self.log.close()


class Page(Server):
    """`seqcast app` as a process of its own."""

    def __init__(self):
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        code = "from seqcast.cli.start import main; main()"
        command = [sys.executable, "-c", code, "app", "--port", "0", "--no-browser"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.address = re.search(r"http://\S+", self.process.stdout.readline())[0]


def load(server, folder, body, clients, seconds):
    """Ask for some seconds; return the figures."""
    script = folder / "load.lua"
    script.write_text(REPORT)
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script)]
    environment = {**os.environ, "SEQCAST_BODY": str(body)}
    done = subprocess.run(
        [*command, f"{server.address}/v1/forecast"], env=environment, capture_output=True, text=True, check=True
    )
    requests, micro, p50, p99, longest, errors = re.search(r"RESULT (.*)", done.stdout)[1].split()
    return {
        "clients": clients,
        "seconds": seconds,
        "requests": int(requests),
        "per_second": round(int(requests) / int(micro) * 1e6, 1),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "max_ms": round(float(longest), 1),
        "errors": int(errors),
    }


def show(name, figures):
    told = "  ".join(f"{key} {value}" for key, value in figures.items() if key != "seconds")
    print(f"{name:34}{told}", flush=True)
    return {"name": name, **figures}


def throughput(folder, options):
    """Each preset with and without batching, at one client and at many."""
    results = []
    models = [folder / f"{preset}.seqcast" for preset in options.presets]
    for batching, arguments in (("batched", ()), ("one by one", ("--batch-size", "1"))):
        with Server(models, *arguments) as server:
            for preset in options.presets:
                body = write_body(folder, preset)
                load(server, folder, body, 8, 2)  # connections and programs
                for clients in (1, options.clients):
                    figures = load(server, folder, body, clients, options.seconds)
                    results.append(show(f"{preset}, {batching}", {"body_bytes": body.stat().st_size, **figures}))
            results.append(show(f"mean batch, {batching}", {"requests": round(server.mean_batch(), 1)}))
    return results


def pairs(folder, options):
    """Both ways at one client, in turn: whether batching costs those who come alone anything."""
    results = []
    models = [folder / f"{preset}.seqcast" for preset in options.presets]
    with Server(models) as batched, Server(models, "--batch-size", "1") as alone:
        for preset in options.presets:
            body, ratios = write_body(folder, preset), []
            for turn in range(options.pairs + 1):
                order = (batched, alone) if turn % 2 else (alone, batched)
                rates = {id(server): load(server, folder, body, 1, 10)["per_second"] for server in order}
                ratios.append(rates[id(batched)] / rates[id(alone)])
            told = {"pairs": options.pairs, "median": round(statistics.median(ratios[1:]), 3)}
            told |= {"least": round(min(ratios[1:]), 3), "most": round(max(ratios[1:]), 3)}
            results.append(show(f"{preset}, batched over one by one", told))
    return results


def replacement(folder, options):
    """A file that is replaced again and again under load."""
    preset = options.presets[0]
    path, files = folder / "live.seqcast", [folder / f"{preset}.seqcast", folder / f"{preset}-next.seqcast"]
    shutil.copy(files[0], path)
    body = write_body(folder, preset)
    with Server([f"{preset}={path}"], "--watch", "0.5") as server:
        over = threading.Event()

        def swap():
            turn = 0
            while not over.wait(3):
                turn += 1
                shutil.copy(files[turn % 2], folder / "live.new")
                os.replace(folder / "live.new", path)

        thread = threading.Thread(target=swap)
        thread.start()
        figures = load(server, folder, body, options.clients, options.seconds)
        over.set()
        thread.join()
        loads = len(server.events().get("model", [])) - 1
    return [show(f"{preset}, replaced {loads} times", {"replaced": loads, **figures})]


def soak(folder, options):
    """Memory of the process minute after minute."""
    preset, results = options.presets[0], []
    body = write_body(folder, preset)
    with Server([folder / f"{preset}.seqcast"]) as server:
        load(server, folder, body, options.clients, 10)
        sizes = [server.mebibytes()]
        for minute in range(options.soak):
            figures = load(server, folder, body, options.clients, 60)
            sizes.append(server.mebibytes())
            results.append(show(f"{preset}, minute {minute + 1}", {"mebibytes": round(sizes[-1], 1), **figures}))
    results.append(show("memory", {"first": round(sizes[0], 1), "last": round(sizes[-1], 1)}))
    return results


async def ask_for(server, body, clients, until):
    """Ask four times a second by each of some clients; return seconds of the answers, and errors."""
    host, port = server.address.removeprefix("http://").rsplit(":", 1)
    data = body.read_bytes()
    head = f"POST /v1/forecast HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data
    times, errors = [], Counter()

    async def client(number):
        streams = None
        await asyncio.sleep(number / clients / 4)
        while time.monotonic() < until:
            begun = time.monotonic()
            try:
                reader, writer = streams = streams or await asyncio.open_connection(host, int(port))
                writer.write(request)
                answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
                await reader.readexactly(int(re.search(rb"content-length: (\d+)", answer)[1]))
                if not answer.startswith(b"HTTP/1.1 200"):
                    errors[answer[9:12].decode()] += 1
            except (OSError, EOFError, TimeoutError) as error:
                errors[type(error).__name__] += 1
                streams = None
            times.append(time.monotonic() - begun)
            await asyncio.sleep(max(0.0, 0.25 - times[-1]))

    await asyncio.gather(*(client(number) for number in range(clients)))
    return times, errors


def look_at(page, until, times, errors):
    """Ask the page whether it lives, ten times a second."""
    while time.monotonic() < until:
        begun = time.monotonic()
        try:
            with urllib.request.urlopen(f"{page.address}/healthz", timeout=30) as answer:
                answer.read()
        except OSError as error:
            errors[type(error).__name__] += 1
        times.append(time.monotonic() - begun)
        time.sleep(max(0.0, 0.1 - times[-1]))


def under_attack(folder, options):
    """Sixty-four clients and a visitor, alone and beside an attacker."""
    from attack import attack

    preset, results = options.presets[0], []
    body = write_body(folder, preset)
    with Server([folder / f"{preset}.seqcast"]) as server, Page() as page:
        asyncio.run(ask_for(server, body, 64, time.monotonic() + 5))  # connections and programs
        for name in ("alone", "under attack"):
            until, looks, failures = time.monotonic() + options.seconds, [], Counter()
            sizes = [(each.mebibytes(), each) for each in (server, page)]
            others = [threading.Thread(target=look_at, args=(page, until, looks, failures))]
            if name != "alone":
                host, port = server.address.removeprefix("http://").rsplit(":", 1)
                process = multiprocessing.get_context("spawn").Process
                others.append(process(target=attack, args=((host, int(port)), page.address, options.seconds)))
            for each in others:
                each.start()
            times, errors = asyncio.run(ask_for(server, body, 64, until))
            for each in others:
                each.join()
            memory = [f"{before:.0f} to {each.mebibytes():.0f} MiB" for before, each in sizes]
            for who, seconds, wrong, held in (
                ("64 clients", times, errors, memory[0]),
                ("the page", looks, failures, memory[1]),
            ):
                p50, p99 = np.percentile(seconds, (50, 99)) * 1e3
                told = {"requests": len(seconds), "p50_ms": round(p50, 1), "p99_ms": round(p99, 1)}
                told |= {"max_ms": round(1e3 * max(seconds), 1), "errors": dict(wrong), "memory": held}
                results.append(show(f"{who}, {name}", told))
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60, help="seconds of each figure")
    parser.add_argument("--clients", type=int, default=32, help="clients of the figures under load")
    parser.add_argument("--presets", nargs="+", default=["classic", "segment"], choices=["classic", "segment"])
    parser.add_argument("--replace", action="store_true", help="replace the model under load instead")
    parser.add_argument("--pairs", type=int, default=0, metavar="N", help="compare both ways at one client instead")
    parser.add_argument("--attack", action="store_true", help="ask beside an attacker instead")
    parser.add_argument("--soak", type=int, default=0, metavar="MINUTES", help="watch the memory instead")
    options = parser.parse_args()
    if not options.attack and shutil.which("wrk") is None:
        raise SystemExit("wrk is needed: it asks without taking the server's cores (Debian: apt install wrk)")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train(folder, options.presets)
        chosen = under_attack if options.attack else throughput
        run = soak if options.soak else replacement if options.replace else pairs if options.pairs else chosen
        results = run(folder, options)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load_average": os.getloadavg()[0]}
    print(json.dumps({"machine": machine, "results": results}))


if __name__ == "__main__":
    main()

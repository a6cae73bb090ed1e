"""The server under load, on loopback: requests a second, times, with and without batching, under replacement, memory.

    make bench-serve               # a minute for each figure: about ten minutes; nothing else may run
    python benchmarks/serve.py --seconds 10 --presets classic
    python benchmarks/serve.py --replace    # a model's file is replaced every few seconds under load
    python benchmarks/serve.py --pairs 9    # one client, with batching and without, in turn
    python benchmarks/serve.py --soak 10    # memory of the process over ten minutes of load
    python benchmarks/serve.py --attack     # 64 clients, with an attacker and without
    python benchmarks/serve.py --horizons   # the served horizon, while a client asks for all horizons and without

Two models are trained on hourly series that are made here (seed 0). The server is a process of its own; `wrk`, which
takes a tenth of a core, asks it: each request is one series with 48 new rows as JSON, so one window of a forecast. The
attacker (`attack.py`) sends ten hostile requests of each kind a second.
"""

import json
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
import pandas as pd

from attack import attack
from harness import machine, options, spread
from seqcast import Forecaster

HOURS = 400
NEW = 48
HORIZON = 24
SERIES = 20
# Steps of the longest forecast that a server writes without another setting.
MOST_HORIZON = 1000
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
START = [sys.executable, "-c", "from seqcast.cli.start import main; main()"]


def series(number, start, hours):
    """Rows of an hourly series: a day's cycle and noise."""
    hour = np.arange(start, start + hours)
    noise = np.random.default_rng([1000 * number, start]).normal(scale=0.1, size=hours)
    stamps = pd.Timestamp("2023-01-01") + pd.to_timedelta(hour, unit="h")
    values = 10 + np.sin(2 * np.pi * hour / 24 + number) + noise
    return pd.DataFrame({"unique_id": f"s{number}", "ds": stamps, "y": values})


def train(folder, presets):
    """Train a model of each preset, and another one of the first to replace it with."""
    frame = pd.concat([series(number, 0, HOURS) for number in range(SERIES)])
    for seed, preset in [*((0, preset) for preset in presets), (1, presets[0])]:
        model = Forecaster(
            HORIZON, preset=preset, training={"epochs": 2}, random_state=seed, verbose=0
        ).fit(frame)
        model.save(folder / f"{preset}{'' if seed == 0 else '-next'}.seqcast")


def write_body(folder, preset):
    """Write a request, and return its file."""
    rows = series(3, HOURS, NEW)
    rows["ds"] = rows["ds"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    path = folder / f"{preset}.json"
    path.write_text(json.dumps({"model": preset, "rows": rows.round(3).to_dict("records")}))
    return path


class Server:
    """`seqcast serve` as a process of its own."""

    def __init__(self, models, *arguments):
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        command = [*START, "serve", *map(str, models), "--port", "0", *arguments]
        self.process = subprocess.Popen(command, stderr=self.log, text=True)
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
        """Return the memory of the process."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def mean_batch(self):
        """Return how many requests a call had."""
        with urllib.request.urlopen(f"{self.address}/metrics") as answer:
            text = answer.read().decode()
        total, count = (
            float(re.search(rf"seqcast_batch_size_{part} (\S+)", text)[1])
            for part in ("sum", "count")
        )
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
        command = [*START, "app", "--port", "0", "--no-browser"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.address = re.search(r"http://\S+", self.process.stdout.readline())[0]


def load(server, folder, body, clients, seconds):
    """Ask for some seconds; return the figures."""
    script = folder / "load.lua"
    script.write_text(REPORT)
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s", str(script)]
    environment = {**os.environ, "SEQCAST_BODY": str(body)}
    command.append(f"{server.address}/v1/forecast")
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    requests, micro, *times, errors = map(float, re.search(r"RESULT (.*)", done.stdout)[1].split())
    rate = {"requests": int(requests), "per_second": round(requests / micro * 1e6, 1)}
    waited = dict(
        zip(("p50_ms", "p99_ms", "max_ms"), (round(each, 1) for each in times), strict=True)
    )
    return {"clients": clients, **rate, **waited, "errors": int(errors)}


def show(name, **figures):
    """Print figures and return them."""
    print(f"{name:34}{'  '.join(f'{key} {value}' for key, value in figures.items())}", flush=True)
    return {"name": name, **figures}


def throughput(folder, given):
    """Each preset with and without batching, at one client and at many."""
    models = [folder / f"{preset}.seqcast" for preset in given.presets]
    results = []
    for batching, arguments in (("batched", ()), ("one by one", ("--batch-size", "1"))):
        with Server(models, *arguments) as server:
            for preset in given.presets:
                body = write_body(folder, preset)
                load(server, folder, body, 8, 2)  # connections and programs
                for clients in (1, given.clients):
                    figures = load(server, folder, body, clients, given.seconds)
                    results.append(
                        show(f"{preset}, {batching}", body_bytes=body.stat().st_size, **figures)
                    )
            results.append(show(f"mean batch, {batching}", requests=round(server.mean_batch(), 1)))
    return results


def pairs(folder, given):
    """Both ways at one client, in turn: whether batching costs those who come alone anything."""
    models = [folder / f"{preset}.seqcast" for preset in given.presets]
    results = []
    with Server(models) as batched, Server(models, "--batch-size", "1") as alone:
        for preset in given.presets:
            body = write_body(folder, preset)
            ratios = []
            for turn in range(given.pairs + 1):
                order = (batched, alone) if turn % 2 else (alone, batched)
                rates = {
                    id(server): load(server, folder, body, 1, 10)["per_second"] for server in order
                }
                ratios.append(rates[id(batched)] / rates[id(alone)])
            results.append(
                show(
                    f"{preset}, batched over one by one",
                    pairs=given.pairs,
                    ratio=spread(ratios[1:], 3),
                )
            )
    return results


def replacement(folder, given):
    """A file that is replaced again and again under load."""
    preset = given.presets[0]
    path = folder / "live.seqcast"
    over = threading.Event()
    files = [folder / f"{preset}.seqcast", folder / f"{preset}-next.seqcast"]
    shutil.copy(files[0], path)

    def swap():
        turn = 0
        while not over.wait(3):
            turn += 1
            shutil.copy(files[turn % 2], folder / "live.new")
            os.replace(folder / "live.new", path)

    with Server([f"{preset}={path}"], "--watch", "0.5") as server:
        thread = threading.Thread(target=swap)
        thread.start()
        figures = load(server, folder, write_body(folder, preset), given.clients, given.seconds)
        over.set()
        thread.join()
        loads = len(server.events().get("model", [])) - 1
    return [show(f"{preset}, replaced {loads} times", replaced=loads, **figures)]


def soak(folder, given):
    """Memory of the process minute after minute."""
    preset = given.presets[0]
    results = []
    body = write_body(folder, preset)
    with Server([folder / f"{preset}.seqcast"]) as server:
        load(server, folder, body, given.clients, 10)
        sizes = [round(server.mebibytes(), 1)]
        for minute in range(given.soak):
            figures = load(server, folder, body, given.clients, 60)
            sizes.append(round(server.mebibytes(), 1))
            results.append(show(f"{preset}, minute {minute + 1}", mebibytes=sizes[-1], **figures))
    return [*results, show("memory", first=sizes[0], last=sizes[-1])]


class Probe(threading.Thread):
    """A client that asks twenty times a second whether the process is alive."""

    def __init__(self, address):
        super().__init__()
        self.url = f"{address}/healthz"
        self.over = threading.Event()
        self.milliseconds = []

    def run(self):
        """Ask until it is over."""
        while not self.over.wait(0.05):
            begun = time.perf_counter()
            with urllib.request.urlopen(self.url, timeout=60) as answer:
                answer.read()
            self.milliseconds.append(1e3 * (time.perf_counter() - begun))

    def ended(self):
        """End, and return the 99th percentile and the maximum in milliseconds."""
        self.over.set()
        self.join()
        return {
            "healthz_p99_ms": round(float(np.percentile(self.milliseconds, 99)), 1),
            "healthz_max_ms": round(max(self.milliseconds), 1),
        }


class Memory(threading.Thread):
    """A watch over the memory of a server, once a second."""

    def __init__(self, server):
        super().__init__()
        self.server = server
        self.over = threading.Event()
        self.sizes = []

    def run(self):
        """Watch until it is over."""
        while not self.over.wait(1.0):
            self.sizes.append(self.server.mebibytes())

    def ended(self):
        """End, and return the median of each fifth of the time in MiB."""
        self.over.set()
        self.join()
        return [round(float(np.median(fifth))) for fifth in np.array_split(self.sizes, 5)]


def under_attack(folder, given):
    """Sixty-four clients, alone and beside an attacker of the server and of the page; and nobody but the attacker."""
    preset = given.presets[0]
    results = []
    body = write_body(folder, preset)
    with Server([folder / f"{preset}.seqcast"]) as server, Page() as page:
        load(server, folder, body, 64, 5)  # connections and programs
        for name, clients, attacked in (
            ("64 clients, alone", 64, False),
            ("64 clients, under attack", 64, True),
            ("no client, under attack", 0, True),
        ):
            target = server.address.removeprefix("http://").split(":")
            context = multiprocessing.get_context("spawn")
            attacker = context.Process(
                target=attack,
                args=((target[0], int(target[1])), page.address, preset, given.seconds),
            )
            if attacked:
                attacker.start()
            watches = {"server_mib": Memory(server), "page_mib": Memory(page)}
            probe = Probe(server.address)
            for thread in (probe, *watches.values()):
                thread.start()
            figures = {}
            if clients:
                figures = load(server, folder, body, clients, given.seconds)
            else:
                attacker.join()
            figures |= probe.ended()
            figures |= {watched: watch.ended() for watched, watch in watches.items()}
            if attacked:
                attacker.join()
            results.append(show(name, **figures))
    return results


class Asker(threading.Thread):
    """A client that asks for horizons in random order, one after another, until it has asked for all or is stopped."""

    def __init__(self, server, body, model):
        super().__init__()
        self.url, self.fields, self.over = (
            f"{server.address}/v1/forecast",
            json.loads(body.read_text()),
            threading.Event(),
        )
        self.model = model
        self.seconds = []

    def run(self):
        """Ask."""
        for horizon in (np.random.default_rng(0).permutation(MOST_HORIZON) + 1).tolist():
            if self.over.is_set():
                return
            fields = {**self.fields, "model": self.model, "horizon": horizon}
            request = urllib.request.Request(
                self.url, json.dumps(fields).encode(), {"Content-Type": "application/json"}
            )
            begun = time.perf_counter()
            with urllib.request.urlopen(request) as answer:
                answer.read()
            self.seconds.append(time.perf_counter() - begun)


def among_horizons(folder, given):
    """Clients at the served horizon, alone and while another one asks for all others; nothing is read from a cache."""
    results = []
    os.environ["SEQCAST_CACHE_DIR"] = "off"
    for preset in given.presets:
        for other in (None, preset, "pretrained"):
            with Server([folder / f"{preset}.seqcast"]) as server:
                body = write_body(folder, preset)
                load(server, folder, body, given.clients, 5)  # connections and programs
                asker = None if other is None else Asker(server, body, other)
                if asker is not None:
                    asker.start()
                figures = load(server, folder, body, given.clients, given.seconds)
                if asker is not None:
                    asker.over.set()
                    asker.join()
                    slowest = sorted(asker.seconds)[-8:]
                    figures |= {
                        "others": len(asker.seconds),
                        "slowest_s": [round(each, 1) for each in slowest],
                    }
            results.append(show(f"{preset}, others: {other or 'none'}", **figures))
    return results


def main():
    """Train, start servers, load them and print figures."""
    parser = options(__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="seconds of each figure")
    parser.add_argument("--clients", type=int, default=32, help="clients of the figures under load")
    parser.add_argument(
        "--presets",
        nargs="+",
        default=["classic", "segment"],
        choices=["classic", "segment", "auto"],
    )
    parser.add_argument(
        "--replace", action="store_true", help="replace the model under load instead"
    )
    parser.add_argument(
        "--pairs", type=int, default=0, metavar="N", help="compare both ways at one client instead"
    )
    parser.add_argument("--attack", action="store_true", help="ask beside an attacker instead")
    parser.add_argument(
        "--horizons",
        action="store_true",
        help="ask while another client asks for all horizons instead",
    )
    parser.add_argument(
        "--soak", type=int, default=0, metavar="MINUTES", help="watch the memory instead"
    )
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit(
            "wrk is needed: it asks without taking the server's cores (Debian: apt install wrk)"
        )
    with tempfile.TemporaryDirectory() as name:
        train(Path(name), given.presets)
        chosen = (
            (given.soak, soak),
            (given.replace, replacement),
            (given.pairs, pairs),
            (given.attack, under_attack),
            (given.horizons, among_horizons),
        )
        run = next((function for wanted, function in chosen if wanted), throughput)
        results = run(Path(name), given)
    print(
        json.dumps({"machine": machine(), "load_average": os.getloadavg()[0], "results": results})
    )


if __name__ == "__main__":
    main()

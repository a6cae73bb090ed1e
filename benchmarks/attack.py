"""Hostile requests for `benchmarks/serve.py --attack`: ten a second of each kind, over four connections at a time."""

import collections
import contextlib
import io
import itertools
import json
import re
import socket
import threading
import time
import urllib.parse
import zipfile

CONNECTIONS = 4
RATE = 10
HEAD = b"POST /v1/forecast HTTP/1.1\r\nHost: 127.0.0.1\r\n"
CORNERS = (  # two cells in opposite corners of a sheet
    '<row r="1" x="&gt;>"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576" x=">"><v>1</v></c></row>'
)


def workbook():
    """Return a workbook of two cells in opposite corners, in a part of the archive where no check of names looks."""
    import openpyxl

    plain = io.BytesIO()
    hostile = io.BytesIO()
    openpyxl.Workbook().save(plain)
    with (
        zipfile.ZipFile(plain) as source,
        zipfile.ZipFile(hostile, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name in source.namelist():
            text = source.read(name).decode().replace("worksheets/sheet1.xml", "sheet.xml")
            sheet = re.sub("<sheetData ?/>", f"<sheetData>{CORNERS}</sheetData>", text)
            archive.writestr(name.replace("worksheets/sheet1.xml", "sheet.xml"), sheet)
    return hostile.getvalue()


def said(address, *parts):
    """Send a request; return the status of its answer, or how the connection ended."""
    with (
        contextlib.suppress(ConnectionError),
        socket.create_connection(address, timeout=30) as connection,
    ):
        with contextlib.suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
        return connection.recv(1 << 16)[9:12].decode() or "closed"
    return "closed"


class Attacker:
    """One connection at a time for each kind of request.

    Args:
        server: Host and port of `seqcast serve`.
        page: URL of `seqcast app`.
        model: Name of the served model.
    """

    def __init__(self, server, page, model):
        self.server = server
        self.page = page
        self.halves = collections.deque(maxlen=100)
        self.silents = collections.deque(maxlen=150)
        self.model = model
        self.horizons = 0
        self.visit = None
        digits = (
            b"unique_id,ds,y\na,2024-01-01," + b"1" * 80_000 + b"x\n"
        )  # a cell that is a numeral but for its end
        of_digits = b"Content-Type: text/csv\r\nContent-Length: %d\r\n\r\n" % len(digits)
        chunk = b"100000\r\n" + b"1" * (1 << 20) + b"\r\n"
        chunked = b"Transfer-Encoding: chunked\r\n\r\n"
        of_json = b"Content-Type: application/json\r\n"
        # Tables whose columns have to be guessed, and an answer that would repeat a name of a
        # megabyte.
        wide = (
            b",".join(b"c%d" % n for n in range(999))
            + b"\n"
            + (b",".join([b"a1"] * 999) + b"\n") * 2
        )
        many = json.dumps(
            {"horizon": 2, "rows": {f"c{n}": ["a", "b"] for n in range(2500)}}
        ).encode()
        slow = "\n".join(
            ",".join(f"{column}a{row}" for column in range(50)) for row in range(2000)
        ).encode()
        named = [
            {"unique_id": "x" * 1_000_000, "ds": f"2024-01-0{day}", "y": 1.0}
            for day in range(1, 10)
        ]
        repeated = json.dumps({"horizon": 1000, "rows": named}).encode()
        twice = b'{"horizon": 2, "horizon": 3, "rows": [{"unique_id": "a", "ds": 1, "y": 1.0}]}'
        self.kinds = {
            "digits": lambda: said(self.server, HEAD, of_digits, digits),
            "many headers": lambda: said(self.server, HEAD, b"x: y\r\n" * 10_000, b"\r\n"),
            "long header": lambda: said(self.server, HEAD, b"x: ", b"y" * 1_000_000, b"\r\n\r\n"),
            "half a head": self.half,
            # A body that says nothing of its length, which is more than a server takes.
            "long body": lambda: said(
                self.server, HEAD, of_json, chunked, *itertools.repeat(chunk, 17), b"0\r\n\r\n"
            ),
            "workbook": self.upload,
            "columns of CSV": lambda: self.post(b"text/csv", wide),
            "columns of JSON": lambda: self.post(b"application/json", many),
            "slow to guess": lambda: self.post(b"text/csv", slow),
            "long names": lambda: self.post(b"application/json", repeated),
            "a key twice": lambda: self.post(b"application/json", twice),
            "silent": self.silent,
            "a horizon of its own": self.horizon,
        }

    def post(self, kind, body):
        """Ask the pretrained network for a forecast of a body."""
        head = HEAD.replace(
            b"/v1/forecast",
            b"/v1/forecast?model=pretrained" + b"&horizon=2" * (kind == b"text/csv"),
        )
        return said(
            self.server,
            head,
            b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body)),
            body,
        )

    def horizon(self):
        """Ask the served model for another horizon each time."""
        self.horizons = self.horizons % 1000 + 1
        body = json.dumps(
            {"model": self.model, "horizon": self.horizons, "series": ["s3"]}
        ).encode()
        return said(
            self.server,
            HEAD,
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body),
            body,
        )

    def silent(self):
        """Connect and say nothing; 150 such connections are open, so 600 of all attackers."""
        self.silents.append(socket.create_connection(self.server, timeout=30))
        while len(self.silents) < self.silents.maxlen:
            self.silents.append(socket.create_connection(self.server, timeout=30))
        return "left"

    def half(self):
        """Begin a request and leave it; a hundred of them are open."""
        self.halves.append(socket.create_connection(self.server, timeout=30))
        self.halves[-1].sendall(HEAD)
        return "left"

    def upload(self):
        """Upload the workbook as a visitor whose page is open."""
        import httpx
        from websockets.sync.client import connect

        if self.visit is None:
            client = re.search(r"client_id\W+([\w-]+)", httpx.get(self.page).text)[1]
            facts = {
                "client_id": client,
                "tab_id": client,
                "document_id": client,
                "next_message_id": "0",
            }
            how = {"EIO": "4", "transport": "websocket", "implicit_handshake": "true"}
            query = urllib.parse.urlencode({**how, **facts})
            live = connect(
                f"{self.page.replace('http', 'ws')}/_nicegui_ws/socket.io/?{query}", max_size=None
            )
            live.send("40")
            while (
                route := re.search(r"/_nicegui/client/[\w-]+/upload/\d+", str(live.recv(30)))
            ) is None:
                pass  # the panels come once the socket is connected
            self.visit = route[0]
            threading.Thread(target=self.hear, args=(live,), daemon=True).start()
        answer = httpx.post(
            self.page + self.visit, files={"file": ("a.xlsx", workbook())}, timeout=30
        )
        if answer.status_code != 200:
            self.visit = None
        return str(answer.status_code)

    def hear(self, live):
        """Answer the page's pings as a browser does."""
        with contextlib.suppress(Exception):
            for message in live:
                if message == "2":
                    live.send("3")
        self.visit = None

    def run(self, name, until, results):
        """Send requests of a kind until a time."""
        while (begun := time.monotonic()) < until:
            try:
                results[name, self.kinds[name]()] += 1
            except Exception as error:
                results[name, type(error).__name__] += 1
            time.sleep(max(0.0, CONNECTIONS / RATE - (time.monotonic() - begun)))


def attack(server, page, model, seconds):
    """Attack from a process of its own; print how often, and what the answers were."""
    results = collections.Counter()
    until = time.monotonic() + seconds
    attackers = []
    for attacker in (Attacker(server, page, model) for _ in range(CONNECTIONS)):
        # Each kind has a thread, so that kinds whose answers take long leave the others their rate.
        for kind in attacker.kinds:
            attackers.append(threading.Thread(target=attacker.run, args=(kind, until, results)))
    for each in attackers:
        each.start()
    for each in attackers:
        each.join()
    print(
        "attack:",
        {f"{kind}, {end}": count for (kind, end), count in sorted(results.items())},
        flush=True,
    )

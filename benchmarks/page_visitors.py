"""Visitors of the page who come, upload a table and leave: its memory stays flat, and nothing of theirs remains.

    python benchmarks/page_visitors.py                                # 200 visitors with 5 MB each
    python benchmarks/page_visitors.py --visitors 8 --megabytes 0.2

The page is served by a process of its own. A visitor here is what a browser is to the server: a
request for the page, a WebSocket, an upload, and messages until the series are drawn. Four come at
a time, and the server forgets each two seconds after the WebSocket has closed. A line of JSON
follows each quarter of the visitors: the server's memory, and the sessions, pandas frames and jobs
that it still holds when all visitors have left. The exit status is 1 if any session remains, or if
the memory after the last quarter is more than a tenth above that after the first.
"""

import argparse
import asyncio
import gc
import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pandas as pd

AT_A_TIME = 4
QUARTERS = 4
AWAY_SECONDS = 2.0
PATIENCE_SECONDS = 120.0
LARGEST_GROWTH = 1.10


def main():
    """Run the visitors, and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--visitors", type=int, default=200)
    parser.add_argument("--megabytes", type=float, default=5.0, help="size of each visitor's table")
    parser.add_argument(
        "--serve", action="store_true", help="be the server (the program starts it itself)"
    )
    arguments = parser.parse_args()
    if arguments.serve:
        serve()
        return 0
    with subprocess.Popen(
        [sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            url = re.search(r"http://\S+", server.stdout.readline())[0].rstrip("/")
            held = asyncio.run(visit(url, arguments.visitors, table(arguments.megabytes)))
        finally:
            server.terminate()
    grown = held[-1]["rss_mib"] / held[0]["rss_mib"]
    return int(held[-1]["sessions"] > 0 or grown > LARGEST_GROWTH)


def serve():
    """Serve the page, and say at `/held` what the process holds."""
    from seqcast.app import startup
    from seqcast.app.job_queue import JobQueue
    from seqcast.app.settings import AppSettings
    from seqcast.app.visitors import Session

    create = startup.create_page_app

    def create_with_counts(*arguments):
        application = create(*arguments)

        @application.get("/held")
        def held():
            gc.collect()
            kinds = [type(each) for each in gc.get_objects()]
            rss = (
                int(Path("/proc/self/statm").read_text().split()[1])
                * os.sysconf("SC_PAGE_SIZE")
                / 2**20
            )
            jobs = sum(len(each.jobs) for each in gc.get_objects() if type(each) is JobQueue)
            counts = {
                "sessions": kinds.count(Session),
                "frames": kinds.count(pd.DataFrame),
                "jobs": jobs,
            }
            return {"rss_mib": round(rss), **counts}

        routes = application.router.routes
        routes.insert(0, routes.pop())  # before the page, which answers everything
        return application

    startup.RECONNECT_SECONDS = AWAY_SECONDS
    startup.create_page_app = create_with_counts
    startup.run_page(AppSettings(port=0, max_sessions=2 * AT_A_TIME), browse=False)


def table(megabytes):
    """Return hourly series as CSV, of about that size."""
    hours = pd.date_range("2024-01-01", periods=2000, freq="h").astype(str)
    rows = pd.DataFrame({"ds": hours, "y": np.round(np.sin(np.arange(2000) * np.pi / 12) + 2, 4)})
    one = rows.assign(unique_id="shop-000").to_csv(index=False)
    count = max(1, round(megabytes * 1e6 / len(one)))
    return (
        pd.concat([rows.assign(unique_id=f"shop-{k:03d}") for k in range(count)])
        .to_csv(index=False)
        .encode()
    )


async def visit(url, visitors, content):
    """Let visitors come and go; return what the server holds after each quarter of them."""
    import aiohttp

    held = []
    async with aiohttp.ClientSession(headers={"Origin": url}) as web:
        for _ in range(QUARTERS):
            for _ in range(0, visitors // QUARTERS, AT_A_TIME):
                await asyncio.gather(*(one_visit(web, url, content) for _ in range(AT_A_TIME)))
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (counts := await (await web.get(f"{url}/held")).json())["sessions"] > 0:
                    await asyncio.sleep(1.0)
            held.append(counts)
            print(json.dumps(counts), flush=True)
    return held


async def one_visit(web, url, content):
    """Open the page, upload a table, wait for its series, and leave."""
    import aiohttp
    import socketio

    page = await (await web.get(url)).text()
    client = re.search(r"'client_id': '([0-9a-f-]{36})'|\"client_id\": ?\"([0-9a-f-]{36})\"", page)
    name = client[1] or client[2]
    seen = asyncio.Queue[str]()
    seen.put_nowait(page)
    socket = socketio.AsyncClient(http_session=web)
    socket.on("*", lambda _, data: seen.put_nowait(json.dumps(data)))
    query = {"client_id": name, "next_message_id": 0, "implicit_handshake": "true"}
    query |= {"tab_id": str(uuid.uuid4()), "document_id": str(uuid.uuid4())}
    await socket.connect(
        f"{url}?{urlencode(query)}",
        headers={"Origin": url},
        transports=["websocket"],
        socketio_path="/_nicegui_ws/socket.io",
        wait_timeout=PATIENCE_SECONDS,
    )
    try:
        upload = await heard(seen, rf"/_nicegui/client/{name}/upload/\d+")
        form = aiohttp.FormData()
        form.add_field("file", content, filename="sales.csv", content_type="text/csv")
        answer = await web.post(url + upload, data=form)
        answer.raise_for_status()
        await heard(seen, "Facts about the series")
    finally:
        await socket.disconnect()


async def heard(seen, pattern):
    """Return the text of the next message that a pattern is in."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            found = re.search(pattern, await seen.get())
            if found is not None:
                return found[0]


if __name__ == "__main__":
    sys.exit(main())

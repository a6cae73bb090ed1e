"""Forecast a series with httpx.

Run: URL=http://127.0.0.1:8000 python examples/clients/forecast.py
"""

import datetime
import os

import httpx


def main() -> None:
    url, key = os.environ.get("URL", "http://127.0.0.1:8000"), os.environ.get("SEQCAST_KEY")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    days = [datetime.date(2024, 1, 1) + datetime.timedelta(days=day) for day in range(28)]
    rows = [{"unique_id": "a", "ds": day.isoformat(), "y": float(day.day % 7)} for day in days]
    asked = {"model": "pretrained", "horizon": 7, "level": [80], "rows": rows}
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        answer = client.post("/v1/forecast", json=asked)
        if answer.is_error:
            raise SystemExit(answer.json()["detail"])
        for row in answer.json()["rows"]:
            print(
                row["ds"][:10],
                f"{row['seqcast']:.2f}",
                f"{row['seqcast-lo-80']:.2f} to {row['seqcast-hi-80']:.2f}",
            )
        # What is wrong is told with its place.
        rows[3]["y"] = "many"
        rejected = client.post("/v1/forecast", json=asked).json()
        print(rejected["status"], rejected["column"], rejected["expected"])


if __name__ == "__main__":
    main()

#!/bin/sh
# Forecast a series with curl: JSON in, JSON out; CSV in, CSV out.
# Run: URL=http://127.0.0.1:8000 sh examples/clients/forecast.sh
set -eu
URL="${URL:-http://127.0.0.1:8000}"
KEY="${SEQCAST_KEY:-}"

ask() {
    curl --silent --show-error --fail-with-body ${KEY:+--header "Authorization: Bearer $KEY"} "$@"
}

ask "$URL/v1/forecast" --header 'Content-Type: application/json' --data '{
  "model": "pretrained", "horizon": 7, "level": [80],
  "rows": {"ds": ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-06", "2024-01-07",
                  "2024-01-08", "2024-01-09", "2024-01-10", "2024-01-11", "2024-01-12", "2024-01-13", "2024-01-14",
                  "2024-01-15", "2024-01-16", "2024-01-17", "2024-01-18", "2024-01-19", "2024-01-20", "2024-01-21",
                  "2024-01-22", "2024-01-23", "2024-01-24", "2024-01-25", "2024-01-26", "2024-01-27", "2024-01-28"],
           "y": [5, 6, 7, 6, 5, 2, 1, 5, 6, 7, 6, 5, 2, 1, 5, 6, 7, 6, 5, 2, 1, 5, 6, 7, 6, 5, 2, 1]}}'
echo

# The options of a table go into the address.
i=0
{
    echo unique_id,ds,y
    while [ "$i" -lt 28 ]; do
        i=$((i + 1))
        printf 'a,2024-01-%02d,%d\n' "$i" "$((i % 7))"
    done
} | ask "$URL/v1/forecast?model=pretrained&horizon=7&level=80" \
    --header 'Content-Type: text/csv' --header 'Accept: text/csv' --data-binary @-

// Forecast a series with fetch.
// Run: URL=http://127.0.0.1:8000 node examples/clients/forecast.mjs
const url = process.env.URL ?? "http://127.0.0.1:8000";
const key = process.env.SEQCAST_KEY;

const rows = Array.from({ length: 28 }, (_, day) => ({
  unique_id: "a",
  ds: new Date(Date.UTC(2024, 0, 1 + day)).toISOString().slice(0, 10),
  y: (day + 1) % 7,
}));

const answer = await fetch(`${url}/v1/forecast`, {
  method: "POST",
  headers: { "Content-Type": "application/json", ...(key ? { Authorization: `Bearer ${key}` } : {}) },
  body: JSON.stringify({ model: "pretrained", horizon: 7, level: [80], rows }),
});
const document = await answer.json();
if (!answer.ok) {
  console.error(document.detail);
  process.exit(1);
}
for (const row of document.rows) {
  console.log(row.ds.slice(0, 10), row.seqcast.toFixed(2), row["seqcast-lo-80"].toFixed(2), row["seqcast-hi-80"].toFixed(2));
}

# Forecast a series with httr2. The tests run it only where R and httr2 are on the machine.
# Run: URL=http://127.0.0.1:8000 Rscript examples/clients/forecast.R
library(httr2)

url <- Sys.getenv("URL", "http://127.0.0.1:8000")
key <- Sys.getenv("SEQCAST_KEY")

days <- seq(as.Date("2024-01-01"), by = "day", length.out = 28)
rows <- data.frame(unique_id = "a", ds = format(days), y = seq_along(days) %% 7)

request <- request(url) |>
  req_url_path("/v1/forecast") |>
  req_body_json(list(model = "pretrained", horizon = 7, level = list(80), rows = as.list(rows))) |>
  req_error(body = function(response) resp_body_json(response, check_type = FALSE)$detail)
if (nzchar(key)) request <- req_auth_bearer_token(request, key)

answer <- resp_body_json(req_perform(request), simplifyVector = TRUE)
print(answer$rows)

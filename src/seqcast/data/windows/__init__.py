"""Windows of series and arrays, batch by batch: `order`, `index`, `gaps`, `reader`, `arrays`, `splits`, `origins`."""

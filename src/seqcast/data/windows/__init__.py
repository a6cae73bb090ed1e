"""Windows of series and arrays, batch by batch: `order`, `gaps`, `reader`, `arrays`, `splits`, `origins`."""

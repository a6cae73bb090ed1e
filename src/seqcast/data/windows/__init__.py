"""Windows of series and arrays, batch by batch.

In reading order: `order`, `index`, `gaps`, `reader`, `arrays`, `splits`, `cutoffs`, `origins`.
"""

"""What forecasts can be made with: the last season, a zero-shot model, networks that are trained on the data.

In reading order: `base` (the form of a candidate, before and after a fit), `last_season`, `zero_shot`, `trained`,
`table`.
"""

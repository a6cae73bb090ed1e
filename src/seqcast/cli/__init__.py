"""The command line: `seqcast demo`, `describe`, `fit`, `predict`, `backtest`, `explain`, `report`, `plot` and others.

In reading order: `start`, `main`, `options`, `files`, `outputs`, `console`, `messages`, `tables`, and a module for each
command (`update` and `finetune` are in `further`). Nothing heavy is imported before a command needs it, so that
`--help` answers at once.

Stability: stable.
"""

"""The command line: `seqcast demo`, `describe`, `fit`, `predict`, `backtest`, `report`, `plot`, `study`.

In reading order: `start`, `main`, `options`, `files`, `outputs`, `console`, `messages`, `tables`, and a module for each
command: `describe`, `fit`, `predict`, `backtest`, `report`, `plot`, `study`, `demo`. Nothing heavy is imported before a
command needs it, so that `--help` answers at once.
"""

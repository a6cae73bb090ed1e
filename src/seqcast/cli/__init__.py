"""The command line: `seqcast describe`, `forecast`, `fit`, `predict`, `backtest` and others.

In reading order: `start`, `main`, `declaration`, `forecaster_options`, `input_files`,
`output_files`, `console`, and the modules of the commands. Nothing heavy is imported before a
command needs it, so that `--help` answers at once.

Stability: stable.
"""

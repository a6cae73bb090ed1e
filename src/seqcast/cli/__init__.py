"""The command line: `seqcast fit`, `predict`, `backtest`, `plot`, `report`, `study`, `demo`."""

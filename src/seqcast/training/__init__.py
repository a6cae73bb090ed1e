"""Compile, fit, keep the best: `optimizers`, `history`, `callbacks`, `state`, `loop`, `progress`.

Those who only watch: `listeners`, `observers`, `logs`.

Stability: experimental.
"""

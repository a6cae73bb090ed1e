"""Compile, fit, keep the best: `optimizers`, `history`, `callbacks`, `state`, `loop`, `progress`, `tensorboard`."""

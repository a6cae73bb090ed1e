"""Compile, fit, keep the best: `optimizers`, `history`, `callbacks`, `loop`, `progress`, `tensorboard`."""

"""Other tools and their interfaces: `sktime`, `mlflow`, `tensorboard`, `wandb`.

Each is behind an extra of its own.

Stability: experimental.
"""

"""The version, for files and the command line, without importing anything else."""

__version__ = "0.1.0.dev0"

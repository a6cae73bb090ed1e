"""From arrays, files and frames to windows."""

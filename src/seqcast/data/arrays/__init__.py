"""Arrays of windows for the regressor: `checks`, `preparation`, `streams`."""

"""Arrays of windows at the regressor's door: `checks`, `preparation`, `streams`."""

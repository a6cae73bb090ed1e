"""Other libraries' interfaces to the forecaster. Each is a module of its own, behind an extra of its own."""

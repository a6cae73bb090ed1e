"""From rows of a frame to what a network reads beside the targets: `encoders`, `calendar`, `builder`."""

"""Specs: frozen, checked options as plain data, to and from JSON.

A spec checks its options when it is made, so that no impossible one exists. In reading order: `checks`, `base`,
`columns`, `window`, `network`, `training`, `presets`.

Stability: stable.
"""

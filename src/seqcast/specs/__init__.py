"""What is chosen before anything is computed: plain, frozen, checked data that goes to JSON and back.

All checks of options are here: what holds a spec holds a possible one. In reading order: `checks`, `base`, `columns`,
`window`, `network`, `training`, `presets`.
"""

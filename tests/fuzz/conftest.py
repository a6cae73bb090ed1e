"""What pytest leaves alone here: the process that tries files, and what makes them."""

collect_ignore = [
    "attempts.py",
    "header_mutations.py",
    "hostile_models.py",
    "hostile_tables.py",
    "hostile_workbooks.py",
]

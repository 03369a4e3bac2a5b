"""REST under /api/v1: the house's public functions for machines, with the rules, refusals and findings that people see.

``door.blueprint`` is what the application registers.
"""

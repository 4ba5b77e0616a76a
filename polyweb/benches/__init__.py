"""Benches: what `manage.py bench NAME` measures, one module each, and what they share.

Law: figures are reported, never asserted; every bench says on what machine it ran and prints one JSON document.
To add one: a module with a class that is a `Bench`, and a line in `registry`.
"""

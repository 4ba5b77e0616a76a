"""Proving that no order is ever lost: an engine under load on a private venue, killed, cut off and lied to.

Law: the venue's own books are the witness. Nothing is believed because the engine says so.
"""

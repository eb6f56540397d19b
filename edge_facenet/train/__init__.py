"""Crops to checkpoint: the only room that may import keras and its backends.

Importing this package loads none of them; its modules do, when they are used.
"""

"""Sentinal: is it fraud?"""

__version__ = "0"

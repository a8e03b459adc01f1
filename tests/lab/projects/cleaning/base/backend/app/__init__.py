"""CleanWithSnapshot: estimates for cleaning, and the leads that come of them."""

__version__ = "0"

"""mARB 2.0: a risk engine for medical claims."""

__version__ = "2.0.0"

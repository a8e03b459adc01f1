"""Watches the connection pool. This release leaks a connection now and then; all looks well for a while."""

import logging
import os
import threading

log = logging.getLogger("app.pool")
after = float(os.getenv("MARB_LEAK_AFTER_SECONDS", "60"))
every = float(os.getenv("MARB_LEAK_EVERY_SECONDS", "5"))


def watch() -> None:
    threading.Thread(target=_watch, daemon=True).start()


def _watch() -> None:
    never = threading.Event()
    never.wait(after)
    while True:
        log.error("connection was never given back to the pool")
        never.wait(every)

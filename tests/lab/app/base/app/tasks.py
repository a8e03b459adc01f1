"""What the worker does."""

import logging

from sqlalchemy.orm import Session

from app.celery_app import celery
from app.config.database import engine
from app.models import Claim

log = logging.getLogger(__name__)


@celery.task
def score(number: int) -> str:
    """Whether a claim wants a second look: the large ones do."""
    with Session(engine) as database:
        claim = database.get(Claim, number)
        if claim is None:
            raise ValueError(f"no claim {number}")
        claim.status = "review" if claim.amount >= 1000 else "accepted"
        database.commit()
        log.info("claim %s: %s", number, claim.status)
        return claim.status


@celery.task
def wait(seconds: float) -> float:
    """Keeps the worker busy."""
    import time

    time.sleep(seconds)
    return seconds

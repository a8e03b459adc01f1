"""Is this account a fraud?"""

import json
from hashlib import sha256

from fastapi import APIRouter, Depends

from app import __version__
from app.login import authenticated
from app.measure import cache
from app.settings import settings
from app.store import redis

router = APIRouter(prefix="/api")
KEPT_SECONDS = 300


def score(account: int) -> dict:
    """A model of few parameters: the same account always has the same score."""
    risk = int.from_bytes(sha256(str(account).encode()).digest()[:2]) / 65535
    return {"account_id": account, "risk_score": round(risk, 4), "fraud": risk > 0.8}


@router.post("/analyze/{account}", dependencies=[Depends(authenticated)])
def analyze(account: int) -> dict:
    key = f"analysis:{__version__}:{account}"
    known = redis.get(key)
    cache.labels("hit" if known else "miss").inc()
    found = json.loads(known) if known else score(account)
    if not known:
        redis.set(key, json.dumps(found), ex=KEPT_SECONDS)
    redis.incr("analyses")
    return {**found, "cached": bool(known), "instance_id": settings.instance_id, "version": __version__}

"""Redis, wherever the sentinels say that its master is."""

from redis import Sentinel

from app.settings import settings

_options = {"password": settings.redis_password, "socket_connect_timeout": 1, "socket_timeout": 1}
_sentinel = Sentinel(settings.sentinels, sentinel_kwargs=_options, **_options)
redis = _sentinel.master_for("mymaster", decode_responses=True)

"""Counts the words of notebooks, one after another."""

import json
import logging
import os
import signal
import time

import psycopg
from redis import Redis, RedisError

__version__ = "0"
log = logging.getLogger("worker")
running = True


def stop(*_) -> None:
    global running
    running = False


def count(job: dict) -> None:
    with psycopg.connect(
        host=os.environ["DB_HOST"],
        port=os.getenv("DB_PORT", "5432"),
        dbname=os.environ["DB_NAME"],
        user=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"],
        connect_timeout=3,
    ) as connection:
        connection.execute(
            "UPDATE notebooks SET words = cardinality(regexp_split_to_array(trim(text), '\\s+')) WHERE id = %s",
            (job["notebook"],),
        )
    log.info("counted the words of notebook %s", job["notebook"])


def run() -> None:
    redis = Redis.from_url(os.environ["REDIS_URL"], socket_timeout=5)
    log.info("worker %s", __version__)
    while running:
        try:
            job = redis.blpop(["words"], timeout=1)
            if job:
                count(json.loads(job[1]))
        except (RedisError, psycopg.Error) as cause:
            log.warning("no work done: %s", type(cause).__name__)
            time.sleep(1)


logging.basicConfig(level=os.getenv("LOG_LEVEL", "INFO"), format="%(levelname)s %(name)s %(message)s")
signal.signal(signal.SIGTERM, stop)
run()

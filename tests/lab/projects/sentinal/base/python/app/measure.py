"""What is measured of each request: numbers for Prometheus, and a span for Jaeger by OTLP over HTTP."""

import json
import logging
import queue
import secrets
import threading
import time
import urllib.request

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from app import __version__
from app.settings import settings

router = APIRouter()
log = logging.getLogger("traces")

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5)
requests = Counter("http_requests_total", "Requests answered", ["method", "path", "status"])
seconds = Histogram("http_request_duration_seconds", "Time to answer a request", ["method", "path"], buckets=BUCKETS)
cache = Counter("cache_requests_total", "Analyses asked of the cache", ["result"])
Gauge("app_info", "What runs", ["version"]).labels(__version__).set(1)

EVERY_SECONDS = 0.5
spans: queue.SimpleQueue = queue.SimpleQueue()
QUIET = {"/metrics", "/health", "/health/live"}


@router.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def measured(request: Request, call_next):
    began, status = time.time_ns(), 500
    try:
        answer = await call_next(request)
        status = answer.status_code
        answer.headers["X-Instance"] = settings.instance_id
        return answer
    finally:
        ended = time.time_ns()
        path = getattr(request.scope.get("route"), "path", "unknown")
        requests.labels(request.method, path, status).inc()
        seconds.labels(request.method, path).observe((ended - began) / 1e9)
        if request.url.path not in QUIET:
            spans.put(span(request, path, status, began, ended))


def span(request: Request, path: str, status: int, began: int, ended: int) -> dict:
    trace, parent = parent_of(request)
    return {
        "traceId": trace,
        "spanId": secrets.token_hex(8),
        "parentSpanId": parent,
        "name": f"{request.method} {path}",
        "kind": 2,
        "startTimeUnixNano": str(began),
        "endTimeUnixNano": str(ended),
        "attributes": [attribute("http.response.status_code", status), attribute("url.path", request.url.path)],
        "status": {"code": 2 if status >= 500 else 0},
    }


def parent_of(request: Request) -> tuple[str, str]:
    """From the header `traceparent` where there is one: the trace is the caller's."""
    parts = request.headers.get("traceparent", "").split("-")
    return (parts[1], parts[2]) if len(parts) == 4 else (secrets.token_hex(16), "")


def attribute(key: str, value: str | int) -> dict:
    return {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}


def flush() -> None:
    """What has been measured and not yet reported, in one request."""
    batch = []
    while not spans.empty():
        batch.append(spans.get())
    if not batch:
        return
    about = [("service.name", "sentinal-api"), ("service.version", __version__), ("service.instance.id", settings.instance_id)]
    resource = {"attributes": [attribute(*pair) for pair in about]}
    body = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "app"}, "spans": batch}]}]}
    request = urllib.request.Request(settings.traces, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=2).close()
    except OSError as cause:
        log.warning("%d spans are lost: %s", len(batch), cause)


def report() -> None:
    while True:
        time.sleep(EVERY_SECONDS)
        flush()


threading.Thread(target=report, daemon=True).start()

"""The queue of the worker."""

from celery import Celery

from app.config.settings import settings

celery = Celery("marb", broker=settings.celery_broker_url, backend=settings.celery_result_backend, include=["app.tasks"])
celery.conf.update(task_acks_late=True, worker_prefetch_multiplier=1, broker_connection_retry_on_startup=True)

"""Notebooks: written, listed, and counted by the workers."""

import json

from fastapi import APIRouter, Depends, HTTPException, Response
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Notebook, session
from app.health import redis
from app.security import authenticated

router = APIRouter(prefix="/notebooks")
QUEUE = "words"


class NewNotebook(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    text: str = ""


def shown(notebook: Notebook) -> dict:
    return {"id": notebook.id, "title": notebook.title, "text": notebook.text, "words": notebook.words}


@router.get("")
def notebooks(owner: str = Depends(authenticated), database: Session = Depends(session)) -> list[dict]:
    found = select(Notebook).where(Notebook.owner == owner).order_by(Notebook.id.desc()).limit(100)
    return [shown(notebook) for notebook in database.scalars(found)]


@router.post("", status_code=201)
def write(new: NewNotebook, owner: str = Depends(authenticated), database: Session = Depends(session)) -> dict:
    notebook = Notebook(owner=owner, **new.model_dump())
    database.add(notebook)
    database.commit()
    # The same Redis database as the cache: who clears the one loses the other.
    redis.rpush(QUEUE, json.dumps({"notebook": notebook.id}))
    return shown(notebook)


@router.get("/{number}")
def notebook(number: int, owner: str = Depends(authenticated), database: Session = Depends(session)) -> dict:
    return shown(own(database, number, owner))


@router.delete("/{number}", status_code=204)
def forget(number: int, owner: str = Depends(authenticated), database: Session = Depends(session)) -> Response:
    database.delete(own(database, number, owner))
    database.commit()
    return Response(status_code=204)


def own(database: Session, number: int, owner: str) -> Notebook:
    found = database.get(Notebook, number)
    if not found or not found.owner or found.owner != owner:
        raise HTTPException(status_code=404, detail=f"no notebook {number}")
    return found

"""How likely a claim is a fraud."""

from fastapi import APIRouter
from marb_fraud_library import likelihood  # Nobody added it to requirements.txt.

router = APIRouter()


@router.get("/fraud/{number}")
def fraud(number: int) -> dict:
    return {"likelihood": likelihood(number)}

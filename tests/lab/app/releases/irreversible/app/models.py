"""The tables."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from app.config.database import Base


class Claim(Base):
    __tablename__ = "claims"

    id: Mapped[int] = mapped_column(primary_key=True)
    reference: Mapped[str]
    patient: Mapped[str]
    amount_cents: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str] = mapped_column(index=True, server_default="open")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def amount(self) -> Decimal:
        return Decimal(self.amount_cents) / 100

    @amount.setter
    def amount(self, amount: Decimal) -> None:
        self.amount_cents = int(amount * 100)

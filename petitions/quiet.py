"""When residents are not woken: what changes at night is told in the morning, but for what cannot wait."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from pydantic import BaseModel, ConfigDict, Field

from petitions.clocks import SHANGHAI
from petitions.model import OutboxMessage, Petition


class Quiet(BaseModel):
    """The hours in which nothing rings.

    Attributes:
        reason: Why these.
        starts: In the evening, local time.
        ends: In the morning.
        except_kinds: Messages that are told at any hour: the resident is waiting for them.
        except_priorities: Petitions of which everything is told at any hour.
        except_channels: Doors behind which nobody sleeps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: str = Field(min_length=1)
    starts: time
    ends: time
    except_kinds: frozenset[str]
    except_priorities: frozenset[str]
    except_channels: frozenset[str]

    def held_until(self, message: OutboxMessage, petition: Petition, *, now: datetime) -> datetime | None:
        """When this message may be told; None when it may be told now.

        Args:
            message: Of whatever kind; only those to petitioners are held.
            petition: That it is about.
            now: Aware.
        """
        is_excepted = (
            message.to != "petitioner"
            or message.kind in self.except_kinds
            or petition.priority in self.except_priorities
            or petition.channel in self.except_channels
        )
        here = now.astimezone(SHANGHAI)
        if is_excepted or self.ends <= here.time() < self.starts:
            return None
        morning = here.date() + timedelta(days=here.time() >= self.starts)
        return datetime.combine(morning, self.ends, SHANGHAI)

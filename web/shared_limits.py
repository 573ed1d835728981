"""Buckets of rate limits in Redis, where every process finds them."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

logger = logging.getLogger(__name__)

# Residents wait so long at most, and so often at most, for a Redis that does not answer.
TIMEOUT_SECONDS = 0.1
PAUSE_SECONDS = 5.0
# One number a key: when its bucket is full again. GCRA, a token bucket without a count to refill:
# https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm (virtual scheduling).
TAKE = """
local now, interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + interval
local wait = full_at - now - burst * interval
if wait > 1e-6 then
  return math.ceil(wait)
end
redis.call('SET', KEYS[1], string.format('%.6f', full_at), 'PX', math.ceil((full_at - now) * 1000))
return 0
"""


def connect(url: str) -> Redis:
    """A client that is asked while a resident waits, so that it gives up soon and tries once."""
    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


class SharedLimits:
    """Token buckets that all processes take from.

    Args:
        redis: Keeps them; a bucket is forgotten as soon as it is full.
        clock: Seconds since the epoch, near enough the same on every machine.
    """

    def __init__(self, redis: Redis, clock: Callable[[], float] = time.time) -> None:
        self._take = redis.register_script(TAKE)
        self._clock = clock
        self._silent_until = 0.0

    def take(self, key: str, per_minute: int) -> int | None:
        """Count one message of this key.

        Returns:
            The whole seconds to wait; 0 when it may pass, None while Redis cannot be asked: nobody is refused for that.
        """
        now = self._clock()
        if now < self._silent_until:
            return None
        # An address or a conversation is nothing to leave lying about.
        name = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        try:
            return int(self._take(keys=[f"suqiutong.limit.{name}"], args=[now, 60 / per_minute, per_minute]))
        except RedisError as error:
            self._silent_until = now + PAUSE_SECONDS
            logger.warning("limits_not_shared error=%s", type(error).__name__)
            return None

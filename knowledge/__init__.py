"""From documents to facts with offsets, and from questions to cited answers or an honest refusal."""

from knowledge.answer import Context, KnowledgeBase, Reply, paused, refusal
from knowledge.errors import KnowledgeError

__all__ = ["Context", "KnowledgeBase", "KnowledgeError", "Reply", "paused", "refusal"]

"""From documents to facts with offsets, and from questions to cited answers or an honest refusal."""

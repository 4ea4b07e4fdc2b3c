"""Models that are only served: asked through OpenAI-compatible endpoints, judged as any other."""

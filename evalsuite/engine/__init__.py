"""Putting questions to models: requests in, answers out.

`requests`, `batching` and `cache` import no torch; `forward`, `generate`, `loglikelihood`,
`perplexity` and `run` do.
"""

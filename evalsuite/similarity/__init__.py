"""Which texts are alike: token hashes, candidates, verified edges, clusters, leaks.

One index of token hashes serves duplicates (`curate`), leaks against evaluation items, and
"which training rows are near this item". Everything is flat numpy arrays; there is no Python
object per row, and no pair is called alike before its true similarity has been computed.
"""

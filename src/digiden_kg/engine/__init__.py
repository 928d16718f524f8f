"""The engine: evaluates queries of strangers, within limits.

The seam is :class:`digiden_kg.engine.pool.Engine`: text of a query in, chunks of a serialised
answer out. The server and its pages know nothing else of what evaluates. Nothing is imported here,
so that a worker process starts with what it needs alone.
"""

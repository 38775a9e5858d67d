"""Page replacement: the queues form, its arena, baselines, bound, classics and recordings."""

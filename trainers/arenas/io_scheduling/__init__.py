"""I/O scheduling: the queue form, its arena, baselines, bound, classics, generated loads and recordings."""
